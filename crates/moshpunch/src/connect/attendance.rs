//! To the user's shell, terminal and scripts, moshpunch and mosh-client are one program, as they are with stock mosh:
//! whichever of them gets a signal, is stopped or goes on, so does the other.
//!
//! mosh-client stops its whole process group, so that whatever is in it sleeps together with it. Its attendant
//! ([`crate::commands::attend`]) is in a session of its own, and never sleeps: it decides here.

use rustix::process::Signal;

/// What the attendant hears of mosh-client, and from whom the user started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Told(Signal),
    Stopped,
    Continued,
    Ended,
}

/// To whom it sends which signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Client(Signal),
    /// The process that the user started: the shell waits for it.
    Started(Signal),
}

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

#[derive(Debug, Default)]
pub(crate) struct Attendance {
    is_ending: bool,
    is_stopped: bool,
}

impl Attendance {
    pub(crate) fn handle(&mut self, event: Event) -> Vec<Action> {
        use Action::{Client, Started};
        match event {
            // What sleeps does not hear that it is to end.
            Event::Told(signal) if ends(signal) => {
                self.is_ending = true;
                vec![Client(signal), Client(Signal::CONT)]
            }
            Event::Told(signal) => vec![Client(signal)],
            Event::Stopped if self.is_ending => vec![Client(Signal::CONT)],
            Event::Stopped => {
                self.is_stopped = true;
                vec![Started(Signal::STOP)]
            }
            Event::Continued | Event::Ended => {
                let was_stopped = std::mem::take(&mut self.is_stopped);
                was_stopped.then_some(Started(Signal::CONT)).into_iter().collect()
            }
        }
    }
}

pub(crate) fn ends(signal: Signal) -> bool {
    [Signal::TERM, Signal::HUP, Signal::INT, Signal::PIPE, Signal::QUIT].contains(&signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESUME: Action = Action::Client(Signal::CONT);

    #[test]
    fn whoever_is_to_end_is_awake() {
        for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::PIPE, Signal::QUIT] {
            let told = Attendance::default().handle(Event::Told(signal));
            assert_eq!(told, [Action::Client(signal), RESUME]);
        }
    }

    #[test]
    fn whoever_ends_does_not_stop_any_more() {
        let mut attendance = Attendance::default();
        attendance.handle(Event::Told(Signal::TERM));
        assert_eq!(attendance.handle(Event::Stopped), [RESUME]);
        assert_eq!(attendance.handle(Event::Ended), []);
    }

    #[test]
    fn they_stop_and_go_on_together() {
        let mut attendance = Attendance::default();
        assert_eq!(attendance.handle(Event::Told(Signal::TSTP)), [Action::Client(Signal::TSTP)]);
        assert_eq!(attendance.handle(Event::Stopped), [Action::Started(Signal::STOP)]);
        assert_eq!(attendance.handle(Event::Told(Signal::CONT)), [RESUME]);
        assert_eq!(attendance.handle(Event::Continued), [Action::Started(Signal::CONT)]);
        assert_eq!(attendance.handle(Event::Told(Signal::WINCH)), [Action::Client(Signal::WINCH)]);
    }

    #[test]
    fn who_sleeps_is_woken_by_the_end_of_the_other() {
        let mut attendance = Attendance::default();
        attendance.handle(Event::Stopped);
        assert_eq!(attendance.handle(Event::Ended), [Action::Started(Signal::CONT)]);
    }
}
