//! Where ssh gets through, mosh gets through: the ssh connection is the last path.

mod abandoned;
mod blocked;
#[path = "../common/mod.rs"]
mod common;
mod cost;
mod endings;
mod flood;
mod forced;
mod leftovers;
mod logins;
mod moves;
mod out_of_reach;
mod passwords;
#[path = "../login/place.rs"]
#[allow(dead_code, reason = "its other users need more of it")]
mod place;
mod refused;
mod scene;
mod set_ups;
mod shells;
mod stock;
mod upgrade;
mod wall;

use std::process::ExitCode;
use std::time::Duration;

/// Most is waiting: for time-outs of mosh and of ours.
const LIMIT: Duration = Duration::from_secs(180);

fn main() -> ExitCode {
    let scenarios = [
        blocked::scenarios(),
        out_of_reach::scenarios(),
        moves::scenarios(),
        upgrade::scenarios(),
        cost::scenarios(),
        flood::scenarios(),
        endings::scenarios(),
        logins::scenarios(),
        set_ups::scenarios(),
        passwords::scenarios(),
        forced::scenarios(),
        shells::scenarios(),
        leftovers::scenarios(),
        abandoned::scenarios(),
        refused::scenarios(),
    ];
    let needs = ["mosh", "mosh-server", "ssh", "sshd"];
    let scenarios = scenarios.into_iter().flatten();
    lab::harness::run_waiting(scenarios.map(|scenario| scenario.needs(&needs).within(LIMIT)))
}
