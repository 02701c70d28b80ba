//! An account may admit nothing but lines that begin with mosh-server, and a moshpunch there may start none. Then mosh's own
//! line is sent.

use crate::login::diagnosis::Cause;
use crate::login::ssh;

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
    /// And has found a moshpunch, which was to start mosh-server.
    pub(crate) had_ours: bool,
}

impl Ended<'_> {
    /// Whether the host let us in, and then would not run what it was asked to. OpenSSH has a code of its own for not
    /// having come that far; another program may only have asked in vain, and is not to ask twice.
    pub(crate) fn is_refused_command(&self) -> bool {
        let let_in = self.is_openssh && self.code.is_some_and(|code| code != ssh::FAILED);
        let_in && !self.ran && !self.answered && !matches!(self.cause, Cause::NoSsh | Cause::Malformed(_))
    }

    /// Whether the moshpunch there answered, and then was of no use. What mosh-server complains of it would complain of again.
    pub(crate) fn is_failure_of_ours(&self) -> bool {
        self.had_ours
            && !self.answered
            && self.code != Some(ssh::FAILED)
            && self.code.is_some()
            && matches!(self.cause, Cause::SilentServer | Cause::WrongOptions | Cause::MayNotRun)
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
            had_ours: false,
        };
        assert!(refused.is_refused_command());
        // A shell of the administrator's own may say so, too.
        assert!(Ended { cause: &Cause::NoShell, ..refused }.is_refused_command());
        for other in [
            Ended { code: Some(ssh::FAILED), cause: &Cause::Denied, ..refused },
            Ended { code: None, cause: &Cause::Ssh, ..refused },
            Ended { ran: true, cause: &Cause::SilentServer, ..refused },
            Ended { answered: true, ..refused },
            Ended { cause: &Cause::NoSsh, code: Some(127), ..refused },
            Ended { is_openssh: false, ..refused },
        ] {
            assert!(!other.is_refused_command(), "{other:?}");
        }
    }

    #[test]
    fn where_ours_starts_nothing_mosh_is_tried() {
        let failed = Ended {
            is_openssh: false,
            code: Some(1),
            cause: &Cause::SilentServer,
            ran: true,
            answered: false,
            had_ours: true,
        };
        assert!(failed.is_failure_of_ours());
        assert!(Ended { code: Some(0), ..failed }.is_failure_of_ours());
        for other in [
            Ended { had_ours: false, ..failed },
            Ended { answered: true, ..failed },
            Ended { cause: &Cause::PortsTaken, ..failed },
            Ended { cause: &Cause::NoServer, code: Some(127), ..failed },
            Ended { code: Some(ssh::FAILED), ..failed },
            Ended { code: None, ..failed },
        ] {
            assert!(!other.is_failure_of_ours(), "{other:?}");
        }
    }
}
