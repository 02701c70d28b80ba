//! Whether what miniupnpd has noted is what the firewall does, and whether the router itself respects it.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use super::daemon::Daemon;
use super::{Finding, Router};
use crate::lease_file;
use crate::mapping::{External, Transport};
use crate::plan::MOSH_PORTS;
use crate::rule;

type Mapping = (External, SocketAddrV4);

/// Named in a message at the most.
const NAMED_MAXIMUM: usize = 5;

fn leases(router: &Router<'_>) -> Option<Vec<Mapping>> {
    let leases = lease_file::parse(router.facts.leases.as_deref()?);
    Some(leases.iter().map(|lease| (lease.external, lease.internal)).collect())
}

/// Those that miniupnpd has made.
fn rules(router: &Router<'_>) -> Option<Vec<Mapping>> {
    let chain = router.configuration.chain_names(&router.build)?.prerouting();
    Some(router.ruleset.as_ref()?.redirections(&chain))
}

fn named(mappings: &[Mapping]) -> String {
    let name = |(External { transport, port }, _): &Mapping| format!("{port} {transport}");
    let names: Vec<_> = mappings.iter().take(NAMED_MAXIMUM).map(name).collect();
    let more = if mappings.len() > NAMED_MAXIMUM { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}

fn without(these: &[Mapping], those: &[Mapping]) -> Vec<Mapping> {
    // Whoever may map one port decides how many lines there are.
    let those: BTreeSet<_> = those.iter().collect();
    these.iter().filter(|it| !those.contains(it)).copied().collect()
}

pub(super) fn agrees(router: &Router<'_>) -> Finding {
    const NAME: &str = "mappings";
    if router.configuration.option("lease_file").is_none() {
        return Finding::unknown(
            NAME,
            "without a lease file it cannot be seen what is mapped",
            "see lease-file",
        );
    }
    let (Some(leases), Some(rules)) = (leases(router), rules(router)) else {
        return Finding::unknown(NAME, "the lease file or the rules cannot be read", "run this as root");
    };
    let (dead, unnoted) = (without(&leases, &rules), without(&rules, &leases));
    if !dead.is_empty() && router.daemon == Daemon::Nobody {
        return Finding::ok(NAME, format!("{} will be mapped when miniupnpd starts", named(&dead)));
    }
    if !dead.is_empty() {
        return Finding::fault(
            NAME,
            format!(
                "noted as mapped, but no rule leads them inside: {} (was the firewall reloaded?)",
                named(&dead)
            ),
            "systemctl restart miniupnpd",
        );
    }
    match unnoted.is_empty() {
        true => Finding::ok(NAME, format!("{} mapped, and each has its rule", leases.len())),
        false => Finding::fault(
            NAME,
            format!("rules lead inside what nobody has noted, and would stay for ever: {}", named(&unnoted)),
            "systemctl restart miniupnpd",
        ),
    }
}

fn permitted(mut leases: Vec<Mapping>, router: &Router<'_>) -> Vec<Mapping> {
    let rules = router.configuration.rules(&router.build);
    leases.retain(|(external, internal)| {
        rule::allows(&rules, external.port.get(), *internal.ip(), internal.port())
    });
    leases
}

/// The guard's default: where a mosh-server of the router's may be.
fn is_guarded(external: &External) -> bool {
    external.transport == Transport::Udp && MOSH_PORTS.contains(external.port.get())
}

/// Whether the router's own mosh-server skips what is mapped.
pub(super) fn is_held(router: &Router<'_>) -> Finding {
    const NAME: &str = "held";
    const CURE: &str = "run moshpunch router guard";
    let (Some(leases), Some(ports)) = (leases(router), &router.facts.udp_ports) else {
        return Finding::unknown(
            NAME,
            "the lease file or the router's own ports cannot be read",
            "run this as root",
        );
    };
    // What a line says without a rule leads nowhere, and the guard does not believe it.
    let mapped = rules(router).unwrap_or_else(|| permitted(leases, router));
    let mapped = mapped.into_iter().filter(|(external, _)| is_guarded(external));
    let (taken, open): (Vec<_>, Vec<_>) =
        mapped.partition(|(external, _)| ports.contains(&external.port.get()));
    match router.facts.guard_runs {
        None => Finding::unknown(NAME, "it cannot be seen whether a guard runs", "run this as root"),
        Some(true) if open.is_empty() => Finding::ok(NAME, "the guard holds what is mapped"),
        Some(true) => Finding::fault(
            NAME,
            format!("a guard runs, but does not hold {}", named(&open)),
            "restart the guard",
        ),
        Some(false) if taken.is_empty() => Finding::warning(
            NAME,
            "no guard runs: a mosh-server on the router itself may take a port that is mapped, and hear nothing",
            CURE,
        ),
        Some(false) => Finding::fault(
            NAME,
            format!(
                "mapped, but taken by a program on the router, which hears nothing from outside: {}",
                named(&taken)
            ),
            format!("end that program, and {CURE}"),
        ),
    }
}
