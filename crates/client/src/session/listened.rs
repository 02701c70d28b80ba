//! A login beside the session, what it has said, and what that tells of its end.

use std::process::ExitStatus;

use rustix::event::PollFd;

use crate::children::child::Running;
use crate::login::Login;
use crate::login::flood::Printed;
use crate::login::ssh;
use crate::login::transcript::Line;
use crate::session::occasions::Ended;
use crate::session::refusal;

/// Of a login's messages: more than what ssh says in the end.
const LAST_WORDS_BYTES: usize = 2 * 1024;

/// A login, and what it has said so far.
#[derive(Debug)]
pub(crate) struct Listened {
    login: Login,
    printed: Printed,
    last_words: Vec<u8>,
    has_offered: bool,
}

/// What was said since the last time.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) lines: Vec<Line>,
    /// Beside its lines, by the login that began the session. Later ones say nothing that the user could act on.
    pub(crate) messages: Vec<u8>,
}

impl Listened {
    pub(crate) fn to(login: Login) -> Self {
        Self { login, printed: Printed::default(), last_words: Vec::new(), has_offered: false }
    }

    /// How it ended, once it has; then everything is read.
    pub(crate) fn read(&mut self) -> (Said, Option<ExitStatus>) {
        let status = self.login.ended();
        let ended = status.is_some();
        let said = Said { lines: self.login.lines(ended), messages: self.login.messages(ended) };
        self.printed.add(&said.lines, &said.messages);
        self.last_words.extend(&said.messages);
        let surplus = self.last_words.len().saturating_sub(LAST_WORDS_BYTES);
        self.last_words.drain(..surplus);
        self.has_offered |= said.lines.iter().any(|line| matches!(line, Line::Offer(_)));
        (said, status)
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.login.descriptors()
    }

    pub(crate) fn floods(&self) -> bool {
        self.printed.is_a_flood_beside_a_session()
    }

    /// Who cannot ask on a terminal asks on stderr. A question has no end of a line.
    pub(crate) fn asks(&self) -> bool {
        let line = self.last_words.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
        !line.starts_with(b"debug") && matches!(line.trim_ascii_end().last(), Some(b':' | b'?'))
    }

    pub(crate) fn given_up(self) -> (Running, Ended) {
        let how = match (self.asks(), refusal::is_at_the_door(&self.last_words)) {
            (true, _) => Ended::Refused,
            (false, true) => Ended::Doubtful,
            (false, false) => Ended::Failed,
        };
        (self.login.into_program(), how)
    }

    /// Only OpenSSH has an exit code of its own for what the host's command has no part in.
    pub(crate) fn how_it_ended(&self, status: ExitStatus, openssh: bool) -> Ended {
        let is_told = status.code().is_some() || !self.last_words.is_empty();
        if self.has_offered || openssh && status.code().is_some_and(|code| code != ssh::FAILED) {
            Ended::Served
        } else if is_told {
            refusal::how_it_failed(&self.last_words)
        } else {
            Ended::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn listened(last_words: &str) -> Listened {
        Listened { last_words: last_words.into(), ..Listened::to(Login::that_goes_on()) }
    }

    fn exited(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    #[test]
    fn a_question_is_a_line_without_an_end() {
        for (words, expected) in [
            ("alice@router's password: ", true),
            ("Continue?", true),
            ("Warning:\n", false),
            ("Host keys:\nrouter\n", false),
            ("debug1: Remote:", false),
            ("", false),
        ] {
            assert_eq!(listened(words).asks(), expected, "{words:?}");
        }
    }

    #[test]
    fn what_the_host_said_last_is_no_refusal_by_ssh() {
        let denied = || listened("sh: moshpunch: Permission denied\n");
        assert_eq!(denied().how_it_ended(exited(126), true), Ended::Served);
        assert_eq!(denied().how_it_ended(exited(ssh::FAILED), true), Ended::Refused);
        assert_eq!(denied().how_it_ended(exited(126), false), Ended::Refused, "who knows whose code that is");
        assert_eq!(listened("Connection reset by peer\n").how_it_ended(exited(0), false), Ended::Failed);
    }

    #[test]
    fn whoever_has_offered_has_served_however_it_ends() {
        let served = Listened { has_offered: true, ..listened("Permission denied\n") };
        assert_eq!(served.how_it_ended(exited(ssh::FAILED), true), Ended::Served);
    }

    #[test]
    fn who_was_killed_without_a_word_was_not_refused() {
        let killed = ExitStatus::from_raw(9);
        assert_eq!(listened("").how_it_ended(killed, true), Ended::Failed);
        assert_eq!(listened("").how_it_ended(exited(ssh::FAILED), true), Ended::Refused);
    }
}
