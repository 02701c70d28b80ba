//! What is asked, how often, and when it is given up.

use super::*;
use crate::client::{Absence, Code, Refusal, Request};
use crate::control_port::test_client::{earliest, ms, start};

const PREFER_FAILURE: [u8; 4] = [2, 0, 0, 0];

/// Whether each wait lies within 10% of the one expected, which doubles with the jitter of those before it.
fn assert_waits(sent: &[std::time::Duration], first: u64, count: usize) {
    assert_eq!(sent.len(), count, "{sent:?}");
    let waits: Vec<_> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((ms(first * 9 / 10)..=ms(first * 11 / 10)).contains(&waits[0]), "{waits:?}");
    for pair in waits.windows(2) {
        assert!((pair[0] * 18 / 10..=pair[0] * 22 / 10).contains(&pair[1]), "{waits:?}");
    }
}

#[test]
fn a_probe_is_an_announce_request_and_given_up_within_a_second() {
    let now = start();
    let mut client = client();
    client.probe(now);
    let packet = client.poll_transmit().unwrap();
    assert_eq!((packet.len(), &packet[..2], &packet[20..]), (24, &[2, 0][..], &[192, 168, 1, 10][..]));
    client.probe(now);
    let (sent, told) = client.run_out(now);
    assert_waits(&sent, 250, 2);
    let [(after, Event::Absent(Absence::NoAnswer))] = told[..] else { panic!("{told:?}") };
    assert!(after < secs(1), "{after:?}");
}

#[test]
fn a_request_starts_fast_and_doubles() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    let (sent, told) = client.run_out(now);
    assert_waits(&sent, 250, 9);
    assert!(matches!(told[..], [(_, Event::Refused(Refusal::NoAnswer))]), "{told:?}");
}

#[test]
fn two_clients_do_not_wait_alike() {
    let now = start();
    let first_wait = |seed| {
        let mut client = Client::new(gateway(), IpAddr::from([192, 168, 1, 10]), NONCE, seed);
        client.probe(now);
        client.poll_transmit();
        client.poll_timeout()
    };
    assert_ne!(first_wait(1), first_wait(2));
}

#[test]
fn renewals_are_more_than_four_seconds_apart() {
    for seed in 0..100 {
        let now = start();
        let mut client = Client::new(gateway(), IpAddr::from([192, 168, 1, 10]), NONCE, seed);
        client.resume(&wanted(), &grant());
        client.renew(now);
        let (sent, told) = client.run_out(now);
        assert_waits(&sent, 4500, 5);
        assert!(sent[1] > secs(4), "{sent:?}");
        assert!(matches!(told[..], [(_, Event::Refused(Refusal::NoAnswer))]), "{told:?}");
    }
}

#[test]
fn a_mapping_that_a_restart_took_is_asked_for_fast() {
    let now = start();
    let mut client = holding(now);
    client.probe(now + secs(60));
    let events = told(&mut client, &announce_answer(0, 0, 0), now + secs(60));
    assert_eq!(events[0], Event::GatewayRestarted);
    client.renew(now + secs(60));
    let (sent, _) = client.run_out(now + secs(60));
    assert_waits(&sent, 250, 9);
}

#[test]
fn a_release_is_sent_three_times() {
    let now = start();
    let mut client = holding(now);
    client.release(now);
    let (sent, told) = client.run_out(now);
    assert_waits(&sent, 250, 3);
    let [(after, Event::Released { port: None, confirmed: false })] = told[..] else { panic!("{told:?}") };
    assert!(after < secs(2), "{after:?}");
}

#[test]
fn every_attempt_is_the_same_packet() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    let first = client.poll_transmit();
    assert!(first.is_some());
    client.handle_timeout(client.poll_timeout().unwrap());
    assert_eq!(client.poll_transmit(), first);
}

