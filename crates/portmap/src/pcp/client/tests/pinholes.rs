//! IPv6 pinholes, whose gateway is link-local.

use super::*;
use crate::client::Refusal;
use crate::control_port::test_client::start;

const INSIDE: &str = "2a00:7::10";

fn from_firewall() -> SocketAddr {
    "[fe80::1%3]:5351".parse().unwrap()
}

fn answer(result: u8, lifetime: u32) -> Vec<u8> {
    map_answer(&header(1, result, lifetime, 1000), NONCE, 60001, 60001, INSIDE)
}

fn holding_pinhole(now: Instant) -> Client {
    let mut client = Client::new("fe80::1".parse().unwrap(), INSIDE.parse().unwrap(), NONCE, SEED);
    client.request(&wanted(), now);
    client.handle_datagram(from_firewall(), &answer(0, 3600), now);
    assert!(matches!(client.events()[..], [Event::Granted(_)]));
    client.settle();
    client
}

#[test]
fn a_pinhole_that_is_not_deleted_is_cut_short_with_its_nonce() {
    let now = start();
    let mut client = holding_pinhole(now);
    client.release(now);
    assert_eq!(sent(&mut client).lifetime, 0);
    client.handle_datagram(from_firewall(), &answer(2, 0), now);
    assert_eq!(client.events(), []);
    let again = sent(&mut client);
    assert_eq!((again.lifetime, again.nonce, again.internal), (1, NONCE, 60001));
    client.handle_datagram(from_firewall(), &answer(0, 120), now);
    assert_eq!(client.events(), [Event::Released { port: None, confirmed: false }]);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn a_pinhole_that_can_be_neither_deleted_nor_cut_short_is_left_to_its_lease() {
    let now = start();
    for last in [Some(answer(2, 0)), None] {
        let mut client = holding_pinhole(now);
        client.release(now);
        client.handle_datagram(from_firewall(), &answer(2, 0), now);
        client.settle();
        let told = match last {
            Some(refusal) => {
                client.handle_datagram(from_firewall(), &refusal, now);
                client.events()
            }
            None => client.run_out(now).1.into_iter().map(|(_, event)| event).collect(),
        };
        assert_eq!(told, [Event::Released { port: None, confirmed: false }]);
    }
}

#[test]
fn a_refusal_with_a_unique_local_address_speaks_of_no_nat() {
    let now = start();
    let mut client = Client::new("fe80::1".parse().unwrap(), "fd07::10".parse().unwrap(), NONCE, SEED);
    client.request(&wanted(), now);
    let full = map_answer(&header(1, 8, 30, 1000), NONCE, 60001, 60001, "fd07::10");
    client.handle_datagram(from_firewall(), &full, now);
    let told = client.events();
    assert!(matches!(told[..], [Event::Refused(Refusal::NoResources)]), "{told:?}");
}

#[test]
fn a_mapping_that_is_not_deleted_is_left_alone() {
    let now = start();
    let mut client = holding(now);
    client.release(now);
    client.settle();
    assert_eq!(told(&mut client, &refused(2, 0), now), []);
    assert_eq!(sent(&mut client).lifetime, 0, "it is asked once more");
    assert_eq!(told(&mut client, &refused(2, 0), now), [Event::Released { port: None, confirmed: false }]);
    assert_eq!(client.poll_transmit(), None);
}
