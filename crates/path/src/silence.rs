//! How long a reply may take, and what is done when none comes.

use std::time::Duration;

/// mosh-server may wait 100 ms before it acknowledges (`ACK_DELAY`); the other 100 ms are for timers and jitter.
pub const MIN_PATIENCE: Duration = Duration::from_millis(200);

/// What is typed is to be echoed within 1 s over another path, and that path has a round trip too. A path that
/// takes longer is worth racing against others anyway.
pub const MAX_PATIENCE: Duration = Duration::from_millis(500);

/// With waits that double from 500 ms at most, the last comes 7.5 s after the silence began; from then on mosh-client's
/// own heartbeats do as well.
pub const NUDGES_OF_A_SILENCE: u32 = 4;

/// By now copies and a nudge went unanswered over every path. If there is one at all, a NAT is stuck with our port.
pub const FIRST_HOP: Duration = Duration::from_secs(2);

/// mosh's `PORT_HOP_INTERVAL`.
pub const HOP_INTERVAL: Duration = Duration::from_secs(10);

/// A second after new sockets were tried. A look-up of the name is cheap, and less often than this it is not worth it.
pub const FIRST_ALARM: Duration = Duration::from_secs(3);
pub const LAST_ALARM: Duration = Duration::from_secs(60);

/// How long answers take over a path: round trip and mosh-server's delay together, smoothed as in RFC 6298 §2.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AnswerTime(Option<(Duration, Duration)>);

impl AnswerTime {
    pub(crate) fn sample(&mut self, taken: Duration) {
        self.0 = Some(match self.0 {
            None => (taken, taken / 2),
            Some((smoothed, variation)) => {
                ((smoothed * 7 + taken) / 8, (variation * 3 + smoothed.abs_diff(taken)) / 4)
            }
        });
    }

    pub(crate) fn patience(&self) -> Duration {
        let Some((smoothed, variation)) = self.0 else { return MAX_PATIENCE };
        (smoothed * 2 + variation * 4).clamp(MIN_PATIENCE, MAX_PATIENCE)
    }
}

/// Since an answer was due and did not come.
#[derive(Debug)]
pub(crate) struct Silence {
    wait: Duration,
    nudges: u32,
    alarm: Duration,
}

impl Silence {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { wait: patience, nudges: 0, alarm: FIRST_ALARM }
    }

    /// Whether to nudge now, and how long to wait for the next time.
    pub(crate) fn step(&mut self) -> Option<Duration> {
        self.nudges += 1;
        self.wait *= 2;
        (self.nudges <= NUDGES_OF_A_SILENCE).then_some(self.wait)
    }

    pub(crate) fn next_alarm(&mut self) -> Duration {
        self.alarm = (self.alarm * 2).min(LAST_ALARM);
        self.alarm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn patience_is_a_few_answer_times_within_its_bounds() {
        let after = |samples: &[u64]| {
            let mut time = AnswerTime::default();
            samples.iter().for_each(|&sample| time.sample(ms(sample)));
            time.patience()
        };
        assert_eq!(after(&[]), MAX_PATIENCE);
        assert_eq!(after(&[1]), MIN_PATIENCE);
        assert_eq!(after(&[100]), ms(400));
        assert_eq!(after(&[100, 100]), ms(350));
        assert_eq!(after(&[900]), MAX_PATIENCE);
    }

    #[test]
    fn a_silence_nudges_four_times() {
        let mut silence = Silence::new(ms(500));
        let waits: Vec<_> = (0..6).map(|_| silence.step()).collect();
        let seconds = |number: u64| Some(Duration::from_secs(number));
        assert_eq!(waits, [seconds(1), seconds(2), seconds(4), seconds(8), None, None]);
    }

    #[test]
    fn alarms_double_up_to_a_minute() {
        let mut silence = Silence::new(ms(500));
        let waits: Vec<_> = (0..6).map(|_| silence.next_alarm().as_secs()).collect();
        assert_eq!(waits, [6, 12, 24, 48, 60, 60]);
    }
}
