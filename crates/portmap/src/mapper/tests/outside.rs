//! Mappings whose gateway does not say where they are reached from outside.

use super::router::ROUTER;
use super::*;
use crate::control_port::SERVER_PORT;

const UNKNOWN: &str = "mapped None:60001";
const LEARNT: &str = "changed Some(20.0.0.1):60001";

/// How long better gateways are waited for beside one without an address.
const SETTLE: Duration = Duration::from_millis(100);

/// A router that refuses the question for its address so many times.
fn refusing(times: usize) -> Router {
    let mut router = Router::new();
    router.faults = vec![("GetExternalIPAddress", Fault::Code(501)); times];
    router
}

fn mapping(router: &mut Router, protocols: Vec<Protocol>) -> Host {
    let now = start();
    let settings = Settings { protocols, ..settings("192.168.1.10") };
    let mut host = Host::new(Mapper::new(settings, now), now);
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.advance(router, SETTLE);
    host
}

fn questions(router: &Router) -> usize {
    router.calls.iter().filter(|call| *call == "GetExternalIPAddress").count()
}

#[test]
fn quirk_92_an_address_that_was_not_told_is_asked_for_again_at_once_and_twice_later() {
    for (times, after) in [(1, 0), (2, 1), (3, 4)] {
        let mut router = refusing(times);
        let mut host = mapping(&mut router, vec![Protocol::Upnp]);
        if after > 0 {
            assert_eq!(told(&mut host), [UNKNOWN]);
            host.advance(&mut router, Duration::from_millis(after * 1_000 - 1));
            assert_eq!(told(&mut host), [""; 0], "{times}");
            host.advance(&mut router, Duration::from_millis(1));
            assert_eq!(told(&mut host), [LEARNT], "{times}");
        } else {
            assert_eq!(told(&mut host), [UNKNOWN, LEARNT]);
        }
        host.advance(&mut router, Duration::from_secs(60));
        assert_eq!(questions(&router), times + 1);
    }
}

#[test]
fn what_is_never_told_is_asked_for_at_each_check_and_no_more() {
    let mut router = refusing(usize::from(u8::MAX));
    let mut host = mapping(&mut router, vec![Protocol::Upnp]);
    host.advance(&mut router, Duration::from_secs(100));
    assert_eq!(told(&mut host), [UNKNOWN]);
    assert_eq!(questions(&router), 4);
    host.advance(&mut router, Duration::from_secs(20));
    assert_eq!(questions(&router), 5);
}

#[test]
fn an_address_that_is_known_is_not_asked_for_beside_the_mapping() {
    let mut router = Router::new();
    let mut host = mapping(&mut router, vec![Protocol::Upnp]);
    host.advance(&mut router, Duration::from_secs(60));
    assert_eq!(questions(&router), 1);
}

fn hear_address_by_nat_pmp(host: &mut Host, router: &mut Router, address: [u8; 4]) {
    let answer = [&[0, 128, 0, 0, 0, 0, 3, 232], &address[..]].concat();
    let from = SocketAddr::new(ROUTER.parse().unwrap(), SERVER_PORT);
    host.mapper.handle_datagram(Socket::Control, from, &answer, host.now);
    host.settle(router);
}

#[test]
fn quirk_92_another_protocol_may_tell_the_address() {
    let mut router = refusing(usize::from(u8::MAX));
    let mut host = mapping(&mut router, vec![Protocol::NatPmp, Protocol::Upnp]);
    host.advance(&mut router, Duration::from_millis(500));
    assert_eq!(told(&mut host), [UNKNOWN]);
    hear_address_by_nat_pmp(&mut host, &mut router, [20, 0, 0, 1]);
    assert_eq!(told(&mut host), [LEARNT]);
    // What renews the mapping still does not tell.
    host.advance(&mut router, HOUR);
    let renewals = told(&mut host);
    assert!(!renewals.is_empty() && renewals.iter().all(|event| event == "renewed Some(20.0.0.1):60001"));
    let now = host.now;
    host.mapper.release(now);
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["released, confirmed true"]);
    assert!(router.table.is_empty());
}

#[test]
fn what_another_protocol_told_before_counts_from_the_start() {
    let mut router = refusing(usize::from(u8::MAX));
    let now = start();
    let settings = Settings { protocols: vec![Protocol::NatPmp, Protocol::Upnp], ..settings("192.168.1.10") };
    let mut host = Host::new(Mapper::new(settings, now), now);
    host.advance(&mut router, Duration::from_millis(250) + SETTLE);
    hear_address_by_nat_pmp(&mut host, &mut router, [20, 0, 0, 1]);
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"]);
}
