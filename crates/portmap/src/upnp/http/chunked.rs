//! The chunked transfer coding (RFC 9112 §7.1), read piece by piece.

use super::{ReplyError, append, quote};

/// The most bytes of one size line, extensions included.
const MAXIMUM_LINE: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Chunks {
    body: Vec<u8>,
    expects: Expects,
    line: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Expects {
    #[default]
    Size,
    Data {
        remaining: usize,
    },
    /// The line end behind the data of a chunk.
    LineEnd,
    /// The last chunk was read. Trailers are not waited for: nothing in them matters here.
    Nothing,
}

impl Chunks {
    /// Returns whether the last chunk was read.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<bool, ReplyError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.expects {
                Expects::Size | Expects::LineEnd => self.take_line(rest)?,
                Expects::Data { remaining } => self.take_data(remaining, rest)?,
                Expects::Nothing => &[],
            };
        }
        Ok(matches!(self.expects, Expects::Nothing))
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn into_body(self) -> Vec<u8> {
        self.body
    }

    fn take_data<'a>(&mut self, remaining: usize, bytes: &'a [u8]) -> Result<&'a [u8], ReplyError> {
        let (data, rest) = bytes.split_at(remaining.min(bytes.len()));
        append(&mut self.body, data)?;
        self.expects = match remaining.saturating_sub(data.len()) {
            0 => Expects::LineEnd,
            remaining => Expects::Data { remaining },
        };
        Ok(rest)
    }

    fn take_line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], ReplyError> {
        let line_end = bytes.iter().position(|&byte| byte == b'\n');
        let (part, rest) = bytes.split_at(line_end.map_or(bytes.len(), |at| at + 1));
        self.line.extend_from_slice(part);
        if self.line.len() > MAXIMUM_LINE {
            return Err(self.invalid());
        }
        if line_end.is_some() {
            self.expects = self.after_line()?;
            self.line.clear();
        }
        Ok(rest)
    }

    fn after_line(&self) -> Result<Expects, ReplyError> {
        let text = String::from_utf8_lossy(&self.line);
        let size = text.split(';').next().unwrap_or_default().trim();
        match self.expects {
            Expects::LineEnd if size.is_empty() => Ok(Expects::Size),
            // A sign would be accepted by the number parser, but is no digit (RFC 9112 §7.1).
            _ if size.starts_with('+') => Err(self.invalid()),
            _ => match usize::from_str_radix(size, 16).map_err(|_| self.invalid())? {
                0 => Ok(Expects::Nothing),
                remaining => Ok(Expects::Data { remaining }),
            },
        }
    }

    fn invalid(&self) -> ReplyError {
        ReplyError::InvalidChunk { found: quote(&self.line) }
    }
}
