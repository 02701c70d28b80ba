//! moshpunch: mosh over the best path there is.

#![cfg_attr(not(test), warn(unused_crate_dependencies))]

mod arguments;
mod commands;
mod configuration;
mod keeper;
mod mosh_server;
mod need;
mod remembered;
mod report;
mod runtime_directory;
mod session;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Server(arguments) => commands::server::run(&arguments),
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
