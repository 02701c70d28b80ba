//! A login in the background is neither seen nor felt.

#[path = "../common/mod.rs"]
mod common;
mod masters;
mod occasions;
#[path = "../login/place.rs"]
#[allow(dead_code, reason = "its other user needs more of it")]
mod place;
mod processes;
mod questions;
mod silence;

use std::process::ExitCode;
use std::time::Duration;

/// The third alarm comes after 21 s; these machines are busy.
const LIMIT: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let scenarios = [questions::scenarios(), occasions::scenarios(), masters::scenarios()];
    let scenarios = scenarios.into_iter().chain([processes::scenarios()]).flatten();
    let needs = ["mosh", "mosh-server", "ssh", "sshd", "miniupnpd"];
    lab::harness::run_waiting(scenarios.map(|scenario| scenario.needs(&needs).within(LIMIT)))
}
