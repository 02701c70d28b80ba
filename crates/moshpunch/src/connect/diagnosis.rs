//! Why a login led to no session: told from what was printed, and how ssh ended.

use crate::session::Failure;

/// The end of what was printed, for the reader of an error. It was shown already; this much is looked at.
const REMEMBERED_BYTES: usize = 8 * 1024;

/// ssh(1): "or with 255 if an error occurred".
pub(crate) const SSH_FAILED: i32 = 255;

/// What a login has printed so far.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    text: String,
    pub(crate) absent: bool,
    pub(crate) malformed: Option<String>,
}

impl Evidence {
    pub(crate) fn add(&mut self, printed: &[u8]) {
        self.text.push_str(&String::from_utf8_lossy(printed));
        self.text.push('\n');
        while self.text.len() > REMEMBERED_BYTES {
            let line = self.text.find('\n').map_or(self.text.len(), |end| end + 1);
            self.text.drain(..line);
        }
    }

    /// `code` is the exit code of ssh; `None`, if a signal ended it.
    pub(crate) fn diagnose(&self, host: &str, code: Option<i32>) -> Failure {
        let failure = |cause: String, cure: String| Failure { cause, cure };
        let says = |words: &[&str]| words.iter().any(|word| self.text.contains(word));
        if let Some(line) = &self.malformed {
            return failure(
                format!("{host} printed a line that is not mosh's: {line}"),
                "look what --server, or a program in mosh-server's place, prints there".into(),
            );
        }
        if says(&["needs a UTF-8 native locale"]) {
            return failure(
                format!(
                    "neither {host} nor this machine has a locale with UTF-8 that mosh-server can use there"
                ),
                format!(
                    "set LC_ALL=C.UTF-8 here, or make a UTF-8 locale on {host} (Debian: dpkg-reconfigure locales)"
                ),
            );
        }
        if says(&["mosh-server: not found", "mosh-server is not installed", "mosh-server: command not found"])
            || code == Some(127)
        {
            return failure(
                format!("no mosh-server was found on {host}"),
                "install mosh there (Debian: apt install mosh), or name it with --server".into(),
            );
        }
        if code == Some(126) {
            return failure(
                format!("the server on {host} may not be run"),
                "look at the permissions of mosh-server there, or name another with --server".into(),
            );
        }
        if says(&["Address already in use", "Error binding to"]) {
            return failure(
                format!("every UDP port that mosh-server may take on {host} is taken"),
                "end sessions that nobody uses (mosh-server processes there), or give other ports with -p"
                    .into(),
            );
        }
        if says(&["Bad UDP port", "invalid option", "unrecognized option", "Usage: ", "unexpected argument"])
        {
            return failure(
                format!("the server on {host} does not take these options"),
                "use a mosh-server of 1.3 or newer there; -p with a range, -l and --bind-server are such options"
                    .into(),
            );
        }
        if code == Some(SSH_FAILED) || code.is_none() {
            return failure(
                format!("ssh to {host} failed"),
                format!("make `ssh {host}` work first; ssh's own message is above"),
            );
        }
        if says(&["not available", "nologin"]) {
            return failure(
                format!("the account on {host} has no login shell"),
                "use an account that may run commands".into(),
            );
        }
        failure(
            format!("{host} ended the login without starting a mosh-server"),
            format!(
                "`ssh {host} true` must print nothing and succeed: look for what the start-up files of the login \
                 shell there print, or run, for every login"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(printed: &str, code: Option<i32>) -> String {
        let mut evidence = Evidence::default();
        evidence.add(printed.as_bytes());
        let Failure { cause, cure } = evidence.diagnose("host", code);
        assert!(!cure.is_empty() && !cure.contains('\n'));
        cause
    }

    #[test]
    fn causes_are_told_apart() {
        for (printed, code, expected) in [
            ("", Some(255), "ssh to host failed"),
            ("", None, "ssh to host failed"),
            ("sh: 1: exec: mosh-server: not found", Some(127), "no mosh-server was found on host"),
            ("sh: 1: exec: mosh-server: not found", Some(255), "no mosh-server was found on host"),
            ("zsh: exec format", Some(126), "the server on host may not be run"),
            (
                "mosh-server needs a UTF-8 native locale to run.",
                Some(1),
                "neither host nor this machine has a locale with UTF-8 that mosh-server can use there",
            ),
            ("mosh-server: invalid option -- 'l'", Some(1), "the server on host does not take these options"),
            (
                "Error binding to IP any: bind: Address already in use",
                Some(1),
                "every UDP port that mosh-server may take on host is taken",
            ),
            ("This account is currently not available.", Some(1), "the account on host has no login shell"),
            ("Have a nice day!", Some(0), "host ended the login without starting a mosh-server"),
        ] {
            assert_eq!(cause(printed, code), expected, "{printed}");
        }
    }

    #[test]
    fn only_the_end_of_an_endless_text_is_kept() {
        let mut evidence = Evidence::default();
        for _ in 0..10_000 {
            evidence.add(b"a line of noise");
        }
        assert!(evidence.text.len() <= REMEMBERED_BYTES && evidence.text.starts_with("a line"));
        evidence.add(&[b'x'; 2 * REMEMBERED_BYTES]);
        assert!(evidence.text.len() <= REMEMBERED_BYTES);
    }
}
