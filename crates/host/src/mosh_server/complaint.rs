//! What mosh-server says where it has no locale of UTF-8: the last of its words, and no concern of a user who is served
//! with another one. It is kept until the end is known.

const BEGINNING: &[u8] = b"mosh-server needs a UTF-8 native locale";

/// One kilobyte is usual.
const BYTES_MAXIMUM: usize = 16 * 1024;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) output: Vec<u8>,
    pub(crate) errors: Vec<u8>,
    has_begun: bool,
}

impl Complaint {
    /// Keeps the complaint, and what follows it. The rest may be passed on.
    pub(super) fn keep(&mut self, output: &mut Vec<u8>, errors: &mut Vec<u8>) {
        // Told on stderr, before `locale` tells more on stdout.
        for (new, kept) in [(errors, &mut self.errors), (output, &mut self.output)] {
            let from = if self.has_begun { Some(0) } else { beginning(new) };
            if let Some(from) = from {
                self.has_begun = true;
                kept.extend(new.drain(from..));
            }
        }
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.output.len() + self.errors.len() > BYTES_MAXIMUM
    }
}

fn beginning(text: &[u8]) -> Option<usize> {
    text.windows(BEGINNING.len()).position(|window| window == BEGINNING)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(turns: &[(&str, &str)]) -> (Complaint, String, String) {
        let (mut complaint, mut output, mut errors) = (Complaint::default(), String::new(), String::new());
        for (out, err) in turns {
            let (mut out, mut err) = (out.as_bytes().to_vec(), err.as_bytes().to_vec());
            complaint.keep(&mut out, &mut err);
            output.push_str(std::str::from_utf8(&out).unwrap());
            errors.push_str(std::str::from_utf8(&err).unwrap());
        }
        (complaint, output, errors)
    }

    const TOLD: &str = "mosh-server needs a UTF-8 native locale to run.\n";

    #[test]
    fn the_complaint_and_what_follows_it_are_kept() {
        let turns = [("a\n", "b\n"), ("LANG=C\n", &format!("c\n{TOLD}")), ("LC_ALL=\n", "d\n")];
        let (complaint, output, errors) = kept(&turns);
        assert_eq!((output.as_str(), errors.as_str()), ("a\n", "b\nc\n"));
        assert_eq!(complaint.output, b"LANG=C\nLC_ALL=\n");
        assert_eq!(complaint.errors, format!("{TOLD}d\n").as_bytes());
    }

    #[test]
    fn on_one_terminal_all_comes_by_one_way() {
        let (complaint, output, _) = kept(&[(&format!("a\n{TOLD}LANG=C\n"), "")]);
        assert_eq!((output.as_str(), complaint.errors.as_slice()), ("a\n", &b""[..]));
        assert_eq!(complaint.output, format!("{TOLD}LANG=C\n").as_bytes());
    }

    #[test]
    fn all_else_is_passed_on() {
        let (complaint, output, errors) = kept(&[("mosh-server needs", "nothing"), (" a UTF-8", "\n")]);
        assert_eq!(complaint, Complaint::default());
        assert_eq!((output.as_str(), errors.as_str()), ("mosh-server needs a UTF-8", "nothing\n"));
    }
}
