//! Which refusal leads to what: by protocol and code, the next step, and the cause that is told when that does not help.

use std::collections::{BTreeSet, VecDeque};

use super::control_port::{Asked, Asking, ControlPort};
use super::router::{Fault, Host, ROUTER, Router};
use super::*;

/// More than are ever tried.
const FOR_EVER: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The user is told, once no other protocol is left.
    GiveUp,
    AnotherPort,
    AnotherLease,
    /// PCP: without PREFER_FAILURE.
    PlainerWords,
}

use Next::{AnotherLease, AnotherPort, GiveUp, PlainerWords};

pub(super) const FORBIDDEN: &str = "the router 192.168.1.1 forbids mapping port 60001";
const EXHAUSTED: &str = "every port that the router 192.168.1.1 allows from 60001 to 60999 is taken";
pub(super) const TAKEN: &str = "port 60001 of the router 192.168.1.1 is taken";
const FULL: &str = "the router 192.168.1.1 has no room for another mapping";
const OFFLINE: &str = "the router 192.168.1.1 says that it has no connection to the internet";
const NAT_BETWEEN: &str = "another NAT stands between this host and the router 192.168.1.1";
const SAME_PORT: &str = "the router 192.168.1.1 maps a port to the same number only, and that one is taken";
const NOBODY: &str = "no router here answers PCP, NAT-PMP or UPnP";

fn code_told(code: impl std::fmt::Display) -> String {
    format!("the router {ROUTER} refuses the mapping ({code})")
}

fn refused_by_upnp(code: u16, times: usize) -> (Router, Vec<String>) {
    let mut router = Router::new();
    router.faults = vec![("AddPortMapping", Fault::Code(code)); times];
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    (router, told(&mut host))
}

/// What follows a code that is said once, to a host that then gets what it asks for.
fn next_by_upnp(code: u16) -> Next {
    let (router, told) = refused_by_upnp(code, 1);
    let Some((&port, entry)) = router.table.first_key_value() else {
        assert_eq!(told.len(), 1, "{told:?}");
        return GiveUp;
    };
    assert_eq!(told, [format!("mapped Some(20.0.0.1):{port}")]);
    match (port == 60001, entry.lease == 3_600) {
        (false, true) => AnotherPort,
        (true, false) => AnotherLease,
        both => panic!("{both:?}"),
    }
}

#[test]
fn every_code_of_upnp_leads_to_its_next_step_and_its_cause() {
    for (code, next, cause) in [
        (402, AnotherLease, code_told("UPnP error 402")),
        (501, AnotherLease, code_told("UPnP error 501")),
        (606, GiveUp, FORBIDDEN.into()),
        (713, AnotherLease, code_told("UPnP error 713")),
        (714, AnotherLease, code_told("UPnP error 714")),
        (715, GiveUp, code_told("UPnP error 715")),
        (716, GiveUp, code_told("UPnP error 716")),
        (718, AnotherPort, EXHAUSTED.into()),
        (724, GiveUp, SAME_PORT.into()),
        (725, AnotherLease, code_told("UPnP error 725")),
        (726, GiveUp, code_told("UPnP error 726")),
        (727, GiveUp, code_told("UPnP error 727")),
        (728, GiveUp, FULL.into()),
        (729, AnotherPort, EXHAUSTED.into()),
        (899, AnotherLease, code_told("UPnP error 899")),
    ] {
        assert_eq!(next_by_upnp(code), next, "{code}");
        let (router, told) = refused_by_upnp(code, FOR_EVER);
        assert_eq!(told, [format!("failed: {cause}")], "{code}");
        assert!(router.table.is_empty(), "{code}");
    }
}

#[test]
fn a_gateway_that_maps_nothing_has_told_its_address_all_the_same() {
    let mut router = Router::new();
    router.faults = vec![("AddPortMapping", Fault::Code(606)); FOR_EVER];
    let mut host = host();
    let now = host.now;
    assert_eq!(host.mapper.outside_address(), None);
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    assert_eq!(told(&mut host), [format!("failed: {FORBIDDEN}")]);
    assert!(host.mapper.has_ended());
    assert_eq!(host.mapper.outside_address(), Some([20, 0, 0, 1].into()));
}

fn asking(protocol: Protocol) -> Asking {
    let now = start();
    let settings = Settings { protocols: vec![protocol], ..settings("192.168.1.10") };
    Asking::new(Mapper::new(settings, now), now)
}

fn refused_at_the_control_port(
    protocol: Protocol,
    code: u8,
    external: External,
) -> (Vec<Asked>, Vec<String>) {
    let mut gateway = ControlPort { code, ..ControlPort::default() };
    let mut asking = asking(protocol);
    let now = asking.now;
    asking.mapper.map(wanted(60001, external), now);
    asking.advance(&mut gateway, Duration::from_millis(900));
    (gateway.asked, in_words(asking.events.drain(..)))
}

