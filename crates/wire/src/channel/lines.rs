//! Cuts what has come into lines.

use super::LONGEST;

/// Of what is longer than [`LONGEST`] nothing is kept.
#[derive(Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    /// The lines that end in `bytes`, without their ends.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.take(part);
            if part.ends_with(b"\n") {
                lines.extend(self.finish());
            }
        }
        lines
    }

    fn take(&mut self, part: &[u8]) {
        self.is_too_long |= self.begun.len() + part.len() > LONGEST;
        if !self.is_too_long {
            self.begun.extend_from_slice(part);
        }
    }

    fn finish(&mut self) -> Option<Vec<u8>> {
        let mut line = std::mem::take(&mut self.begun);
        line.truncate(line.trim_ascii_end().len());
        (!std::mem::take(&mut self.is_too_long)).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let text = b"one\r\ntwo\n\nthree \t\nfour";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let read: Vec<_> = text.chunks(size).flat_map(|chunk| lines.read(chunk)).collect();
            assert_eq!(read, [&b"one"[..], b"two", b"", b"three"], "{size}");
        }
    }

    #[test]
    fn of_an_endless_line_nothing_is_kept_and_the_next_is_read() {
        let mut lines = Lines::default();
        for _ in 0..1_000 {
            assert_eq!(lines.read(&[b'x'; 1_000]), Vec::<Vec<u8>>::new());
            assert!(lines.begun.len() <= LONGEST);
        }
        assert_eq!(lines.read(b"x\nnext\n"), [b"next"]);
    }
}
