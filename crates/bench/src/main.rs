//! Measures moshpunch beside its peers, in a lab of real programs.
//!
//! Each group of measurements has a module, which raises a network of its own and gives [`row::Group`]s. Those who are
//! compared take turns ([`turns`]). `docs/benchmarks.md` explains each row.

mod carried;
mod client;
mod clock;
mod connect;
mod footprint;
mod forwarder;
mod guard;
mod mapping;
mod micro;
mod moves;
mod network;
mod punched;
mod relayed;
mod report;
mod row;
mod sample;
mod turns;
mod typist;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum};

use crate::report::Report;
use crate::row::Group;

/// Measure moshpunch beside its peers, in a lab of real programs
#[derive(Parser)]
#[command(name = "bench", version)]
struct Arguments {
    /// What to measure [default: all]
    #[arg(value_name = "GROUP")]
    groups: Vec<Subject>,
    /// How often each takes its turn, where a run takes a second or so
    #[arg(long, value_name = "N", default_value_t = 10)]
    runs: usize,
    /// The moshpunch to measure [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    moshpunch: Option<PathBuf>,
    /// Where benchmarks.json and benchmarks.svg go
    #[arg(long, value_name = "DIRECTORY", default_value = "target/bench")]
    out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// From enter to the first prompt
    Connect,
    /// To a usable mapping, without a session
    Mapping,
    /// From a new link to a sign on the screen
    Moves,
    /// Sessions over ssh, where UDP is blocked
    Carried,
    /// Sessions through a hole, where nothing is mapped
    Punched,
    /// Sessions over ssh, through a hole and by a relay, where one packet in a hundred is lost
    Relayed,
    /// What the forwarder adds to a datagram's way
    Forwarder,
    /// Memory, wake-ups and packets of idle sessions, and many of them on one host
    Footprint,
    /// The guard of a router with a thousand mappings
    Guard,
    /// Single calls of the pure crates
    Micro,
}

/// How it is measured.
struct Bench {
    moshpunch: PathBuf,
    runs: usize,
    /// Where `cargo bench` leaves its results.
    criterion: PathBuf,
}

impl Subject {
    fn measure(self, bench: &Bench) -> Result<Vec<Group>> {
        match self {
            Self::Connect => connect::measure(bench),
            Self::Mapping => mapping::measure(bench),
            Self::Moves => moves::measure(bench),
            Self::Carried => carried::measure(bench),
            Self::Punched => punched::measure(bench),
            Self::Relayed => relayed::measure(bench),
            Self::Forwarder => forwarder::measure(bench),
            Self::Footprint => footprint::measure(bench),
            Self::Guard => guard::measure(bench),
            Self::Micro => micro::measure(bench),
        }
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let Arguments { groups, runs, moshpunch, out } = arguments;
    let subjects = if groups.is_empty() { Subject::value_variants() } else { &groups };
    ensure!(runs > 0, "--runs: at least one");
    let built = directory_of_this_program()?;
    let moshpunch = moshpunch.unwrap_or_else(|| built.join("moshpunch"));
    ensure!(moshpunch.is_file(), "{} is not there; build it, or say --moshpunch PATH", moshpunch.display());
    let criterion = built.with_file_name("criterion");
    let bench = Bench { moshpunch, runs, criterion };
    let mut measured = Vec::new();
    for subject in subjects {
        measured.extend(subject.measure(&bench)?);
    }
    let report = Report::new(measured)?;
    print!("{}", report.table());
    report.write(&out)?;
    println!("\nalso in {0}/benchmarks.json and {0}/benchmarks.svg", out.display());
    Ok(())
}

fn directory_of_this_program() -> Result<PathBuf> {
    let this_program = env::current_exe().context("finding this program")?;
    Ok(this_program.parent().context("a program is in a directory")?.to_owned())
}