fn next_at_the_control_port(asked: &[Asked]) -> Next {
    let ports: BTreeSet<_> = asked.iter().map(|asked| asked.external_port).collect();
    let options: BTreeSet<_> = asked.iter().map(|asked| asked.prefer_failure).collect();
    match (asked.len(), ports.len(), options.len()) {
        (1, 1, 1) => GiveUp,
        (2, 1, 2) => PlainerWords,
        (_, 2.., 1) => AnotherPort,
        _ => panic!("{asked:?}"),
    }
}

fn assert_followed(protocol: Protocol, code: u8, external: External, next: Next, cause: &str) {
    let (asked, told) = refused_at_the_control_port(protocol, code, external);
    assert_eq!(told, [format!("failed: {cause}")], "{protocol:?} {code}");
    assert_eq!(next_at_the_control_port(&asked), next, "{protocol:?} {code}");
}

#[test]
fn every_code_of_pcp_leads_to_its_next_step_and_its_cause() {
    for (code, next, cause) in [
        (1, GiveUp, NOBODY.into()),
        (2, GiveUp, FORBIDDEN.into()),
        (3, GiveUp, code_told("PCP result 3")),
        (4, GiveUp, code_told("PCP result 4")),
        (5, GiveUp, code_told("PCP result 5")),
        (6, GiveUp, code_told("PCP result 6")),
        (7, GiveUp, OFFLINE.into()),
        (8, GiveUp, FULL.into()),
        (9, GiveUp, code_told("PCP result 9")),
        (10, GiveUp, FULL.into()),
        (11, AnotherPort, EXHAUSTED.to_owned()),
        (12, GiveUp, NAT_BETWEEN.into()),
        (13, GiveUp, code_told("PCP result 13")),
        (99, GiveUp, code_told("PCP result 99")),
    ] {
        assert_followed(Protocol::Pcp, code, mosh_range(), next, &cause);
    }
}

#[test]
fn where_one_port_alone_will_do_the_codes_of_pcp_lead_elsewhere() {
    for (code, next, cause) in [
        (2, GiveUp, FORBIDDEN.into()),
        (5, PlainerWords, code_told("PCP result 5")),
        (6, PlainerWords, code_told("PCP result 6")),
        (11, GiveUp, TAKEN.to_owned()),
    ] {
        assert_followed(Protocol::Pcp, code, External::Only(port(60001)), next, &cause);
    }
}

#[test]
fn every_code_of_nat_pmp_leads_to_its_next_step_and_its_cause() {
    for (code, cause) in [
        (1, NOBODY.into()),
        (2, FORBIDDEN.into()),
        (3, OFFLINE.into()),
        (4, FULL.into()),
        (5, code_told("NAT-PMP result 5")),
        (99, code_told("NAT-PMP result 99")),
    ] {
        assert_followed(Protocol::NatPmp, code, mosh_range(), GiveUp, &cause);
    }
}

#[test]
fn a_denial_names_the_rule_to_add_by_every_protocol() {
    let denial = |events: &mut VecDeque<Event>| match events.pop_front() {
        Some(Event::Failed(cause)) => cause.remedy(&(60000..=61000)),
        event => panic!("{event:?}"),
    };
    let mut router = Router::new();
    router.allowed = 1..=1023;
    let mut host: Host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    let mut cures = vec![denial(&mut host.events)];
    for protocol in [Protocol::Pcp, Protocol::NatPmp] {
        let mut asking = asking(protocol);
        asking.mapper.map(wanted(60001, mosh_range()), now);
        asking.advance(&mut ControlPort { code: 2, ..ControlPort::default() }, Duration::from_millis(900));
        cures.push(denial(&mut asking.events));
    }
    for cure in cures {
        assert!(cure.contains("'allow 60000-61000 192.168.1.10/32 60000-61000'"), "{cure}");
    }
}

#[test]
fn a_renewal_that_is_refused_is_asked_for_again_within_half_a_minute() {
    for (protocol, codes) in [(Protocol::Pcp, [2, 7, 8, 10]), (Protocol::NatPmp, [2, 3, 4, 5])] {
        for code in codes {
            let mut gateway = ControlPort::default();
            let mut asking = asking(protocol);
            let now = asking.now;
            asking.mapper.map(wanted(60001, mosh_range()), now);
            asking.advance(&mut gateway, Duration::ZERO);
            gateway.code = code;
            asking.advance(&mut gateway, CHECK_INTERVAL + HOUR / 4);
            gateway.code = 0;
            let asked = gateway.asked.len();
            asking.advance(&mut gateway, Duration::from_secs(31));
            assert!(gateway.asked.len() > asked, "{protocol:?} {code}");
            let told = in_words(asking.events.drain(..));
            assert_eq!(told[0], "mapped Some(20.0.0.1):60001", "{protocol:?} {code}");
            assert!(told[1..].iter().all(|event| event == "renewed Some(20.0.0.1):60001"), "{told:?}");
        }
    }
}
