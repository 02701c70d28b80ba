//! Why a login led to no session: told from what was printed, and how ssh ended.

mod cause;

use std::ffi::OsString;

pub(crate) use self::cause::Cause;

/// The end of what was printed, for the reader of an error. It was shown already; this much is looked at.
const REMEMBERED_BYTES: usize = 8 * 1024;

/// ssh(1): "or with 255 if an error occurred".
pub(crate) const SSH_FAILED: i32 = 255;

/// As shells have it.
const NOT_FOUND: i32 = 127;
const NOT_RUN: i32 = 126;

/// Words of programs on the host, whatever ssh made of it; the first that is found counts.
const OF_THE_HOST: [(&str, Cause); 12] = [
    ("needs a UTF-8 native locale", Cause::Locale),
    ("mosh-server: not found", Cause::NoServer),
    ("mosh-server is not installed", Cause::NoServer),
    ("mosh-server: command not found", Cause::NoServer),
    ("mosh-server: Command not found", Cause::NoServer),
    ("Address already in use", Cause::PortsTaken),
    ("Error binding to", Cause::PortsTaken),
    ("Bad UDP port", Cause::WrongOptions),
    ("invalid option", Cause::WrongOptions),
    ("unrecognized option", Cause::WrongOptions),
    ("unexpected argument", Cause::WrongOptions),
    ("Usage: ", Cause::WrongOptions),
];

/// Words of ssh, where it failed itself.
const OF_SSH: [(&str, Cause); 9] = [
    ("Could not resolve hostname", Cause::UnknownName),
    ("Host key verification failed", Cause::HostKey),
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", Cause::HostKey),
    ("Permission denied (", Cause::Denied),
    ("Too many authentication failures", Cause::Denied),
    ("Connection refused", Cause::Refused),
    ("timed out", Cause::Unreachable),
    ("No route to host", Cause::Unreachable),
    ("Network is unreachable", Cause::Unreachable),
];

/// What a login has printed so far.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    text: String,
    /// The host has no moshpunch; and so our command has run there.
    pub(crate) absent: bool,
    /// Our command has run there, whatever the host has.
    pub(crate) ran: bool,
    pub(crate) malformed: Option<String>,
}

impl Evidence {
    pub(crate) fn add(&mut self, printed: &[u8]) {
        self.text.push_str(&String::from_utf8_lossy(printed));
        while self.text.len() > REMEMBERED_BYTES {
            let line = self.text.find('\n').map_or(self.text.len(), |end| end + 1);
            self.text.drain(..line);
        }
    }

    /// `code` is the exit code of ssh; `None`, if a signal ended it.
    pub(crate) fn cause(&self, ssh: &[OsString], code: Option<i32>) -> Cause {
        if let Some(line) = &self.malformed {
            return Cause::Malformed(line.clone());
        }
        if ssh.first().is_some_and(|program| self.says(&format!("moshpunch: {}: ", program.display()))) {
            return Cause::NoSsh;
        }
        if let Some(cause) = self.first_of(&OF_THE_HOST) {
            return cause;
        }
        match code {
            Some(NOT_FOUND) => Cause::NoServer,
            Some(NOT_RUN) => Cause::MayNotRun,
            Some(SSH_FAILED) | None => self.first_of(&OF_SSH).unwrap_or(Cause::Ssh),
            Some(_) if self.absent => Cause::SilentServer,
            Some(_) if self.says("account is currently not available") => Cause::NoShell,
            Some(_) => Cause::SilentShell,
        }
    }

    fn first_of(&self, table: &[(&str, Cause)]) -> Option<Cause> {
        table.iter().find(|(words, _)| self.says(words)).map(|(_, cause)| cause.clone())
    }

    fn says(&self, words: &str) -> bool {
        self.text.contains(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(printed: &str, code: Option<i32>) -> Cause {
        let mut evidence = Evidence::default();
        evidence.add(printed.as_bytes());
        evidence.cause(&["ssh".into()], code)
    }

    #[test]
    fn causes_are_told_apart() {
        for (printed, code, expected) in [
            ("", Some(255), Cause::Ssh),
            ("", None, Cause::Ssh),
            ("moshpunch: ssh: No such file or directory", Some(127), Cause::NoSsh),
            ("ssh: connect to host host port 22: Connection refused", Some(255), Cause::Refused),
            ("ssh: connect to host host port 22: No route to host", Some(255), Cause::Unreachable),
            ("alice@host: Permission denied (publickey).", Some(255), Cause::Denied),
            ("sh: 1: exec: mosh-server: not found", Some(127), Cause::NoServer),
            ("sh: 1: exec: mosh-server: not found", Some(255), Cause::NoServer),
            ("zsh: exec format", Some(126), Cause::MayNotRun),
            ("mosh-server needs a UTF-8 native locale to run.", Some(1), Cause::Locale),
            ("mosh-server: invalid option -- 'l'", Some(1), Cause::WrongOptions),
            ("Error binding to IP any: bind: Address already in use", Some(1), Cause::PortsTaken),
            ("This account is currently not available.", Some(1), Cause::NoShell),
            ("Connection refused", Some(1), Cause::SilentShell),
            ("Have a nice day!", Some(0), Cause::SilentShell),
        ] {
            assert_eq!(cause(printed, code), expected, "{printed}");
        }
    }

    #[test]
    fn a_server_that_says_nothing_is_told_from_a_shell_that_never_started_it() {
        let evidence = Evidence { absent: true, ..Evidence::default() };
        assert_eq!(evidence.cause(&[], Some(0)), Cause::SilentServer);
        let line = "MOSH CONNECT".to_owned();
        let evidence = Evidence { malformed: Some(line.clone()), ..Evidence::default() };
        assert_eq!(evidence.cause(&[], Some(255)), Cause::Malformed(line));
    }

    #[test]
    fn only_the_end_of_an_endless_text_is_kept() {
        let mut evidence = Evidence::default();
        for _ in 0..10_000 {
            evidence.add(b"a line of noise\n");
        }
        assert!(evidence.text.len() <= REMEMBERED_BYTES && evidence.text.starts_with("a line"));
        evidence.add(&[b'x'; 2 * REMEMBERED_BYTES]);
        assert!(evidence.text.len() <= REMEMBERED_BYTES);
    }
}
