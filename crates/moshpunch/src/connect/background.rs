//! Logins beside the session: the one that began it, and those of silences, as [`Occasions`] wants them.

use std::num::NonZeroU16;
use std::process::ExitStatus;
use std::time::Instant;

use anyhow::{Context, Result};
use rustix::event::PollFd;
use rustix::process::Signal;

use super::child::Running;
use super::login::Login;
use super::master::MasterSearch;
use super::occasions::{Connection, Ended, Occasions, Task};
use super::transcript::Line;
use super::{refusal, remote_command, ssh};
use crate::configuration::ConnectConfiguration;

/// What an offer and a talkative login shell need is a tenth of this.
const LINES_MAXIMUM: usize = 1_000;
const MESSAGE_BYTES_MAXIMUM: usize = 256 * 1024;

/// Of a login's messages: more than what ssh says in the end.
const LAST_WORDS_BYTES: usize = 2 * 1024;

/// As ssh(1) ends where it failed itself.
const SSH_FAILED: i32 = 255;

#[derive(Debug)]
pub(crate) struct Logins {
    configuration: ConnectConfiguration,
    port: NonZeroU16,
    occasions: Occasions,
    login: Option<Listened>,
    /// Told to end; nobody listens to it any more, and how it ended is known.
    leaving: Option<(Running, Ended)>,
    search: Option<MasterSearch>,
    master: Option<String>,
}

/// A login, and what it has said so far.
#[derive(Debug)]
struct Listened {
    login: Login,
    lines: usize,
    message_bytes: usize,
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

impl Logins {
    pub(crate) fn beside(first: Login, configuration: ConnectConfiguration, port: NonZeroU16) -> Self {
        Self {
            configuration,
            port,
            occasions: Occasions::beside_the_first(),
            login: Some(Listened::to(first)),
            leaving: None,
            search: None,
            master: None,
        }
    }

    /// Whether the login that began the session may still tell something.
    pub(crate) fn has_first(&self) -> bool {
        self.occasions.is_beside_the_first()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.occasions.deadline()
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        let login = self.login.iter().flat_map(|listened| listened.login.descriptors());
        let search = self.search.iter().flat_map(MasterSearch::descriptors);
        login.chain(search).chain(self.leaving.iter().map(|(program, _)| program.end()))
    }

    pub(crate) fn alarm(&mut self, now: Instant) {
        let task = self.occasions.alarm(now);
        self.perform(task, now);
    }

    pub(crate) fn network_changed(&mut self, now: Instant) {
        (self.search, self.master) = (None, None);
        let task = self.occasions.network_changed(now);
        self.perform(task, now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let task = self.occasions.handle_timeout(now);
        self.perform(task, now);
    }

    pub(crate) fn read(&mut self, now: Instant) -> Said {
        self.look_for_master();
        let is_first = self.has_first();
        let (mut said, task) = self.listen(now);
        if !is_first {
            said.messages.clear();
        }
        self.perform(task, now);
        said
    }

    fn listen(&mut self, now: Instant) -> (Said, Option<Task>) {
        if let Some((_, how)) = self.leaving.take_if(|(program, _)| program.ended().is_some()) {
            return (Said::default(), self.occasions.ended(how, now));
        }
        let Some(listened) = &mut self.login else { return (Said::default(), None) };
        let status = listened.login.ended();
        let said = listened.read(status.is_some());
        let task = match status {
            Some(status) => {
                let how = listened.how_it_ended(status, ssh::speaks_openssh(&self.configuration));
                tracing::debug!(?how, %status, "the login has ended");
                self.login = None;
                self.occasions.ended(how, now)
            }
            None if listened.talks_too_much() || listened.asks() => self.occasions.end(now),
            None => None,
        };
        (said, task)
    }

    fn look_for_master(&mut self) {
        let Some(found) = self.search.as_mut().and_then(MasterSearch::finished) else { return };
        (self.search, self.master) = (None, found);
        if self.master.is_some() {
            self.occasions.found_master();
        }
    }

    fn perform(&mut self, task: Option<Task>, now: Instant) {
        match task {
            Some(Task::Start(connection)) => self.start(connection, now),
            Some(Task::End) => {
                self.leaving = self.login.take().map(Listened::given_up);
                self.signal_leaving(Signal::TERM);
            }
            Some(Task::Kill) => self.signal_leaving(Signal::KILL),
            Some(Task::FindMaster) if ssh::speaks_openssh(&self.configuration) => {
                self.search = MasterSearch::start(&self.configuration).inspect_err(log).ok();
            }
            Some(Task::FindMaster) | None => {}
        }
    }

    fn start(&mut self, connection: Connection, now: Instant) {
        tracing::debug!(?connection, "logging in again");
        match self.login_by(connection) {
            Ok(login) => self.login = Some(Listened::to(login)),
            Err(error) => {
                log(&error);
                self.occasions.ended(Ended::Failed, now);
            }
        }
    }

    fn login_by(&self, connection: Connection) -> Result<Login> {
        let master = match connection {
            Connection::Own => None,
            Connection::Master => Some(self.master.as_deref().context("a master was found")?),
        };
        let command = remote_command::offer(self.port.get());
        let words = ssh::unattended(&self.configuration, master, command);
        Login::unattended(&words, ssh::unattended_file(&self.configuration).as_deref())
    }

    fn signal_leaving(&self, signal: Signal) {
        self.leaving.iter().for_each(|(program, _)| program.signal(signal));
    }
}

impl Listened {
    fn to(login: Login) -> Self {
        Self { login, lines: 0, message_bytes: 0, last_words: Vec::new(), has_offered: false }
    }

