//! moshpunch: mosh over the best path there is.

#![cfg_attr(not(test), warn(unused_crate_dependencies))]

mod arguments;
mod commands;
mod configuration;
mod exit_code;
mod guard;
mod keeper;
mod locked_file;
mod mosh_server;
mod need;
mod release;
mod remembered;
mod report;
mod runtime_directory;
mod saved_mapping;
mod service_manager;
mod session;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let result = match arguments.command {
        Command::Server(arguments) => commands::server::run(&arguments),
        Command::Map(command) => return commands::map::run(&command),
        Command::Router(command) => commands::router::run(&command),
        Command::Keeper => commands::keeper::run(),
        Command::Sweep => commands::sweep::run(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            report::error(&error);
            ExitCode::FAILURE
        }
    }
}

/// What was asked for, such as --help, is no failure; clap's own exit code, 2, would be one of ours.
fn usage(error: &clap::Error) -> ExitCode {
    let shown = error.print().is_ok();
    if shown && !error.use_stderr() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
