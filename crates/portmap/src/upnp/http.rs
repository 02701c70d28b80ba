//! Just enough HTTP/1.1 for a router: two requests, and a reader for whatever comes back (RFC 9112).
//!
//! Each exchange has a connection of its own. The request is one buffer, to be sent in one write, because
//! some routers read a request from a single segment; the sending side is not shut down, which others
//! dislike.

mod chunked;
mod status_line;

use std::str;

use thiserror::Error;

use self::chunked::Chunks;
use self::status_line::StatusLine;
use super::url::Url;

/// The most bytes of status line and headers that are read, interim (1xx) heads included.
pub const MAXIMUM_HEAD: usize = 16 * 1024;
/// The most bytes of a body that are read: what [`xml`](super::xml) accepts.
pub const MAXIMUM_BODY: usize = super::xml::MAXIMUM_BYTES;
const MAXIMUM_HEADERS: usize = 64;
/// What the headers are read behind, whatever the router's own is like.
const REGULAR_STATUS_LINE: &[u8] = b"HTTP/1.1 200 OK\r\n";

/// The request for a description (UDA 1.1 §2).
pub fn get(url: &Url) -> Vec<u8> {
    format!("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", url.path(), url.authority())
        .into_bytes()
}

/// The request that invokes an action (UDA 1.1 §3).
///
/// `action_header` is `urn:…#Action` without quotes. Quotes, control and non-ASCII characters in it are left
/// out, so that it cannot add headers of its own.
pub fn post(url: &Url, action_header: &str, body: &str) -> Vec<u8> {
    let action: String = action_header.chars().filter(|c| c.is_ascii_graphic() && *c != '"').collect();
    format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/xml; charset=\"utf-8\"\r\n\
         SOAPAction: \"{action}\"\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        url.path(),
        url.authority(),
        body.len()
    )
    .into_bytes()
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Never 100 to 199: interim replies are skipped.
    pub status: u16,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    More,
    Complete(Reply),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplyError {
    #[error("expected an http reply, got {found:?}: {reason}")]
    Garbage { found: String, reason: String },
    #[error("reply head is longer than {MAXIMUM_HEAD} bytes")]
    HeadTooLong,
    #[error("reply body is longer than {MAXIMUM_BODY} bytes")]
    BodyTooLong,
    #[error("expected a chunk size, got {found:?}")]
    InvalidChunk { found: String },
    #[error("connection closed before the end of the reply head, after {received} bytes")]
    HeadCutOff { received: usize },
    #[error("reply was already complete")]
    AlreadyComplete,
}

/// Reads one reply from the pieces in which it arrives.
///
/// The body ends with its last chunk, with `Content-Length`, or with the stream. A body that breaks off
/// counts as complete at the end of the stream: routers count wrongly, and whoever parses it sees whether
/// enough came.
#[derive(Debug, Default)]
pub struct ReplyReader {
    state: State,
}

#[derive(Debug)]
enum State {
    Head { received: Vec<u8>, interim: usize },
    Body { status: u16, framing: Framing },
    Done,
}

impl Default for State {
    fn default() -> Self {
        Self::Head { received: Vec::new(), interim: 0 }
    }
}

#[derive(Debug)]
enum Framing {
    Length { expected: usize, body: Vec<u8> },
    Chunked(Chunks),
    UntilEnd { body: Vec<u8> },
}

impl ReplyReader {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream. Bytes behind the end of the reply are ignored.
    ///
    /// # Errors
    ///
    /// What came is not HTTP, or exceeds a cap, or the reply was already complete. The reader is spent then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Progress, ReplyError> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Head { received, interim } => self.push_head(received, interim, bytes),
            State::Body { status, framing } => self.push_body(status, framing, bytes),
            State::Done => Err(ReplyError::AlreadyComplete),
        }
    }

    /// The peer closed the stream.
    ///
    /// # Errors
    ///
    /// The head was not complete, or the reply had been handed out before.
    pub fn end_of_stream(&mut self) -> Result<Reply, ReplyError> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Head { received, interim } => {
                Err(ReplyError::HeadCutOff { received: interim.saturating_add(received.len()) })
            }
            State::Body { status, framing } => Ok(Reply { status, body: framing.into_body() }),
            State::Done => Err(ReplyError::AlreadyComplete),
        }
    }

    /// What has come so far, if that is a whole document although more was promised: a length that is too long, or a
    /// connection that stays open.
    pub fn whole_document(&mut self) -> Option<Reply> {
        let is_whole = match &self.state {
            State::Body { framing, .. } => super::xml::is_whole(framing.body()),
            State::Head { .. } | State::Done => false,
        };
        is_whole.then(|| self.end_of_stream().ok()).flatten()
    }

    fn push_head(
        &mut self,
        mut received: Vec<u8>,
        mut interim: usize,
        bytes: &[u8],
    ) -> Result<Progress, ReplyError> {
        received.extend_from_slice(bytes);
        loop {
            let head = parse_head(&received)?;
            let head_bytes = head.as_ref().map_or(received.len(), |head| head.length);
            if interim.saturating_add(head_bytes) > MAXIMUM_HEAD {
                return Err(ReplyError::HeadTooLong);
            }
            let Some(head) = head else {
                self.state = State::Head { received, interim };
                return Ok(Progress::More);
            };
            let rest = received.split_off(head.length.min(received.len()));
            if !head.is_interim() {
                return self.push_body(head.status, head.framing, &rest);
            }
            interim = interim.saturating_add(head.length);
            received = rest;
        }
    }

    fn push_body(&mut self, status: u16, mut framing: Framing, bytes: &[u8]) -> Result<Progress, ReplyError> {
        if framing.push(bytes)? {
            return Ok(Progress::Complete(Reply { status, body: framing.into_body() }));
        }
        self.state = State::Body { status, framing };
        Ok(Progress::More)
    }
}

