//! A home with IPv4 and IPv6 whose router lets nothing in unasked.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Daemon, Host, Lab, Miniupnpd, Nat, Signal, Sshd, scenario, wait_until};

use crate::common::home::nft;
use crate::common::program;
use crate::common::{
    AT_ONCE, PATIENCE, be_patient, computes, end_sessions, keeper, leave, no_moshpunch_is_left, signal,
    state_files, wait_for_empty_table,
};
use crate::told::{join, on_lan, told};

const SERVER: &str = "2a00:7::10";
const SERVER_AS_NFT_WRITES_IT: &str = "0x2a000007000000000000000000000010";

pub(crate) fn scenarios() -> [Scenario; 3] {
    [
        scenario!(with_ipv6_a_pinhole_is_opened_beside_the_mapping_and_both_serve),
        scenario!(what_a_dead_session_left_of_both_kinds_is_swept),
        scenario!(one_that_cannot_be_had_does_not_end_the_other),
    ]
}

struct Home {
    router: Host,
    server: Host,
    outside: Host,
    _sshd: Daemon,
}

impl Home {
    fn raise(lab: &Lab) -> Result<Self> {
        lab.install(&program::path())?;
        let (internet, home) = (lab.link("internet")?, lab.link("home")?);
        let router = lab.host("router").attach("wan0", &internet, &["20.0.0.1/24", "2a00:1::1/64"]);
        let inside = ["192.168.1.1/24", "fd07::1/64", "2a00:7::1/64"];
        let router = router.attach("lan0", &home, &inside).start()?;
        router.nat(&Nat::home("wan0"))?;
        let own = ["192.168.1.10/24", "2a00:7::10/64", "fd07::10/64"];
        let server = lab.host("server").attach("eth0", &home, &own).default_route("192.168.1.1").start()?;
        let gateway = link_local_address(&router, "lan0")?;
        let route = ["-6", "route", "add", "default", "via", &gateway, "dev", "eth0"];
        server.command("ip").args(route).run(PATIENCE)?;
        be_patient(&server)?;
        let outside = lab.host("outside").attach("eth0", &internet, &["20.0.0.9/24", "2a00:1::9/64"]);
        let outside = outside.route("2a00:7::/64", "2a00:1::1").start()?;
        let _sshd = server.sshd(&Sshd::default())?;
        Ok(Self { router, server, outside, _sshd })
    }

    fn miniupnpd(&self) -> Result<Daemon> {
        let miniupnpd = Miniupnpd { lifetimes: (1, 86_400), ..Miniupnpd::new("wan0", "lan0") };
        self.router.miniupnpd(&miniupnpd)
    }

    fn pinholes(&self) -> Result<usize> {
        let opened = |rule: &&str| rule.contains(SERVER_AS_NFT_WRITES_IT);
        Ok(self.router.nft_ruleset()?.lines().filter(opened).count())
    }

    fn nothing_is_left(&self) -> Result<()> {
        wait_for_empty_table(&self.router, AT_ONCE)?;
        wait_until("the pinhole to close", PATIENCE, || Ok((self.pinholes()? == 0).then_some(())))?;
        no_moshpunch_is_left(&self.server)?;
        assert_eq!(state_files(&self.server)?, [""; 0]);
        Ok(())
    }
}

fn with_ipv6_a_pinhole_is_opened_beside_the_mapping_and_both_serve(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let output = on_lan(&home.server, "moshpunch server --log /tmp/keeper.log --offer new")?;
    let mut lines = told(&output.stdout);
    let own = "host=192.168.1.10:60001 host=[2a00:7::10]:60001 host=[fd07::10]:60001";
    assert_eq!(lines.drain(..2).collect::<Vec<_>>(), [&format!("{own} more"), "connect 60001"], "{output}");
    ensure!(lines.len() == 2 && lines[0].ends_with(" more"), "the first of two: {output}");
    lines.sort();
    let (mapped, pinhole) = ("mapped=20.0.0.1:60001", "pinhole=[2a00:7::10]:60001");
    ensure!(lines[0].starts_with(mapped) && lines[1].starts_with(pinhole), "{output}");
    let current = on_lan(&home.server, "moshpunch server offer 60001")?;
    assert_eq!(told(&current.stdout), [format!("{own} {mapped} {pinhole}")], "{current}");

    let mut terminal = join(&home.outside, SERVER, 60001, &output)?;
    computes(&mut terminal, 9101)?;
    leave(terminal)?;
    home.nothing_is_left()?;
    let output = on_lan(&home.server, "moshpunch server --offer new")?;
    let mut terminal = join(&home.outside, "20.0.0.1", 60001, &output)?;
    computes(&mut terminal, 9102)?;
    leave(terminal)?;
    home.nothing_is_left()
}

fn what_a_dead_session_left_of_both_kinds_is_swept(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    on_lan(&home.server, "moshpunch server --offer new")?;
    assert_eq!((home.router.leases()?.len(), home.pinholes()?), (1, 1), "{}", home.router.nft_ruleset()?);
    signal(&keeper(&home.server)?, Signal::KILL)?;
    end_sessions(&home.server)?;
    let alone = ["server", "--budget", "0", "new", "-i", "127.0.0.1"];
    home.server.command("moshpunch").args(alone).env("LC_ALL", "C.UTF-8").as_user(lab::USER).run(PATIENCE)?;
    wait_for_empty_table(&home.router, PATIENCE)?;
    end_sessions(&home.server)?;
    home.nothing_is_left()
}

/// The router is deaf in IPv4.
fn one_that_cannot_be_had_does_not_end_the_other(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let chain = "type filter hook input priority filter; meta nfproto ipv4 udp dport { 1900, 5351 } drop;";
    nft(&home.router, &format!("table inet deaf {{ chain input {{ {chain} }}; }}\n"))?;
    let _miniupnpd = home.miniupnpd()?;
    let output = on_lan(&home.server, "moshpunch server --offer new")?;
    assert_eq!(told(&output.stdout)[2..], ["pinhole=[2a00:7::10]:60001 more", ""], "{output}");
    ensure!(output.stderr.contains("moshpunch: no router here answers PCP, NAT-PMP or UPnP; "), "{output}");
    keeper(&home.server)?;
    assert_eq!(home.pinholes()?, 1);
    end_sessions(&home.server)?;
    home.nothing_is_left()
}

fn link_local_address(host: &Host, interface: &str) -> Result<String> {
    let show = ["-6", "-oneline", "address", "show", "dev", interface, "scope", "link"];
    let output = host.command("ip").args(show).run(PATIENCE)?.stdout;
    let network = output.split_whitespace().skip_while(|word| *word != "inet6").nth(1);
    let address = network.and_then(|network| network.split('/').next()).context(output.clone())?;
    Ok(address.to_owned())
}
