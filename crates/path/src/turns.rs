//! Whose turn a new datagram is while none is answered.
//!
//! Where better ways lead to the server and not back, a copy that comes behind theirs changes nothing, for mosh-server has
//! seen it. So the ways that leave them a head start get each second datagram alone.

/// A single one may be lost.
pub const UNANSWERED_BEFORE_TURNS: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Better,
    LastResort,
}

/// Since the last answer.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    unanswered: u32,
    /// A head start has passed.
    overdue: bool,
    last: Option<Turn>,
}

impl Turns {
    pub(crate) fn take(&mut self, silent: bool) -> Turn {
        let alternate = silent || self.overdue && self.unanswered >= UNANSWERED_BEFORE_TURNS;
        let turn =
            if alternate && self.last != Some(Turn::LastResort) { Turn::LastResort } else { Turn::Better };
        self.unanswered += u32::from(turn == Turn::Better);
        self.last = Some(turn);
        turn
    }

    pub(crate) fn last(&self) -> Option<Turn> {
        self.last
    }

    /// The next turn is the other's.
    pub(crate) fn was(&mut self, turn: Turn) {
        self.last = Some(turn);
    }

    pub(crate) fn overdue(&mut self) {
        self.overdue = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_typist_is_not_taken_for_unanswered() {
        let mut turns = Turns::default();
        assert!((0..10).all(|_| turns.take(false) == Turn::Better));
    }

    #[test]
    fn after_two_that_were_not_answered_in_time_each_second_is_the_last_resorts() {
        let mut turns = Turns::default();
        turns.overdue();
        let taken: Vec<_> = (0..6).map(|_| turns.take(false)).collect();
        use Turn::{Better, LastResort};
        assert_eq!(taken, [Better, Better, LastResort, Better, LastResort, Better]);
    }

    #[test]
    fn in_a_silence_they_alternate_at_once() {
        let mut turns = Turns::default();
        turns.was(Turn::Better);
        assert_eq!([turns.take(true), turns.take(true)], [Turn::LastResort, Turn::Better]);
    }
}
