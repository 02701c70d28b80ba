//! Whether what is mapped gets in, and what is not meant for the outside does not.

use std::net::Ipv4Addr;

use super::{Finding, Router};
use crate::configuration::ChainNames;
use crate::firewall::{PCP_PORT, SSDP_PORT};
use crate::interfaces::Interface;
use crate::mapping::Transport;
use crate::plan::MOSH_PORTS;
use crate::rule::Network;
use crate::ruleset::{ChainName, Packet, Reached, Ruleset, Verdict};

/// UPnP Device Architecture 2.0 §1.1: where a search is sent to.
const SSDP_ADDRESS: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);

const RULES_UNREADABLE: &str = "the rules of nftables cannot be read";
const CURE_UNREADABLE: &str =
    "run this as root; rules of iptables-legacy are not read, look at them by iptables-save";

/// All that is needed to say anything.
struct Scene<'a> {
    ruleset: &'a Ruleset,
    wan: &'a Interface,
    lan: &'a Interface,
    http_port: Option<u16>,
}

fn scene<'a>(router: &'a Router<'_>, name: &'static str) -> Result<Scene<'a>, Finding> {
    let ruleset =
        router.ruleset.as_ref().ok_or_else(|| Finding::unknown(name, RULES_UNREADABLE, CURE_UNREADABLE))?;
    let unclear = || {
        Finding::unknown(
            name,
            "which interfaces are outside and inside is not known",
            "see wan-interface and lan-interface",
        )
    };
    Ok(Scene {
        ruleset,
        wan: router.wan().ok_or_else(unclear)?,
        lan: router.lan().ok_or_else(unclear)?,
        http_port: router.configuration.http_port().filter(|_| router.configuration.speaks_upnp()),
    })
}

/// An answer, or why there is none.
fn with(router: &Router<'_>, name: &'static str, judge: impl Fn(&Scene<'_>) -> Finding) -> Finding {
    scene(router, name).map_or_else(|unknown| unknown, |scene| judge(&scene))
}

fn with_chains(
    router: &Router<'_>,
    name: &'static str,
    judge: impl Fn(&Scene<'_>, &ChainNames) -> Finding,
) -> Finding {
    with(router, name, |scene| match router.configuration.chain_names(&router.build) {
        Some(names) => judge(scene, &names),
        None => Finding::unknown(
            name,
            format!("where {} puts its rules is not known here", router.build),
            "take 2.3.0 or later, or try it from outside",
        ),
    })
}

impl Scene<'_> {
    /// From anybody outside to the router's own address there.
    fn packet_from_outside(&self, protocol: Transport, port: u16) -> Packet<'_> {
        let address = self.wan.network().map_or(Network::ALL, |(address, _)| Network::host(address));
        Packet {
            comes_in: &self.wan.name,
            goes_out: None,
            source: Network::ALL,
            destination: address,
            protocol,
            port,
            translated: false,
        }
    }

    fn packet_from_inside(&self, protocol: Transport, port: u16) -> Packet<'_> {
        let (address, network) = self.lan.network().unwrap_or((Ipv4Addr::UNSPECIFIED, Network::ALL));
        let to = if port == SSDP_PORT { SSDP_ADDRESS } else { address };
        Packet {
            comes_in: &self.lan.name,
            goes_out: None,
            source: network,
            destination: Network::host(to),
            protocol,
            port,
            translated: false,
        }
    }

    fn mapped(&self) -> Packet<'_> {
        let network = self.lan.network().map_or(Network::ALL, |(_, network)| network);
        let arriving = self.packet_from_outside(Transport::Udp, MOSH_PORTS.first);
        Packet { goes_out: Some(&self.lan.name), destination: network, translated: true, ..arriving }
    }

    /// What miniupnpd itself listens to.
    fn services(&self) -> Vec<(&'static str, Transport, u16)> {
        let http = self.http_port.map(|port| ("UPnP's HTTP", Transport::Tcp, port));
        let datagrams = [("SSDP", Transport::Udp, SSDP_PORT), ("PCP and NAT-PMP", Transport::Udp, PCP_PORT)];
        datagrams.into_iter().chain(http).collect()
    }

    fn verdict_at_the_router(&self, packet: &Packet<'_>) -> Verdict {
        match self.ruleset.verdict("prerouting", packet, None) {
            Verdict::Passes => self.ruleset.verdict("input", packet, None),
            stopped => stopped,
        }
    }
}

pub(super) fn chains(router: &Router<'_>) -> Finding {
    const NAME: &str = "chains";
    with_chains(router, NAME, |scene, names| {
        let chains = [names.forward(), names.prerouting(), names.postrouting()];
        match chains.iter().find(|chain| !scene.ruleset.has_chain(chain)) {
            None => Finding::ok(NAME, "the chains for miniupnpd's rules are there"),
            Some(missing) => Finding::fault(
                NAME,
                format!(
                    "there is no chain {missing}: miniupnpd's rules have no place, and nothing is mapped"
                ),
                "moshpunch router setup, or make it; after a reload of nftables: systemctl restart miniupnpd",
            ),
        }
    })
}

