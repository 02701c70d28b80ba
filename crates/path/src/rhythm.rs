//! When mosh-server owes an answer, told from the times at which datagrams come and go.
//!
//! mosh-server answers within 100 ms to what mosh-client typed. It owes nothing soon to a heartbeat, which mosh-client
//! sends 3 s after its last datagram, nor to the acknowledgement that it sends 100 ms after the server's data: its own
//! heartbeat is what comes next. What is taken for one of these and was typed is sent again by mosh-client within
//! little more than a second, and then looks like what it is: but not if the server, which hears nothing, prints on, or sends
//! again as well, and each time 100 ms before. So replies count, too: of what it has heard the server tells for a second.

use std::time::{Duration, Instant};

/// mosh's `ACK_INTERVAL`, on both sides.
pub const HEARTBEAT: Duration = Duration::from_secs(3);

/// mosh-client wakes up for its heartbeat a little late, never early; the forwarder may have been late for the last one.
pub const HEARTBEAT_AT_LEAST: Duration = Duration::from_millis(2_950);

/// mosh's `ACK_DELAY` is 100 ms; this is by how much our clock may read less, or a busy machine more.
pub const ACKNOWLEDGEMENT_AT_LEAST: Duration = Duration::from_millis(95);
pub const ACKNOWLEDGEMENT_AT_MOST: Duration = Duration::from_millis(130);

/// For how long mosh tells by its `timestamp_reply` that it has heard something; once for each datagram.
pub const HEARD_LASTS: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Expected {
    Soon,
    WithHeartbeat,
}

impl Expected {
    pub(crate) fn delay(self) -> Duration {
        match self {
            Self::Soon => Duration::ZERO,
            Self::WithHeartbeat => HEARTBEAT,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Replies {
    first: Instant,
    last: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Rhythm {
    last_datagram: Option<Instant>,
    /// Those since the last datagram.
    replies: Option<Replies>,
}

impl Rhythm {
    pub(crate) fn has_begun(&self) -> bool {
        self.last_datagram.is_some()
    }

    /// How long ago the newest datagram was sent.
    pub(crate) fn since_datagram(&self, now: Instant) -> Duration {
        self.last_datagram.map_or(Duration::ZERO, |last| now.saturating_duration_since(last))
    }

    pub(crate) fn reply(&mut self, now: Instant) {
        let first = self.replies.map_or(now, |replies| replies.first);
        self.replies = Some(Replies { first, last: now });
    }

    /// Whether a datagram is mosh-client's heartbeat, by the time that it takes: nothing was typed, nor asked for.
    pub(crate) fn is_heartbeat(&self, now: Instant) -> bool {
        self.last_datagram.is_some_and(|last| now.saturating_duration_since(last) >= HEARTBEAT_AT_LEAST)
    }

    /// In a race a datagram late by 3 s is rather one that was asked for.
    pub(crate) fn datagram(&mut self, racing: bool, now: Instant) -> Expected {
        let since = |then: Instant| now.saturating_duration_since(then);
        let heartbeat = !racing && self.is_heartbeat(now);
        let acknowledgement = self.replies.take().is_some_and(|Replies { first, last }| {
            since(first) >= ACKNOWLEDGEMENT_AT_LEAST && since(last) <= ACKNOWLEDGEMENT_AT_MOST
        });
        self.last_datagram = Some(now);
        if heartbeat || acknowledgement { Expected::WithHeartbeat } else { Expected::Soon }
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
    fn the_first_datagram_and_what_is_typed_are_answered_soon() {
        let (mut rhythm, now) = (Rhythm::default(), start());
        assert_eq!(rhythm.datagram(false, now), Expected::Soon);
        assert_eq!(rhythm.datagram(false, now + ms(2_900)), Expected::Soon);
    }

    #[test]
    fn a_heartbeat_waits_for_the_servers_own_unless_it_was_asked_for() {
        let (mut rhythm, now) = (Rhythm::default(), start());
        rhythm.datagram(false, now);
        assert_eq!(rhythm.datagram(false, now + ms(3_001)), Expected::WithHeartbeat);
        assert_eq!(rhythm.datagram(true, now + ms(6_002)), Expected::Soon);
    }

    #[test]
    fn an_acknowledgement_is_known_by_its_delay_after_one_of_the_replies() {
        let after = |replies: &[u64], sent: u64| {
            let (mut rhythm, now) = (Rhythm::default(), start());
            rhythm.datagram(false, now);
            replies.iter().for_each(|&reply| rhythm.reply(now + ms(reply)));
            rhythm.datagram(false, now + ms(sent))
        };
        assert_eq!(after(&[50], 151), Expected::WithHeartbeat);
        assert_eq!(after(&[50, 120], 151), Expected::WithHeartbeat);
        assert_eq!(after(&[50, 120], 221), Expected::WithHeartbeat);
        assert_eq!(after(&[50], 140), Expected::Soon);
        assert_eq!(after(&[50], 190), Expected::Soon);
        assert_eq!(after(&[], 151), Expected::Soon);
    }
}
