//! NAT-PMP: the engine's client and raw packets.

use std::net::IpAddr;
use std::time::Duration;

use fake_gateway::{Counters, Effect, FakeGateway, Fault, Mapping, MessageKind, Protocol, Restart};
use net::clock;
use portmap::client::{Event, Grant, Refusal, Request};
use portmap::mapping::Transport;
use portmap::nat_pmp::Client;

use crate::host::port;
use crate::raw::{ask, receive, socket};

pub(crate) fn request(external: u16, internal: u16) -> Request {
    Request {
        transport: Transport::Udp,
        internal_port: port(internal),
        external_port: port(external),
        exact: false,
        lease: Duration::from_secs(3_600),
    }
}

/// One question and its answer, both over the wire.
macro_rules! exchange {
    ($gateway:expr, $socket:expr, $client:expr) => {{
        let packet = $client.poll_transmit().expect("a question");
        $socket.send_to(&packet, ($gateway.address(), 5351)).unwrap();
        let (from, answer) = receive(&$socket);
        $client.handle_datagram(from, &answer, clock::now());
        $client.poll_event()
    }};
}
pub(crate) use exchange;

fn gateway() -> FakeGateway {
    FakeGateway::builder().bind_loopback().unwrap()
}

fn client(gateway: &FakeGateway) -> Client {
    Client::new(gateway.address(), 1)
}

#[test]
fn the_client_is_told_the_address_maps_and_releases() {
    let gateway = gateway();
    let (mut client, socket) = (client(&gateway), socket(gateway.host(10)));
    client.probe(clock::now());
    let address: Option<IpAddr> = "20.0.0.1".parse().ok();
    assert_eq!(exchange!(gateway, socket, client), Some(Event::Available { external_address: address }));

    client.request(&request(60001, 60001), clock::now());
    let grant = Grant {
        external_address: address,
        external_port: port(60001),
        internal_port: port(60001),
        lease: Some(Duration::from_secs(3_600)),
    };
    assert_eq!(exchange!(gateway, socket, client), Some(Event::Granted(grant)));
    let mapping = Mapping {
        made_by: Protocol::NatPmp,
        ..Mapping::udp(60001, gateway.host(10), 60001, "NAT-PMP 60001 udp")
    };
    assert_eq!(gateway.mappings(), [mapping]);

    client.release(clock::now());
    assert_eq!(exchange!(gateway, socket, client), Some(Event::Released { port: None, confirmed: true }));
    assert_eq!(gateway.mappings(), []);
    let expected = Counters { nat_pmp_address: 1, nat_pmp_map: 1, nat_pmp_unmap: 1, ..Counters::default() };
    assert_eq!(gateway.counters(), expected);
    assert_eq!(gateway.complaints(), [""; 0]);
}

#[test]
fn a_taken_port_is_replaced_by_the_next_and_a_known_client_keeps_its_own() {
    let gateway = gateway();
    gateway.insert(Mapping::udp(60001, gateway.host(20), 60001, "a game"));
    let (mut client, socket) = (client(&gateway), socket(gateway.host(10)));
    for _ in 0..2 {
        client.request(&request(60001, 60001), clock::now());
        let Some(Event::Granted(grant)) = exchange!(gateway, socket, client) else { panic!("not granted") };
        assert_eq!(grant.external_port, port(60002));
    }
    assert_eq!(gateway.mappings().len(), 2);
}

#[test]
fn refusals_are_those_of_the_rules() {
    let denied = FakeGateway::builder().allowed_internal(1..=1023).bind_loopback().unwrap();
    let full = FakeGateway::builder().max_mappings(0).bind_loopback().unwrap();
    let offline = FakeGateway::builder().external_address("").bind_loopback().unwrap();
    for (gateway, refusal) in
        [(denied, Refusal::NotAuthorized), (full, Refusal::NoResources), (offline, Refusal::NetworkFailure)]
    {
        let (mut client, socket) = (client(&gateway), socket(gateway.host(10)));
        client.request(&request(60001, 60001), clock::now());
        assert_eq!(exchange!(gateway, socket, client), Some(Event::Refused(refusal)));
    }
}

