//! PCP: the engine's client and raw packets.

use std::time::Duration;

use fake_gateway::{Counters, Effect, FakeGateway, Fault, Mapping, MessageKind, Protocol};
use net::clock;
use portmap::client::{Absence, Event, Grant, Refusal, Request};
use portmap::pcp::Client;
use portmap::pcp::packet::Nonce;

use crate::host::port;
use crate::nat_pmp::{exchange, request};
use crate::raw::{receive, socket};

fn gateway() -> FakeGateway {
    FakeGateway::builder().bind_loopback().unwrap()
}

fn client(gateway: &FakeGateway, nonce: u8) -> Client {
    let (server, own) = (gateway.address().into(), gateway.host(10).into());
    Client::new(server, own, Nonce([nonce; 12]), 1)
}

fn exact(external: u16, internal: u16) -> Request {
    Request { exact: true, ..request(external, internal) }
}

#[test]
fn the_client_announces_itself_maps_and_releases() {
    let gateway = gateway();
    let (mut client, socket) = (client(&gateway, 7), socket(gateway.host(10)));
    client.probe(clock::now());
    assert_eq!(exchange!(gateway, socket, client), Some(Event::Available { external_address: None }));

    client.request(&exact(60001, 60001), clock::now());
    let grant = Grant {
        external_address: "20.0.0.1".parse().ok(),
        external_port: port(60001),
        internal_port: port(60001),
        lease: Some(Duration::from_secs(3_600)),
    };
    assert_eq!(exchange!(gateway, socket, client), Some(Event::Granted(grant)));
    let mapping =
        Mapping { made_by: Protocol::Pcp, ..Mapping::udp(60001, gateway.host(10), 60001, "PCP MAP") };
    assert_eq!(gateway.mappings(), [mapping]);

    client.release(clock::now());
    assert_eq!(exchange!(gateway, socket, client), Some(Event::Released { port: None, confirmed: true }));
    assert_eq!(gateway.mappings(), []);
    let expected = Counters { pcp_announce: 1, pcp_map: 1, pcp_unmap: 1, ..Counters::default() };
    assert_eq!(gateway.counters(), expected);
    assert_eq!(gateway.complaints(), [""; 0]);
}

#[test]
fn another_nonce_may_neither_renew_nor_delete() {
    let gateway = gateway();
    let (mut owner, mut thief) = (client(&gateway, 1), client(&gateway, 2));
    let socket = socket(gateway.host(10));
    owner.request(&exact(60001, 60001), clock::now());
    assert!(matches!(exchange!(gateway, socket, owner), Some(Event::Granted(_))));
    thief.request(&exact(60001, 60001), clock::now());
    assert_eq!(exchange!(gateway, socket, thief), Some(Event::Refused(Refusal::NotAuthorized)));
    owner.renew(clock::now());
    assert!(matches!(exchange!(gateway, socket, owner), Some(Event::Granted(_))));
    assert_eq!(gateway.mappings().len(), 1);
}

#[test]
fn prefer_failure_gets_that_port_or_none() {
    let gateway = gateway();
    gateway.insert(Mapping::udp(60001, gateway.host(20), 60001, "a game"));
    let (mut client, socket) = (client(&gateway, 1), socket(gateway.host(10)));
    client.request(&exact(60001, 60001), clock::now());
    let refused = Some(Event::Refused(Refusal::CannotProvideExternal));
    assert_eq!(exchange!(gateway, socket, client), refused);
    client.request(&request(60001, 60001), clock::now());
    let Some(Event::Granted(grant)) = exchange!(gateway, socket, client) else { panic!("not granted") };
    assert_eq!(grant.external_port, port(60002));
}

#[test]
fn lifetimes_are_brought_into_their_limits() {
    let gateway = FakeGateway::builder().lifetimes(10..=20).bind_loopback().unwrap();
    let (mut client, socket) = (client(&gateway, 1), socket(gateway.host(10)));
    client.request(&exact(60001, 60001), clock::now());
    let Some(Event::Granted(grant)) = exchange!(gateway, socket, client) else { panic!("not granted") };
    assert_eq!(grant.lease, Some(Duration::from_secs(20)));
    assert_eq!(gateway.mappings()[0].lease_seconds, 20);
}

