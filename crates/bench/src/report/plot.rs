//! One picture: each row that has a peer, on a logarithmic scale of which the peer's median is 1.

use svg::Document;
use svg::node::element::{Circle, Line, Text};

use super::machine::Machine;
use super::table::figure;
use crate::row::{Aim, Group, Row};
use crate::sample::Reading;

const WIDTH: f64 = 1_240.0;
const LEFT: f64 = 340.0;
const RIGHT: f64 = 780.0;
const FIGURES: f64 = RIGHT + 12.0;
const PEERS: f64 = FIGURES + 150.0;
const TOP: f64 = 84.0;
const LINE: f64 = 22.0;
/// The ratios at both ends of the scale; what is beyond is shown at the end.
const LEAST: f64 = 0.01;
const GREATEST: f64 = 10.0;
const MARKS: [(f64, &str); 4] = [(0.01, "1/100"), (0.1, "1/10"), (1.0, "as the peer"), (10.0, "10 times")];

const OURS: &str = "#0b6e4f";
const MISSED: &str = "#b3261e";
const FAINT: &str = "#c8c8c8";

pub(super) fn of(machine: &Machine, groups: &[Group]) -> String {
    let mut lines = Vec::new();
    for group in groups {
        let rows: Vec<_> = group.rows.iter().filter(|row| row.peer.is_some()).collect();
        if !rows.is_empty() {
            lines.push(Entry::Title(group.title));
            lines.extend(rows.into_iter().map(Entry::Row));
        }
    }
    let bottom = TOP + LINE * lines.len().try_into().map_or(0.0, |count: u32| f64::from(count));
    let mut document = Document::new().set("viewBox", (0.0, 0.0, WIDTH, bottom + 20.0));
    document = document.set("font-family", "sans-serif").set("font-size", 12);
    document = document
        .add(text(10.0, 24.0, "moshpunch beside its peers: medians, quartiles, aims").set("font-size", 16));
    document = document.add(text(10.0, 42.0, &machine.to_string()).set("fill", "#606060"));
    for (ratio, label) in MARKS {
        let x = across(ratio);
        document = document.add(line(x, TOP - 8.0, x, bottom, FAINT));
        document =
            document.add(text(x, TOP - 14.0, label).set("text-anchor", "middle").set("fill", "#606060"));
    }
    let heights = std::iter::successors(Some(TOP + LINE / 2.0), |y| Some(y + LINE));
    for (entry, y) in lines.iter().zip(heights) {
        document = match entry {
            Entry::Title(title) => document.add(text(10.0, y + 4.0, title).set("font-weight", "bold")),
            Entry::Row(row) => drawn(document, row, y),
        };
    }
    format!("{document}\n")
}

enum Entry<'a> {
    Title(&'a str),
    Row(&'a Row),
}

fn drawn(mut document: Document, row: &Row, y: f64) -> Document {
    let peer = row.peer.as_ref().and_then(|peer| peer.sample.median());
    if let Some(peer) = &row.peer {
        document = document.add(text(PEERS, y + 4.0, &peer.name).set("fill", "#606060"));
    }
    let ours = row.ours.summary();
    let document = document.add(text(20.0, y + 4.0, &row.name));
    let figures = format!("{} : {} {}", shown(ours.median), shown(peer), row.unit.symbol());
    let document = document.add(text(FIGURES, y + 4.0, &figures));
    let missed = ours.median.is_none() || row.is_met() == Some(false);
    let colour = if missed { MISSED } else { OURS };
    let Some((median, peer)) = ours.median.zip(peer) else {
        // Whoever arrives is as far ahead as the scale reaches.
        let x = if ours.median.is_some() { LEFT } else { RIGHT };
        return document.add(dot(x, y, colour));
    };
    let ends =
        [ours.lower_quartile, ours.upper_quartile].map(|end| across(end.map_or(GREATEST, |end| end / peer)));
    let document = document.add(line(ends[0], y, ends[1], y, colour).set("stroke-width", 3));
    let document = document.add(dot(across(median / peer), y, colour));
    let aim = match row.aim {
        Some(Aim::AtMost(limit)) => limit / peer,
        Some(Aim::RatioAtMost(limit)) => limit,
        Some(Aim::AbovePeer(limit)) => (peer + limit) / peer,
        None => return document,
    };
    let x = across(aim);
    document.add(line(x, y - 8.0, x, y + 8.0, "#000000"))
}

fn shown(reading: Reading) -> String {
    reading.map_or_else(|| "never".to_owned(), figure)
}

/// Where a ratio is on the scale.
fn across(ratio: f64) -> f64 {
    let place = (ratio.clamp(LEAST, GREATEST) / LEAST).ln() / (GREATEST / LEAST).ln();
    LEFT + place * (RIGHT - LEFT)
}

fn text(x: f64, y: f64, words: &str) -> Text {
    Text::new(words).set("x", x).set("y", y)
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64, colour: &str) -> Line {
    Line::new().set("x1", x1).set("y1", y1).set("x2", x2).set("y2", y2).set("stroke", colour)
}

fn dot(x: f64, y: f64, colour: &str) -> Circle {
    Circle::new().set("cx", x).set("cy", y).set("r", 5).set("fill", colour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_ends_where_it_ends() {
        assert!((across(1.0) - (LEFT + (RIGHT - LEFT) * 2.0 / 3.0)).abs() < 1e-9);
        assert!((across(0.0) - LEFT).abs() < 1e-9 && (across(1e9) - RIGHT).abs() < 1e-9);
    }
}