#[test]
fn a_restart_shows_in_the_epoch() {
    let gateway = gateway();
    let (mut client, socket) = (client(&gateway), socket(gateway.host(10)));
    gateway.script(Fault::once(MessageKind::NatPmpAddress, Effect::Epoch(100_000)));
    client.probe(clock::now());
    assert!(matches!(exchange!(gateway, socket, client), Some(Event::Available { .. })));
    gateway.restart(Restart::Forget).unwrap();
    client.probe(clock::now());
    assert_eq!(exchange!(gateway, socket, client), Some(Event::GatewayRestarted));
}

#[test]
fn an_answer_for_another_port_or_from_elsewhere_is_dropped_by_the_client() {
    let gateway = gateway();
    let elsewhere = Effect::ReplyFrom((gateway.host(99), 5351).into());
    for effect in [Effect::InternalPort(60001 & 0xff), elsewhere, Effect::Truncate(12), Effect::Lifetime(0)] {
        let (mut client, socket) = (client(&gateway), socket(gateway.host(10)));
        gateway.script(Fault::once(MessageKind::NatPmpMap, effect.clone()));
        client.request(&request(60001, 60001), clock::now());
        assert_eq!(exchange!(gateway, socket, client), None, "{effect:?}");
    }
}

#[test]
fn a_scripted_result_is_told_and_nothing_done() {
    let gateway = gateway();
    let (mut client, socket) = (client(&gateway), socket(gateway.host(10)));
    gateway.script(Fault::once(MessageKind::NatPmp, Effect::ResultCode(5)));
    client.request(&request(60001, 60001), clock::now());
    let refused = Some(Event::Refused(Refusal::Unsupported { code: portmap::client::Code::NatPmp(5) }));
    assert_eq!(exchange!(gateway, socket, client), refused);
    assert_eq!(gateway.mappings(), []);
}

#[test]
fn deleting_port_0_deletes_what_nat_pmp_made_for_this_client() {
    let gateway = gateway();
    let (one, other) = (socket(gateway.host(10)), socket(gateway.host(11)));
    gateway.insert(Mapping::udp(50000, gateway.host(10), 50000, "by UPnP"));
    let map = [0, 1, 0, 0, 0xea, 0x61, 0xea, 0x61, 0, 0, 14, 16];
    assert_eq!(ask(&gateway, &one, &map)[..4], [0, 0x81, 0, 0]);
    assert_eq!(ask(&gateway, &other, &map)[10..12], 60002u16.to_be_bytes());
    assert_eq!(ask(&gateway, &one, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])[..4], [0, 0x81, 0, 0]);
    let left: Vec<_> = gateway.mappings().iter().map(|mapping| mapping.external_port).collect();
    assert_eq!(left, [50000, 60002]);
}

#[test]
fn an_unknown_opcode_comes_back_marked() {
    let gateway = gateway();
    let socket = socket(gateway.host(10));
    assert_eq!(ask(&gateway, &socket, &[0, 9, 1, 2, 3]), [0, 0x89, 0, 5, 3]);
    assert_eq!(gateway.counters(), Counters { unknown: 1, ..Counters::default() });
}

#[test]
fn a_gateway_that_speaks_only_nat_pmp_says_so_to_a_pcp_client() {
    let gateway = FakeGateway::builder().protocols(&[Protocol::NatPmp]).bind_loopback().unwrap();
    let socket = socket(gateway.host(10));
    let mut announce = vec![2, 0, 0, 0, 0, 0, 0, 0];
    announce.extend(gateway.host(10).to_ipv6_mapped().octets());
    assert_eq!(ask(&gateway, &socket, &announce), [0, 0x80, 0, 1, 0, 0, 0, 0]);
    assert_eq!(gateway.counters(), Counters { other_version: 1, ..Counters::default() });
}
