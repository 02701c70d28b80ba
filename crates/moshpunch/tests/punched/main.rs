//! Where nothing is mapped and nothing forwarded, a hole is punched: sessions go directly between two NATs or firewalls that
//! let out what begins inside.

#[path = "../common/mod.rs"]
mod common;
mod nats;
mod scene;
mod stun;

use std::process::ExitCode;
use std::time::Duration;

/// Most is waiting: for time-outs of mosh and of ours.
const LIMIT: Duration = Duration::from_secs(180);

fn main() -> ExitCode {
    let scenarios = [nats::scenarios(), stun::scenarios()];
    let needs = ["mosh-client", "mosh-server", "ssh", "sshd"];
    let scenarios = scenarios.into_iter().flatten();
    lab::harness::run_waiting(scenarios.map(|scenario| scenario.needs(&needs).within(LIMIT)))
}
