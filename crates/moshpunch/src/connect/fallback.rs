//! An account may admit nothing but lines that begin with mosh-server. Where ours did not run, mosh's own line is sent.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::diagnosis::{Cause, SSH_FAILED};

/// Of a login that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended<'a> {
    pub(crate) ssh: &'a [OsString],
    pub(crate) code: Option<i32>,
    pub(crate) cause: &'a Cause,
    /// Our command has run there.
    pub(crate) ran: bool,
    /// The host has printed something.
    pub(crate) spoke: bool,
}

impl Ended<'_> {
    /// Whether the host let us in, and then would not run what it was asked to. OpenSSH has a code of its own for not
    /// having come that far; of another program only what the host prints tells.
    pub(crate) fn is_refused_command(&self) -> bool {
        let is_openssh =
            self.ssh.first().is_some_and(|ssh| Path::new(ssh).file_name() == Some(OsStr::new("ssh")));
        let let_in = self.code.is_some_and(|code| code != SSH_FAILED) && (is_openssh || self.spoke);
        let_in && !self.ran && !matches!(self.cause, Cause::NoSsh | Cause::NoShell | Cause::Malformed(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_let_in_and_not_run_is_asked_otherwise() {
        let refused = Ended {
            ssh: &["/usr/bin/ssh".into()],
            code: Some(1),
            cause: &Cause::SilentShell,
            ran: false,
            spoke: false,
        };
        assert!(refused.is_refused_command());
        for other in [
            Ended { code: Some(SSH_FAILED), cause: &Cause::Denied, ..refused },
            Ended { code: None, cause: &Cause::Ssh, ..refused },
            Ended { ran: true, cause: &Cause::SilentServer, ..refused },
            Ended { cause: &Cause::NoShell, ..refused },
            Ended { cause: &Cause::NoSsh, code: Some(127), ..refused },
        ] {
            assert!(!other.is_refused_command(), "{other:?}");
        }
    }

    #[test]
    fn a_code_of_another_program_says_nothing_unless_the_host_has_spoken() {
        let ssh = ["dbclient".into()];
        let ended = Ended { ssh: &ssh, code: Some(1), cause: &Cause::SilentShell, ran: false, spoke: false };
        assert!(!ended.is_refused_command());
        assert!(Ended { spoke: true, ..ended }.is_refused_command());
    }
}
