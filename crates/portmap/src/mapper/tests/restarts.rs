//! A router that restarts, and tells everybody by UPnP.

use std::collections::BTreeMap;

use super::control_port::{self, Asking, ControlPort};
use super::*;
use crate::control_port::SERVER_PORT;

const SECOND: Duration = Duration::from_secs(1);
const DEVICE: &str = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";

fn notify(host: &mut Host, from: &str, kind: &str, boot_id: u32, http_port: u16) {
    let message = format!(
        "NOTIFY * HTTP/1.1\r\nNT: {DEVICE}\r\nNTS: ssdp:{kind}\r\nUSN: uuid:1::{DEVICE}\r\n\
         LOCATION: http://{from}:{http_port}/description.xml\r\nBOOTID.UPNP.ORG: {boot_id}\r\n\r\n"
    );
    let from = SocketAddr::new(from.parse().unwrap(), 1900);
    let now = host.now;
    host.mapper.handle_datagram(Socket::Notifications, from, message.as_bytes(), now);
}

/// A host that has a mapping and has heard of the router's first boot.
fn mapped(router: &mut Router) -> Host {
    let mut host = mapped_host(router);
    notify(&mut host, ROUTER, "alive", 1, 5000);
    router.calls.clear();
    router.searches = 0;
    host
}

fn settled(host: &mut Host, router: &mut Router) {
    host.settle(router);
    host.advance(router, SECOND);
}

#[test]
fn a_restart_that_lost_the_mapping_is_mended_within_a_second() {
    let mut router = Router::new();
    let mut host = mapped(&mut router);
    router.table.clear();
    notify(&mut host, ROUTER, "alive", 2, 5000);
    settled(&mut host, &mut router);
    assert_eq!(told(&mut host), ["renewed Some(20.0.0.1):60001"]);
    assert_eq!(router.table[&60001].description, DESCRIPTION);
    let looks = router.calls.iter().filter(|call| *call == "GetSpecificPortMappingEntry").count();
    assert_eq!((looks, router.searches), (2, 0), "{:?}", router.calls);
}

#[test]
fn a_restart_that_lost_nothing_costs_one_look() {
    let mut router = Router::new();
    let mut host = mapped(&mut router);
    notify(&mut host, ROUTER, "alive", 2, 5000);
    settled(&mut host, &mut router);
    assert_eq!(router.calls, ["GetSpecificPortMappingEntry", "GetExternalIPAddress"]);
}

#[test]
fn a_router_that_is_back_on_another_port_is_asked_there_without_a_search() {
    let mut router = Router::new();
    let mut host = mapped(&mut router);
    router.table.clear();
    router.http_port = 5001;
    notify(&mut host, ROUTER, "alive", 2, 5001);
    settled(&mut host, &mut router);
    assert_eq!(told(&mut host), ["renewed Some(20.0.0.1):60001"]);
    assert_eq!((router.table.len(), router.searches), (1, 0));
}

#[test]
fn one_that_is_heard_where_it_does_not_answer_is_searched_for() {
    let mut router = Router::new();
    let mut host = mapped(&mut router);
    router.table.clear();
    notify(&mut host, ROUTER, "alive", 2, 4999);
    host.advance(&mut router, 5 * SECOND);
    assert_eq!(told(&mut host), ["renewed Some(20.0.0.1):60001"]);
    assert!(router.searches > 0);
}

/// What is said again and again costs nothing: no question, and no other time to wake up.
fn costs_nothing(said: impl Fn(&mut Host)) {
    let mut router = Router::new();
    let mut host = mapped(&mut router);
    let before = host.mapper.poll_timeout();
    said(&mut host);
    host.settle(&mut router);
    assert_eq!(host.mapper.poll_timeout(), before);
    settled(&mut host, &mut router);
    assert_eq!((router.calls.len(), router.searches), (0, 0), "{:?}", router.calls);
    assert_eq!((told(&mut host), router.table.len()), (vec![], 1));
}

#[test]
fn a_router_that_tells_that_it_is_still_there_is_not_asked() {
    costs_nothing(|host| {
        for _ in 0..100 {
            notify(host, ROUTER, "alive", 1, 5000);
        }
    });
}

#[test]
fn a_byebye_drops_nothing() {
    costs_nothing(|host| notify(host, ROUTER, "byebye", 1, 5000));
}

#[test]
fn what_another_host_notifies_is_nothing() {
    costs_nothing(|host| {
        for from in ["192.168.1.66", "10.9.9.9"] {
            notify(host, from, "alive", 2, 5001);
            notify(host, from, "byebye", 2, 5001);
        }
    });
}

#[test]
fn however_often_a_router_restarts_it_is_asked_once_in_ten_seconds() {
    let mut router = Router::new();
    let mut host = mapped(&mut router);
    for boot_id in 2..302 {
        notify(&mut host, ROUTER, "alive", boot_id, 5000);
        host.advance(&mut router, SECOND / 10);
    }
    host.advance(&mut router, SECOND);
    let looks = router.calls.iter().filter(|call| *call == "GetSpecificPortMappingEntry").count();
    assert!((3..=4).contains(&looks), "{looks} looks in 31 s");
}

