//! One line of the report: ours, the peer, and what was aimed at.

use serde::{Serialize, Serializer};

use crate::sample::{Reading, Sample};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "us")]
    Microseconds,
    #[serde(rename = "ns")]
    Nanoseconds,
    #[serde(rename = "KiB")]
    Kibibytes,
    #[serde(rename = "1/min")]
    PerMinute,
    #[serde(rename = "1/h")]
    PerHour,
    #[serde(rename = "1/s")]
    PerSecond,
}

impl Unit {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Microseconds => "µs",
            Self::Nanoseconds => "ns",
            Self::Kibibytes => "KiB",
            Self::PerMinute => "/min",
            Self::PerHour => "/h",
            Self::PerSecond => "/s",
        }
    }
}

/// What a figure is meant to be at most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aim {
    /// Ours, in the row's unit.
    AtMost(f64),
    /// Ours as a part of the peer's.
    RatioAtMost(f64),
    /// As the peer's and this much more, in the row's unit.
    AbovePeer(f64),
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Peer {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) sample: Sample,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) ours: Sample,
    pub(crate) peer: Option<Peer>,
    pub(crate) aim: Option<Aim>,
}

/// Rows that were measured in the same way.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) rows: Vec<Row>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, unit: Unit, ours: impl Into<Sample>) -> Self {
        Self { name: name.into(), unit, ours: ours.into(), peer: None, aim: None }
    }

    pub(crate) fn beside(self, name: impl Into<String>, sample: impl Into<Sample>) -> Self {
        Self { peer: Some(Peer { name: name.into(), sample: sample.into() }), ..self }
    }

    pub(crate) fn aiming_at(self, aim: Aim) -> Self {
        Self { aim: Some(aim), ..self }
    }

    /// Of the medians.
    pub(crate) fn ratio(&self) -> Reading {
        let peer = self.peer.as_ref()?.sample.median().filter(|&median| median > 0.0)?;
        Some(self.ours.median()? / peer)
    }

    /// Of the medians, in the row's unit.
    fn above(&self) -> Reading {
        Some(self.ours.median()? - self.peer.as_ref()?.sample.median()?)
    }

    /// `None` where nothing is aimed at. A peer that never arrives is as slow as can be.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let ours = self.ours.median();
        Some(match self.aim? {
            Aim::AtMost(limit) => ours.is_some_and(|ours| ours <= limit),
            Aim::RatioAtMost(limit) => self.ratio().map_or(ours.is_some(), |ratio| ratio <= limit),
            Aim::AbovePeer(limit) => self.above().map_or(ours.is_some(), |above| above <= limit),
        })
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            name: &'a str,
            unit: Unit,
            ours: &'a Sample,
            peer: Option<&'a Peer>,
            ratio: Reading,
            aim: Option<Aim>,
            met: Option<bool>,
        }
        let Self { name, unit, ours, peer, aim } = self;
        let (ratio, met) = (self.ratio(), self.is_met());
        Shown { name, unit: *unit, ours, peer: peer.as_ref(), ratio, aim: *aim, met }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: f64, peer: Reading, aim: Aim) -> Row {
        let peer: Sample = [peer].into_iter().collect();
        Row::new("a way", Unit::Milliseconds, ours).beside("another", peer).aiming_at(aim)
    }

    #[test]
    fn an_aim_is_met_up_to_its_limit() {
        assert_eq!(row(75.0, Some(100.0), Aim::RatioAtMost(0.75)).is_met(), Some(true));
        assert_eq!(row(76.0, Some(100.0), Aim::RatioAtMost(0.75)).is_met(), Some(false));
        assert_eq!(row(76.0, Some(100.0), Aim::AtMost(75.0)).is_met(), Some(false));
        assert_eq!(row(75.0, Some(70.0), Aim::AbovePeer(5.0)).is_met(), Some(true));
        assert_eq!(row(76.0, Some(70.0), Aim::AbovePeer(5.0)).is_met(), Some(false));
        assert_eq!(Row::new("a way", Unit::Milliseconds, 1.0).is_met(), None);
    }

    #[test]
    fn a_peer_that_never_arrives_is_outdone_by_who_does() {
        let row = row(76.0, None, Aim::RatioAtMost(0.75));
        assert_eq!((row.ratio(), row.is_met()), (None, Some(true)));
        let neither = Row { ours: [None].into_iter().collect(), ..row };
        assert_eq!(neither.is_met(), Some(false));
    }
}
