//! Stock mosh-client and mosh-server, each behind a NAT that lets nobody in whom it has not sent to.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Nat, Signal, Terminal, USER, WriteUp, scenario, wait_until};

use super::{round, seen};
use crate::common::home::close;
use crate::common::{PATIENCE, computes, keeper, leave, raise, signal};
use crate::laptop::Login;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(between_two_nats_there_is_a_prompt_after_an_opener_and_none_before),
        scenario!(a_hosts_own_firewall_is_opened_too),
    ]
}

struct Cafe {
    network: WriteUp,
    _router: Host,
}

impl Cafe {
    const OUTSIDE: &str = "20.0.0.50";

    /// The laptop behind its NAT, and the host behind that of a home.
    fn raise(lab: &Lab) -> Result<Self> {
        let network = raise(lab)?;
        let inside = lab.link("cafe")?;
        let router = lab.host("cafe").attach("wan0", &network.internet, &["20.0.0.50/24"]);
        let router = router.attach("lan0", &inside, &["10.1.0.1/24"]).start()?;
        router.nat(&Nat::home("wan0"))?;
        close(&router)?;
        close(&network.router)?;
        network.laptop.join("eth0", &inside, &["10.1.0.5/24"], &["10.1.0.1"])?;
        Ok(Self { network, _router: router })
    }
}

/// To where the router would have mosh-server, and from which port.
fn mosh_client(laptop: &Host, login: &Login, to: &str) -> Result<(Terminal, u16)> {
    let before = laptop.udp_ports()?;
    let client = laptop.command("mosh-client").args([to, "60001"]).as_user(USER);
    let client = client.env("MOSH_KEY", login.key()?).env("LC_ALL", "C.UTF-8");
    let window = laptop.terminal(&client, 24, 80)?;
    let own = wait_until("mosh-client's port", PATIENCE, || {
        Ok(laptop.udp_ports()?.into_iter().find(|port| !before.contains(port)))
    })?;
    Ok((window, own))
}

fn hears_nothing(window: &Terminal) -> Result<()> {
    window.wait_for("Nothing received from server", PATIENCE)?;
    ensure!(!window.screen().contains("alice@"), "{}", window.screen());
    Ok(())
}

fn between_two_nats_there_is_a_prompt_after_an_opener_and_none_before(lab: &Lab) -> Result<()> {
    let cafe = Cafe::raise(lab)?;
    let WriteUp { laptop, server, .. } = &cafe.network;
    let mut login = Login::new_session(laptop)?;
    login.session()?;
    let (mut window, port) = mosh_client(laptop, &login, "20.0.0.1")?;
    hears_nothing(&window)?;
    let outside = format!("{}:{port}", Cafe::OUTSIDE);
    round(&mut login, 1, &[&outside])?;
    window.wait_for("alice@server:", PATIENCE)?;
    computes(&mut window, 7_001)?;
    // Openers go on beside it, to this client and to addresses that nobody has.
    for number in 1..4 {
        round(&mut login, number * 100, &[&outside, "192.168.1.99:7001", "20.0.0.77:7001"])?;
        computes(&mut window, 7_001 + number)?;
    }
    seen::nothing_is_lost_or_unread(server)?;
    signal(&keeper(server)?, Signal::KILL)?;
    computes(&mut window, 7_101)?;
    login.say("MOSHPUNCH BYE\n")?;
    login.ends()?;
    computes(&mut window, 7_102)?;
    leave(window)
}

/// Without any NAT: what the host asks for is let in, and nothing else but ssh.
fn a_hosts_own_firewall_is_opened_too(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let WriteUp { laptop, router, .. } = &network;
    let rules = "table inet wall { chain input { type filter hook input priority 0; policy drop;
        iifname lo accept; ct state established,related accept; tcp dport 22 accept; }; }\n";
    crate::common::home::nft(router, rules)?;
    let mut login = Login::open(laptop, "first", &["-T", "router"], crate::laptop::NEW)?;
    login.session()?;
    let (mut window, port) = mosh_client(laptop, &login, "20.0.0.1")?;
    hears_nothing(&window)?;
    round(&mut login, 1, &[&format!("20.0.0.9:{port}")])?;
    window.wait_for("alice@router:", PATIENCE).with_context(|| login.ssh.log())?;
    computes(&mut window, 7_001)?;
    leave(window)
}