#[test]
fn the_client_address_is_the_internal_one() {
    let now = start();
    let mut client = client();
    client.request(&wanted(), now);
    let packet = client.poll_transmit().unwrap();
    assert_eq!(packet[8..24], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 1, 10]);
}

#[test]
fn quirk_72_the_nonce_is_kept_for_renewal_and_release() {
    let now = start();
    let mut client = client();
    assert_eq!(client.nonce(), NONCE);
    client.request(&wanted(), now);
    assert_eq!(sent(&mut client), sent_for(60002, 7200, "0.0.0.0"));
    client.handle_datagram(from_gateway(), &granted(61000, 1000), now);
    client.settle();
    client.renew(now);
    assert_eq!(sent(&mut client), sent_for(61000, 7200, OUTSIDE));
    client.release(now);
    assert_eq!(sent(&mut client), sent_for(0, 0, "0.0.0.0"));
}

#[test]
fn quirk_72_a_mapping_of_another_client_is_deleted_with_its_nonce() {
    let now = start();
    let mut client = client();
    client.resume(&wanted(), &grant());
    client.release(now);
    assert_eq!(sent(&mut client), sent_for(0, 0, "0.0.0.0"));
    assert_eq!(told(&mut client, &deleted(5), now), [Event::Released { port: None, confirmed: true }]);
}

#[test]
fn an_exact_port_is_asked_for_with_prefer_failure_and_without_an_address() {
    let now = start();
    let mut client = client();
    client.request(&Request { exact: true, ..wanted() }, now);
    let exact = Sent { options: PREFER_FAILURE.to_vec(), ..sent_for(60002, 7200, "0.0.0.0") };
    assert_eq!(sent(&mut client), exact);
    client.handle_datagram(from_gateway(), &granted(60002, 1000), now);
    client.settle();
    client.renew(now);
    assert_eq!(sent(&mut client), exact);
    client.release(now);
    assert_eq!(sent(&mut client), sent_for(0, 0, "0.0.0.0"));
}

#[test]
fn a_gateway_that_does_not_know_prefer_failure_is_asked_without_it() {
    for code in [5, 6] {
        let now = start();
        let mut client = seen(now);
        client.request(&Request { exact: true, ..wanted() }, now);
        client.settle();
        assert_eq!(told(&mut client, &refused(code, 1800), now), []);
        assert_eq!(sent(&mut client), sent_for(60002, 7200, "0.0.0.0"));
        let again = told(&mut client, &refused(code, 1800), now);
        assert_eq!(
            again,
            [Event::Refused(Refusal::Unsupported { code: Code::Pcp(code) })],
            "it is asked for ever"
        );
    }
}

#[test]
fn quirk_77_a_pinhole_is_asked_for_the_global_address_at_a_link_local_gateway() {
    let now = start();
    let gateway: IpAddr = "fe80::1".parse().unwrap();
    let mut client = Client::new(gateway, "2001:db8::10".parse().unwrap(), NONCE, SEED);
    client.request(&wanted(), now);
    let packet = client.poll_transmit().unwrap();
    assert_eq!(packet[8..24], [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10]);
    assert_eq!(packet[44..60], [0; 16]);
    let answer = map_answer(&header(1, 0, 3600, 1000), NONCE, 60001, 60001, "2001:db8::10");
    client.handle_datagram("[fe80::1%3]:5351".parse().unwrap(), &answer, now);
    let external_address = Some("2001:db8::10".parse().unwrap());
    let expected = Grant { external_address, external_port: port(60001), ..grant() };
    assert_eq!(client.events(), [Event::Granted(expected)]);
}

#[test]
fn the_earliest_instant_is_as_good_as_any() {
    let now = earliest();
    let mut client = holding(now);
    client.handle_announcement(from_gateway(), &announce_answer(0, 0, 0), now);
    client.renew(now);
    client.handle_timeout(now);
    client.handle_unreachable(now);
    client.release(now);
    assert!(matches!(client.run_out(now).1[..], [.., (_, Event::Released { port: None, confirmed: false })]));
}
