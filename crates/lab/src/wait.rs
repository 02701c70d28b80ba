//! The one place where the lab reads the clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A point in time by which something must have happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(within: Duration) -> Self {
        Self(now() + within)
    }

    /// Zero once the deadline has passed.
    pub(crate) fn remaining(self) -> Duration {
        self.0.saturating_duration_since(now())
    }

    pub(crate) fn has_passed(self) -> bool {
        self.remaining().is_zero()
    }

    pub(crate) fn poll_timeout(self) -> rustix::event::Timespec {
        self.remaining().try_into().expect("a lab's time limits are minutes, not centuries")
    }
}

/// Asks again and again until `condition` gives a value. Only for the state of other programs that offers nothing
/// to wait on, such as a port becoming bound.
///
/// # Errors
/// When nothing came within the limit, naming `what` and the condition's last error. An error of the condition
/// counts as "not yet": a file may be absent until its program writes it.
pub fn wait_until<T>(
    what: &str,
    within: Duration,
    mut condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Deadline::after(within);
    loop {
        let answer = condition();
        if let Ok(Some(value)) = answer {
            return Ok(value);
        }
        if deadline.has_passed() {
            match answer {
                Err(error) => return Err(error.context(format!("waited {within:?} in vain for {what}"))),
                Ok(_) => bail!("waited {within:?} in vain for {what}"),
            }
        }
        pause(POLL_INTERVAL.min(deadline.remaining()));
    }
}

#[expect(clippy::disallowed_methods, reason = "the lab's shell reads the real clock here and nowhere else")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// As other programs tell a time: in seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the lab's shell reads the real clock here and nowhere else")]
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[expect(clippy::disallowed_methods, reason = "the only sleep: between two looks at another program's state")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vain_wait_names_what_it_waited_for_and_the_last_error() {
        let error = wait_until::<()>("the moon", Duration::from_millis(1), || bail!("clouds")).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("the moon") && text.contains("clouds"), "{text}");
    }

    #[test]
    fn the_condition_is_asked_again_until_it_holds() {
        let mut asked = 0;
        let answer = wait_until("three", Duration::from_secs(5), || {
            asked += 1;
            Ok((asked == 3).then_some(asked))
        });
        assert_eq!(answer.unwrap(), 3);
    }
}
