//! What several runs of one measurement gave.

use serde::{Serialize, Serializer};

/// In the unit of its row; `None`: what was waited for did not come within the limit.
pub(crate) type Reading = Option<f64>;

/// The readings of one contender, sorted. What did not come counts as later than all that did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    came: Vec<f64>,
    missed: usize,
}

/// A sample in few numbers, for reports.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Summary {
    pub(crate) runs: usize,
    /// How many gave nothing within the limit.
    pub(crate) missed: usize,
    pub(crate) least: Reading,
    pub(crate) lower_quartile: Reading,
    pub(crate) median: Reading,
    pub(crate) upper_quartile: Reading,
    pub(crate) percentile_99: Reading,
    pub(crate) greatest: Reading,
}

impl Sample {
    /// Nearest rank. `None` where that reading did not come, or there is none.
    pub(crate) fn quantile(&self, per_mille: usize) -> Reading {
        let last = (self.came.len() + self.missed).checked_sub(1)?;
        self.came.get((last * per_mille + 500) / 1000).copied()
    }

    pub(crate) fn median(&self) -> Reading {
        self.quantile(500)
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary {
            runs: self.came.len() + self.missed,
            missed: self.missed,
            least: self.quantile(0),
            lower_quartile: self.quantile(250),
            median: self.median(),
            upper_quartile: self.quantile(750),
            percentile_99: self.quantile(990),
            greatest: self.quantile(1000),
        }
    }
}

impl FromIterator<Reading> for Sample {
    fn from_iter<I: IntoIterator<Item = Reading>>(readings: I) -> Self {
        let mut sample = Self::default();
        for reading in readings {
            match reading {
                Some(value) => sample.came.push(value),
                None => sample.missed += 1,
            }
        }
        sample.came.sort_unstable_by(f64::total_cmp);
        sample
    }
}

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.summary().serialize(serializer)
    }
}

/// A single reading.
impl From<f64> for Sample {
    fn from(value: f64) -> Self {
        Self { came: vec![value], missed: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(readings: &[f64]) -> Sample {
        readings.iter().copied().map(Some).collect()
    }

    #[test]
    fn the_median_is_in_the_middle_of_what_came() {
        assert_eq!(sample(&[]).median(), None);
        assert_eq!(sample(&[7.0]).median(), Some(7.0));
        assert_eq!(sample(&[90.0, 1.0, 2.0]).median(), Some(2.0));
        assert_eq!(sample(&[4.0, 1.0, 90.0, 2.0]).median(), Some(4.0));
    }

    #[test]
    fn what_did_not_come_is_later_than_all_that_did() {
        let half: Sample = [Some(3.0), None, None, Some(5.0)].into_iter().collect();
        assert_eq!((half.quantile(0), half.quantile(250), half.median()), (Some(3.0), Some(5.0), None));
        assert_eq!((half.summary().runs, half.summary().missed), (4, 2));
    }

    #[test]
    fn quartiles_and_the_last_percent_are_readings_too() {
        let hundred: Sample = (1..=101).map(f64::from).map(Some).collect();
        assert_eq!((hundred.quantile(250), hundred.quantile(750)), (Some(26.0), Some(76.0)));
        assert_eq!((hundred.quantile(990), hundred.quantile(1000)), (Some(100.0), Some(101.0)));
    }
}
