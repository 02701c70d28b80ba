//! To a usable mapping and back to the shell: whole processes, without a session.

use anyhow::{Result, ensure};
use lab::{Command, Lab, USER};

use crate::Bench;
use crate::clock::milliseconds;
use crate::network::{Network, PATIENCE, Server};
use crate::row::{Aim, Group, Row, Unit};
use crate::sample::Reading;
use crate::turns::{Contender, take_turns};

const TITLE: &str = "a mapping alone";
const NATPMPC: &str = "natpmpc -a";
const UPNPC: &str = "upnpc -a";
const UPNPC_ALONE: &str = "upnpc -a, no gateway";

/// Of upnpc's time, by UPnP.
const PART_OF_UPNPC: f64 = 0.05;
/// Of natpmpc's time, by what it speaks, and by PCP.
const PART_OF_NATPMPC: f64 = 1.0;
/// In milliseconds: how soon it is said that there is no gateway.
const NO_GATEWAY: f64 = 1_000.0;

const OURS: [&str; 3] = ["moshpunch", "map", "add"];

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let network = Network::raise(&lab)?;
    let Network { pcp, nat_pmp, upnp, unheard, .. } = &network;
    let ours = |name, server, cold| {
        let network = &network;
        Contender::new(name, move || by_moshpunch(network, server, cold))
    };
    let contenders = vec![
        ours("by PCP", pcp, true),
        ours("by NAT-PMP", nat_pmp, true),
        Contender::new(NATPMPC, || by_natpmpc(&network, nat_pmp)),
        ours("by UPnP", upnp, true),
        ours("by UPnP, remembered", upnp, false),
        Contender::new(UPNPC, || by_upnpc(&network, upnp)),
        Contender::new("no gateway", || {
            in_vain(network.unheard.host.command(OURS[0]).args(&OURS[1..]).arg("60001"))
        }),
        Contender::new(UPNPC_ALONE, || in_vain(upnpc(unheard))),
    ];
    let samples = take_turns(TITLE, contenders, bench.runs)?;
    let row = |name: &'static str, peer: &'static str, aim| {
        let row = Row::new(format!("moshpunch map add, {name}"), Unit::Milliseconds, samples[name].clone());
        row.beside(peer, samples[peer].clone()).aiming_at(aim)
    };
    let rows = vec![
        row("by PCP", NATPMPC, Aim::RatioAtMost(PART_OF_NATPMPC)),
        row("by NAT-PMP", NATPMPC, Aim::RatioAtMost(PART_OF_NATPMPC)),
        row("by UPnP", UPNPC, Aim::RatioAtMost(PART_OF_UPNPC)),
        row("by UPnP, remembered", UPNPC, Aim::RatioAtMost(PART_OF_UPNPC)),
        row("no gateway", UPNPC_ALONE, Aim::AtMost(NO_GATEWAY)),
    ];
    Ok(vec![Group { title: TITLE, rows }])
}

fn by_moshpunch(network: &Network, server: &Server, cold: bool) -> Result<Reading> {
    if cold {
        server.forget_gateways()?;
    }
    let took = mapped(network, user(server, &OURS).arg("60001"))?;
    user(server, &["moshpunch", "map", "remove", "60001"]).run(PATIENCE)?;
    network.wait_for_empty_table()?;
    Ok(Some(took))
}

fn by_natpmpc(network: &Network, server: &Server) -> Result<Reading> {
    let took = mapped(network, user(server, &["natpmpc", "-a", "60001", "60001", "udp", "3600"]))?;
    user(server, &["natpmpc", "-a", "60001", "60001", "udp", "0"]).run(PATIENCE)?;
    network.wait_for_empty_table()?;
    Ok(Some(took))
}

fn by_upnpc(network: &Network, server: &Server) -> Result<Reading> {
    let took = mapped(network, upnpc(server))?;
    user(server, &["upnpc", "-d", "60001", "UDP"]).run(PATIENCE)?;
    network.wait_for_empty_table()?;
    Ok(Some(took))
}

fn upnpc(server: &Server) -> Command {
    user(server, &["upnpc", "-a", server.address, "60001", "60001", "UDP", "3600"])
}

fn user(server: &Server, words: &[&str]) -> Command {
    server.host.command(words[0]).args(&words[1..]).as_user(USER)
}

fn mapped(network: &Network, command: Command) -> Result<f64> {
    let output = command.run(PATIENCE)?;
    let leases = network.router.leases()?;
    ensure!(leases.len() == 1, "one lease expected: {leases:?}\n{output}");
    Ok(milliseconds(output.took))
}

fn in_vain(command: Command) -> Result<Reading> {
    let output = command.as_user(USER).output(PATIENCE)?;
    ensure!(!output.status.success(), "no mapping was to be had: {output}");
    Ok(Some(milliseconds(output.took)))
}
