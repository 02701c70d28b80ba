//! How long a reply may take, and what is done when none comes.

use std::time::{Duration, Instant};

/// mosh-server may wait 100 ms before it acknowledges (`ACK_DELAY`), and the timers of a busy machine are late.
pub const ANSWER_DELAY: Duration = Duration::from_millis(150);

/// The rest is for jitter.
pub const MIN_PATIENCE: Duration = Duration::from_millis(200);

/// What is typed is to be echoed within 1 s over another path, and that path has a round trip too. So long, too, a path is
/// given whose round trip is not known.
pub const MAX_PATIENCE: Duration = Duration::from_millis(500);

/// Where a round trip alone takes so long, no answer can come sooner; by satellite it is 600 ms. A path that takes longer is
/// worth racing against others anyway.
pub const LONGEST_PATIENCE: Duration = Duration::from_millis(1_500);

/// As mosh does: who takes longer was stopped.
pub const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(5);

/// With waits that double from 500 ms at most, the last comes 7.5 s after the silence began; from then on mosh-client's
/// own heartbeats do as well.
pub const NUDGES_OF_A_SILENCE: u32 = 4;

/// By now copies and a nudge went unanswered over every path, within half a second each. If there is a path at all, a NAT is
/// stuck with our port.
pub const FIRST_HOP: Duration = Duration::from_millis(1_200);

/// A router that boots takes what comes before the port is mapped for its own, and goes on to do so with all that comes from
/// there. So once it maps the port, a new port of ours is needed: soon enough for an answer within 2 s. It costs a datagram
/// a candidate.
pub const HOP_INTERVAL: Duration = Duration::from_millis(1_500);

/// For how long a silence gets new sockets that often: no home router needs longer to boot.
pub const HASTE: Duration = Duration::from_secs(300);

/// mosh's `PORT_HOP_INTERVAL`. What is typed then gets a new socket all the same, and so do those where the kernel has just
/// no way for what we send.
pub const LAST_HOP_INTERVAL: Duration = Duration::from_secs(10);

/// New sockets were tried twice. A look-up of the name is cheap, and less often than this it is not worth it.
pub const FIRST_ALARM: Duration = Duration::from_secs(3);
pub const LAST_ALARM: Duration = Duration::from_secs(60);

/// Of a path, smoothed as in RFC 6298 §2.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RoundTrip(Option<(Duration, Duration)>);

impl RoundTrip {
    pub(crate) fn sample(&mut self, taken: Duration) {
        if taken >= LONGEST_ROUND_TRIP {
            return;
        }
        self.0 = Some(match self.0 {
            None => (taken, taken / 2),
            Some((smoothed, variation)) => {
                ((smoothed * 7 + taken) / 8, (variation * 3 + smoothed.abs_diff(taken)) / 4)
            }
        });
    }

    pub(crate) fn is_known(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn patience(&self) -> Duration {
        let Some((smoothed, variation)) = self.0 else { return MAX_PATIENCE };
        let at_most = (smoothed * 3 / 2).clamp(MAX_PATIENCE, LONGEST_PATIENCE);
        (smoothed * 2 + variation * 4).max(smoothed + ANSWER_DELAY).clamp(MIN_PATIENCE, at_most)
    }
}

/// Since an answer was due and did not come.
#[derive(Debug)]
pub(crate) struct Silence {
    began: Instant,
    wait: Duration,
    nudges: u32,
    alarm: Duration,
    hopped: Option<Instant>,
    flows_first: bool,
}

impl Silence {
    pub(crate) fn new(patience: Duration, now: Instant) -> Self {
        Self { began: now, wait: patience, nudges: 0, alarm: FIRST_ALARM, hopped: None, flows_first: false }
    }

    /// Whether to nudge now, and how long to wait for the next time.
    pub(crate) fn step(&mut self) -> Option<Duration> {
        self.nudges += 1;
        self.wait *= 2;
        (self.nudges <= NUDGES_OF_A_SILENCE).then_some(self.wait)
    }

    /// How long to wait for the next hop.
    pub(crate) fn hop(&mut self, now: Instant) -> Duration {
        self.hopped = Some(now);
        if self.is_hasty(now) { HOP_INTERVAL } else { LAST_HOP_INTERVAL }
    }

    /// When what is typed now is to go by a new socket, too, if hops have begun.
    pub(crate) fn hop_for_typing(&self, now: Instant) -> Option<Instant> {
        self.hopped.map(|hopped| now.max(hopped + HOP_INTERVAL))
    }

    /// The server answers to the copy that arrives first, and a NAT may let no answer back by an old port, or by a new one.
    /// So they take turns, datagram by datagram, once the nudges have served the new ones.
    pub(crate) fn take_turn(&mut self) {
        self.flows_first = !self.flows_first && self.nudges >= NUDGES_OF_A_SILENCE;
    }

    pub(crate) fn flows_first(&self) -> bool {
        self.flows_first
    }

    fn is_hasty(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) < HASTE
    }

    pub(crate) fn next_alarm(&mut self) -> Duration {
        self.alarm = (self.alarm * 2).min(LAST_ALARM);
        self.alarm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
    fn start() -> Instant {
        Instant::now()
    }

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn patience_is_a_few_round_trips_within_its_bounds() {
        let after = |samples: &[u64]| {
            let mut round_trip = RoundTrip::default();
            samples.iter().for_each(|&sample| round_trip.sample(ms(sample)));
            round_trip.patience()
        };
        assert_eq!(after(&[]), MAX_PATIENCE);
        assert_eq!(after(&[1]), MIN_PATIENCE);
        assert_eq!(after(&[100]), ms(400));
        assert_eq!(after(&[100, 100]), ms(350));
        assert_eq!(after(&[100; 20]), ms(250), "an acknowledgement may be held");
        assert_eq!(after(&[300]), MAX_PATIENCE);
    }

    #[test]
    fn a_path_that_takes_long_is_given_half_a_round_trip_more() {
        let after = |sample: u64| {
            let mut round_trip = RoundTrip::default();
            round_trip.sample(ms(sample));
            round_trip.patience()
        };
        assert_eq!([600, 1_000, 4_999].map(after), [ms(900), LONGEST_PATIENCE, LONGEST_PATIENCE]);
        assert_eq!(after(5_000), MAX_PATIENCE, "it was stopped");
    }

    #[test]
    fn a_silence_nudges_four_times() {
        let mut silence = Silence::new(ms(500), start());
        let waits: Vec<_> = (0..6).map(|_| silence.step()).collect();
        let seconds = |number: u64| Some(Duration::from_secs(number));
        assert_eq!(waits, [seconds(1), seconds(2), seconds(4), seconds(8), None, None]);
    }

    #[test]
    fn alarms_double_up_to_a_minute() {
        let mut silence = Silence::new(ms(500), start());
        let waits: Vec<_> = (0..6).map(|_| silence.next_alarm().as_secs()).collect();
        assert_eq!(waits, [6, 12, 24, 48, 60, 60]);
    }

    #[test]
    fn hops_become_rare_and_typing_brings_them_back() {
        let now = start();
        let mut silence = Silence::new(ms(500), now);
        let late = now + HASTE;
        assert_eq!(silence.hop(late - ms(1)), HOP_INTERVAL);
        assert_eq!(silence.hop(late), LAST_HOP_INTERVAL);
        assert_eq!(silence.hop_for_typing(late + ms(1)), Some(late + HOP_INTERVAL));
        assert_eq!(silence.hop_for_typing(late + 2 * HOP_INTERVAL), Some(late + 2 * HOP_INTERVAL));
    }
}
