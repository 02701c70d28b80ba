//! `moshpunch map …`: the engine by itself. docs/map.md is its manual.

mod add;
mod budget;
mod exit_code;
mod failure;
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
mod view;
mod whose;

use std::process;

pub use self::add::Add;
use self::budget::Budget;
pub use self::exit_code::EXIT_CODES;
use self::exit_code::ExitCode;
use self::failure::Failure;
use self::output::Output;
pub use self::place::Where;
pub use self::remove::Remove;
pub use self::renew::Renew;

/// What is to be done.
#[derive(Debug)]
pub enum Command {
    Add(Add),
    Renew(Renew),
    Remove(Remove),
    List(Where),
    Gateway(Where),
}

/// How to answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// How many seconds to wait for the router at the most, up to 60.
    pub budget: Option<f64>,
    /// By one JSON value, as docs/map.md describes it.
    pub json: bool,
}

/// Does it, and prints the result on stdout and what went wrong on stderr; the exit codes are those of docs/map.md.
pub fn run(command: &Command, answer: Answer) -> process::ExitCode {
    let mut output = Output::new(answer.json);
    let result = perform(command, answer.budget, &mut output);
    let code = result.unwrap_or_else(|failure| {
        output.trouble(&failure);
        failure.code
    });
    code.into()
}

fn perform(command: &Command, budget: Option<f64>, output: &mut Output) -> Result<ExitCode, Failure> {
    let budget = Budget::resolve(budget)?;
    match command {
        Command::Add(said) => add::run(said, budget, output),
        Command::Renew(said) => renew::run(said, budget, output),
        Command::Remove(said) => remove::run(said, budget, output),
        Command::List(place) => list::run(place, budget, output),
        Command::Gateway(place) => gateway::run(place, budget, output),
    }
}
