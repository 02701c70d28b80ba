//! The causes, each with its cure, in the user's words.

use std::ffi::OsString;

use programs::signals;
use report::{Machine, Step, Trouble};

use crate::login::pasted::{pasted, pasted_word};

/// What was tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) host: &'a str,
    /// As the user calls it, such as `ssh -p 2222`.
    pub(crate) ssh: &'a [OsString],
    /// The user's own way to start a server.
    pub(crate) server: Option<&'a str>,
    pub(crate) is_openssh: bool,
    /// Without ssh, on this machine.
    pub(crate) is_local: bool,
}

impl<'a> Attempt<'a> {
    /// The same on another machine, which stood in the way.
    pub(crate) fn at<'b>(&self, machine: &'b str) -> Attempt<'b>
    where
        'a: 'b,
    {
        Attempt { host: machine, ..*self }
    }

    fn place(&self) -> &'a str {
        if self.is_local { "this machine" } else { self.host }
    }

    /// In place of "there".
    fn there(&self) -> &'static str {
        if self.is_local { "here" } else { "there" }
    }

    /// How the user would log in without us.
    pub(crate) fn call(&self) -> String {
        format!("{} {}", pasted(self.ssh), pasted_word(self.host))
    }

    /// How the connection that ssh shares is ended.
    pub(crate) fn exit_of_master(&self) -> String {
        format!("{} -O exit {}", pasted(self.ssh), pasted_word(self.host))
    }

    /// How the user would start the server without us.
    fn server_call(&self) -> String {
        let server = self.server.unwrap_or("mosh-server");
        let is_bare = server.split(' ').all(|word| pasted_word(word) == word);
        match (self.is_local, is_bare) {
            (true, _) => server.to_owned(),
            (false, true) => format!("{} {server}", self.call()),
            (false, false) => format!("{} {}", self.call(), pasted_word(server)),
        }
    }
}

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
    /// A signal ended it.
    Killed(i32),
    NoShell,
    ExpiredPassword,
    /// The login ended without a trace of our command.
    SilentShell,
    /// The same, where mosh's own line was not tried.
    OtherCommands,
    NoServer,
    /// What the user named.
    NoSuchServer,
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
    pub(crate) fn explained(&self, attempt: &Attempt<'_>) -> Trouble {
        let machine = if attempt.is_local { Machine::Laptop } else { self.machine() };
        Trouble::told(machine, self.step(), self.told(attempt), self.cure(attempt))
    }

    fn machine(&self) -> Machine {
        match self {
            Self::NoSsh | Self::UnknownName | Self::Killed(_) => Machine::Laptop,
            _ => Machine::Host,
        }
    }

    fn step(&self) -> Step {
        match self {
            Self::NoSsh
            | Self::UnknownName
            | Self::Refused
            | Self::Unreachable
            | Self::HostKey
            | Self::Denied
            | Self::Ssh
            | Self::Killed(_)
            | Self::NoShell
            | Self::ExpiredPassword => Step::Login,
            Self::SilentShell
            | Self::OtherCommands
            | Self::NoServer
            | Self::NoSuchServer
            | Self::MayNotRun
            | Self::SilentServer
            | Self::Malformed(_)
            | Self::Locale
            | Self::PortsTaken
            | Self::WrongOptions
            | Self::Flood => Step::Start,
        }
    }

    fn told(&self, attempt: &Attempt<'_>) -> String {
        let (place, ssh) = (attempt.place(), pasted(attempt.ssh));
        let server = attempt.server.map_or_else(|| "mosh-server".to_owned(), |server| format!("`{server}`"));
        match self {
            Self::NoSsh => format!("`{ssh}` cannot be started on this machine"),
            Self::UnknownName => format!("ssh could not look up a name on the way to {place}"),
            Self::Refused => format!("nothing answers ssh on {place}, or not on that port"),
            Self::Unreachable => format!("ssh cannot reach {place} from here"),
            Self::HostKey => format!("the host key of {place} was not accepted"),
            Self::Denied => format!("{place} let nobody in: it refused every way to log in that ssh tried"),
            Self::Ssh => format!("ssh to {place} failed"),
            Self::Killed(signal) => format!("ssh to {place} was ended by {}", named(*signal)),
            Self::NoShell => format!("the account on {place} has no login shell"),
            Self::ExpiredPassword => format!("the account on {place} has to change its password first"),
            Self::SilentShell | Self::OtherCommands => {
                format!("{place} ended the login without starting a mosh-server")
            }
            Self::NoServer => format!("no mosh-server was found on {place}"),
            Self::NoSuchServer => format!("{server} was not found on {place}"),
            Self::MayNotRun => format!("the server on {place} may not be run"),
            Self::SilentServer => format!("{server} on {place} ended without a connect line"),
            Self::Malformed(line) => format!("{place} printed a line that is not mosh's: {line}"),
            Self::Locale if attempt.is_local => {
                format!("{place} has no locale with UTF-8 that mosh-server can use")
            }
            Self::Locale => {
                format!(
                    "neither {place} nor this machine has a locale with UTF-8 that mosh-server can use there"
                )
            }
            Self::PortsTaken => format!("every UDP port that mosh-server may take on {place} is taken"),
            Self::WrongOptions => format!("the server on {place} does not take these options"),
            Self::Flood => format!("{place} prints without end, and no mosh-server's connect line"),
        }
    }

    fn cure(&self, attempt: &Attempt<'_>) -> String {
        let (host, call, there) = (attempt.place(), attempt.call(), attempt.there());
        match self {
            Self::NoSsh => "install it (Debian: apt install openssh-client), or name another with --ssh".into(),
            Self::UnknownName => {
                "look at its spelling, and at Host, HostName and ProxyJump in ~/.ssh/config".into()
            }
            Self::Refused => format!("start sshd on {host}, or name its port: --ssh=\"ssh -p PORT\""),
            Self::Unreachable => {
                format!("`{call}` must work first: is {host} up, and on a network that this one leads to?")
            }
            Self::HostKey => {
                "compare it with the host's own (ssh-keygen -lf, there); a key that changed for good reason is \
                 forgotten by ssh-keygen -R"
                    .into()
            }
            Self::Denied => format!("`{call}` must work first: look at the user's name and keys"),
            Self::Ssh => format!("`{call}` must work first; its own message is above"),
            Self::Killed(_) => {
                format!("connect again; if `{call}` does not last either, the kernel's log may tell what ended it")
            }
            Self::NoShell => "use an account that may run commands".into(),
            Self::ExpiredPassword => format!("log in once with `{call}`, and follow what it asks"),
            Self::SilentShell => format!(
                "`{call} true` must succeed: look in the start-up files of the login shell there for what ends it"
            ),
            Self::OtherCommands => {
                "look in the start-up files of the login shell there for what ends it; if the account admits nothing but \
                 mosh-server, say --server=mosh-server"
                    .into()
            }
            Self::NoServer => {
                format!("install mosh {there} (Debian: apt install mosh), or name it with --server")
            }
            Self::NoSuchServer => format!("install it {there}, or name another with --server"),
            Self::MayNotRun => {
                format!("look at the permissions of mosh-server {there}, or name another with --server")
            }
            Self::SilentServer => {
                format!("run `{}`: it must print a line that begins with MOSH CONNECT", attempt.server_call())
            }
            Self::Malformed(_) => {
                format!("look what --server, or a program in mosh-server's place, prints {there}")
            }
            Self::Locale if attempt.is_local => {
                "set LC_ALL=C.UTF-8, or make a UTF-8 locale (Debian: dpkg-reconfigure locales)".into()
            }
            Self::Locale => {
                format!(
                    "set LC_ALL=C.UTF-8 here, or make a UTF-8 locale on {host} (Debian: dpkg-reconfigure locales)"
                )
            }
            Self::PortsTaken => format!(
                "end sessions that nobody uses (mosh-server processes {there}), or give other ports with -p"
            ),
            Self::WrongOptions => format!(
                "use a mosh-server of 1.3 or newer {there}; -p with a range, -l and --bind-server are such options"
            ),
            Self::Flood => format!(
                "`{call} true` must print little and end: look in the start-up files of the login shell there, and what \
                 --server prints"
            ),
        }
    }
}

