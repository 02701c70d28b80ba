//! What the client's log tells of its ways.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::{Host, wait_until};

use super::PATIENCE;

const LOG: &str = "/tmp/ours.log";
pub(crate) const OPTION: &str = "--log=/tmp/ours.log";

const DAY: f64 = 86_400.0;

pub(crate) fn forget(laptop: &Host) -> Result<()> {
    laptop.command("rm").args(["-f", LOG]).run(PATIENCE).map(drop)
}

/// By which a session goes, as the log has it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Carried,
    Punched,
    Relayed,
}

/// How often the session has come to go by such a way.
pub(crate) fn moves(laptop: &Host, kind: Kind) -> Result<usize> {
    Ok(laptop.read_file(LOG)?.lines().filter(|line| is_move(line, kind)).count())
}

/// Waits until it goes by one, once more than so many times.
pub(crate) fn wait_for_move(laptop: &Host, kind: Kind, after: usize) -> Result<()> {
    wait_until("a better way", PATIENCE, || Ok((moves(laptop, kind)? > after).then_some(())))
}

/// From the host's hello until the server answers by such a way.
pub(crate) fn time_to(laptop: &Host, kind: Kind) -> Result<Duration> {
    let log = laptop.read_file(LOG)?;
    let hello = log.lines().find(|line| is_hello(line)).and_then(time_of_day);
    let way = log.lines().find(|line| is_move(line, kind)).and_then(time_of_day);
    let took = way.context("no such way in the log")? - hello.context("no channel in the log")?;
    Ok(Duration::try_from_secs_f64(took.rem_euclid(DAY))?)
}

fn is_hello(line: &str) -> bool {
    line.contains("there is a channel")
}

fn is_move(line: &str, kind: Kind) -> bool {
    line.contains("Moved {") && line.contains(&format!("kind: {kind:?},"))
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
