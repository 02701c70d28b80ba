//! How long to wait.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use portmap::upnp::SEARCH_WINDOW;

use crate::configuration::{LONGEST_BUDGET, search_window};

/// Who asks by hand would rather wait for a slow router than ask again.
const DEFAULT_BUDGET: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) total: Duration,
    /// After how much silence there is no gateway.
    pub(super) search_window: Duration,
}

impl Budget {
    pub(super) fn resolve(seconds: Option<f64>) -> Result<Self> {
        let Some(seconds) = seconds else {
            return Ok(Self { total: DEFAULT_BUDGET, search_window: SEARCH_WINDOW });
        };
        let total = Duration::try_from_secs_f64(seconds).context("budget")?;
        ensure!(total <= LONGEST_BUDGET, "budget: {total:?} is longer than {LONGEST_BUDGET:?}");
        Ok(Self { total, search_window: search_window(total) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_takes_half_of_a_budget_that_was_granted() {
        let windows = [(0.5, 500), (1.0, 900), (10.0, 5_000)];
        for (seconds, milliseconds) in windows {
            let budget = Budget::resolve(Some(seconds)).unwrap();
            assert_eq!(budget.search_window.as_millis(), milliseconds, "{seconds}");
        }
        assert_eq!(Budget::resolve(None).unwrap().search_window, SEARCH_WINDOW);
        assert!(Budget::resolve(Some(61.0)).is_err() && Budget::resolve(Some(-1.0)).is_err());
    }
}
