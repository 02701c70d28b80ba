//! Whether the host asks something: then what is typed is for the host. Otherwise it stays in the terminal, for ssh's own
//! questions and for mosh-client.

use std::time::{Duration, Instant};

/// What a login shell prints in passing does not stand that long; keys that were typed ahead are not for it.
const SETTLED: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub(crate) struct Question {
    begun: Option<Instant>,
}

impl Question {
    /// Whether the host's output stands in the middle of a line now.
    pub(crate) fn handle_output(&mut self, is_unfinished: bool, now: Instant) {
        self.begun = is_unfinished.then(|| self.begun.unwrap_or(now));
    }

    pub(crate) fn may_be_asked(&self) -> bool {
        self.begun.is_some()
    }

    pub(crate) fn is_asked(&self, now: Instant) -> bool {
        self.begun.is_some_and(|begun| now >= begun + SETTLED)
    }

    /// When it will be asked, unless more comes.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.begun.map(|begun| begun + SETTLED).filter(|&settled| settled > now)
    }
}

#[cfg(test)]
mod tests {
    use net::clock;

    use super::*;

    #[test]
    fn keys_are_for_the_host_while_an_unfinished_line_of_it_stands() {
        let now = clock::now();
        let mut question = Question::default();
        assert!(!question.is_asked(now + SETTLED) && question.poll_timeout(now).is_none());
        question.handle_output(true, now);
        assert!(question.may_be_asked() && !question.is_asked(now));
        assert_eq!(question.poll_timeout(now), Some(now + SETTLED));
        assert!(question.is_asked(now + SETTLED));
        assert_eq!(question.poll_timeout(now + SETTLED), None);
        question.handle_output(true, now + SETTLED);
        assert!(question.is_asked(now + SETTLED), "an echo goes on with the same line");
        question.handle_output(false, now + SETTLED);
        assert!(!question.is_asked(now + 2 * SETTLED));
    }

    #[test]
    fn what_is_printed_in_passing_asks_nothing() {
        let now = clock::now();
        let mut question = Question::default();
        question.handle_output(true, now);
        question.handle_output(false, now + SETTLED / 2);
        question.handle_output(true, now + SETTLED);
        assert!(!question.is_asked(now + SETTLED));
    }
}