#[test]
fn refusals_are_those_of_the_rules() {
    let denied = FakeGateway::builder().allowed_internal(1..=1023).bind_loopback().unwrap();
    let full = FakeGateway::builder().max_mappings(0).bind_loopback().unwrap();
    let offline = FakeGateway::builder().external_address("").bind_loopback().unwrap();
    for (gateway, refusal) in
        [(denied, Refusal::NotAuthorized), (full, Refusal::NoResources), (offline, Refusal::NetworkFailure)]
    {
        let (mut client, socket) = (client(&gateway, 1), socket(gateway.host(10)));
        client.request(&exact(60001, 60001), clock::now());
        assert_eq!(exchange!(gateway, socket, client), Some(Event::Refused(refusal)));
    }
}

#[test]
fn answers_that_are_not_ours_are_dropped_by_the_client() {
    let gateway = gateway();
    let other_port = Effect::ReplyFrom((gateway.address(), 0).into());
    for effect in [Effect::WrongNonce, Effect::InternalPort(1), other_port, Effect::Oversize(1_104)] {
        let (mut client, socket) = (client(&gateway, 1), socket(gateway.host(10)));
        gateway.script(Fault::once(MessageKind::PcpMap, effect.clone()));
        client.request(&exact(60001, 60001), clock::now());
        assert_eq!(exchange!(gateway, socket, client), None, "{effect:?}");
    }
}

#[test]
fn a_lost_answer_leaves_the_mapping_and_the_repeated_question_finds_it() {
    let gateway = gateway();
    let (mut client, socket) = (client(&gateway, 1), socket(gateway.host(10)));
    gateway.script(Fault::once(MessageKind::PcpMap, Effect::LoseReply));
    client.request(&exact(60001, 60001), clock::now());
    let packet = client.poll_transmit().unwrap();
    socket.send_to(&packet, (gateway.address(), 5351)).unwrap();
    assert!(gateway.wait_until(Duration::from_secs(30), |counters| counters.pcp_map == 1));
    assert_eq!(gateway.mappings().len(), 1);
    let deadline = client.poll_timeout().unwrap();
    client.handle_timeout(deadline);
    assert_eq!(exchange!(gateway, socket, client), None, "the other answer may come yet");
    client.handle_timeout(client.poll_timeout().unwrap());
    assert!(matches!(client.poll_event(), Some(Event::Granted(_))));
    assert_eq!((gateway.mappings().len(), gateway.counters().pcp_map), (1, 2));
}

#[test]
fn a_gateway_without_pcp_names_its_version() {
    let nat_pmp = FakeGateway::builder().protocols(&[Protocol::NatPmp]).bind_loopback().unwrap();
    let newer = gateway();
    newer.script(Fault::always(MessageKind::Pcp, Effect::SpeakOnly { version: 3 }));
    for (gateway, supported) in [(nat_pmp, 0), (newer, 3)] {
        let (mut client, socket) = (client(&gateway, 1), socket(gateway.host(10)));
        client.probe(clock::now());
        let absent = Some(Event::Absent(Absence::VersionUnsupported { supported }));
        assert_eq!(exchange!(gateway, socket, client), absent);
    }
}

#[test]
fn one_table_serves_both_protocols() {
    let gateway = gateway();
    let socket = socket(gateway.host(10));
    let mut nat_pmp = portmap::nat_pmp::Client::new(gateway.address(), 1);
    nat_pmp.request(&request(60005, 60001), clock::now());
    exchange!(gateway, socket, nat_pmp);
    let mut pcp = client(&gateway, 1);
    pcp.request(&request(60001, 60001), clock::now());
    let Some(Event::Granted(grant)) = exchange!(gateway, socket, pcp) else { panic!("not granted") };
    assert_eq!(grant.external_port, port(60005));
    assert_eq!(gateway.mappings().len(), 1);
}
