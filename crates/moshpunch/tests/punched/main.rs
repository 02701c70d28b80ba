//! Where nothing is mapped and nothing forwarded, a hole is punched: sessions go directly between two NATs or firewalls that
//! let out what begins inside.

mod abuse;
#[path = "../common/mod.rs"]
mod common;
mod cost;
mod early;
mod firewalls;
mod jumps;
mod layers;
mod moves;
mod nats;
mod neighbours;
mod options;
mod own_router;
mod scene;
mod sleep;
mod stun;
mod traffic;
mod turn;
mod upgrade;

use std::process::ExitCode;
use std::time::Duration;

/// Most is waiting: for time-outs of mosh and of ours.
const LIMIT: Duration = Duration::from_secs(180);

fn main() -> ExitCode {
    let scenarios = [
        nats::scenarios(),
        firewalls::scenarios(),
        layers::scenarios(),
        jumps::scenarios(),
        early::scenarios(),
        neighbours::scenarios(),
        own_router::scenarios(),
        stun::scenarios(),
        turn::scenarios(),
        upgrade::scenarios(),
        moves::scenarios(),
        options::scenarios(),
        sleep::scenarios(),
        abuse::scenarios(),
        cost::scenarios(),
    ];
    let needs = ["mosh-client", "mosh-server", "ssh", "sshd"];
    let scenarios = scenarios.into_iter().flatten();
    lab::harness::run_waiting(scenarios.map(|scenario| scenario.needs(&needs).within(LIMIT)))
}
