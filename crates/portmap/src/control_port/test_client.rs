//! What the tests of both clients share.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use super::{Client, Protocol};
use crate::client::{Event, Request};
use crate::mapping::Transport;

#[expect(
    clippy::disallowed_methods,
    reason = "a test has to get an instant from somewhere; nothing here waits"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// The first instant that this platform can tell.
pub(crate) fn earliest() -> Instant {
    let mut earliest = start();
    let mut step = Duration::from_secs(1 << 62);
    while step > Duration::ZERO {
        match earliest.checked_sub(step) {
            Some(earlier) => earliest = earlier,
            None => step /= 2,
        }
    }
    earliest
}

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn port(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("not zero")
}

/// UDP 60001, with 60002 suggested, for two hours.
pub(crate) fn wanted() -> Request {
    Request {
        transport: Transport::Udp,
        internal_port: port(60001),
        external_port: port(60002),
        exact: false,
        lease: secs(7200),
    }
}

impl<P: Protocol> Client<P> {
    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.poll_event()).collect()
    }

    /// Sends nothing more, forgets what it told.
    pub(crate) fn settle(&mut self) {
        self.poll_transmit();
        self.events();
    }

    /// Lets time pass unanswered: when, counted from `now`, something was sent or told.
    pub(crate) fn run_out(&mut self, now: Instant) -> (Vec<Duration>, Vec<(Duration, Event)>) {
        let (mut sent, mut told) = (Vec::new(), Vec::new());
        let mut at = now;
        for _ in 0..100 {
            sent.extend(self.poll_transmit().map(|_| at - now));
            told.extend(self.events().into_iter().map(|event| (at - now, event)));
            let Some(next) = self.poll_timeout() else { return (sent, told) };
            at = next;
            self.handle_timeout(at);
        }
        panic!("it never ends: {sent:?}, {told:?}");
    }
}
