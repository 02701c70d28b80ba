//! The interfaces, and what the outside one's address means.

use std::net::Ipv4Addr;

use portmap::address::{Reach, reach};

use super::{Finding, Router};
use crate::build::{KNOWS_FILTERED_STUN, Knows, REFUSES_PRIVATE_ADDRESSES};
use crate::interfaces::Interface;

pub(super) fn wan_interface(router: &Router<'_>) -> Finding {
    const NAME: &str = "wan-interface";
    let routes = &router.facts.default_routes;
    let Some(name) = router.configuration.option("ext_ifname") else {
        let found = routes.first().map_or("the interface outside", String::as_str);
        return Finding::fault(
            NAME,
            "ext_ifname is not set: miniupnpd does not start",
            format!("ext_ifname={found}"),
        );
    };
    if router.wan().is_none() {
        let found = routes.first().map_or("the interface outside", String::as_str);
        return Finding::fault(
            NAME,
            format!("ext_ifname={name}, but there is no such interface with an IPv4 address"),
            format!("ext_ifname={found}"),
        );
    }
    match routes.first() {
        None => Finding::warning(
            NAME,
            format!("{name} may be right, but there is no default route to tell"),
            "check the router's own connection",
        ),
        Some(_) if routes.contains(&name) => Finding::ok(NAME, format!("{name} has the default route")),
        Some(route) => Finding::fault(
            NAME,
            format!("ext_ifname={name}, but the default route leads through {route}"),
            format!("ext_ifname={route}, and restart miniupnpd"),
        ),
    }
}

pub(super) fn lan_interface(router: &Router<'_>) -> Finding {
    const NAME: &str = "lan-interface";
    let listening = router.configuration.listening();
    let wan = router.configuration.option("ext_ifname");
    let cure = "listening_ip= the interface inside, and restart miniupnpd";
    if listening.is_empty() {
        return Finding::fault(NAME, "listening_ip is not set: miniupnpd does not start", cure);
    }
    if let Some(outside) = listening.iter().find(|name| Some(*name) == wan.as_ref()) {
        return Finding::fault(
            NAME,
            format!("miniupnpd listens on {outside}, which is outside: anybody may map ports"),
            cure,
        );
    }
    match router.lan() {
        None => Finding::fault(
            NAME,
            format!("no interface with an IPv4 address is {}", listening.join(" or ")),
            cure,
        ),
        Some(lan) if Some(&lan.name) == wan.as_ref() => {
            Finding::fault(NAME, format!("miniupnpd listens on {}, which is outside", lan.name), cure)
        }
        Some(lan) => {
            let network = lan.network().map(|(_, network)| network.to_string()).unwrap_or_default();
            Finding::ok(NAME, format!("miniupnpd listens on {} ({network})", lan.name))
        }
    }
}

pub(super) fn wan_address(router: &Router<'_>) -> Finding {
    const NAME: &str = "wan-address";
    const ABOVE: &str = "make sure that UDP is forwarded there, too";
    if let Some(told) = router.configuration.option("ext_ip") {
        let is_private = told.parse::<Ipv4Addr>().is_ok_and(|address| reach(address.into()) != Reach::Public);
        return match is_private && maps_on_private_addresses(router) == Some(false) {
            true => Finding::fault(
                NAME,
                format!("ext_ip={told} is no public address: {} does not start with it", router.build),
                "ext_ip= the public address, or none",
            ),
            false => Finding::warning(NAME, set_by_hand(&told), ABOVE),
        };
    }
    if asks_stun(router) {
        return Finding::warning(NAME, set_by_hand("by STUN"), ABOVE);
    }
    let Some((address, _)) = router.wan().and_then(Interface::network) else {
        return Finding::fault(
            NAME,
            "the interface outside has no IPv4 address: miniupnpd maps nothing",
            "check the router's connection",
        );
    };
    let behind = |whose: &str, cure: &str| match maps_on_private_addresses(router) {
        Some(false) => Finding::fault(
            NAME,
            format!("{address} is {whose}: nobody outside can reach it, and miniupnpd maps nothing on it"),
            cure,
        ),
        Some(true) => Finding::warning(
            NAME,
            format!("{address} is {whose}: miniupnpd maps on it, but what is above has to forward UDP"),
            ABOVE,
        ),
        None => Finding::unknown(
            NAME,
            format!("{address} is {whose}, and whether this miniupnpd knows {ALLOWS_PRIVATE} cannot be said"),
            cure,
        ),
    };
    match reach(address.into()) {
        Reach::Public => Finding::ok(NAME, format!("{address} is public")),
        Reach::CarrierShared => behind(
            "shared by the provider's customers",
            "ask the provider for an address of your own, or use IPv6",
        ),
        Reach::Private | Reach::Unspecified => behind(
            "private, so another NAT stands above",
            "put that one into bridge mode; or forward UDP on it, and set ext_ip= its public address",
        ),
    }
}

const ALLOWS_PRIVATE: &str = "ext_allow_private_ipv4";

fn set_by_hand(how: &str) -> String {
    format!("the address outside is not the interface's own, but set ({how}): another NAT stands above")
}

/// `None`: it cannot be said.
fn maps_on_private_addresses(router: &Router<'_>) -> Option<bool> {
    if router.build.is_since(REFUSES_PRIVATE_ADDRESSES) == Some(false) {
        return Some(true);
    }
    match (router.configuration.is_on(ALLOWS_PRIVATE), router.build.knows(ALLOWS_PRIVATE)) {
        (false, _) | (true, Knows::No) => Some(false),
        (true, Knows::Yes) => Some(true),
        (true, Knows::Perhaps) => None,
    }
}

/// The other word is one since 2.3.9; before, it means no.
fn asks_stun(router: &Router<'_>) -> bool {
    let values = router.configuration.document().values("ext_perform_stun");
    let knows_more = router.build.is_since(KNOWS_FILTERED_STUN) != Some(false);
    values.iter().any(|value| value == "yes" || knows_more && value == "allow-filtered")
}
