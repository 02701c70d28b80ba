//! The client's login is what a user of ssh and mosh expects.

mod accounts;
mod addresses;
mod asking;
mod channel;
#[path = "../common/mod.rs"]
mod common;
mod configuration;
mod failures;
mod hostile;
mod hosts;
mod installing;
mod locales;
mod options;
mod place;
mod programs;
mod prompts;
mod screen;
mod secrecy;
mod settings;
mod shells;
mod silence;

use std::process::ExitCode;

fn main() -> ExitCode {
    let scenarios =
        [configuration::scenarios(), prompts::scenarios(), hosts::scenarios(), failures::scenarios()];
    let others = [
        options::scenarios(),
        settings::scenarios(),
        secrecy::scenarios(),
        channel::scenarios(),
        addresses::scenarios(),
        hostile::scenarios(),
        shells::scenarios(),
        locales::scenarios(),
        accounts::scenarios(),
        asking::scenarios(),
        screen::scenarios(),
        silence::scenarios(),
        programs::scenarios(),
        installing::scenarios(),
    ];
    let needs = ["mosh", "mosh-server", "ssh", "sshd"];
    lab::harness::run(scenarios.into_iter().chain(others).flatten().map(|scenario| scenario.needs(&needs)))
}