impl Framing {
    /// Returns whether the body is complete.
    fn push(&mut self, bytes: &[u8]) -> Result<bool, ReplyError> {
        match self {
            Self::Chunked(chunks) => chunks.push(bytes),
            Self::UntilEnd { body } => append(body, bytes).map(|()| false),
            Self::Length { expected, body } => {
                let wanted = expected.saturating_sub(body.len()).min(bytes.len());
                append(body, bytes.get(..wanted).unwrap_or_default())?;
                Ok(body.len() >= *expected)
            }
        }
    }

    fn body(&self) -> &[u8] {
        match self {
            Self::Chunked(chunks) => chunks.body(),
            Self::UntilEnd { body } | Self::Length { body, .. } => body,
        }
    }

    fn into_body(self) -> Vec<u8> {
        match self {
            Self::Chunked(chunks) => chunks.into_body(),
            Self::UntilEnd { body } | Self::Length { body, .. } => body,
        }
    }
}

fn append(body: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ReplyError> {
    if bytes.len() > MAXIMUM_BODY.saturating_sub(body.len()) {
        return Err(ReplyError::BodyTooLong);
    }
    body.extend_from_slice(bytes);
    Ok(())
}

struct Head {
    status: u16,
    /// Up to and including the empty line, in bytes.
    length: usize,
    framing: Framing,
}

impl Head {
    fn is_interim(&self) -> bool {
        (100..200).contains(&self.status)
    }
}

/// `None`: not complete yet.
fn parse_head(received: &[u8]) -> Result<Option<Head>, ReplyError> {
    let garbage = |reason: String| ReplyError::Garbage { found: quote(received), reason };
    let status_line = status_line::read(received).map_err(|reason| garbage(reason.into()))?;
    let Some(StatusLine { status, length }) = status_line else { return Ok(None) };
    let regular = [REGULAR_STATUS_LINE, received.get(length..).unwrap_or_default()].concat();
    let mut headers = [httparse::EMPTY_HEADER; MAXIMUM_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = httparse::ParserConfig::default()
        .allow_spaces_after_header_name_in_responses(true)
        .allow_space_before_first_header_name(true)
        .ignore_invalid_headers_in_responses(true)
        .parse_response(&mut response, &regular);
    match parsed {
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(end)) => {
            let length = end - REGULAR_STATUS_LINE.len() + length;
            Ok(Some(Head { status, length, framing: framing(status, response.headers) }))
        }
        Err(error) => Err(garbage(error.to_string())),
    }
}

/// RFC 9112 §6.3, but a length that makes no sense counts as none.
fn framing(status: u16, headers: &[httparse::Header<'_>]) -> Framing {
    let values = |name: &'static str| {
        headers
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .filter_map(|header| str::from_utf8(header.value).ok())
    };
    if values("Transfer-Encoding").any(|value| value.to_ascii_lowercase().contains("chunked")) {
        return Framing::Chunked(Chunks::default());
    }
    if status == 204 {
        return Framing::Length { expected: 0, body: Vec::new() };
    }
    match values("Content-Length").next().and_then(length) {
        Some(expected) => Framing::Length { expected, body: Vec::new() },
        None => Framing::UntilEnd { body: Vec::new() },
    }
}

/// The digits that the value begins with, as miniupnpc reads it.
fn length(value: &str) -> Option<usize> {
    value.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

fn quote(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..bytes.len().min(64)).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests;
