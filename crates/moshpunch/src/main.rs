//! moshpunch: mosh over the best path there is.

#![cfg_attr(not(test), warn(unused_crate_dependencies))]

mod arguments;
mod candidates;
mod commands;
mod configuration;
mod connect;
mod exit_code;
mod family;
mod guard;
mod keeper;
mod locked_file;
mod log;
mod mosh_server;
mod need;
mod own_process;
mod pipe;
mod pseudo_terminal;
mod release;
mod remembered;
mod report;
mod runtime_directory;
mod saved_mapping;
mod secrets;
mod service_manager;
mod session;
mod shell_script;
mod signals;
mod tmux;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use system::process::errand;

use crate::arguments::{Arguments, Command, ConnectArguments, Order, is_own_command};

fn main() -> ExitCode {
    own_process::take_name();
    let words: Vec<OsString> = env::args_os().collect();
    if let Some(code) = errand(&words) {
        return code;
    }
    let result = if let Some(question) = commands::asked::question(&words) {
        Ok(commands::asked::run(question))
    } else if let Some(run) = without_arguments(&words) {
        Ok(run())
    } else if is_own_command(words.get(1..).unwrap_or_default()) {
        Arguments::try_parse_from(words).map(|arguments| run(arguments.command))
    } else {
        let order = Order::from_environment(env::var_os("POSIXLY_CORRECT").as_deref());
        ConnectArguments::parse_words(words, order).map(|arguments| commands::connect::run(&arguments))
    };
    match result.unwrap_or_else(|error| Ok(usage(&error))) {
        Ok(code) => code,
        Err(error) => {
            report::error(&error);
            ExitCode::FAILURE
        }
    }
}

/// With nothing to be parsed: a keeper that never touches clap stays small, and each login asks for the version.
fn without_arguments(words: &[OsString]) -> Option<fn() -> Result<ExitCode>> {
    match words {
        [_, word, _session] if word == commands::keeper::WORD => Some(commands::keeper::run),
        [_, word] if word == commands::sweep::WORD => Some(commands::sweep::run),
        [_, word] if word == "--version" || word == "-V" => Some(version),
        [_, word] if word == connect::eraser::WORD => Some(connect::eraser::run),
        _ => None,
    }
}

fn version() -> Result<ExitCode> {
    writeln!(io::stdout(), "moshpunch {}", env!("CARGO_PKG_VERSION"))?;
    Ok(ExitCode::SUCCESS)
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Server(arguments) => commands::server::run(&arguments),
        Command::Map(command) => Ok(commands::map::run(&command)),
        Command::Router(command) => Ok(commands::router::run(&command)),
        Command::LookUp(arguments) => commands::look_up::run(&arguments),
        Command::Tied(arguments) => commands::tied::run(&arguments),
        Command::Attend(arguments) => commands::attend::run(&arguments),
    }
}

/// What was asked for, such as --help, is no failure; clap's own exit code, 2, would be one of ours.
fn usage(error: &clap::Error) -> ExitCode {
    let shown = error.print().is_ok();
    if shown && !error.use_stderr() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
