//! What mosh-server prints: text for the user, and the connect line with the session's key.

use std::io;
use std::num::NonZeroU16;
use std::ops::Range;

use rustix::stdio;
use zeroize::Zeroizing;

use super::unbuffered::write_unbuffered;

const PREFIX: &[u8] = b"MOSH CONNECT ";

/// With the empty lines before it. 44 bytes are usual; a longer one is not mosh's.
const LINE_BYTES_MAXIMUM: usize = 256;

/// `MOSH CONNECT PORT KEY`, with the empty lines that stood before it.
pub(crate) struct ConnectLine {
    pub(crate) port: NonZeroU16,
    text: Zeroizing<Vec<u8>>,
    port_at: Range<usize>,
}

impl ConnectLine {
    fn parse(text: &Zeroizing<Vec<u8>>) -> Option<Self> {
        let start = text.iter().position(|byte| !is_end_of_line(*byte))? + PREFIX.len();
        let length = text.get(start..)?.iter().position(|byte| *byte == b' ')?;
        let port_at = start..start + length;
        let port = std::str::from_utf8(&text[port_at.clone()]).ok()?.parse().ok()?;
        Some(Self { port, text: text.clone(), port_at })
    }

    /// Hands it on, with the port to tell the user.
    pub(crate) fn tell(&self, port: NonZeroU16) -> io::Result<()> {
        self.tell_behind("", port)
    }

    /// The same, at once with what comes before it.
    pub(crate) fn tell_behind(&self, text: &str, port: NonZeroU16) -> io::Result<()> {
        // Made at once: a vector that grows leaves copies of the key behind.
        let told = Zeroizing::new([text.as_bytes(), &self.with_port(port)].concat());
        write_unbuffered(stdio::stdout(), &told)
    }

    /// The line with another port in its place.
    fn with_port(&self, port: NonZeroU16) -> Zeroizing<Vec<u8>> {
        let (before, after) = (&self.text[..self.port_at.start], &self.text[self.port_at.end..]);
        // Made at once: a vector that grows leaves copies of the key behind.
        Zeroizing::new([before, port.to_string().as_bytes(), after].concat())
    }
}

/// Passes text on as it comes, and keeps what may become the connect line until that is known.
pub(super) struct Reader {
    held: Zeroizing<Vec<u8>>,
    at_line_start: bool,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { held: Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAXIMUM)), at_line_start: true }
    }

    /// The connect line, if this byte ends it. What is none goes into `text`.
    pub(super) fn take(&mut self, byte: u8, text: &mut Vec<u8>) -> Option<ConnectLine> {
        self.held.push(byte);
        let line = self.candidate().filter(|_| self.held.len() < LINE_BYTES_MAXIMUM);
        match line {
            None => self.give_up(text),
            Some(line) if line.len() > PREFIX.len() && byte == b'\n' => return self.finish(text),
            Some(_) => {}
        }
        None
    }

    /// As at the end of a line: nothing more comes.
    pub(super) fn finish(&mut self, text: &mut Vec<u8>) -> Option<ConnectLine> {
        let is_whole = self.candidate().is_some_and(|line| line.starts_with(PREFIX));
        let line = is_whole.then(|| ConnectLine::parse(&self.held)).flatten();
        if line.is_none() {
            self.give_up(text);
        }
        line
    }

    /// What is held, without the empty lines before it, as long as it may still be the connect line.
    fn candidate(&self) -> Option<&[u8]> {
        let empty = self.held.iter().take_while(|byte| is_end_of_line(**byte)).count();
        let (empty, line) = self.held.split_at(empty);
        let at_line_start = empty.last().map_or(self.at_line_start, |byte| *byte == b'\n');
        let may_be = PREFIX.starts_with(line) || line.starts_with(PREFIX);
        (line.is_empty() || at_line_start && may_be).then_some(line)
    }

    fn give_up(&mut self, text: &mut Vec<u8>) {
        self.at_line_start = self.held.last().map_or(self.at_line_start, |byte| *byte == b'\n');
        text.append(&mut self.held);
    }
}

fn is_end_of_line(byte: u8) -> bool {
    [b'\r', b'\n'].contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was passed on, and the connect line with port 7; whatever stands behind it is not read.
    fn read(output: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
        let (mut reader, mut text) = (Reader::new(), Vec::new());
        let line = output.iter().find_map(|byte| reader.take(*byte, &mut text));
        let line = line.or_else(|| reader.finish(&mut text));
        (text, line.map(|line| line.with_port(NonZeroU16::new(7).unwrap()).to_vec()))
    }

    #[test]
    fn the_port_is_replaced_and_nothing_else() {
        for (output, text, line) in [
            ("MOSH CONNECT 60001 key/key+key\n", "", "MOSH CONNECT 7 key/key+key\n"),
            ("\r\n\nMOSH CONNECT 60001 key\nmore", "", "\r\n\nMOSH CONNECT 7 key\n"),
            ("hello\r\nMOSH CONNECT 60001 key\r\n", "hello", "\r\nMOSH CONNECT 7 key\r\n"),
            ("MOSH\nMOSH CONNECTED\n\nMOSH CONNECT 1 key", "MOSH\nMOSH CONNECTED", "\n\nMOSH CONNECT 7 key"),
        ] {
            let expected = (text.as_bytes().to_vec(), Some(line.as_bytes().to_vec()));
            assert_eq!(read(output.as_bytes()), expected, "{output:?}");
        }
    }

    #[test]
    fn what_is_no_connect_line_is_passed_on_unchanged() {
        for output in [
            &b""[..],
            b"Usage: mosh-server new\n",
            b"MOSH CONNECT 0 key\nMOSH CONNECT x key\nMOSH CONNECT 60001\nMOSH CONNECT \n",
            b" MOSH CONNECT 60001 key\n",
            b"no end of a lineMOSH CONNECT 60001 key\n",
            b"\rMOSH CONNECT 60001 key\n",
            b"\xff\xfe\r\n\n\r\n\x1b[1m MOSH\n",
            &[b'\n'; 3 * LINE_BYTES_MAXIMUM],
            &[PREFIX, b"1 ", &[b'x'; 3 * LINE_BYTES_MAXIMUM]].concat(),
        ] {
            assert_eq!(read(output), (output.to_vec(), None), "{output:?}");
        }
    }

    #[test]
    fn text_is_not_kept_longer_than_it_may_be_a_connect_line() {
        let (mut reader, mut text) = (Reader::new(), Vec::new());
        for byte in b"Press Enter: " {
            assert!(reader.take(*byte, &mut text).is_none());
        }
        assert_eq!(text, b"Press Enter: ");
    }
}
