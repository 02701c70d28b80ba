//! moshpunch: mosh over the best path there is.

#![cfg_attr(not(test), warn(unused_crate_dependencies))]

mod arguments;
mod configuration;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use client::part::Part;
use system::process::errand;
use wire::presence;

use crate::arguments::{
    Arguments, Asked, Command, ConnectArguments, Order, RouterCommand, ServerArguments, is_own_command,
};

fn main() -> ExitCode {
    programs::own::take_name();
    let words: Vec<OsString> = env::args_os().collect();
    if let Some(code) = errand(&words) {
        return code;
    }
    let result = if let Some(question) = client::asked::question(&words) {
        Ok(client::asked::run(question))
    } else if let Some(run) = without_arguments(&words) {
        Ok(run())
    } else if let Some(part) = Part::of(&words) {
        Ok(part.run())
    } else if let Some(arguments) = ServerArguments::without_flags(&words, |name| env::var_os(name)) {
        Ok(serve(arguments))
    } else if is_own_command(words.get(1..).unwrap_or_default()) {
        Arguments::try_parse_from(words).map(|arguments| run(arguments.command))
    } else {
        let order = Order::from_environment(env::var_os("POSIXLY_CORRECT").as_deref());
        ConnectArguments::parse_words(words, order).map(|arguments| connect(&arguments))
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
        [_, word, _session] if word == host::keeper::WORD => Some(host::keeper::run),
        [_, word] if word == host::sweep::WORD => Some(host::sweep::run),
        [_, word] if word == "--version" || word == "-V" => Some(version),
        [_, word] if word == client::eraser::WORD => Some(client::eraser::run),
        _ => None,
    }
}

fn version() -> Result<ExitCode> {
    if env::var_os(presence::VARIABLE).is_some() {
        return Ok(ExitCode::from(presence::STATUS));
    }
    writeln!(io::stdout(), "moshpunch {}", arguments::VERSION)?;
    Ok(ExitCode::SUCCESS)
}

fn connect(arguments: &ConnectArguments) -> Result<ExitCode> {
    let ConnectArguments { host, flags, command, .. } = arguments;
    if let Some(format) = arguments.shown() {
        return configuration::show(host, &flags.said, format);
    }
    let configuration = configuration::connection(host, &flags.said, command)?;
    match arguments.wanted() {
        Some(wanted) => client::install::run(&configuration, wanted),
        None => client::connect(configuration),
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Server(arguments) => serve(arguments),
        Command::Map(command) => {
            let (command, answer) = command.into_parts();
            Ok(host::map::run(&command, answer))
        }
        Command::Sessions(command) => look_at_sessions(&command.into()),
        Command::Router(command) => run_on_router(command),
    }
}

fn serve(arguments: ServerArguments) -> Result<ExitCode> {
    let configuration = configuration::server(&arguments.flags.said);
    host::server::run(&arguments.into(), configuration)
}

fn look_at_sessions(asked: &Asked) -> Result<ExitCode> {
    match &asked.host {
        None => Ok(host::sessions::run(&asked.command, asked.all)),
        Some(host) => {
            let configuration = configuration::connection(host, &asked.said, &[])?;
            client::sessions::run(&configuration, &asked.words(), asked.asks())
        }
    }
}

fn run_on_router(command: RouterCommand) -> Result<ExitCode> {
    match command {
        RouterCommand::Setup(arguments) => router::setup::run(&arguments.into()),
        RouterCommand::Check(arguments) => router::check::run(&arguments.into()),
        RouterCommand::Guard(arguments) => router::guard::run(&arguments.into()),
    }
}

/// What was asked for, such as --help, is no failure; clap's own exit code, 2, would be one of ours.
fn usage(error: &clap::Error) -> ExitCode {
    let said = env::args_os().map(|word| word.to_string_lossy().into_owned());
    let shown = if said.into_iter().any(|word| report::sanitized(&word) != word) {
        print_sanitized(error)
    } else {
        error.print()
    };
    if shown.is_ok() && !error.use_stderr() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// clap repeats what was said as it is.
fn print_sanitized(error: &clap::Error) -> io::Result<()> {
    let text = error.render().to_string();
    let text: String = text.lines().map(|line| report::sanitized(line) + "\n").collect();
    if error.use_stderr() {
        io::stderr().write_all(text.as_bytes())
    } else {
        io::stdout().write_all(text.as_bytes())
    }
}
