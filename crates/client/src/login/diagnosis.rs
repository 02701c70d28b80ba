//! Why a login led to no session: told from how ssh ended, and then from the last words of who is to blame. What a banner,
//! the message of the day or a start-up file says is no cause.

mod cause;
pub(crate) mod words_of_ssh;
mod words_of_the_host;

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

pub(crate) use self::cause::{Attempt, Cause, named};
pub(crate) use self::words_of_ssh::Blamed;
use report::{BEGINNING, Machine, Trouble};

use crate::login::ssh;

/// The end of what was printed, for the reader of an error. It was shown already; this much is looked at.
const REMEMBERED_BYTES: usize = 8 * 1024;

/// As shells have it.
const NOT_FOUND: i32 = 127;
const NOT_RUN: i32 = 126;

/// Of a host where nothing shows that our command has run, only the end may tell why: as many lines as mosh-server and
/// locale(1) print where there is no UTF-8.
const LAST_LINES: usize = 32;

/// As ssh(1) says it of a host that gives no terminal (sshd_config(5), PermitTTY; sshd(8), restrict).
const NO_TERMINAL: &str = "PTY allocation request failed";

/// What a login has printed so far.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// What ssh said itself, and where the host gave no terminal, what the host's programs did.
    messages: Tail,
    /// What the host printed; once our command has begun there, since then.
    output: Tail,
    /// Our command has run there, whatever the host has.
    pub(crate) has_begun: bool,
    pub(crate) malformed: Option<String>,
}

impl Evidence {
    pub(crate) fn add_messages(&mut self, messages: &[u8]) {
        self.messages.add(messages);
        if self.has_begun {
            self.output.add(messages);
        }
    }

    pub(crate) fn add_line(&mut self, line: &[u8]) {
        self.output.add(line);
        self.output.add(b"\n");
    }

    /// What comes now is of our own command there.
    pub(crate) fn begin(&mut self) {
        if !self.has_begun {
            *self = Self { output: Tail::default(), has_begun: true, ..std::mem::take(self) };
        }
    }

    /// ssh(1) was told by -tt to do nothing without one.
    pub(crate) fn misses_terminal(&self) -> bool {
        !self.has_begun && self.messages.lines().any(|line| line.starts_with(NO_TERMINAL))
    }

    /// `status` is that of ssh, or of what was started in its place.
    pub(crate) fn cause(&self, attempt: &Attempt<'_>, status: ExitStatus) -> (Cause, Blamed) {
        if let Some(line) = &self.malformed {
            return (Cause::Malformed(line.clone()), Blamed::Host);
        }
        let of_the_host = || (self.cause_of_the_host(attempt, status), Blamed::Host);
        self.cause_of_ssh(attempt, status).unwrap_or_else(of_the_host)
    }

    fn cause_of_ssh(&self, attempt: &Attempt<'_>, status: ExitStatus) -> Option<(Cause, Blamed)> {
        let code = status.code();
        if attempt.is_local {
            return None;
        }
        let messages: Vec<_> = self.messages.lines().collect();
        if code.is_some_and(|code| [NOT_FOUND, NOT_RUN].contains(&code))
            && is_unstarted(attempt.ssh, &messages)
        {
            return Some((Cause::NoSsh, Blamed::Host));
        }
        let is_its_own_end = matches!(code, Some(ssh::FAILED) | None);
        if !is_its_own_end && (attempt.is_openssh || self.has_begun) {
            return None;
        }
        let is_unknown = is_its_own_end && !self.has_begun;
        words_of_ssh::cause(&messages).or_else(|| is_unknown.then(|| (failed(status), Blamed::Host)))
    }

