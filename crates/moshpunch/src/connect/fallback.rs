//! An account may admit nothing but lines that begin with mosh-server. Where ours did not run, mosh's own line is sent.

use super::diagnosis::Cause;
use super::ssh;

/// Of a login that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended<'a> {
    /// By OpenSSH itself.
    pub(crate) is_openssh: bool,
    pub(crate) code: Option<i32>,
    pub(crate) cause: &'a Cause,
    /// Our command has run there.
    pub(crate) ran: bool,
    /// The user has answered something there, and is not to be asked it again.
    pub(crate) answered: bool,
}

impl Ended<'_> {
    /// Whether the host let us in, and then would not run what it was asked to. OpenSSH has a code of its own for not
    /// having come that far; another program may only have asked in vain, and is not to ask twice.
    pub(crate) fn is_refused_command(&self) -> bool {
        let let_in = self.is_openssh && self.code.is_some_and(|code| code != ssh::FAILED);
        let_in
            && !self.ran
            && !self.answered
            && !matches!(self.cause, Cause::NoSsh | Cause::NoShell | Cause::Malformed(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_let_in_and_not_run_is_asked_otherwise() {
        let refused = Ended {
            is_openssh: true,
            code: Some(1),
            cause: &Cause::SilentShell,
            ran: false,
            answered: false,
        };
        assert!(refused.is_refused_command());
        for other in [
            Ended { code: Some(ssh::FAILED), cause: &Cause::Denied, ..refused },
            Ended { code: None, cause: &Cause::Ssh, ..refused },
            Ended { ran: true, cause: &Cause::SilentServer, ..refused },
            Ended { answered: true, ..refused },
            Ended { cause: &Cause::NoShell, ..refused },
            Ended { cause: &Cause::NoSsh, code: Some(127), ..refused },
            Ended { is_openssh: false, ..refused },
        ] {
            assert!(!other.is_refused_command(), "{other:?}");
        }
    }
}
