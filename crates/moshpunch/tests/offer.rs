//! What our own client is told: where the session can be reached, at once and as it becomes known.

mod common;

use std::process::ExitCode;

use anyhow::Result;
use common::{end_sessions, raise, server_over_ssh};
use lab::{Lab, Output, WriteUp, scenario};

/// The offers and the connect line's port, in the order in which they came.
fn told(output: &Output) -> Vec<String> {
    let lines = output.stdout.lines().filter_map(|line| match line.strip_prefix("MOSH CONNECT ") {
        Some(rest) => rest.split(' ').next().map(|port| format!("connect {port}")),
        None => line.strip_prefix("MOSHPUNCH OFFER 1").map(|fields| fields.trim_start().to_owned()),
    });
    lines.collect()
}

fn own_addresses_are_told_at_once_and_the_mapping_when_it_is_there(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let output = server_over_ssh(&network.laptop, "moshpunch server --offer new")?;
    let expected = ["host=192.168.1.10:60001 more", "connect 60001", "mapped=20.0.0.1:60001"];
    assert_eq!(told(&output), expected, "{output}");
    assert_eq!(network.router.leases()?.len(), 1);
    end_sessions(&network.server)
}

fn main() -> ExitCode {
    let programs = &["mosh", "sshd", "miniupnpd"];
    lab::harness::run(
        [scenario!(own_addresses_are_told_at_once_and_the_mapping_when_it_is_there)]
            .map(|scenario| scenario.needs(programs)),
    )
}