#[test]
fn a_router_that_did_not_answer_is_tried_again_once_it_is_heard() {
    let mut router = Router::new();
    let mut host = mapped(&mut router);
    router.up = false;
    router.table.clear();
    host.advance(&mut router, HOUR);
    assert!(told(&mut host).iter().any(|event| event.starts_with("lost")));
    for boot_id in [1, 2] {
        router.up = true;
        // Wherever it is between two tries, which are half a minute apart.
        notify(&mut host, ROUTER, "alive", boot_id, 5000);
        host.advance(&mut router, SECOND + upnp::SEARCH_WINDOW);
        assert_eq!(told(&mut host), ["changed Some(20.0.0.1):60001"]);
        router.up = false;
        router.table.clear();
        host.advance(&mut router, HOUR);
        told(&mut host);
    }
}

#[test]
fn the_only_port_that_will_do_is_told_lost_once_another_host_has_it_and_taken_again_once_that_one_leaves() {
    let mut router = Router::new();
    let mut host = mapped(&mut router);
    let now = host.now;
    host.mapper.insist(port(60001), now);
    router = Router { table: BTreeMap::new(), ..router }.with_entry(60001, "192.168.1.20", 60001, "a game");
    notify(&mut host, ROUTER, "alive", 2, 5000);
    host.advance(&mut router, 10 * HOUR);
    assert_eq!(told(&mut host), ["lost: port 60001 of the router 192.168.1.1 is taken"]);
    assert_eq!((router.table.len(), router.table[&60001].description.as_str()), (1, "a game"));
    assert!(!router.calls.iter().any(|call| call == "AddPortMapping" || call == "DeletePortMapping"));
    router.table.clear();
    host.advance(&mut router, HOUR);
    assert_eq!(told(&mut host)[0], "changed Some(20.0.0.1):60001");
}

#[test]
fn while_a_question_is_open_its_answer_is_waited_for() {
    let mut router = Router::new();
    let mut host = mapped(&mut router);
    router.faults.push(("GetSpecificPortMappingEntry", Fault::Silence));
    while router.faults.len() == 1 {
        host.advance(&mut router, SECOND);
    }
    router.table.clear();
    notify(&mut host, ROUTER, "alive", 2, 5000);
    host.advance(&mut router, upnp::EXCHANGE_TIMEOUT + 3 * SECOND);
    assert_eq!(told(&mut host), ["renewed Some(20.0.0.1):60001"]);
}

#[test]
fn many_keepers_spread_their_questions_over_a_second() {
    let first_question = |seed: u64| {
        let (mut router, now) = (Router::new(), start());
        let settings = Settings { seed, ..settings("192.168.1.10") };
        let mut host = Host::new(Mapper::new(settings, now), now);
        host.mapper.map(wanted(60001, mosh_range()), now);
        host.settle(&mut router);
        notify(&mut host, ROUTER, "alive", 1, 5000);
        notify(&mut host, ROUTER, "alive", 2, 5000);
        host.mapper.poll_timeout().unwrap() - now
    };
    let mut times: Vec<_> = (0..50).map(first_question).collect();
    times.sort_unstable();
    assert!(times[49] <= SECOND, "{times:?}");
    for quarter in 0..4 {
        let within = SECOND * quarter / 4..SECOND * (quarter + 1) / 4;
        assert!(times.iter().filter(|time| within.contains(time)).count() >= 3, "{quarter}: {times:?}");
    }
}

#[test]
fn notifications_are_heard_as_long_as_a_mapping_is_held() {
    let mut router = Router::new();
    let unmapped = host();
    assert_eq!(unmapped.mapper.notifying_gateway(), None);
    let mut host = mapped_host(&mut router);
    assert_eq!(host.mapper.notifying_gateway(), Some(ROUTER.parse().unwrap()));
    let now = host.now;
    host.mapper.release(now);
    assert_eq!(host.mapper.notifying_gateway(), None);
}

/// A gateway that has just started, as PCP or NAT-PMP tells everybody (RFC 6887 §14.1.2, RFC 6886 §3.2.1).
fn announce(asking: &mut Asking, protocol: Protocol) {
    let mut message = match protocol {
        Protocol::Pcp => control_port::pcp_header(0, 0),
        Protocol::NatPmp => vec![0, 128, 0, 0, 0, 0, 0, 0, 20, 0, 0, 1],
        Protocol::Upnp => unreachable!("it notifies"),
    };
    let epoch = if protocol == Protocol::Pcp { 8..12 } else { 4..8 };
    message[epoch].fill(0);
    let from = SocketAddr::new(ROUTER.parse().unwrap(), SERVER_PORT);
    asking.mapper.handle_datagram(Socket::Announcements, from, &message, asking.now);
}

#[test]
fn one_that_did_not_answer_is_tried_again_once_it_announces_its_start() {
    for protocol in [Protocol::Pcp, Protocol::NatPmp] {
        let now = start();
        let settings = Settings { protocols: vec![protocol], ..settings("192.168.1.10") };
        let mut asking = Asking::new(Mapper::new(settings, now), now);
        let mut gateway = ControlPort::default();
        asking.mapper.map(wanted(60001, mosh_range()), now);
        asking.advance(&mut gateway, SECOND);
        let version = if protocol == Protocol::Pcp { control_port::PCP } else { 0 };
        gateway.deaf_to = Some(version);
        asking.advance(&mut gateway, HOUR);
        assert!(
            in_words(asking.events.drain(..)).iter().any(|event| event.starts_with("lost")),
            "{protocol:?}"
        );
        gateway.deaf_to = None;
        gateway.asked.clear();
        announce(&mut asking, protocol);
        asking.advance(&mut gateway, 5 * SECOND);
        assert_eq!(gateway.asked.len(), 1, "{protocol:?}");
    }
}
