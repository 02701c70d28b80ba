//! What strangers and hosts can have others send: next to nothing.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Nat, Protocol, USER, scenario, wait_until};
use net::clock;
use path::{MAX_ADDRESSES, MAX_NEW_ADDRESSES, NEW_ADDRESSES_SPAN};
use wire::channel::TARGETS_MAXIMUM;

use crate::common::PATIENCE;
use crate::common::home::nft;
use crate::scene::Scene;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_round_that_fails_costs_few_openers),
        scenario!(a_stranger_is_answered_by_nothing),
        scenario!(a_host_has_the_laptop_send_to_few_addresses_and_never_to_itself).needs(&["python3"]),
    ]
}

/// Counts what matches, by where it goes.
fn count(host: &Host, what: &str) -> Result<()> {
    let set = "set seen { type ipv4_addr . inet_service; flags dynamic; size 65535; }";
    let rule = format!("{what} update @seen {{ ip daddr . udp dport counter }}");
    nft(
        host,
        &format!(
            "table inet abuse {{ {set}; chain out {{ type filter hook output priority -10; {rule}; }}; }}\n"
        ),
    )
}

fn counted(host: &Host) -> Result<BTreeMap<String, u64>> {
    let listed = host.command("nft").args(["list", "set", "inet", "abuse", "seen"]).run(PATIENCE)?.stdout;
    let entry = |text: &str| {
        let (to, rest) = text.trim().split_once(" counter packets ")?;
        let (address, port) = to.split_once(" . ")?;
        Some((format!("{address}:{port}"), rest.split(' ').next()?.parse().ok()?))
    };
    let elements = listed.split_once("elements = {").map_or("", |(_, elements)| elements);
    Ok(elements.split([',', '}', '\n']).filter_map(entry).collect())
}

/// The first eight letters of their label.
const OPENERS: &str = "udp length 40 @th,64,64 0x6d6f736870756e63";

/// Of a real client, behind NATs that no hole can be punched through, so that both orders are tried.
fn a_round_that_fails_costs_few_openers(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, Some(Nat::symmetric("wan0")), Nat::symmetric("wan0"))?;
    let begun = clock::now();
    count(&scene.network.server, OPENERS)?;
    scene.begin(&[])?;
    let rounds = |scene: &Scene| scene.log().matches("event=Punch ").count();
    let failed = wait_until("a second round", PATIENCE, || Ok((rounds(&scene) >= 2).then_some(())));
    scene.explained(failed)?;
    // The last opener of a round leaves 300 ms after the first.
    let sent = wait_until("its openers", PATIENCE, || {
        let counted = counted(&scene.network.server)?;
        Ok((counted.len() >= 2 && counted.values().all(|&packets| packets == 3)).then_some(counted))
    });
    let sent = scene.explained(sent)?;
    let rounds = rounds(&scene);
    ensure!(sent.len() <= rounds * TARGETS_MAXIMUM, "{sent:?}");
    ensure!(sent.keys().all(|to| to.starts_with("20.0.1.50:") || to.starts_with("10.1.0.5:")), "{sent:?}");
    let seconds = clock::now().saturating_duration_since(begun).as_secs();
    ensure!(u64::try_from(rounds)? <= seconds + 1, "{rounds} rounds in {seconds} seconds");
    scene.computes()?;
    scene.leaves().map(drop)
}

const STRANGER: &str = "20.0.1.77";
const STRAYS: usize = 1_000;

