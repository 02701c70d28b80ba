//! `moshpunch router …`: what is done on the router itself.

mod guard;

use std::process::ExitCode;

use anyhow::Result;

use crate::arguments::RouterCommand;

pub(crate) fn run(command: &RouterCommand) -> Result<ExitCode> {
    match command {
        RouterCommand::Guard(arguments) => guard::run(arguments),
    }
}
