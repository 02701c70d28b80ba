//! That this host's addresses or routes have changed; what they are now is [`interfaces`](crate::interfaces)' to read.

use std::time::{Duration, Instant};

use rustix::event::PollFd;
pub use system::network::Changes;

/// One change comes as several: an address goes, another comes, routes follow.
const SETTLE: Duration = Duration::from_millis(250);

/// [`Changes`], each taken together with those that follow it.
#[derive(Debug)]
pub struct Settled {
    /// Without it nothing is heard.
    changes: Option<Changes>,
    settles: Option<Instant>,
}

impl Settled {
    /// Where the kernel tells of no changes, it is as if there were none.
    #[must_use]
    pub fn open() -> Self {
        let changes = Changes::open().inspect_err(|error| tracing::debug!(%error, "moves go unnoticed")).ok();
        Self { changes, settles: None }
    }

    /// Whether something has changed, and for a quarter of a second nothing has.
    pub fn any(&mut self, now: Instant) -> bool {
        if self.changes.as_mut().is_some_and(|changes| changes.any(now)) {
            self.settles = Some(now + SETTLE);
        }
        self.settles.take_if(|settles| *settles <= now).is_some()
    }

    #[must_use]
    pub fn descriptor(&self) -> Option<PollFd<'_>> {
        self.changes.as_ref().and_then(Changes::descriptor)
    }

    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let changes = self.changes.as_ref().and_then(Changes::poll_timeout);
        changes.into_iter().chain(self.settles).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_change_is_told_once_and_when_it_has_settled() {
        let now = clock::now();
        let mut settled = Settled { changes: None, settles: Some(now + SETTLE) };
        assert!(!settled.any(now));
        assert_eq!(settled.poll_timeout(), Some(now + SETTLE));
        assert!(settled.any(now + SETTLE));
        assert!(!settled.any(now + SETTLE));
        assert_eq!(settled.poll_timeout(), None, "nobody wakes where nothing changes");
    }
}