pub(super) fn prerouting(router: &Router<'_>) -> Finding {
    const NAME: &str = "jump";
    with_chains(router, NAME, |scene, names| {
        let packet = scene.packet_from_outside(Transport::Udp, MOSH_PORTS.first);
        let chain = &names.prerouting();
        let reached = match scene.ruleset.verdict("prerouting", &packet, Some(chain)) {
            Verdict::Passes => scene.ruleset.reaches("prerouting", &packet, chain),
            Verdict::Unknown(_) => Reached::Perhaps,
            Verdict::Dropped(before) => {
                let what =
                    format!("the chain {before} drops what comes from outside, before it is translated");
                return Finding::fault(NAME, what, "let it through there; the forward chain decides");
            }
        };
        match reached {
            Reached::Yes => Finding::ok(NAME, format!("what comes from outside comes to the chain {chain}")),
            Reached::No => Finding::fault(
                NAME,
                format!("no rule leads what comes from outside to the chain {chain}: nothing is translated"),
                format!("'jump {}' in a chain of that table with 'type nat hook prerouting'", chain.name),
            ),
            Reached::Perhaps => Finding::unknown(
                NAME,
                format!(
                    "whether what comes from outside comes to the chain {chain} depends on more than these rules tell"
                ),
                "try it from outside",
            ),
        }
    })
}

pub(super) fn forward(router: &Router<'_>) -> Finding {
    const NAME: &str = "forward";
    with_chains(router, NAME, |scene, names| {
        let (packet, own) = (scene.mapped(), names.forward());
        let is_beside = |chain: &ChainName| (&chain.family, &chain.table) == (&own.family, &own.table);
        let cure = |chain: &ChainName| match is_beside(chain) {
            true => format!("'jump {}' in it, before what drops", own.name),
            false => {
                format!("'iifname \"{}\" ct status dnat accept' in it, before what drops", scene.wan.name)
            }
        };
        match scene.ruleset.verdict("forward", &packet, Some(&own)) {
            Verdict::Passes => Finding::ok(NAME, "what is mapped is let through"),
            Verdict::Dropped(chain) => {
                Finding::fault(NAME, format!("the chain {chain} drops what is mapped"), cure(&chain))
            }
            Verdict::Unknown(chain) => Finding::unknown(
                NAME,
                format!(
                    "whether the chain {chain} lets through what is mapped depends on more than its rules tell"
                ),
                "try it from outside",
            ),
        }
    })
}

pub(super) fn from_the_lan(router: &Router<'_>) -> Finding {
    const NAME: &str = "input-lan";
    with(router, NAME, |scene| {
        for (service, protocol, port) in scene.services() {
            match scene.verdict_at_the_router(&scene.packet_from_inside(protocol, port)) {
                Verdict::Passes => {}
                Verdict::Dropped(chain) => {
                    return Finding::fault(
                        NAME,
                        format!("the chain {chain} drops {service} from the LAN (port {port})"),
                        format!(
                            "'iifname \"{}\" {} dport {port} accept' in it",
                            scene.lan.name,
                            protocol.name()
                        ),
                    );
                }
                Verdict::Unknown(chain) => {
                    return Finding::unknown(
                        NAME,
                        format!(
                            "whether the chain {chain} lets {service} in from the LAN depends on more than its rules tell"
                        ),
                        "moshpunch map gateway, on a host of the LAN",
                    );
                }
            }
        }
        match (scene.http_port, router.configuration.speaks_upnp()) {
            (None, true) => Finding::warning(
                NAME,
                "UPnP's HTTP port is another one at each start: no firewall can know it, and clients lose it",
                "http_port=5000, and restart miniupnpd",
            ),
            _ => Finding::ok(NAME, "the LAN reaches SSDP, PCP, NAT-PMP and UPnP's HTTP port"),
        }
    })
}

pub(super) fn from_the_wan(router: &Router<'_>) -> Finding {
    const NAME: &str = "input-wan";
    with(router, NAME, |scene| {
        for (service, protocol, port) in scene.services() {
            match scene.verdict_at_the_router(&scene.packet_from_outside(protocol, port)) {
                Verdict::Dropped(_) => {}
                Verdict::Passes => {
                    return Finding::fault(
                        NAME,
                        format!(
                            "{service} can be reached from outside (port {port}); only miniupnpd itself would refuse"
                        ),
                        format!(
                            "'iifname \"{}\" {} dport {port} drop' in a chain with 'hook input'",
                            scene.wan.name,
                            protocol.name()
                        ),
                    );
                }
                Verdict::Unknown(chain) => {
                    return Finding::unknown(
                        NAME,
                        format!(
                            "whether the chain {chain} keeps {service} from the outside depends on more than its rules tell"
                        ),
                        "try it from outside",
                    );
                }
            }
        }
        Finding::ok(NAME, "the outside reaches nothing of miniupnpd's")
    })
}
