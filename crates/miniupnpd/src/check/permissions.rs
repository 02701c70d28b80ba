//! Whether the rules allow the LAN mosh's ports, and nothing else.

use super::{Finding, Router};
use crate::plan::{DEFAULT_RANGE, MOSH_PORTS};
use crate::rule::{Action, Network, PortRange, Rule, allows};

/// Sessions at the same time that a range should have room for: the write-up gives each host as many.
const PORTS_MINIMUM: usize = 5;

/// Ports below are the system's (RFC 6335 §6), and no mosh is there.
const FIRST_USER_PORT: u16 = 1024;

fn lan(router: &Router<'_>) -> Option<Network> {
    router.lan()?.network().map(|(_, network)| network)
}

fn line(router: &Router<'_>) -> String {
    let network = lan(router).map_or("LAN".to_owned(), |network| network.to_string());
    format!("'allow {DEFAULT_RANGE} {network} {DEFAULT_RANGE}'")
}

pub(super) fn denial(router: &Router<'_>) -> Finding {
    const NAME: &str = "rules-deny";
    let rules = router.configuration.rules(&router.build);
    let closing = Rule::deny_all();
    match rules.iter().any(|rule| rule.action == Action::Deny && rule.covers(&closing)) {
        true => Finding::ok(NAME, "what no rule allows is denied"),
        false => Finding::fault(
            NAME,
            "what no rule denies is allowed: any host of the LAN may map any port",
            format!("'{closing}' as the last rule"),
        ),
    }
}

/// A host has a mapping by the same number inside and outside, as mosh asks for it.
fn ports(rules: &[Rule], network: &Network) -> Vec<u16> {
    // Of a plan, each rule is about one server.
    let inside = rules.iter().filter(|rule| network.covers(&rule.network)).map(|rule| rule.network.address);
    // Neither the network's own address nor the router's, most likely.
    let some_host =
        std::net::Ipv4Addr::from_bits((network.address.to_bits() | !network.mask).wrapping_sub(1));
    let hosts: Vec<_> = [some_host].into_iter().chain(inside).collect();
    let may = |port: &u16| hosts.iter().any(|host| allows(rules, *port, *host, *port));
    (MOSH_PORTS.first..=MOSH_PORTS.last).filter(may).collect()
}

pub(super) fn range(router: &Router<'_>) -> Finding {
    const NAME: &str = "rules-range";
    let Some(network) = lan(router) else {
        return Finding::unknown(NAME, "which network is inside is not known", "see lan-interface");
    };
    let rules = router.configuration.rules(&router.build);
    let ports = ports(&rules, &network);
    let allowed = rules.iter().any(|rule| is_for_mosh(rule, &network));
    match (ports.first(), ports.len()) {
        (None, _) if allowed => Finding::fault(
            NAME,
            "a deny rule comes before the allow rule for mosh's ports: the first that fits decides",
            format!("{} before it", line(router)),
        ),
        (None, _) => Finding::fault(
            NAME,
            format!("no rule allows {network} the ports of mosh, which begin at {}", MOSH_PORTS.first),
            format!("{} before the deny rule", line(router)),
        ),
        (Some(first), count) if count < PORTS_MINIMUM => Finding::warning(
            NAME,
            format!(
                "{network} may map {count} of mosh's ports, from {first} on: there is room for no more sessions"
            ),
            line(router),
        ),
        (Some(first), count) => {
            Finding::ok(NAME, format!("{network} may map {count} of mosh's ports, from {first} on"))
        }
    }
}

fn is_for_mosh(rule: &Rule, network: &Network) -> bool {
    let both = rule.external.overlaps(&MOSH_PORTS) && rule.internal.overlaps(&MOSH_PORTS);
    rule.action == Action::Allow && both && rule.network.overlaps(network)
}

/// Rules behind the denial of everything never fit.
pub(super) fn others(router: &Router<'_>) -> Finding {
    const NAME: &str = "rules-others";
    let rules = router.configuration.rules(&router.build);
    let closing = rules.iter().position(|rule| rule.action == Action::Deny && rule.covers(&Rule::deny_all()));
    let live = &rules[..closing.unwrap_or(rules.len())];
    let system = PortRange::new(0, FIRST_USER_PORT - 1);
    let allowing = || live.iter().filter(|rule| rule.action == Action::Allow);
    if let Some(rule) = allowing().find(|rule| rule.external.overlaps(&system)) {
        return Finding::warning(
            NAME,
            format!("'{rule}' lets ports of the system, such as 22, be mapped"),
            "narrow it, if that is not meant",
        );
    }
    match allowing().find(|rule| rule.external.overlaps(&MOSH_PORTS) && !MOSH_RANGE.covers(&rule.external)) {
        Some(rule) => Finding::warning(NAME, format!("'{rule}' allows more than mosh needs"), line(router)),
        None => Finding::ok(NAME, "no rule allows more than mosh needs"),
    }
}

/// mosh(1) names these.
const MOSH_RANGE: PortRange = PortRange::new(60000, 61000);
