//! The lab's command line.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A network of real programs on one machine, for moshpunch's tests.
#[derive(Parser)]
#[command(name = "lab", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show mosh through a NAT router, and our own client on a walk
    Demo(commands::demo::Arguments),
    /// Remove what labs left behind whose owner was killed
    Clean,
    /// Show every lab on this machine
    List,
    /// Measure, in an otherwise idle network
    #[command(subcommand)]
    Measure(Measure),
    /// Raise the write-up's network and show how to enter its hosts
    Raise,
}

#[derive(Subcommand)]
enum Measure {
    /// How long moshpunch takes to a usable mapping, beside natpmpc and upnpc
    Mapping(commands::measure_mapping::Arguments),
    /// What `moshpunch router guard` takes on a router with many mappings, and how soon it holds one more
    Guard(commands::measure_guard::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(arguments) => commands::demo::run(arguments),
        Command::Clean => commands::clean::run(),
        Command::List => commands::list::run(),
        Command::Measure(Measure::Mapping(arguments)) => commands::measure_mapping::run(arguments),
        Command::Measure(Measure::Guard(arguments)) => commands::measure_guard::run(arguments),
        Command::Raise => commands::raise::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}
