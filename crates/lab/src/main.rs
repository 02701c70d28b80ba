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
    /// Remove what labs left behind whose owner was killed
    Clean,
    /// Show every lab on this machine
    List,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Clean => commands::clean::run(),
        Command::List => commands::list::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}
