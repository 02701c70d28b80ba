//! How many openers go, where to, and what the laptop is told of it.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Miniupnpd, UdpPeer, WriteUp, scenario, wait_until};
use net::clock;
use wire::channel::Punched;

use super::{OPENER, answer, punch, round, seen};
use crate::attaching::attach;
use crate::common::home::{close, nft};
use crate::common::{PATIENCE, end_sessions, raise};
use crate::laptop::Login;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(three_openers_go_from_mosh_servers_port_to_each_target_and_none_elsewhere),
        scenario!(there_is_one_round_a_second_whoever_asks),
        scenario!(what_comes_in_is_answered_by_nothing),
        scenario!(from_where_they_come_is_told_of_a_mapping).needs(&["miniupnpd"]),
        scenario!(from_where_they_come_is_told_of_a_router_that_maps_nothing_for_us).needs(&["miniupnpd"]),
        scenario!(from_where_they_come_is_told_of_public_addresses),
    ]
}

/// What mosh-server has on the router, if that keeps ports.
const OUTSIDE: &str = "20.0.0.1:60001";

fn hears_an_opener(peer: &UdpPeer) -> Result<()> {
    let (text, from) = peer.receive(PATIENCE)?;
    assert_eq!((text.as_str(), from.to_string().as_str()), (OPENER, OUTSIDE));
    Ok(())
}

fn three_openers_go_from_mosh_servers_port_to_each_target_and_none_elsewhere(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let mut login = Login::new_session(&network.laptop)?;
    login.session()?;
    let hello = login.ssh.log();
    let hello = hello.lines().find(|line| line.starts_with("MOSHPUNCH CHANNEL ")).unwrap_or_default();
    ensure!(hello.ends_with(" carry punch"), "{hello}");
    seen::count(&network.server)?;
    let targets = ["20.0.0.9:7001", "20.0.0.9:7002", "192.168.1.1:7003"];
    let peers = targets.map(|target| {
        let host = if target.starts_with("20.") { &network.laptop } else { &network.router };
        host.udp(target)
    });
    let peers: Vec<_> = peers.into_iter().collect::<Result<_>>()?;
    let nobody = [
        "224.0.0.1:7001",
        "239.255.255.250:1900",
        "255.255.255.255:7001",
        "192.168.1.255:7001",
        "127.0.0.1:60001",
        "169.254.1.1:7001",
        "[ff02::1]:7001",
        "[::1]:7001",
        "[::ffff:20.0.0.9]:7001",
    ];
    // An address of nobody, of this link, costs the session nothing.
    let all = [&nobody[..], &targets, &["192.168.1.99:7001", "20.0.0.77:7001"]].concat();
    assert_eq!(round(&mut login, 1, &all)?, [""; 0], "nothing is known of the router");
    for _ in 0..3 {
        peers[..2].iter().try_for_each(hears_an_opener)?;
        assert_eq!(peers[2].receive(PATIENCE)?.1.to_string(), "192.168.1.10:60001");
    }
    // Whatever was to come of that round has come before the last of the next.
    round(&mut login, 100, &["20.0.0.9:7002"])?;
    (0..3).try_for_each(|_| hears_an_opener(&peers[1]))?;
    let counted: Vec<_> = seen::counted(&network.server)?.into_iter().collect();
    let expected = [
        ("192.168.1.1:7003", 3),
        ("192.168.1.99:7001", 3),
        ("20.0.0.77:7001", 3),
        ("20.0.0.9:7001", 3),
        ("20.0.0.9:7002", 6),
    ];
    assert_eq!(counted, expected.map(|(to, packets)| (to.to_owned(), packets)));
    end_sessions(&network.server)?;
    login.hears("MOSHPUNCH BYE ended")
}

fn there_is_one_round_a_second_whoever_asks(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let mut first = Login::new_session(&network.laptop)?;
    let session = first.session()?;
    seen::count(&network.server)?;
    let to = ["20.0.0.9:7001"];
    first.say(&[punch(1, &to), punch(2, &to), punch(3, &to)].concat())?;
    for refused in [2, 3] {
        first.hears(&format!("MOSHPUNCH PUNCHED {refused} no=busy\n"))?;
    }
    first.hears("MOSHPUNCH PUNCHED 1\n")?;
    let mut second = attach(&network.laptop, "second", &session)?;
    second.session()?;
    ensure!(second.ssh.log().contains(" carry punch\n"), "{}", second.ssh.log());
    let (begun, mut taken) = (clock::now(), 1);
    for number in 4..24 {
        for login in [&mut first, &mut second] {
            match answer(login, number, &to)? {
                Punched::Sent { .. } => taken += 1,
                Punched::Refused { reason } => assert_eq!(reason, "busy"),
            }
        }
    }
    let seconds = (clock::now() - begun).as_secs();
    ensure!(taken <= seconds + 2, "{taken} rounds in {seconds} seconds");
    round(&mut second, 100, &["20.0.0.9:7002"])?;
    wait_until("the last of the next round", PATIENCE, || {
        Ok(seen::counted(&network.server)?.get("20.0.0.9:7002").filter(|&&packets| packets == 3).copied())
    })?;
    ensure!(seen::counted(&network.server)?["20.0.0.9:7001"] <= 3 * taken);
    end_sessions(&network.server)
}

