//! A login beside the session, what it has said, and what that tells of its end.

use std::mem::take;
use std::process::ExitStatus;
use std::time::Instant;

use rustix::event::PollFd;
use rustix::process::Signal;
use wire::channel::{Frame, Heard};

use crate::login::Login;
use crate::login::flood::PrintedBeside;
use crate::login::ssh;
use crate::login::transcript::Line;
use crate::session::channel::Channel;
use crate::session::occasions::Ended;
use crate::session::refusal;

/// Of a login's messages: more than what ssh says in the end.
const LAST_WORDS_BYTES: usize = 2 * 1024;

/// A login, and what it has said so far.
#[derive(Debug)]
pub(crate) struct Listened {
    login: Login,
    /// What came with the connect line.
    unread: Vec<Line>,
    printed: PrintedBeside,
    last_words: Vec<u8>,
    has_offered: bool,
    is_asked_for_channel: bool,
    channel: Option<Channel>,
}

/// What was said since the last time.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) lines: Vec<Line>,
    /// On the channel.
    pub(crate) heard: Vec<Heard>,
    /// Beside its lines, by the login that began the session. Later ones say nothing that the user could act on.
    pub(crate) messages: Vec<u8>,
}

impl Listened {
    /// Some of whose lines may have come already.
    pub(crate) fn to(login: Login, unread: Vec<Line>, is_asked_for_channel: bool) -> Self {
        Self {
            login,
            unread,
            printed: PrintedBeside::default(),
            last_words: Vec::new(),
            has_offered: false,
            is_asked_for_channel,
            channel: None,
        }
    }

    /// How it ended, once it has; then everything is read.
    pub(crate) fn read(&mut self, now: Instant) -> (Said, Option<ExitStatus>) {
        let mut lines = take(&mut self.unread);
        let mut messages = Vec::new();
        let mut status = self.login.ended();
        self.read_into(&mut lines, &mut messages, status.is_some());
        // That it has ended may be known only by the end of what it says.
        if status.is_none() {
            status = self.login.ended();
            status.iter().for_each(|_| self.read_into(&mut lines, &mut messages, true));
        }
        self.printed.add(&lines, &messages, now);
        self.last_words.extend(&messages);
        let surplus = self.last_words.len().saturating_sub(LAST_WORDS_BYTES);
        self.last_words.drain(..surplus);
        self.has_offered |= lines.iter().any(|line| matches!(line, Line::Offer(_)));
        let mut said = Said { messages, ..Said::default() };
        for line in lines {
            match line {
                Line::Channel(frame) => said.heard.extend(self.hear(frame, now)),
                line => said.lines.push(line),
            }
        }
        (said, status)
    }

    fn read_into(&mut self, lines: &mut Vec<Line>, messages: &mut Vec<u8>, ended: bool) {
        lines.extend(self.login.lines(ended));
        messages.extend(self.login.messages(ended));
    }

    /// Whoever was not asked for a channel has none.
    fn hear(&mut self, frame: Frame, now: Instant) -> Option<Heard> {
        if let Some(channel) = &mut self.channel {
            return channel.handle(frame, now);
        }
        let Frame::Hello(hello) = frame else { return None };
        let input = self.is_asked_for_channel.then(|| self.login.take_input()).flatten()?;
        tracing::debug!(?hello, "there is a channel");
        self.channel = Some(Channel::new(&hello, input, now));
        Some(Heard::Hello(hello))
    }

    pub(crate) fn channel(&self) -> Option<&Channel> {
        self.channel.as_ref()
    }

    pub(crate) fn channel_mut(&mut self) -> Option<&mut Channel> {
        self.channel.as_mut()
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        self.login.program().signal(signal);
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.login.descriptors().chain(self.channel.as_ref().and_then(Channel::room))
    }

    pub(crate) fn floods(&self) -> bool {
        self.printed.is_a_flood()
    }

    /// Who cannot ask on a terminal asks on stderr. A question has no end of a line.
    pub(crate) fn asks(&self) -> bool {
        let line = self.last_words.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
        !line.starts_with(b"debug") && matches!(line.trim_ascii_end().last(), Some(b':' | b'?'))
    }

    pub(crate) fn given_up(self) -> (Login, Ended) {
        let how = match (self.asks(), refusal::is_at_the_door(&self.last_words)) {
            (true, _) => Ended::Refused,
            (false, true) => Ended::Doubtful,
            (false, false) => Ended::Failed,
        };
        (self.login, how)
    }

    /// Only OpenSSH has an exit code of its own for what the host's command has no part in.
    pub(crate) fn how_it_ended(&self, status: ExitStatus, openssh: bool) -> Ended {
        let is_told = status.code().is_some() || !self.last_words.is_empty();
        if self.has_offered
            || self.channel.is_some()
            || openssh && status.code().is_some_and(|code| code != ssh::FAILED)
        {
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
        Listened { last_words: last_words.into(), ..Listened::to(Login::that_goes_on(), Vec::new(), true) }
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
