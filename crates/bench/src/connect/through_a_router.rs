//! From enter to the first prompt on the screen, through a home's router.

use anyhow::{Context as _, Result};
use lab::{Host, Lab, USER};

use crate::Bench;
use crate::clock::milliseconds_since;
use crate::network::{Network, PATIENCE, STATIC_PORT, Server};
use crate::row::{Aim, Group, Row, Unit};
use crate::sample::Reading;
use crate::turns::{Contender, take_turns};

const TITLE: &str = "connect: enter to the first prompt, through a router";

const SSH: &str = "ssh alone";
const STATIC: &str = "stock mosh, static forward";
const WRITE_UP: &str = "stock mosh, the write-up's wrapper (upnpc -a)";

/// Of stock mosh's time over a static forward.
const PART_OF_MOSH: f64 = 0.75;

/// The write-up's method: mosh-server, then upnpc for the port that it prints.
const WRAPPER: &str = r#"#!/bin/sh
output=$(mosh-server "$@")
port=$(printf '%s\n' "$output" | sed -n 's/^MOSH CONNECT \([0-9]*\) .*/\1/p')
upnpc -a 192.168.1.12 "$port" "$port" UDP >/dev/null
printf '%s\n' "$output"
"#;

/// Who connects, with what words behind the ones that lead to the server.
#[derive(Clone, Copy)]
enum Client {
    Ssh,
    Mosh,
    Moshpunch,
}

/// What the server remembers of its gateways.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    Cold,
    Remembered,
}

pub(super) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let network = Network::raise(&lab)?;
    network.upnp.host.write_script("/usr/local/bin/wrapper", WRAPPER)?;
    let port = STATIC_PORT.to_string();
    let by_hand = ["-p", &port];
    let ours = ["--server=moshpunch server"];
    let ours_by_hand = ["--server=moshpunch server", "-p", &port];
    let contender = |name, server, memory, client, words| {
        let network = &network;
        Contender::new(name, move || connect(network, server, memory, client, words))
    };
    let Network { pcp, nat_pmp, upnp, unheard, .. } = &network;
    let (cold, remembered) = (Memory::Cold, Memory::Remembered);
    let (mosh, moshpunch) = (Client::Mosh, Client::Moshpunch);
    let contenders = vec![
        contender(SSH, unheard, cold, Client::Ssh, &[]),
        contender(STATIC, unheard, cold, mosh, &by_hand),
        contender(WRITE_UP, upnp, cold, mosh, &["--server=wrapper"]),
        contender("stock mosh, moshpunch server, PCP", pcp, cold, mosh, &ours),
        contender("stock mosh, moshpunch server, NAT-PMP", nat_pmp, cold, mosh, &ours),
        contender("stock mosh, moshpunch server, UPnP", upnp, cold, mosh, &ours),
        contender("stock mosh, moshpunch server, remembered", upnp, remembered, mosh, &ours),
        contender("stock mosh, moshpunch server, no gateway", unheard, cold, mosh, &ours_by_hand),
        contender("moshpunch, PCP", pcp, cold, moshpunch, &[]),
        contender("moshpunch, NAT-PMP", nat_pmp, cold, moshpunch, &[]),
        contender("moshpunch, UPnP", upnp, cold, moshpunch, &[]),
        contender("moshpunch, UPnP, remembered", upnp, remembered, moshpunch, &[]),
        contender("moshpunch, no gateway, static forward", unheard, cold, moshpunch, &by_hand),
    ];
    let samples = take_turns(TITLE, contenders, bench.runs)?;
    let row = |ours: &'static str, peer: &'static str| {
        Row::new(ours, Unit::Milliseconds, samples[ours].clone()).beside(peer, samples[peer].clone())
    };
    let aim = Aim::RatioAtMost(PART_OF_MOSH);
    let rows = vec![
        row("moshpunch, PCP", STATIC).aiming_at(aim),
        row("moshpunch, NAT-PMP", STATIC).aiming_at(aim),
        row("moshpunch, UPnP", STATIC).aiming_at(aim),
        row("moshpunch, UPnP, remembered", STATIC).aiming_at(aim),
        row("moshpunch, no gateway, static forward", STATIC),
        row("moshpunch, PCP", SSH),
        row("moshpunch, UPnP", WRITE_UP),
        row("stock mosh, moshpunch server, PCP", STATIC),
        row("stock mosh, moshpunch server, NAT-PMP", STATIC),
        row("stock mosh, moshpunch server, UPnP", WRITE_UP),
        row("stock mosh, moshpunch server, remembered", WRITE_UP),
        row("stock mosh, moshpunch server, no gateway", STATIC),
    ];
    Ok(vec![Group { title: TITLE, rows }])
}

fn connect(
    network: &Network,
    server: &Server,
    memory: Memory,
    client: Client,
    words: &[&str],
) -> Result<Reading> {
    if memory == Memory::Cold {
        server.forget_gateways()?;
    }
    let port = server.ssh_port.to_string();
    let ssh = format!("--ssh=ssh -p {port}");
    let laptop: &Host = &network.laptop;
    let command = match client {
        Client::Ssh => laptop.command("ssh").args(["-p", &port]),
        Client::Mosh => laptop.command("mosh").arg(&ssh),
        Client::Moshpunch => laptop.command("moshpunch").arg(&ssh),
    };
    let command = command.args(words).arg("router").as_user(USER);
    let prompt = format!("{USER}@{}", server.host.name());
    let start = net::clock::now();
    let mut terminal = laptop.terminal(&command, 24, 80)?;
    terminal.wait_for(&prompt, PATIENCE)?;
    let took = milliseconds_since(start);
    terminal.type_text("exit\r")?;
    terminal.wait_exit(PATIENCE).context("leaving")?;
    end_mapping(network, server)?;
    Ok(Some(took))
}

/// The write-up's method leaves its mapping; a keeper removes its own.
fn end_mapping(network: &Network, server: &Server) -> Result<()> {
    if network.router.leases()?.iter().any(|lease| lease.description == "libminiupnpc") {
        server.host.command("upnpc").args(["-d", "60001", "UDP"]).run(PATIENCE)?;
    }
    network.wait_for_empty_table()
}
