//! What PCP adds to the common client, whose life is tested through NAT-PMP.

mod answers;
mod pinholes;
mod questions;

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::{Client, Nonce};
use crate::client::{Event, Grant};
use crate::control_port::test_client::{port, secs, wanted};

const NONCE: Nonce = Nonce(*b"twelve bytes");
const OUTSIDE: &str = "203.0.113.7";
const SEED: u64 = 1;

fn gateway() -> IpAddr {
    IpAddr::from([192, 168, 1, 1])
}

fn from_gateway() -> SocketAddr {
    SocketAddr::new(gateway(), 5351)
}

fn client() -> Client {
    Client::new(gateway(), IpAddr::from([192, 168, 1, 10]), NONCE, SEED)
}

/// A client whose gateway has answered, being up for 1000 s.
fn seen(now: Instant) -> Client {
    let mut client = client();
    client.probe(now);
    client.handle_datagram(from_gateway(), &announce_answer(0, 0, 1000), now);
    client.settle();
    client
}

/// One that was granted external port 60002 for an hour.
fn holding(now: Instant) -> Client {
    let mut client = seen(now);
    client.request(&wanted(), now);
    client.handle_datagram(from_gateway(), &granted(60002, 1000), now);
    client.settle();
    client
}

fn grant() -> Grant {
    Grant {
        external_address: Some(OUTSIDE.parse().unwrap()),
        external_port: port(60002),
        internal_port: port(60001),
        lease: Some(secs(3600)),
    }
}

fn header(opcode: u8, result: u8, lifetime: u32, epoch: u32) -> Vec<u8> {
    [&[2, 0x80 | opcode, 0, result][..], &lifetime.to_be_bytes(), &epoch.to_be_bytes(), &[0; 12]].concat()
}

fn announce_answer(result: u8, lifetime: u32, epoch: u32) -> Vec<u8> {
    header(0, result, lifetime, epoch)
}

fn map_answer(header: &[u8], nonce: Nonce, internal: u16, external: u16, address: &str) -> Vec<u8> {
    let address = match address.parse().unwrap() {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    let ports = [internal.to_be_bytes(), external.to_be_bytes()].concat();
    [header, &nonce.0, &[17, 0, 0, 0], &ports, &address].concat()
}

fn granted(external: u16, epoch: u32) -> Vec<u8> {
    map_answer(&header(1, 0, 3600, epoch), NONCE, 60001, external, OUTSIDE)
}

fn deleted(epoch: u32) -> Vec<u8> {
    map_answer(&header(1, 0, 0, epoch), NONCE, 60001, 0, "0.0.0.0")
}

fn refused(result: u8, lifetime: u32) -> Vec<u8> {
    map_answer(&header(1, result, lifetime, 1000), NONCE, 60001, 60002, "0.0.0.0")
}

/// What a datagram from the gateway makes the client tell.
fn told(client: &mut Client, payload: &[u8], now: Instant) -> Vec<Event> {
    client.handle_datagram(from_gateway(), payload, now);
    client.events()
}

/// The parts of a map request that its owner decides: lifetime, nonce, ports, external address, options.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    lifetime: u32,
    nonce: Nonce,
    internal: u16,
    external: u16,
    address: IpAddr,
    options: Vec<u8>,
}

fn sent(client: &mut Client) -> Sent {
    let packet = client.poll_transmit().expect("something is sent");
    let number = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    let address: [u8; 16] = packet[44..60].try_into().unwrap();
    Sent {
        lifetime: u32::from(number(4)) << 16 | u32::from(number(6)),
        nonce: Nonce(packet[24..36].try_into().unwrap()),
        internal: number(40),
        external: number(42),
        address: IpAddr::from(address).to_canonical(),
        options: packet[60..].to_vec(),
    }
}

fn sent_for(external: u16, lifetime: u32, address: &str) -> Sent {
    let address = address.parse().unwrap();
    Sent { lifetime, nonce: NONCE, internal: 60001, external, address, options: vec![] }
}
