//! One table, as text.

use std::fmt::Write as _;

use super::machine::Machine;
use crate::row::{Aim, Group, Row, Unit};
use crate::sample::{Reading, Sample};

const NAME: usize = 46;
const FIGURE: usize = 12;
const SPREAD: usize = 17;

pub(super) fn of(machine: &Machine, groups: &[Group]) -> String {
    let mut text = format!("{machine}\nmedians; in brackets the quartiles\n");
    for group in groups {
        let heads = ["ours", "", "peer", "", "ratio", "aim"];
        let [ours, spread, peer, peers_spread, ratio, aim] = heads;
        let _ = write!(text, "\n{:NAME$}{ours:>FIGURE$}{spread:SPREAD$}{peer:>FIGURE$}", group.title);
        let _ = writeln!(text, "{peers_spread:SPREAD$}{ratio:>7}  {aim}");
        group.rows.iter().for_each(|row| text.push_str(&line(row)));
    }
    text
}

fn line(row: &Row) -> String {
    let Row { name, unit, ours, peer, .. } = row;
    let mut line = format!("{name:NAME$}{:>FIGURE$}{:SPREAD$}", median(ours, *unit), spread(ours));
    let (figure, brackets) =
        peer.as_ref().map(|peer| (median(&peer.sample, *unit), spread(&peer.sample))).unwrap_or_default();
    let ratio = row.ratio().map_or_else(String::new, |ratio| format!("{ratio:.3}"));
    let _ = write!(line, "{figure:>FIGURE$}{brackets:SPREAD$}{ratio:>7}  {}", aim(row));
    if let Some(peer) = peer {
        let _ = write!(line, "\n    beside {}", peer.name);
    }
    line.trim_end().to_owned() + "\n"
}

fn median(sample: &Sample, unit: Unit) -> String {
    let never = || "never".to_owned();
    sample.median().map_or_else(never, |median| format!("{} {}", figure(median), unit.symbol()))
}

fn spread(sample: &Sample) -> String {
    let summary = sample.summary();
    if summary.runs < 2 || summary.median.is_none() {
        return String::new();
    }
    let shown = |reading: Reading| reading.map_or_else(|| "never".to_owned(), figure);
    format!(" [{}–{}]", shown(summary.lower_quartile), shown(summary.upper_quartile))
}

fn aim(row: &Row) -> String {
    let (Some(aim), Some(met)) = (row.aim, row.is_met()) else { return String::new() };
    let aim = match aim {
        Aim::AtMost(limit) => format!("≤ {} {}", figure(limit), row.unit.symbol()),
        Aim::RatioAtMost(limit) => format!("≤ {limit} of the peer's"),
        Aim::AbovePeer(limit) => format!("≤ the peer's and {} {}", figure(limit), row.unit.symbol()),
    };
    format!("{aim}: {}", if met { "met" } else { "NOT MET" })
}

/// With three digits that mean something.
pub(super) fn figure(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_both_medians_their_spread_and_the_aim() {
        let ours: Sample = [1.0, 2.0, 3.0].map(Some).into_iter().collect();
        let row = Row::new("by UPnP", Unit::Milliseconds, ours);
        let row = row.beside("upnpc -a", [Some(2_100.0)].into_iter().collect::<Sample>());
        let line = line(&row.aiming_at(Aim::RatioAtMost(0.05)));
        let words: Vec<_> = line.split_whitespace().collect();
        let expected = "by UPnP 2.00 ms [2.00–3.00] 2100 ms 0.001 ≤ 0.05 of the peer's: met beside upnpc -a";
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn who_never_arrives_has_no_figure() {
        let row = Row::new("inside", Unit::Milliseconds, 20.0);
        let line = line(&row.beside("mosh", [None, None].into_iter().collect::<Sample>()));
        assert_eq!(
            line.split_whitespace().collect::<Vec<_>>(),
            ["inside", "20.0", "ms", "never", "beside", "mosh"]
        );
    }
}
