//! Who floods the screen over a slow line, and would like to end it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::{Blocked, Host, Impairment, Lab, Terminal, USER, WriteUp};

use super::{OURS, PATIENCE, SSH};
use crate::Bench;
use crate::clock::{milliseconds, milliseconds_since, rest, since_the_epoch};
use crate::row::{Aim, Row, Unit};
use crate::sample::Reading;
use crate::turns::{Contender, take_turns};

/// In bytes a second.
const SLOW: u32 = 32_000;

/// ssh takes half a minute each time.
const RUNS: usize = 5;

/// By then every queue on the way is as full as it gets over a link of so many bytes.
const FLOODED: Duration = Duration::from_secs(5);
/// Who has shown nothing of an interrupt by then shows it never.
const LIMIT: Duration = Duration::from_secs(60);
/// How long, and how often meanwhile, it is looked how old the screen is.
const WATCHED: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

const PROMPT: &str = "alice@router:~$";

/// 100 MB that hardly become less by compression.
const BIG_FILE: &str = "head -c 75000000 /dev/urandom | base64 -w 79 >/tmp/big";

/// Its lines hardly become less by compression, and tell when they were written, in seconds.
const CLOCK: &str = r#"#!/usr/bin/perl
use Time::HiRes 'time';
my @letters = ('A' .. 'Z', 'a' .. 'z', 0 .. 9);
my @words = map { join '', map { $letters[rand @letters] } 1 .. 60 } 1 .. 5000;
for (my $line = 0; ; $line++) { printf "%.3f %s\n", time, $words[$line % @words] }
"#;

/// In milliseconds.
const INTERRUPT_AIM: Aim = Aim::AtMost(1_500.0);
const AGE_AIM: Aim = Aim::AtMost(1_000.0);

#[derive(Clone, Copy)]
enum Asked {
    HowSoonItEnds,
    HowOldTheScreenIs,
}

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let network = WriteUp::raise(&lab)?;
    network.laptop.block_udp(Blocked::BothWays)?;
    network.router.command("sh").args(["-c", BIG_FILE]).run(PATIENCE)?;
    network.router.write_script("/usr/local/bin/clock", CLOCK)?;
    let floods = [
        ("Ctrl-C in `yes`, at 32 kB/s", "yes 'a flood of words'", Asked::HowSoonItEnds, INTERRUPT_AIM),
        ("Ctrl-C in `cat` of 100 MB", "cat /tmp/big", Asked::HowSoonItEnds, INTERRUPT_AIM),
        ("age of the screen, at its worst", "clock", Asked::HowOldTheScreenIs, AGE_AIM),
    ];
    let mut rows = Vec::new();
    for (name, flood, asked, aim) in floods {
        let contender = |client| Contender::new(client, || be_flooded(&network, client, flood, asked));
        let samples = take_turns(name, vec![contender(OURS), contender(SSH)], bench.runs.min(RUNS))?;
        let row = Row::new(name, Unit::Milliseconds, samples[OURS].clone());
        rows.push(row.beside(SSH, samples[SSH].clone()).aiming_at(aim));
    }
    Ok(rows)
}

fn be_flooded(network: &WriteUp, client: &str, flood: &str, asked: Asked) -> Result<Reading> {
    let mut terminal = open(&network.laptop, client)?;
    network.internet.impair(Impairment::NONE.rate(SLOW))?;
    terminal.type_text(&format!("{flood}\r"))?;
    rest(FLOODED)?;
    let reading = match asked {
        Asked::HowSoonItEnds => interrupt(&mut terminal),
        Asked::HowOldTheScreenIs => greatest_age(&terminal),
    };
    network.internet.impair(Impairment::NONE)?;
    reading
}

fn open(laptop: &Host, client: &str) -> Result<Terminal> {
    let terminal = laptop.terminal(&laptop.command(client).arg("router").as_user(USER), 24, 80)?;
    terminal.wait_for(PROMPT, PATIENCE)?;
    Ok(terminal)
}

fn interrupt(terminal: &mut Terminal) -> Result<Reading> {
    let start = net::clock::now();
    terminal.type_text("\x03")?;
    let shown = terminal.wait_until("a prompt", LIMIT, |screen| screen.trim_end().ends_with(PROMPT));
    Ok(shown.is_ok().then(|| milliseconds_since(start)))
}

fn greatest_age(terminal: &Terminal) -> Result<Reading> {
    let end = net::clock::now() + WATCHED;
    let mut greatest: f64 = 0.0;
    while net::clock::now() < end {
        greatest = greatest.max(age(&terminal.screen())?);
        rest(LOOK)?;
    }
    Ok(Some(greatest))
}

/// In milliseconds, of the newest line.
fn age(screen: &str) -> Result<f64> {
    let times = screen.lines().filter_map(|line| line.split(' ').next()?.parse::<f64>().ok());
    let newest = times.reduce(f64::max).context("no time on the screen")?;
    Ok(milliseconds(since_the_epoch()?) - newest * 1e3)
}