const STRAYS: usize = 5_000;

/// Copies of an opener, and anything else, from where the router lets them in.
fn what_comes_in_is_answered_by_nothing(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let mut login = Login::new_session(&network.laptop)?;
    login.session()?;
    seen::count(&network.server)?;
    nft(
        &network.server,
        "table inet came { counter strays { }; chain input { type filter hook input priority -10; udp dport 60001 counter name strays; }; }\n",
    )?;
    let peer = network.laptop.udp("20.0.0.9:7001")?;
    round(&mut login, 1, &["20.0.0.9:7001"])?;
    (0..3).try_for_each(|_| hears_an_opener(&peer))?;
    for number in 0..STRAYS {
        peer.send(if number % 2 == 0 { OPENER } else { "anything else" }, OUTSIDE)?;
    }
    let came = || -> Result<bool> {
        let listed = network.server.command("nft").args(["list", "counter", "inet", "came", "strays"]);
        let listed = listed.run(PATIENCE)?.stdout;
        let packets =
            listed.split_once("packets ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
        Ok(packets.is_some_and(|packets: usize| packets >= STRAYS / 2))
    };
    wait_until("many to have come", PATIENCE, || Ok(came()?.then_some(())))?;
    // Behind them the host is as it was.
    login.say("MOSHPUNCH PING 5\n")?;
    login.hears("MOSHPUNCH PONG 5")?;
    round(&mut login, 100, &["20.0.0.9:7001"])?;
    (0..3).try_for_each(|_| hears_an_opener(&peer))?;
    assert_eq!(
        seen::counted(&network.server)?.into_iter().collect::<Vec<_>>(),
        [("20.0.0.9:7001".to_owned(), 6)]
    );
    end_sessions(&network.server)
}

fn from_where_they_come_is_told_of_a_mapping(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let mut login = Login::new_session(&network.laptop)?;
    login.hears("MOSHPUNCH OFFER 1 mapped=20.0.0.1:60001\n")?;
    assert_eq!(round(&mut login, 1, &["20.0.0.9:7001"])?, [OUTSIDE]);
    end_sessions(&network.server)
}

fn from_where_they_come_is_told_of_a_router_that_maps_nothing_for_us(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    close(&network.router)?;
    let permissions = vec!["deny 0-65535 0.0.0.0/0 0-65535".to_owned()];
    // As a router of IGD:1 it does not look for another port by itself, which takes it many seconds.
    let extra = vec!["force_igd_desc_v1=yes".to_owned()];
    let miniupnpd = Miniupnpd { permissions, extra, ..WriteUp::miniupnpd() };
    let _miniupnpd = network.router.miniupnpd(&miniupnpd)?;
    let mut login = Login::new_session(&network.laptop)?;
    login.session()?;
    login.say("MOSHPUNCH PING 1\n")?;
    login.hears("MOSHPUNCH TROUBLE router mapping the router 192.168.1.1 forbids")?;
    login.hears("MOSHPUNCH OFFER 1\n")?;
    assert_eq!(round(&mut login, 1, &["20.0.0.9:7001"])?, [OUTSIDE]);
    end_sessions(&network.server)
}

/// Of those that openers to these targets leave from.
fn from_where_they_come_is_told_of_public_addresses(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    network.router.readdress(WriteUp::INSIDE, &["192.168.1.1/24", "2a00:7::1/64"], &[])?;
    let addresses = ["192.168.1.10/24", "2a00:7::10/64"];
    network.server.readdress("eth0", &addresses, &["192.168.1.1", "2a00:7::1"])?;
    let mut login = Login::new_session(&network.laptop)?;
    login.session()?;
    seen::count(&network.server)?;
    let from = round(&mut login, 1, &["20.0.0.9:7001", "[2a00:1::9]:7001"])?;
    assert_eq!(from, ["[2a00:7::10]:60001"]);
    wait_until("all of them", PATIENCE, || {
        let counted = seen::counted(&network.server)?;
        let of_each = ["20.0.0.9:7001", "2a00:1::9:7001"].map(|to| counted.get(to).copied());
        Ok((of_each == [Some(3); 2]).then_some(()))
    })
    .with_context(|| format!("{:?}", seen::counted(&network.server)))?;
    end_sessions(&network.server)
}
