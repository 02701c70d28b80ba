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
    /// Raise the write-up's network and show how to enter its hosts
    Raise,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(arguments) => commands::demo::run(arguments),
        Command::Clean => commands::clean::run(),
        Command::List => commands::list::run(),
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
