//! What the demo prints: numbered steps, screens in frames, tables of leases.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lab::{Lease, WriteUp};

use super::session::COLUMNS;

/// Where the mark stands. A step is a line of 80 columns.
const TITLE_COLUMNS: usize = 66;

pub(super) struct Page {
    colour: bool,
    started: Instant,
    step_started: Instant,
    steps: usize,
    step_is_open: bool,
    /// Below an empty line.
    stands_apart: bool,
}

impl Page {
    pub(super) fn new() -> Self {
        let wants_none = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let now = now();
        let colour = io::stdout().is_terminal() && !wants_none;
        Self { colour, started: now, step_started: now, steps: 0, step_is_open: false, stands_apart: true }
    }

    pub(super) fn say(&self, text: &str) {
        println!("{text}");
    }

    pub(super) fn heading(&self, text: &str) {
        println!("{}\n", self.painted("1", &format!("── {text} ──")));
    }

    pub(super) fn note(&self, text: &str) {
        for line in text.lines() {
            println!("    {line}");
        }
        println!();
    }

    pub(super) fn begin(&mut self, title: &str) {
        self.steps += 1;
        self.step_started = now();
        self.step_is_open = true;
        self.stands_apart = false;
        print!("{:>2}. {title:<TITLE_COLUMNS$} ", self.steps);
        let _nobody_looks = io::stdout().flush();
    }

    pub(super) fn step_held(&mut self) {
        self.step_is_open = false;
        println!("{} {}", self.painted("32", "✓"), seconds(now() - self.step_started));
    }

    pub(super) fn step_failed(&mut self) {
        if self.step_is_open {
            println!("{}", self.painted("31", "✗"));
        }
    }

    pub(super) fn all_held(&self) {
        let all = format!("All {} steps held", self.steps);
        println!("{} in {}.", self.painted("1;32", &all), seconds(now() - self.started).trim_start());
    }

    /// What the user who typed `command_line` sees, and where.
    pub(super) fn screen(&mut self, command_line: &str, place: &str, screen: &str) {
        self.stand_apart();
        let columns = usize::from(COLUMNS);
        let title = format!(" laptop$ {command_line} ");
        let place = if place.is_empty() { String::new() } else { format!(" {place} ─") };
        let rest = columns.saturating_sub(title.chars().count() + place.chars().count());
        println!("  ┌{title}{}{place}┐", "─".repeat(rest));
        for row in screen.trim_end().lines().flat_map(rows) {
            println!("  │{row:<columns$}│");
        }
        println!("  └{}┘\n", "─".repeat(columns));
    }

    pub(super) fn leases(&mut self, title: &str, leases: &[Lease]) {
        self.stand_apart();
        println!("    {}", self.painted("1", title));
        if leases.is_empty() {
            println!("    (none)");
        }
        for Lease { protocol, external_port, internal_address, internal_port, expires, description } in leases
        {
            let protocol = protocol.to_string().to_uppercase();
            let outside = format!("{}:{external_port}", WriteUp::ROUTER_OUTSIDE);
            let left = expires.saturating_sub(unix_seconds());
            println!(
                "    {protocol} {outside} → {internal_address}:{internal_port}  for {left} s  {description}"
            );
        }
        println!();
    }

    fn stand_apart(&mut self) {
        if !std::mem::replace(&mut self.stands_apart, true) {
            println!();
        }
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A terminal's parser gives a line as one, over however many rows it goes.
fn rows(line: &str) -> Vec<String> {
    let characters: Vec<char> = line.chars().collect();
    let rows: Vec<String> = characters.chunks(usize::from(COLUMNS)).map(|row| row.iter().collect()).collect();
    if rows.is_empty() { vec![String::new()] } else { rows }
}

fn seconds(time: Duration) -> String {
    format!("{:>5.2} s", time.as_secs_f64())
}

#[expect(clippy::disallowed_methods, reason = "for the eyes only: how long a step took")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "for the eyes only: how long a lease goes on")]
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