/// What begins as an opener and what does not, at every port that either has.
fn a_stranger_is_answered_by_nothing(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, None, Nat::home("wan0"))?;
    scene.begin(&[])?;
    scene.goes("Punched")?;
    // mosh-server's port is open to all from now on.
    let forwards = [(Protocol::Tcp, 8022, "192.168.1.10:22"), (Protocol::Udp, 60001, "192.168.1.10:60001")];
    let forward = |nat: Nat, (protocol, port, to)| nat.forward(protocol, port, to);
    scene.network.router.nat(&forwards.into_iter().fold(Nat::home("wan0"), forward))?;
    let stranger = lab.host("stranger").attach("eth0", &scene.city, &["20.0.1.77/24"]);
    let stranger = stranger.default_route("20.0.1.1").start()?;
    let victims = [scene.laptop().clone(), scene.network.server.clone()];
    for victim in &victims {
        count(victim, &format!("ip daddr {STRANGER}"))?;
        let rule = format!("ip saddr {STRANGER} udp dport > 1 counter name came");
        let chain = format!("chain in {{ type filter hook input priority -10; {rule}; }}");
        nft(victim, &format!("table inet came {{ counter came {{ }}; {chain}; }}\n"))?;
    }
    let mut to: Vec<String> = ports(scene.laptop())?.iter().map(|port| format!("20.0.1.9:{port}")).collect();
    to.push("20.0.0.1:60001".to_owned());
    let peer = stranger.udp("20.0.1.77:7001")?;
    for number in 0..STRAYS {
        let text = if number % 2 == 0 { "moshpunch opener0123456789abcdef" } else { "anything else" };
        to.iter().try_for_each(|to| peer.send(text, to.as_str()))?;
    }
    for victim in &victims {
        wait_until("many to have come", PATIENCE, || Ok((came(victim)? >= STRAYS / 2).then_some(())))
            .with_context(|| format!("to the {}", victim.name()))?;
    }
    (0..3).try_for_each(|_| scene.computes())?;
    for victim in &victims {
        assert_eq!(counted(victim)?, BTreeMap::new(), "the {} has answered", victim.name());
    }
    ensure!(!scene.log().contains("from=20.0.1.77"), "{}", scene.log());
    scene.leaves().map(drop)
}

/// All of UDP that are open to others.
fn ports(host: &Host) -> Result<Vec<u16>> {
    let listed = host.command("ss").args(["-uanH"]).run(PATIENCE)?.stdout;
    let local = listed.lines().filter_map(|line| line.split_whitespace().nth(3));
    let open = local.filter(|local| !local.starts_with("127.") && !local.starts_with("[::1]"));
    Ok(open.filter_map(|local| local.rsplit(':').next()?.parse().ok()).collect())
}

fn came(host: &Host) -> Result<usize> {
    let listed = host.command("nft").args(["list", "counter", "inet", "came", "came"]).run(PATIENCE)?.stdout;
    let (_, rest) = listed.split_once("packets ").with_context(|| listed.clone())?;
    Ok(rest.split(' ').next().context("a number")?.parse()?)
}

/// Of what it offers, and of what rounds bring.
fn at_most(since: Instant) -> usize {
    let spans = clock::now().saturating_duration_since(since).as_secs() / NEW_ADDRESSES_SPAN.as_secs();
    let spans = usize::try_from(spans).unwrap_or(usize::MAX).saturating_add(1);
    2 * MAX_ADDRESSES.min(MAX_NEW_ADDRESSES.saturating_mul(spans))
}

/// It tells of ever more, and sends openers from ever more.
fn a_host_has_the_laptop_send_to_few_addresses_and_never_to_itself(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab, None, Nat::home("wan0"))?;
    let laptop = scene.laptop();
    scene.network.server.write_file("/tmp/hostile.py", include_str!("hostile.py"))?;
    scene
        .network
        .server
        .write_script("/usr/local/bin/hostile", "#!/bin/sh\nexec python3 -u /tmp/hostile.py 20.0.1.9\n")?;
    // Within this machine mosh-client and its forwarder have other ports.
    count(laptop, "meta l4proto udp oifname . udp dport != { \"lo\" . 1-7776, \"lo\" . 7778-65535 }")?;
    let begun = clock::now();
    let words =
        ["--log", crate::scene::LOG, "--ssh=ssh -p 8022", "--no-ssh-pty", "--server=hostile", "router"];
    let mut terminal = laptop.terminal(&laptop.command("moshpunch").args(words).as_user(USER), 24, 80)?;
    let asked = || scene.log().matches("event=Punch ").count();
    let seen = wait_until("rounds of both orders, and another", PATIENCE * 3, || {
        let seen = counted(laptop)?;
        ensure!(seen.len() <= at_most(begun), "{} in {:?}: {seen:?}", seen.len(), clock::now() - begun);
        Ok((asked() > 2 && seen.len() > 8).then_some(seen))
    });
    let seen = scene.explained(seen)?;
    let is_due = |to: &String| ["20.0.3.", "20.0.0.1:", "192.168.1."].iter().any(|due| to.starts_with(due));
    ensure!(seen.keys().all(is_due), "{seen:?}");
    ensure!(scene.log().contains("an opener from="), "no opener has come:\n{}", scene.log());
    terminal.type_text("\x1e.")?;
    terminal.wait_for("no datagram came back from the host", PATIENCE)
}