    fn cause_of_the_host(&self, attempt: &Attempt<'_>, status: ExitStatus) -> Cause {
        let began_here = self.has_begun || attempt.is_local;
        let output: Vec<_> = self.output.lines().collect();
        let since = if began_here { 0 } else { output.len().saturating_sub(LAST_LINES) };
        // Of a host, those may be a banner; since our command began, they are in its output.
        let messages = self.messages.lines().filter(|_| attempt.is_local).collect::<Vec<_>>();
        let last = || output[since..].iter().chain(&messages).copied();
        if let Some(cause) = words_of_the_host::cause(last()) {
            return cause;
        }
        match status.code() {
            Some(NOT_FOUND) if attempt.server.is_some() => Cause::NoSuchServer,
            Some(NOT_FOUND) => Cause::NoServer,
            Some(NOT_RUN) => Cause::MayNotRun,
            Some(ssh::FAILED) | None if !attempt.is_local => failed(status),
            _ if began_here => Cause::SilentServer,
            _ => of_an_account(last()).unwrap_or(if attempt.is_openssh {
                Cause::SilentShell
            } else {
                Cause::Ssh
            }),
        }
    }
}

pub(crate) fn explained(cause: &Cause, blamed: &Blamed, attempt: &Attempt<'_>) -> Trouble {
    let of_a_jump_host =
        |name: &str| Trouble { machine: Machine::JumpHost, ..cause.explained(&attempt.at(name)) };
    match blamed {
        Blamed::Named(name) => of_a_jump_host(name),
        Blamed::SomeJumpHost => of_a_jump_host(&format!("a jump host of {}", attempt.host)),
        Blamed::Host => cause.explained(attempt),
    }
}

/// Of a program that a signal has ended, there is no message to look for.
fn failed(status: ExitStatus) -> Cause {
    status.signal().map_or(Cause::Ssh, Cause::Killed)
}

/// In the words of our own program that was to become ssh.
fn is_unstarted(ssh: &[OsString], messages: &[&str]) -> bool {
    let said = ssh.first().map(|program| format!("{BEGINNING}{}: ", program.display()));
    said.is_some_and(|said| messages.last().is_some_and(|line| line.starts_with(&said)))
}

/// As nologin(8), sshd(8) (of an account for files alone, too) and passwd(1) say it.
fn of_an_account<'a>(mut lines: impl Iterator<Item = &'a str>) -> Option<Cause> {
    lines.find_map(|line| match line {
        "This account is currently not available." | "This service allows sftp connections only." => {
            Some(Cause::NoShell)
        }
        "Password change required but no TTY available." => Some(Cause::ExpiredPassword),
        _ => line.starts_with("You must change your password now").then_some(Cause::ExpiredPassword),
    })
}

/// The end of a text, by whole lines.
#[derive(Debug, Default)]
struct Tail(String);