/// Such as "signal 9 (SIGKILL)".
pub(crate) fn named(signal: i32) -> String {
    let name = signals::name(signal).map(|name| format!(" ({name})"));
    format!("signal {signal}{}", name.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use report::Told;

    use super::*;

    #[test]
    fn each_is_a_line_and_so_is_its_cure() {
        let ssh = ["ssh", "-p", "22"].map(OsString::from);
        let attempt = Attempt { host: "host", ssh: &ssh, server: None, is_openssh: true, is_local: false };
        for cause in
            [Cause::Refused, Cause::Killed(9), Cause::SilentShell, Cause::Flood, Cause::Malformed("x".into())]
        {
            let Trouble { cause: Told { what, cure }, .. } = cause.explained(&attempt);
            assert!(what.contains("host") && !what.contains('\n'), "{what}");
            assert!(cure.is_some_and(|cure| !cure.is_empty() && !cure.contains('\n')), "{what}");
        }
    }

    #[test]
    fn a_call_can_be_pasted() {
        let ssh = ["ssh", "-o", "ProxyCommand=nc %h 22"].map(OsString::from);
        let server = Some("LANG='de_DE' mosh-server");
        let attempt = Attempt { host: "host", ssh: &ssh, server, is_openssh: true, is_local: false };
        assert_eq!(attempt.call(), "ssh -o 'ProxyCommand=nc %h 22' host");
        let server_call = r"ssh -o 'ProxyCommand=nc %h 22' host 'LANG='\''de_DE'\'' mosh-server'";
        assert_eq!(attempt.server_call(), server_call);
        let attempt = Attempt { server: Some("moshpunch server"), ..attempt };
        assert_eq!(attempt.server_call(), "ssh -o 'ProxyCommand=nc %h 22' host moshpunch server");
    }

    #[test]
    fn a_signal_is_told_by_number_and_name() {
        assert_eq!((named(9), named(64)), ("signal 9 (SIGKILL)".into(), "signal 64".into()));
    }
}
