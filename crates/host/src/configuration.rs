//! What holds for one session.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use portmap::upnp::SEARCH_WINDOW;
use report::Trouble;

/// A home router answers in a tenth of a second, a slow one in one. Longer than this a user takes for broken.
pub const DEFAULT_BUDGET: Duration = Duration::from_secs(2);

/// Nobody waits longer for a router.
pub const LONGEST_BUDGET: Duration = Duration::from_secs(60);

/// Without the mapping there is no session; a router that works through the questions of many, one after the other, has
/// had its turn by then.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(10);

/// Seldom enough to be no load, often enough that a crashed session's port is free again soon.
const DEFAULT_LEASE: Duration = Duration::from_secs(3_600);

/// After how much silence there is no gateway. Who grants more time than usual has a router, or a network, that needs it;
/// half is left for the mapping.
pub(crate) fn search_window(budget: Duration) -> Duration {
    let usual = SEARCH_WINDOW.min(budget);
    if budget > DEFAULT_BUDGET { usual.max(budget / 2) } else { usual }
}

/// What holds for the sessions of this user here.
#[derive(Debug, PartialEq, Eq)]
pub struct Configuration {
    /// How long the mapping may delay the session.
    pub budget: Duration,
    /// How long a gateway that answers is waited for.
    pub patience: Duration,
    /// That is asked for.
    pub lease: Duration,
    pub mosh_server: PathBuf,
    pub log: Option<PathBuf>,
    /// Where sessions may be, inside and outside, if the client does not say.
    pub ports: Option<RangeInclusive<NonZeroU16>>,
    /// Whether datagrams may go over ssh, where UDP finds no way.
    pub carry: bool,
    /// Whether openers may be sent from mosh-server's socket, for a laptop that asks for them.
    pub punch: bool,
    /// What this user has set that is unknown or wrong: told.
    pub left_out: Vec<Trouble>,
    /// For another machine, or a newer moshpunch: logged.
    pub unknown_sections: Vec<String>,
}

/// Also what an unreadable configuration leaves: the user's session must start all the same.
impl Default for Configuration {
    fn default() -> Self {
        Self {
            budget: DEFAULT_BUDGET,
            patience: DEFAULT_PATIENCE,
            lease: DEFAULT_LEASE,
            mosh_server: "mosh-server".into(),
            log: None,
            ports: None,
            carry: true,
            punch: true,
            left_out: Vec::new(),
            unknown_sections: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_takes_half_of_a_budget_that_is_longer_than_usual() {
        let usual = SEARCH_WINDOW.as_secs_f64();
        for (budget, window) in [(0.5, 0.5), (DEFAULT_BUDGET.as_secs_f64(), usual), (10.0, 5.0)] {
            let [budget, window] = [budget, window].map(Duration::from_secs_f64);
            assert_eq!(search_window(budget), window, "{budget:?}");
        }
    }
}
