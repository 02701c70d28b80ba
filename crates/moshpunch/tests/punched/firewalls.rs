//! Firewalls that let out what begins inside, and no NAT.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Nat, scenario};

use crate::common::PATIENCE;
use crate::common::home::nft;
use crate::scene::Scene;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(through_the_hosts_own_firewall),
        scenario!(through_the_hosts_own_firewall_from_behind_a_nat),
        scenario!(from_ipv6_alone_through_two_firewalls),
        scenario!(by_ipv6_through_two_firewalls_where_ssh_has_come_by_ipv4),
    ]
}

/// As ufw and firewalld have it where ssh alone is allowed.
pub(crate) const FIREWALL: &str = "
table inet firewall {
    chain input {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        iifname lo accept
        meta l4proto { icmp, icmpv6 } accept
        tcp dport 22 accept
    }
}
";

/// The server is on the internet.
fn through_its_own_firewall(lab: &Lab, cafe: Option<Nat>) -> Result<()> {
    let mut scene = Scene::raise(lab, cafe, Nat::home("wan0"))?;
    let server = &scene.network.server;
    server.join("eth0", &scene.network.internet, &["20.0.0.10/24"], &["20.0.0.2"])?;
    nft(server, FIREWALL)?;
    scene.destination = ["--ssh=ssh", "server"];
    scene.begin(&[])?;
    scene.goes_through_a_hole().map(drop)
}

fn through_the_hosts_own_firewall(lab: &Lab) -> Result<()> {
    through_its_own_firewall(lab, None)
}

fn through_the_hosts_own_firewall_from_behind_a_nat(lab: &Lab) -> Result<()> {
    through_its_own_firewall(lab, Some(Nat::home("wan0")))
}

/// The home's router lets in ssh to the server.
const SSH_BY_IPV6: &str = "insert rule inet lab forward ip6 daddr 2a00:7::10 tcp dport 22 accept\n";

/// Both routers forward IPv6, from outside only what was asked for. The laptop has these addresses.
fn with_ipv6(lab: &Lab, laptop: &[&str], gateways: &[&str]) -> Result<Scene> {
    let scene = Scene::raise(lab, Some(Nat::home("wan0")), Nat::home("wan0"))?;
    let (provider, cafe, network) = (&scene.on_the_way, &scene.cafe, &scene.network);
    provider.readdress("east0", &["20.0.0.2/24", "2a00:e::2/64"], &[])?;
    provider.readdress("west0", &["20.0.1.1/24", "2a00:c::1/64"], &[])?;
    route(provider, "2a00:7::/64", "2a00:e::1")?;
    route(provider, "2a00:b::/64", "2a00:c::50")?;
    cafe.readdress("wan0", &["20.0.1.50/24", "2a00:c::50/64"], &["20.0.1.1", "2a00:c::1"])?;
    cafe.readdress("lan0", &["10.1.0.1/24", "2a00:b::1/64"], &[])?;
    network.router.readdress("wan0", &["20.0.0.1/24", "2a00:e::1/64"], &["20.0.0.2", "2a00:e::2"])?;
    network.router.readdress("lan0", &["192.168.1.1/24", "2a00:7::1/64"], &[])?;
    nft(&network.router, SSH_BY_IPV6)?;
    network.server.readdress("eth0", &["192.168.1.10/24", "2a00:7::10/64"], &["192.168.1.1", "2a00:7::1"])?;
    network.laptop.readdress("eth0", laptop, gateways)?;
    Ok(scene)
}

fn route(router: &Host, to: &str, gateway: &str) -> Result<()> {
    router.command("ip").args(["-6", "route", "add", to, "via", gateway]).run(PATIENCE).map(drop)
}

fn goes_by_ipv6(mut scene: Scene) -> Result<()> {
    scene.begin(&[])?;
    let said = scene.goes_through_a_hole()?;
    ensure!(said.contains("[2a00:7::10]:60001"), "{said}");
    Ok(())
}

fn from_ipv6_alone_through_two_firewalls(lab: &Lab) -> Result<()> {
    let mut scene = with_ipv6(lab, &["2a00:b::5/64"], &["2a00:b::1"])?;
    scene.destination = ["--ssh=ssh", "server"];
    goes_by_ipv6(scene)
}

fn by_ipv6_through_two_firewalls_where_ssh_has_come_by_ipv4(lab: &Lab) -> Result<()> {
    let mut scene = with_ipv6(lab, &["10.1.0.5/24", "2a00:b::5/64"], &["10.1.0.1", "2a00:b::1"])?;
    scene.destination = ["--ssh=ssh -4 -p 8022", "router"];
    goes_by_ipv6(scene)
}
