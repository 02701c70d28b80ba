//! A punched session that idles costs what mosh costs, and a line a minute over ssh.

use std::fs;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, HostProcess, Lab, scenario, wait_until};
use net::clock;

use crate::common::home::nft;
use crate::common::{PATIENCE, client, keeper, process};
use crate::moves::punched;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario!(while_it_idles_nothing_goes_that_mosh_would_not_send_but_a_line_a_minute)]
}

/// Of mosh-client's, which are 3 s apart: in more than what lies between two lines of the channel.
const HEARTBEATS: u64 = 21;

/// One datagram may be on its way when counting begins, and another one when it ends.
const BETWEEN: u64 = 2;

/// Better ways are tried by three copies each, after 10, 20 and 40 s, then ever more rarely, as in any direct session.
const PROBES: u64 = 3 * 3;

fn while_it_idles_nothing_goes_that_mosh_would_not_send_but_a_line_a_minute(lab: &Lab) -> Result<()> {
    let mut scene = punched(lab)?;
    // Its router is looked for in vain.
    let told = wait_until("all that the host has to tell", PATIENCE * 3, || {
        Ok(scene.log().contains("more: false").then_some(()))
    });
    scene.explained(told)?;
    (0..3).try_for_each(|_| scene.computes())?;
    let laptop = scene.laptop().clone();
    let front = process(&laptop, "mosh-client")?.arguments.pop().context("a port")?;
    let (client, keeper) = (client(&laptop)?, keeper(&scene.network.server)?);
    let woken = [wake_ups(&client)?, wake_ups(&keeper)?];
    let counted = Counted::begin(&laptop, &front)?;
    let begun = clock::now();
    wait_until("a minute of heartbeats", PATIENCE * 6, || {
        Ok((counted.read()?[0] >= HEARTBEATS).then_some(()))
    })?;
    let minutes = clock::now().saturating_duration_since(begun).as_secs() / 60;
    let [out, inner_out, back, inner_back, probes, lines_out, lines_back] = counted.read()?;
    let woken = [wake_ups(&client)? - woken[0], wake_ups(&keeper)? - woken[1]];
    ensure!(out.abs_diff(inner_out) <= BETWEEN, "{out} datagrams went out for {inner_out} of mosh-client's");
    ensure!(back.abs_diff(inner_back) <= BETWEEN, "{back} datagrams came for {inner_back} to mosh-client");
    ensure!(probes <= PROBES * 2, "{probes} datagrams went to two better addresses");
    // A question and an answer.
    ensure!(
        lines_out.max(lines_back) <= 2 * (minutes + 1),
        "{lines_out} lines over ssh, and {lines_back} back"
    );
    // For each datagram its coming, and the end of the wait for its answer.
    let datagrams = out + back + probes;
    ensure!(woken[0] <= 2 * datagrams, "woken {} times for {datagrams} datagrams", woken[0]);
    ensure!(woken[1] <= 10, "the keeper was woken {} times", woken[1]);
    ensure!(!scene.news().contains("event=Moved"), "{}", scene.news());
    scene.leaves_having_gone_through_a_hole().map(drop)
}

fn wake_ups(process: &HostProcess) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid))?;
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    Ok(line.context("a count")?.trim().parse()?)
}

const COUNTERS: [&str; 7] = ["out", "inner-out", "back", "inner-back", "probes", "lines-out", "lines-back"];

struct Counted(Host);

impl Counted {
    fn begin(laptop: &Host, front: &str) -> Result<Self> {
        let counters: String = COUNTERS.iter().map(|name| format!("counter {name} {{ }}; ")).collect();
        let chain = |hook: &str, rules: &[String]| {
            format!("chain {hook} {{ type filter hook {hook} priority -10; {} }}; ", rules.join("; "))
        };
        let going = [
            "ip daddr 20.0.0.1 udp dport 60001 counter name out".to_owned(),
            "ip daddr != 20.0.0.1 meta l4proto udp oifname != lo counter name probes".to_owned(),
            format!("oifname lo udp dport {front} counter name inner-out"),
            format!("oifname lo udp sport {front} counter name inner-back"),
            "tcp dport 8022 tcp flags & psh == psh counter name lines-out;".to_owned(),
        ];
        let coming = [
            "meta l4proto udp iifname != lo counter name back".to_owned(),
            "tcp sport 8022 tcp flags & psh == psh counter name lines-back;".to_owned(),
        ];
        let table = [counters, chain("output", &going), chain("input", &coming)].concat();
        nft(laptop, &format!("table inet counts {{ {table} }}\n"))?;
        Ok(Self(laptop.clone()))
    }

    /// In the order of [`COUNTERS`].
    fn read(&self) -> Result<[u64; 7]> {
        let listed = self.0.command("nft").args(["list", "table", "inet", "counts"]).run(PATIENCE)?.stdout;
        let mut read = [0; 7];
        for (read, name) in read.iter_mut().zip(COUNTERS) {
            let (_, rest) =
                listed.split_once(&format!("counter {name} {{")).with_context(|| listed.clone())?;
            let (_, rest) = rest.split_once("packets ").context("packets")?;
            *read = rest.split(' ').next().context("a number")?.parse()?;
        }
        Ok(read)
    }
}
