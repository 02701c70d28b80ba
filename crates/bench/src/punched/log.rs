//! What the client's log tells of its ways.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::{Host, wait_until};

use super::PATIENCE;

const LOG: &str = "/tmp/ours.log";
pub(super) const OPTION: &str = "--log=/tmp/ours.log";

const DAY: f64 = 86_400.0;

pub(super) fn forget(laptop: &Host) -> Result<()> {
    laptop.command("rm").args(["-f", LOG]).run(PATIENCE).map(drop)
}

/// How often the session has come to go through a hole.
pub(super) fn holes(laptop: &Host) -> Result<usize> {
    Ok(laptop.read_file(LOG)?.lines().filter(|line| is_through_a_hole(line)).count())
}

/// Waits until it goes through one, once more than so many times.
pub(super) fn wait_for_a_hole(laptop: &Host, after: usize) -> Result<()> {
    wait_until("a hole", PATIENCE, || Ok((holes(laptop)? > after).then_some(())))
}

/// From the host's hello until the server answers through a hole.
pub(super) fn time_to_a_hole(laptop: &Host) -> Result<Duration> {
    let log = laptop.read_file(LOG)?;
    let [hello, hole] = [is_hello, is_through_a_hole].map(|is_it| log.lines().find(|line| is_it(line)));
    let [hello, hole] = [hello.and_then(time_of_day), hole.and_then(time_of_day)];
    let took = hole.context("no hole in the log")? - hello.context("no channel in the log")?;
    Ok(Duration::try_from_secs_f64(took.rem_euclid(DAY))?)
}

fn is_hello(line: &str) -> bool {
    line.contains("there is a channel")
}

fn is_through_a_hole(line: &str) -> bool {
    line.contains("Moved {") && line.contains("kind: Punched,")
}

/// In seconds; a line begins `2026-11-28T22:43:30.123456Z`.
fn time_of_day(line: &str) -> Option<f64> {
    let (_, time) = line.split_once('Z')?.0.split_once('T')?;
    let parts: Vec<f64> = time.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts[..] else { return None };
    Some(hours * 3_600.0 + minutes * 60.0 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_its_time() {
        let line = "2026-11-28T01:02:03.250000Z DEBUG client::session::forwarder: event=Moved { way: 3 }";
        assert_eq!(time_of_day(line), Some(3_723.25));
        assert_eq!(time_of_day("no time"), None);
    }
}
