//! The common client, driven through NAT-PMP.

mod announcements;
mod answers;
mod questions;
mod release;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use super::Client;
use crate::client::{Event, Grant};
use crate::control_port::test_client::{port, secs, wanted};

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const OUTSIDE: [u8; 4] = [203, 0, 113, 7];
const SEED: u64 = 1;

fn from_gateway() -> SocketAddr {
    SocketAddr::from((GATEWAY, 5351))
}

fn outside() -> Option<IpAddr> {
    Some(OUTSIDE.into())
}

fn client() -> Client {
    Client::new(GATEWAY, SEED)
}

/// A client that was told the external address, by a gateway that is up for 1000 s.
fn seen(now: Instant) -> Client {
    let mut client = client();
    client.probe(now);
    client.handle_datagram(from_gateway(), &address_answer(0, 1000, OUTSIDE), now);
    client.settle();
    client
}

/// One that was granted external port 60002 for an hour.
fn holding(now: Instant) -> Client {
    let mut client = seen(now);
    client.request(&wanted(), now);
    client.handle_datagram(from_gateway(), &map_answer(0, 1000, 60001, 60002, 3600), now);
    client.settle();
    client
}

fn grant() -> Grant {
    Grant {
        external_address: outside(),
        external_port: port(60002),
        internal_port: port(60001),
        lease: Some(secs(3600)),
    }
}

fn address_answer(result: u16, epoch: u32, address: [u8; 4]) -> Vec<u8> {
    [&[0, 0x80][..], &result.to_be_bytes(), &epoch.to_be_bytes(), &address].concat()
}

fn map_answer(result: u16, epoch: u32, internal: u16, external: u16, lifetime: u32) -> Vec<u8> {
    let ports = [internal.to_be_bytes(), external.to_be_bytes()].concat();
    [&[0, 0x81][..], &result.to_be_bytes(), &epoch.to_be_bytes(), &ports, &lifetime.to_be_bytes()].concat()
}

fn map_request(external: u16, lifetime: u32) -> Vec<u8> {
    [&[0, 1, 0, 0, 0xea, 0x61][..], &external.to_be_bytes(), &lifetime.to_be_bytes()].concat()
}

/// What a datagram from the gateway makes the client tell.
fn told(client: &mut Client, payload: &[u8], now: Instant) -> Vec<Event> {
    client.handle_datagram(from_gateway(), payload, now);
    client.events()
}
