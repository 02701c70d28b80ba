//! From a key to its echo; and beside stock mosh by UDP, which another laptop may use.

use std::time::Duration;

use anyhow::Result;
use lab::{Blocked, Impairment, Lab, WriteUp};

use super::SSH;
use crate::Bench;
use crate::row::{Aim, Row, Unit};
use crate::sample::Sample;
use crate::typist::{Typist, slowest_in_twenty, type_by_turns};

const THERE: Duration = Duration::from_millis(25);
const MOSH: &str = "stock mosh, by UDP";
const PROMPT: &str = "alice@router:~$";

/// In milliseconds, of the slowest in twenty.
const AIM: Aim = Aim::AbovePeer(5.0);

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let network = WriteUp::raise(&lab)?;
    let neighbour = lab.host("neighbour").attach("eth0", &network.internet, &["20.0.0.10/24"]).start()?;
    network.laptop.block_udp(Blocked::BothWays)?;
    network.internet.impair(Impairment::NONE.delay(THERE))?;
    let typists = [
        Typist::open(&network.laptop, &["moshpunch", "--predict=never", "router"], PROMPT)?,
        Typist::open(&network.laptop, &["ssh", "router"], PROMPT)?,
        Typist::open(&neighbour, &["mosh", "--predict=never", "router"], PROMPT)?,
    ];
    let [ours, ssh, mosh] = type_by_turns(typists, bench.runs)?;
    let row = |name, ours: &Sample, peer, theirs: &Sample| {
        Row::new(name, Unit::Milliseconds, ours.clone()).beside(peer, theirs.clone())
    };
    let [our_slowest, ssh_slowest, mosh_slowest] = [&ours, &ssh, &mosh].map(slowest_in_twenty);
    Ok(vec![
        row("echo, 50 ms round trip", &ours, SSH, &ssh),
        row("… of the slowest in twenty", &our_slowest, SSH, &ssh_slowest).aiming_at(AIM),
        row("the same", &ours, MOSH, &mosh),
        row("… of the slowest in twenty", &our_slowest, MOSH, &mosh_slowest).aiming_at(AIM),
    ])
}