impl Tail {
    fn add(&mut self, printed: &[u8]) {
        self.0.push_str(&String::from_utf8_lossy(printed));
        while self.0.len() > REMEMBERED_BYTES {
            let line = self.0.find('\n').map_or(self.0.len(), |end| end + 1);
            self.0.drain(..line);
        }
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.lines().map(str::trim_end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(ssh: &[OsString]) -> Attempt<'_> {
        Attempt { host: "host", ssh, server: None, is_openssh: true, is_local: false }
    }

    fn exited(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    fn judged(evidence: &Evidence, attempt: &Attempt<'_>, status: ExitStatus) -> Trouble {
        let (cause, machine) = evidence.cause(attempt, status);
        explained(&cause, &machine, attempt)
    }

    fn cause(evidence: &Evidence, status: ExitStatus) -> Cause {
        let ssh = ["ssh".into()];
        match evidence.cause_of_ssh(&attempt(&ssh), status) {
            Some((cause, _)) => cause,
            None => evidence.cause_of_the_host(&attempt(&ssh), status),
        }
    }

    /// Of messages of ssh, lines before our command began, and lines since, if it did.
    fn evidence(messages: &str, before: &str, since: Option<&str>) -> Evidence {
        let mut evidence = Evidence::default();
        evidence.add_messages(messages.as_bytes());
        before.lines().for_each(|line| evidence.add_line(line.as_bytes()));
        if let Some(since) = since {
            evidence.begin();
            since.lines().for_each(|line| evidence.add_line(line.as_bytes()));
        }
        evidence
    }

    const BANNER: &str = "Acceptable Usage: all access is logged.\r\nPermission denied (to others).\r\n";

    #[test]
    fn where_ssh_failed_only_its_last_words_count() {
        let of = |messages: &str, status| cause(&evidence(messages, "", None), status);
        assert_eq!(of("", exited(255)), Cause::Ssh);
        assert_eq!(of(BANNER, ExitStatus::from_raw(9)), Cause::Killed(9));
        assert_eq!(of(BANNER, exited(255)), Cause::Ssh);
        let denied = format!("{BANNER}alice@host: Permission denied (publickey).\r\n");
        assert_eq!(of(&denied, exited(255)), Cause::Denied);
        assert_eq!(of("moshpunch: ssh: No such file or directory", exited(127)), Cause::NoSsh);
        let fallen_back = "ssh: Could not resolve hostname host.example: Name or service not known\r\n\
                           ssh: connect to host host port 9: Connection refused\r\n";
        assert_eq!(of(fallen_back, exited(255)), Cause::Refused);
    }

    #[test]
    fn where_the_host_failed_only_what_our_command_printed_counts() {
        let missing = "sh: 1: exec: mosh-server: not found";
        let long_ago = format!("{missing}\n{}", "noise\n".repeat(LAST_LINES));
        for (before, since, code, expected) in [
            ("", Some(missing), 127, Cause::NoServer),
            (missing, Some(""), 1, Cause::SilentServer),
            (missing, None, 127, Cause::NoServer),
            (&long_ago, None, 1, Cause::SilentShell),
            ("", Some("zsh: exec format"), 126, Cause::MayNotRun),
            ("This account is currently not available.", None, 1, Cause::NoShell),
            ("This service allows sftp connections only.", None, 1, Cause::NoShell),
            (
                "You must change your password now and login again!\nCurrent password:",
                None,
                0,
                Cause::ExpiredPassword,
            ),
            ("Connection refused", None, 1, Cause::SilentShell),
            ("Have a nice day!", None, 0, Cause::SilentShell),
            ("Have a nice day!", Some(""), 0, Cause::SilentServer),
            ("", Some(missing), 255, Cause::NoServer),
        ] {
            let evidence = evidence(BANNER, before, since);
            assert_eq!(cause(&evidence, exited(code)), expected, "{before}, {since:?}");
        }
    }

    #[test]
    fn without_a_terminal_there_the_servers_words_come_as_messages() {
        let mut evidence = evidence(BANNER, "", Some(""));
        evidence.add_messages(b"mosh-server needs a UTF-8 native locale to run.\n");
        assert_eq!(cause(&evidence, exited(1)), Cause::Locale);
    }

    #[test]
    fn what_is_started_here_is_not_ssh() {
        let local = Attempt { is_local: true, server: Some("false"), ..attempt(&[]) };
        let explained = |code| judged(&Evidence::default(), &local, exited(code)).cause.what;
        assert_eq!(explained(1), "`false` on this machine ended without a connect line");
        assert_eq!(explained(255), "`false` on this machine ended without a connect line");
        assert_eq!(explained(127), "`false` was not found on this machine");
    }

    #[test]
    fn a_line_that_is_not_moshs_is_named_first() {
        let evidence = Evidence { malformed: Some("MOSH CONNECT".into()), ..Evidence::default() };
        let cause = judged(&evidence, &attempt(&[]), exited(255)).cause.what;
        assert_eq!(cause, "host printed a line that is not mosh's: MOSH CONNECT");
    }

    #[test]
    fn a_jump_host_is_named() {
        let messages =
            "ssh: connect to host gw port 22: Connection refused\nConnection closed by UNKNOWN port 65535\n";
        let failure = judged(&evidence(messages, "", None), &attempt(&["ssh".into()]), exited(255));
        assert_eq!(failure.cause.what, "nothing answers ssh on gw, or not on that port");
        assert_eq!(failure.machine, Machine::JumpHost);
    }

    #[test]
    fn only_the_end_of_an_endless_text_is_kept() {
        let mut tail = Tail::default();
        for _ in 0..10_000 {
            tail.add(b"a line of noise\n");
        }
        assert!(tail.0.len() <= REMEMBERED_BYTES && tail.0.starts_with("a line"));
        tail.add(&[b'x'; 2 * REMEMBERED_BYTES]);
        assert!(tail.0.len() <= REMEMBERED_BYTES);
    }
}
