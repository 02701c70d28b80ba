//! `moshpunch sessions`: what is told of sessions through their lives, and how they are ended.

mod clean;
#[path = "../common/mod.rs"]
mod common;
mod keepers;
mod life;
mod many;
mod remote;
mod scene;
mod users;

use std::process::ExitCode;
use std::time::Duration;

/// mosh-server takes half a minute to write down that it hears nobody.
const LIMIT: Duration = Duration::from_secs(240);

fn main() -> ExitCode {
    let scenarios = [
        life::scenarios(),
        clean::scenarios(),
        keepers::scenarios(),
        remote::scenarios(),
        users::scenarios(),
        many::scenarios(),
    ];
    let needs = ["mosh", "mosh-server", "ssh", "sshd", "miniupnpd", "upnpc"];
    let scenarios = scenarios.into_iter().flatten();
    lab::harness::run_waiting(scenarios.map(|scenario| scenario.needs(&needs).within(LIMIT)))
}
