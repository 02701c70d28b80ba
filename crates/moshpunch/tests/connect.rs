//! Our own client, on every kind of network.

mod common;

use std::process::ExitCode;

use anyhow::Result;
use common::{PATIENCE, computes, leave, moshpunch, no_moshpunch_is_left, raise, wait_for_empty_table};
use lab::{Lab, WriteUp, scenario};

const FROM_OUTSIDE: [&str; 2] = ["--ssh=ssh -p 8022", "router"];

fn from_outside_a_session_goes_over_the_mapped_port(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let mut terminal = moshpunch(&network.laptop, &FROM_OUTSIDE, "server")?;
    computes(&mut terminal, 5001)?;
    leave(terminal)?;
    wait_for_empty_table(&network.router, PATIENCE)?;
    no_moshpunch_is_left(&network.laptop)
}

fn main() -> ExitCode {
    let needs = ["mosh", "mosh-server", "miniupnpd", "sshd"];
    lab::harness::run([scenario!(from_outside_a_session_goes_over_the_mapped_port).needs(&needs)])
}
