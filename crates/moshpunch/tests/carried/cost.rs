//! Where UDP gets through, carrying costs nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, scenario, wait_until};

use crate::common::home::nft;
use crate::common::{PATIENCE, process};
use crate::scene::{LINE, OVER_SSH, Scene, no_login_is_left};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario!(over_a_direct_way_there_is_soon_no_ssh_and_never_a_packet_more)]
}

/// After the start of a session.
const SSH_ENDS: Duration = Duration::from_secs(45);

/// What mosh-client sends goes out once each, and nothing else does, with a channel and without.
fn over_a_direct_way_there_is_soon_no_ssh_and_never_a_packet_more(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[], &[])?;
    for options in ["", " --no-carry", " --no-carry --no-punch"] {
        let line = LINE.replace("moshpunch", &format!("moshpunch{options}"));
        let counted = Counted::begin(scene.laptop())?;
        scene.opens(&line)?;
        no_login_is_left(scene.laptop(), SSH_ENDS + PATIENCE)?;
        (0..5).try_for_each(|_| scene.computes())?;
        let front = process(scene.laptop(), "mosh-client")?.arguments.pop().context("a port")?;
        counted.are_the_same(&front).with_context(|| line.clone())?;
        let said = scene.leaves()?;
        ensure!(!said.contains(OVER_SSH), "{said}");
    }
    Ok(())
}

/// Datagrams that leave the laptop, and those that its programs send each other, by destination port.
struct Counted(Host);

const TABLE: &str = "
table inet counts
delete table inet counts
table inet counts {
    counter outside { }
    set inside { type inet_service; flags dynamic; }
    chain output {
        type filter hook output priority -10;
        meta l4proto udp oifname != \"lo\" counter name outside
        meta l4proto udp oifname \"lo\" update @inside { udp dport counter }
    }
}
";

impl Counted {
    fn begin(laptop: &Host) -> Result<Self> {
        nft(laptop, TABLE)?;
        Ok(Self(laptop.clone()))
    }

    /// Some were sent; one may just be between both.
    fn are_the_same(&self, front: &str) -> Result<()> {
        let mut read = (0, 0);
        let same = wait_until("as many outside as inside", PATIENCE, || {
            read = self.read(front)?;
            Ok((read.0 == read.1).then_some(()))
        });
        same.with_context(|| format!("{} outside, {} inside", read.0, read.1))?;
        ensure!(read.0 > 5, "too few: {}", read.0);
        Ok(())
    }

    fn read(&self, front: &str) -> Result<(u64, u64)> {
        let list = ["list", "table", "inet", "counts"];
        let listed = self.0.command("nft").args(list).run(PATIENCE)?.stdout;
        let after = |what: &str| -> Result<u64> {
            let (_, rest) = listed.split_once(what).with_context(|| format!("{what:?}: {listed}"))?;
            let (_, rest) = rest.split_once("packets ").context("packets")?;
            Ok(rest.split(' ').next().context("a number")?.parse()?)
        };
        Ok((after("counter outside")?, after(&format!(" {front} counter"))?))
    }
}
