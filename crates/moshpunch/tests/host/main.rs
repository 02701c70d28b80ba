//! mosh-server and what stands in its place, as `moshpunch server` starts it.

#[path = "../common/mod.rs"]
mod common;
mod detaching;
mod processes;
mod secrecy;
mod shown;
mod surroundings;
mod wrappers;

use std::process::ExitCode;

fn main() -> ExitCode {
    let scenarios = [wrappers::scenarios(), shown::scenarios(), processes::scenarios()];
    let others = [surroundings::scenarios(), secrecy::scenarios(), detaching::scenarios()];
    let needs = ["mosh", "sshd", "miniupnpd"];
    lab::harness::run(scenarios.into_iter().chain(others).flatten().map(|scenario| scenario.needs(&needs)))
}
