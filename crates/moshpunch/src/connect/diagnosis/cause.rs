//! The causes, each with its cure, in the user's words.

use crate::session::Failure;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// ssh itself is not there.
    NoSsh,
    UnknownName,
    Refused,
    Unreachable,
    HostKey,
    Denied,
    /// Whatever else ssh said.
    Ssh,
    NoShell,
    /// The login ended without a trace of our command.
    SilentShell,
    /// The same, where mosh's own line was not tried.
    OtherCommands,
    NoServer,
    MayNotRun,
    /// It ran, and said nothing.
    SilentServer,
    Malformed(String),
    Locale,
    PortsTaken,
    WrongOptions,
    /// It prints without end.
    Flood,
}

impl Cause {
    /// `ssh` is what the user calls it, such as `ssh -p 2222`.
    pub(crate) fn explained(&self, host: &str, ssh: &str) -> Failure {
        Failure { cause: self.told(host, ssh), cure: self.cure(host, ssh) }
    }

    fn told(&self, host: &str, ssh: &str) -> String {
        match self {
            Self::NoSsh => format!("`{ssh}` cannot be started on this machine"),
            Self::UnknownName => format!("ssh could not look up a name on the way to {host}"),
            Self::Refused => format!("nothing answers ssh on {host}, or not on that port"),
            Self::Unreachable => format!("ssh cannot reach {host} from here"),
            Self::HostKey => format!("the host key of {host} was not accepted"),
            Self::Denied => format!("{host} let nobody in: it refused every way to log in that ssh tried"),
            Self::Ssh => format!("ssh to {host} failed"),
            Self::NoShell => format!("the account on {host} has no login shell"),
            Self::SilentShell | Self::OtherCommands => {
                format!("{host} ended the login without starting a mosh-server")
            }
            Self::NoServer => format!("no mosh-server was found on {host}"),
            Self::MayNotRun => format!("the server on {host} may not be run"),
            Self::SilentServer => format!("mosh-server on {host} ended without a connect line"),
            Self::Malformed(line) => format!("{host} printed a line that is not mosh's: {line}"),
            Self::Locale => {
                format!(
                    "neither {host} nor this machine has a locale with UTF-8 that mosh-server can use there"
                )
            }
            Self::PortsTaken => format!("every UDP port that mosh-server may take on {host} is taken"),
            Self::WrongOptions => format!("the server on {host} does not take these options"),
            Self::Flood => format!("{host} prints without end, and no mosh-server's connect line"),
        }
    }

    fn cure(&self, host: &str, ssh: &str) -> String {
        match self {
            Self::NoSsh => "install it (Debian: apt install openssh-client), or name another with --ssh".into(),
            Self::UnknownName => {
                "look at its spelling, and at Host, HostName and ProxyJump in ~/.ssh/config".into()
            }
            Self::Refused => format!("start sshd on {host}, or name its port: --ssh=\"ssh -p PORT\""),
            Self::Unreachable => {
                format!("`{ssh} {host}` must work first: is {host} up, and on a network that this one leads to?")
            }
            Self::HostKey => {
                "compare it with the host's own (ssh-keygen -lf, there); a key that changed for good reason is \
                 forgotten by ssh-keygen -R"
                    .into()
            }
            Self::Denied => format!("`{ssh} {host}` must work first: look at the user's name and keys"),
            Self::Ssh => format!("`{ssh} {host}` must work first; its own message is above"),
            Self::NoShell => "use an account that may run commands".into(),
            Self::SilentShell => format!(
                "`{ssh} {host} true` must succeed: look in the start-up files of the login shell there for what ends it"
            ),
            Self::OtherCommands => {
                "look in the start-up files of the login shell there for what ends it; if the account admits nothing but \
                 mosh-server, say --server=mosh-server"
                    .into()
            }
            Self::NoServer => "install mosh there (Debian: apt install mosh), or name it with --server".into(),
            Self::MayNotRun => {
                "look at the permissions of mosh-server there, or name another with --server".into()
            }
            Self::SilentServer => {
                format!("run `{ssh} {host} mosh-server`: it must print a line that begins with MOSH CONNECT")
            }
            Self::Malformed(_) => {
                "look what --server, or a program in mosh-server's place, prints there".into()
            }
            Self::Locale => {
                format!(
                    "set LC_ALL=C.UTF-8 here, or make a UTF-8 locale on {host} (Debian: dpkg-reconfigure locales)"
                )
            }
            Self::PortsTaken => {
                "end sessions that nobody uses (mosh-server processes there), or give other ports with -p".into()
            }
            Self::WrongOptions => {
                "use a mosh-server of 1.3 or newer there; -p with a range, -l and --bind-server are such options"
                    .into()
            }
            Self::Flood => format!(
                "`{ssh} {host} true` must print little and end: look in the start-up files of the login shell there, \
                 and what --server prints"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_line_and_so_is_its_cure() {
        for cause in
            [Cause::Refused, Cause::HostKey, Cause::SilentShell, Cause::Flood, Cause::Malformed("x".into())]
        {
            let Failure { cause, cure } = cause.explained("host", "ssh -p 22");
            assert!(cause.contains("host") && !cause.contains('\n'), "{cause}");
            assert!(!cure.is_empty() && !cure.contains('\n'), "{cure}");
        }
    }
}
