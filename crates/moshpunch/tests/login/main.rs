//! The client's login is what a user of ssh and mosh expects.

mod asking;
mod channel;
#[path = "../common/mod.rs"]
mod common;
mod configuration;
mod failures;
mod hosts;
mod options;
mod place;
mod programs;
mod prompts;
mod screen;
mod secrecy;
mod silence;

use std::process::ExitCode;

fn main() -> ExitCode {
    let scenarios =
        [configuration::scenarios(), prompts::scenarios(), hosts::scenarios(), failures::scenarios()];
    let others = [options::scenarios(), secrecy::scenarios(), channel::scenarios(), asking::scenarios()];
    let more = [screen::scenarios(), silence::scenarios(), programs::scenarios()];
    let needs = ["mosh", "mosh-server", "ssh", "sshd"];
    lab::harness::run(
        scenarios.into_iter().chain(others).chain(more).flatten().map(|scenario| scenario.needs(&needs)),
    )
}
