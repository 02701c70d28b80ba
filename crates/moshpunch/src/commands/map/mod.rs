//! `moshpunch map …`: the engine by itself. docs/map.md is its manual.

mod add;
mod gateway;
mod keep;
mod ledger;
mod list;
mod obtain;
mod output;
mod place;
mod record;
mod remove;
mod renew;
mod survey;
mod trouble;
mod view;
mod whose;

use std::process;

use self::output::Output;
use self::trouble::Trouble;
use crate::arguments::{AnswerArguments, MapCommand};
use crate::configuration::Budget;
use crate::exit_code::ExitCode;

pub(crate) fn run(command: &MapCommand) -> process::ExitCode {
    let AnswerArguments { budget, json } = command.answer();
    let mut output = Output::new(*json);
    let result = perform(command, *budget, &mut output);
    let code = result.unwrap_or_else(|trouble| {
        output.trouble(&trouble);
        trouble.code
    });
    code.into()
}

fn perform(command: &MapCommand, budget: Option<f64>, output: &mut Output) -> Result<ExitCode, Trouble> {
    let budget = Budget::resolve(budget)?;
    match command {
        MapCommand::Add(arguments) => add::run(arguments, budget, output),
        MapCommand::Renew(arguments) => renew::run(arguments, budget, output),
        MapCommand::Remove(arguments) => remove::run(arguments, budget, output),
        MapCommand::List(arguments) => list::run(arguments, budget, output),
        MapCommand::Gateway(arguments) => gateway::run(arguments, budget, output),
    }
}

impl MapCommand {
    fn answer(&self) -> &AnswerArguments {
        match self {
            Self::Add(arguments) => &arguments.answer,
            Self::Renew(arguments) => &arguments.answer,
            Self::Remove(arguments) => &arguments.answer,
            Self::List(arguments) => &arguments.answer,
            Self::Gateway(arguments) => &arguments.answer,
        }
    }
}
