//! When the openers of a round go, and how many at most.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wire::opener::{Cookie, LENGTH, is_target};

use super::NoRound;

/// After the round was asked for. The first opens; the others are for what was lost, or came before the laptop's own side was
/// open.
const BURSTS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(300)];

/// Between rounds, whoever asks.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// Of the newest round: what is asked for later replaces it.
#[derive(Debug, Default)]
pub(crate) struct Openers {
    round: Option<Round>,
    begun: Option<Instant>,
}

#[derive(Debug)]
struct Round {
    opener: [u8; LENGTH],
    to: Vec<SocketAddr>,
    begun: Instant,
    gone: usize,
}

impl Openers {
    /// To those of `to` that may be sent to, and no more than [`TARGETS_MAXIMUM`](wire::channel::TARGETS_MAXIMUM).
    pub(crate) fn begin(&mut self, cookie: Cookie, to: &[SocketAddr], now: Instant) -> Result<(), NoRound> {
        if self.begun.is_some_and(|begun| now < begun + SHORTEST_INTERVAL) {
            return Err(NoRound::Busy);
        }
        let targets = to.iter().copied().filter(|&target| is_target(target));
        let to = targets.take(wire::channel::TARGETS_MAXIMUM).collect();
        self.round = Some(Round { opener: cookie.opener(), to, begun: now, gone: 0 });
        self.begun = Some(now);
        Ok(())
    }

    /// What is to be sent now, and to whom.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<([u8; LENGTH], &[SocketAddr])> {
        self.poll_timeout().filter(|&due| due <= now)?;
        let round = self.round.as_mut()?;
        round.gone += 1;
        Some((round.opener, &round.to))
    }

    /// When to [poll](Self::poll).
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let round = self.round.as_ref()?;
        BURSTS.get(round.gone).map(|&after| round.begun + after)
    }
}

#[cfg(test)]
mod tests {
    use net::clock;
    use wire::channel::TARGETS_MAXIMUM;

    use super::*;

    fn cookie(byte: u8) -> Cookie {
        Cookie::new([byte; 16])
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([20, 0, 0, 9], port))
    }

    /// When something goes, and to how many, in a minute.
    fn all(openers: &mut Openers, from: Instant) -> Vec<(Duration, usize)> {
        let mut gone = Vec::new();
        while let Some(due) = openers.poll_timeout() {
            let (_, to) = openers.poll(due).unwrap();
            gone.push((due - from, to.len()));
        }
        gone
    }

    #[test]
    fn a_round_is_three_openers_for_each_target() {
        let (mut openers, now) = (Openers::default(), clock::now());
        assert_eq!(openers.poll_timeout(), None);
        openers.begin(cookie(7), &[address(1), address(2)], now).unwrap();
        let (opener, to) = openers.poll(now).unwrap();
        assert_eq!((Cookie::of(&opener), to), (Some(cookie(7)), &[address(1), address(2)][..]));
        assert!(openers.poll(now).is_none(), "not all at once");
        let rest = all(&mut openers, now);
        assert_eq!(rest, [(Duration::from_millis(100), 2), (Duration::from_millis(300), 2)]);
        assert_eq!(openers.poll_timeout(), None);
    }

    #[test]
    fn there_is_one_round_a_second_and_the_newest_one_alone_goes_on() {
        let (mut openers, now) = (Openers::default(), clock::now());
        openers.begin(cookie(1), &[address(1)], now).unwrap();
        let almost = now + Duration::from_millis(999);
        assert_eq!(openers.begin(cookie(2), &[address(2)], almost), Err(NoRound::Busy));
        let later = now + Duration::from_secs(1);
        openers.begin(cookie(3), &[address(3)], later).unwrap();
        let (opener, to) = openers.poll(later).unwrap();
        assert_eq!((Cookie::of(&opener), to), (Some(cookie(3)), &[address(3)][..]));
        assert_eq!(all(&mut openers, later).len(), 2);
    }

    #[test]
    fn nobody_is_sent_more_than_a_rounds_share() {
        let (mut openers, now) = (Openers::default(), clock::now());
        let many: Vec<_> = (1..=100).map(address).collect();
        openers.begin(cookie(1), &many, now).unwrap();
        assert_eq!(openers.poll(now).unwrap().1.len(), TARGETS_MAXIMUM);
    }

    #[test]
    fn nothing_goes_where_no_opener_may() {
        let (mut openers, now) = (Openers::default(), clock::now());
        let nobody = ["127.0.0.1:7", "224.0.0.1:7", "255.255.255.255:7"].map(|text| text.parse().unwrap());
        openers.begin(cookie(1), &nobody, now).unwrap();
        assert_eq!(openers.poll(now).unwrap().1, []);
    }
}
