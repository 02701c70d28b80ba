//! When the silence of a login is too long to be borne without a word.

use std::time::{Duration, Instant};

/// Of a host that has spoken before. Nobody is warned of one that has not: ssh may be asking.
const OF_THE_HOST: Duration = Duration::from_secs(10);

/// Of a connection that is shared, and so has nothing to ask: another login over it takes a round trip or two, and the
/// host's start-up files.
const OF_A_MASTER: Duration = Duration::from_secs(4);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// Neither ssh nor the host has ever said a word.
    NeverHeard,
    /// The host has said something, and then no more.
    FellSilent,
    /// And the program that logged in has ended.
    Lost,
}

#[derive(Debug)]
pub(crate) struct Silence {
    begun: Instant,
    is_any_heard: bool,
    is_first_alarm_raised: bool,
    /// The host's newest output.
    newest: Option<Instant>,
    is_told: bool,
    ended: Option<Instant>,
    is_lost: bool,
}

impl Silence {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            begun: now,
            is_any_heard: false,
            is_first_alarm_raised: false,
            newest: None,
            is_told: false,
            ended: None,
            is_lost: false,
        }
    }

    /// ssh itself said something.
    pub(crate) fn handle_message(&mut self) {
        self.is_any_heard = true;
    }

    pub(crate) fn handle_output(&mut self, now: Instant) {
        self.is_any_heard = true;
        self.newest = Some(now);
    }

    /// The program that logged in has ended, and what it left behind may speak on.
    pub(crate) fn handle_end(&mut self, now: Instant) {
        self.ended.get_or_insert(now);
    }

    /// Each alarm once.
    pub(crate) fn poll_alarm(&mut self, now: Instant) -> Option<Alarm> {
        let (alarm, _) = self.next().filter(|(_, due)| *due <= now)?;
        match alarm {
            Alarm::NeverHeard => self.is_first_alarm_raised = true,
            Alarm::FellSilent => self.is_told = true,
            Alarm::Lost => self.is_lost = true,
        }
        Some(alarm)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next().map(|(_, due)| due)
    }

    fn next(&self) -> Option<(Alarm, Instant)> {
        if let Some(ended) = self.ended {
            return (!self.is_lost).then_some((
                Alarm::Lost,
                self.newest.map_or(ended, |newest| newest.max(ended)) + OF_THE_HOST,
            ));
        }
        match self.newest {
            Some(newest) if !self.is_told => Some((Alarm::FellSilent, newest + OF_THE_HOST)),
            None if !self.is_any_heard && !self.is_first_alarm_raised => {
                Some((Alarm::NeverHeard, self.begun + OF_A_MASTER))
            }
            _ => None,
        }
    }
}

/// What the user is told of a host that fell silent. `words` are its last; they may be a question.
pub(crate) fn told(host: &str, call: &str, words: &str, is_asked: bool) -> String {
    let cure = format!("log in once with `{call}`, and see what it asks");
    match words {
        "" => format!("{host} has printed nothing for 10 s; {cure}"),
        _ if is_asked => {
            format!("{host} has printed nothing for 10 s but \"{words}\"; answer it here, or {cure}")
        }
        _ => format!("{host} has printed nothing for 10 s since \"{words}\"; {cure}"),
    }
}

#[cfg(test)]
mod tests {
    use net::clock;

    use super::*;

    #[test]
    fn a_host_that_falls_silent_is_told_of_once() {
        let now = clock::now();
        let mut silence = Silence::new(now);
        silence.handle_output(now);
        assert_eq!(silence.poll_timeout(), Some(now + OF_THE_HOST));
        silence.handle_output(now + OF_THE_HOST / 2);
        assert_eq!(silence.poll_alarm(now + OF_THE_HOST), None);
        assert_eq!(silence.poll_alarm(now + OF_THE_HOST * 2), Some(Alarm::FellSilent));
        silence.handle_output(now + OF_THE_HOST * 3);
        assert_eq!((silence.poll_alarm(now + OF_THE_HOST * 9), silence.poll_timeout()), (None, None));
    }

    #[test]
    fn a_login_that_has_never_spoken_is_told_of_once_and_no_other() {
        let now = clock::now();
        let mut silence = Silence::new(now);
        assert_eq!(silence.poll_timeout(), Some(now + OF_A_MASTER));
        assert_eq!(silence.poll_alarm(now + OF_A_MASTER), Some(Alarm::NeverHeard));
        assert_eq!((silence.poll_alarm(now + OF_THE_HOST), silence.poll_timeout()), (None, None));
        let mut silence = Silence::new(now);
        silence.handle_message();
        assert_eq!(silence.poll_timeout(), None, "ssh may be asking");
    }

    #[test]
    fn what_outlives_the_login_is_waited_for_while_it_speaks() {
        let now = clock::now();
        let mut silence = Silence::new(now);
        silence.handle_end(now);
        silence.handle_output(now + OF_THE_HOST / 2);
        assert_eq!(silence.poll_alarm(now + OF_THE_HOST), None);
        assert_eq!(silence.poll_alarm(now + OF_THE_HOST * 2), Some(Alarm::Lost));
        assert_eq!(silence.poll_alarm(now + OF_THE_HOST * 2), None);
    }
}
