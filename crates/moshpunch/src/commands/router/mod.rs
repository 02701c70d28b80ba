//! `moshpunch router …`: the router that runs miniupnpd. docs/router.md is its manual.

mod check;
mod diff;
mod facts;
mod files;
mod guard;
mod listeners;
mod processes;
mod setup;
mod system;

use std::process::ExitCode;

use crate::arguments::RouterCommand;
use crate::report;

pub(crate) fn run(command: &RouterCommand) -> ExitCode {
    let result = match command {
        RouterCommand::Setup(arguments) => setup::run(arguments),
        RouterCommand::Check(arguments) => check::run(arguments),
        RouterCommand::Guard(arguments) => guard::run(arguments),
    };
    result.unwrap_or_else(|error| {
        report::error(&error);
        ExitCode::FAILURE
    })
}
