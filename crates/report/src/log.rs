//! The log that `--log` asks for: each event is a line.

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use system::clock;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber, subscriber};

use crate::sanitized;
use crate::timestamp::timestamp;

const MOST: Level = Level::DEBUG;

/// Nobody would see that this failed, and the session is worth more than its log.
pub fn append_to(path: &Path) {
    let Ok(file) = OpenOptions::new().append(true).create(true).mode(0o600).open(path) else { return };
    let _one_is_there_already = subscriber::set_global_default(Log { file });
}

struct Log {
    file: File,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= MOST
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(MOST))
    }

    /// In one piece, whoever else writes there.
    fn event(&self, event: &Event<'_>) {
        let line = format!("{}\n", line(&timestamp(clock::since_1970()), event));
        let _ = (&self.file).write_all(line.as_bytes());
    }

    /// Nothing here is in a span.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn line(timestamp: &str, event: &Event<'_>) -> String {
    let metadata = event.metadata();
    let mut line = Line(format!("{timestamp} {:>5} {}:", metadata.level(), metadata.target()));
    event.record(&mut line);
    sanitized(&line.0)
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _never_fails = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::Ipv4Addr;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_event_is_a_line_with_all_that_it_names() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        append_to(&path);
        let (from, error) = (Ipv4Addr::LOCALHOST, "no\nanswer\x1b[2J");
        tracing::debug!(%from, %error, port = 5351, name = "router", "not heard {}", 7);
        tracing::info!("heard");
        tracing::trace!("not told");
        let log = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = log.lines().map(|line| line.split_once("Z ").unwrap().1).collect();
        assert_eq!(
            lines,
            [
                "DEBUG report::log::tests: not heard 7 from=127.0.0.1 error=no\u{fffd}answer\u{fffd}[2J port=5351 \
                 name=\"router\"",
                " INFO report::log::tests: heard",
            ]
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
