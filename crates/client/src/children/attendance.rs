//! To the user's shell, terminal and scripts, moshpunch and mosh-client are one program, as they are with stock mosh:
//! whichever of them gets a signal, is stopped or goes on, so does the other.
//!
//! mosh-client stops its whole process group, so that whatever is in it sleeps together with it. Its attendant
//! ([`crate::children::attend`]) is in a session of its own, and never sleeps: it decides here.

use rustix::process::Signal;

/// What the attendant hears of mosh-client, and from whom the user started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Told(Signal),
    Stopped,
    Continued,
    Ended,
    /// Whom the user started was killed.
    Orphaned,
}

/// To whom it sends which signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Client(Signal),
    /// The process that the user started: the shell waits for it.
    Started(Signal),
    /// All that mosh-client stopped goes on.
    Wake,
}

const ENDS: [Signal; 5] = [Signal::TERM, Signal::HUP, Signal::INT, Signal::PIPE, Signal::QUIT];

/// Beside those that the kernel keeps for itself, what the attendant passes on.
pub(crate) const PASSED_ON: [Signal; 8] = [
    Signal::TERM,
    Signal::HUP,
    Signal::INT,
    Signal::PIPE,
    Signal::QUIT,
    Signal::TSTP,
    Signal::CONT,
    Signal::WINCH,
];

/// Of what the attendant was told before it looked for whom the user started. That one's end the system tells by SIGTERM, too:
/// told of it and woken before it is killed, mosh-client would take the terminal from the shell.
pub(crate) fn heard(told: Vec<Signal>, is_orphaned: bool) -> Vec<Event> {
    if is_orphaned { vec![Event::Orphaned] } else { told.into_iter().map(Event::Told).collect() }
}

#[derive(Debug, Default)]
pub(crate) struct Attendance {
    is_ending: bool,
    is_stopped: bool,
    /// All were told to go on, and mosh-client has not been seen to.
    is_woken: bool,
}

impl Attendance {
    pub(crate) fn handle(&mut self, event: Event) -> Vec<Action> {
        match event {
            // What sleeps does not hear that it is to end.
            Event::Told(signal) if ENDS.contains(&signal) => {
                self.is_ending = true;
                vec![Action::Client(signal), self.wake()]
            }
            // As with stock mosh, where it is the one that was killed. Without a forwarder it could say no goodbye, and
            // would share the terminal with the user's shell until it has given that up.
            Event::Orphaned => vec![Action::Client(Signal::KILL), self.wake()],
            Event::Told(Signal::CONT) if self.is_stopped => vec![self.wake()],
            Event::Told(signal) => vec![Action::Client(signal)],
            Event::Stopped if self.is_ending => vec![self.wake()],
            Event::Stopped => {
                (self.is_stopped, self.is_woken) = (true, false);
                vec![Action::Started(Signal::STOP)]
            }
            Event::Continued if std::mem::take(&mut self.is_woken) => vec![],
            // It may have been stopped, and all of its group with it, before we looked.
            Event::Continued | Event::Ended => {
                self.is_stopped = false;
                vec![Action::Started(Signal::CONT)]
            }
        }
    }

    fn wake(&mut self) -> Action {
        (self.is_stopped, self.is_woken) = (false, true);
        Action::Wake
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_to_end_is_awake() {
        for signal in ENDS {
            let told = Attendance::default().handle(Event::Told(signal));
            assert_eq!(told, [Action::Client(signal), Action::Wake]);
        }
    }

    #[test]
    fn whoever_ends_does_not_stop_any_more() {
        let mut attendance = Attendance::default();
        attendance.handle(Event::Told(Signal::TERM));
        assert_eq!(attendance.handle(Event::Stopped), [Action::Wake]);
    }

    #[test]
    fn killed_it_is_killed_and_what_sleeps_beside_it_wakes() {
        let orphaned = Attendance::default().handle(Event::Orphaned);
        assert_eq!(orphaned, [Action::Client(Signal::KILL), Action::Wake]);
    }

    #[test]
    fn who_is_to_be_killed_is_told_nothing_before() {
        let told = [Signal::TERM, Signal::CONT];
        assert_eq!(heard(told.to_vec(), true), [Event::Orphaned]);
        assert_eq!(heard(told.to_vec(), false), told.map(Event::Told));
    }

    #[test]
    fn they_stop_and_go_on_together() {
        let mut attendance = Attendance::default();
        assert_eq!(attendance.handle(Event::Told(Signal::TSTP)), [Action::Client(Signal::TSTP)]);
        assert_eq!(attendance.handle(Event::Stopped), [Action::Started(Signal::STOP)]);
        assert_eq!(attendance.handle(Event::Continued), [Action::Started(Signal::CONT)]);
        assert_eq!(attendance.handle(Event::Told(Signal::WINCH)), [Action::Client(Signal::WINCH)]);
    }

    #[test]
    fn told_to_go_on_all_of_them_do_and_who_does_hears_it_once() {
        let mut attendance = Attendance::default();
        attendance.handle(Event::Stopped);
        assert_eq!(attendance.handle(Event::Told(Signal::CONT)), [Action::Wake]);
        assert_eq!(attendance.handle(Event::Continued), []);
        assert_eq!(attendance.handle(Event::Told(Signal::CONT)), [Action::Client(Signal::CONT)]);
    }

    #[test]
    fn who_sleeps_goes_on_with_the_other_whether_that_was_seen_to_stop_or_not() {
        let mut attendance = Attendance::default();
        assert_eq!(attendance.handle(Event::Continued), [Action::Started(Signal::CONT)]);
        attendance.handle(Event::Stopped);
        assert_eq!(attendance.handle(Event::Continued), [Action::Started(Signal::CONT)]);
    }

    #[test]
    fn who_sleeps_is_woken_by_the_end_of_the_other_whether_that_was_seen_to_stop_or_not() {
        let mut attendance = Attendance::default();
        assert_eq!(attendance.handle(Event::Ended), [Action::Started(Signal::CONT)]);
        attendance.handle(Event::Stopped);
        assert_eq!(attendance.handle(Event::Ended), [Action::Started(Signal::CONT)]);
    }
}