    fn read(&mut self, ended: bool) -> Said {
        let said = Said { lines: self.login.lines(ended), messages: self.login.messages(ended) };
        self.lines += said.lines.len();
        self.message_bytes += said.messages.len();
        self.last_words.extend(&said.messages);
        let surplus = self.last_words.len().saturating_sub(LAST_WORDS_BYTES);
        self.last_words.drain(..surplus);
        self.has_offered |= said.lines.iter().any(|line| matches!(line, Line::Offer(_)));
        said
    }

    fn talks_too_much(&self) -> bool {
        self.lines > LINES_MAXIMUM || self.message_bytes > MESSAGE_BYTES_MAXIMUM
    }

    /// Who cannot ask on a terminal asks on stderr. A question has no end of a line.
    fn asks(&self) -> bool {
        let question = self.last_words.strip_suffix(b" ").unwrap_or(&self.last_words);
        matches!(question.last(), Some(b':' | b'?'))
    }

    fn given_up(self) -> (Running, Ended) {
        let how = if self.asks() { Ended::Refused } else { Ended::Failed };
        (self.login.into_program(), how)
    }

    /// Only OpenSSH has an exit code of its own for what the host's command has no part in.
    fn how_it_ended(&self, status: ExitStatus, openssh: bool) -> Ended {
        let is_told = status.code().is_some() || !self.last_words.is_empty();
        if self.has_offered || openssh && status.code().is_some_and(|code| code != SSH_FAILED) {
            Ended::Served
        } else if is_told && refusal::is_told_by(&self.last_words) {
            Ended::Refused
        } else {
            Ended::Failed
        }
    }
}

fn log(error: &anyhow::Error) {
    tracing::debug!(%error, "not asked again");
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
            ("", false),
        ] {
            assert_eq!(listened(words).asks(), expected, "{words:?}");
        }
    }

    #[test]
    fn what_the_host_said_last_is_no_refusal_by_ssh() {
        let denied = || listened("sh: moshpunch: Permission denied\n");
        assert_eq!(denied().how_it_ended(exited(126), true), Ended::Served);
        assert_eq!(denied().how_it_ended(exited(SSH_FAILED), true), Ended::Refused);
        assert_eq!(denied().how_it_ended(exited(126), false), Ended::Refused, "who knows whose code that is");
        assert_eq!(listened("Connection reset by peer\n").how_it_ended(exited(0), false), Ended::Failed);
    }

    #[test]
    fn whoever_has_offered_has_served_however_it_ends() {
        let served = Listened { has_offered: true, ..listened("Permission denied\n") };
        assert_eq!(served.how_it_ended(exited(SSH_FAILED), true), Ended::Served);
    }

    #[test]
    fn who_was_killed_without_a_word_was_not_refused() {
        let killed = ExitStatus::from_raw(9);
        assert_eq!(listened("").how_it_ended(killed, true), Ended::Failed);
        assert_eq!(listened("").how_it_ended(exited(SSH_FAILED), true), Ended::Refused);
    }
}
