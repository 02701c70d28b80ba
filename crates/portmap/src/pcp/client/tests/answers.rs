//! What answers mean, and what is no answer.

use super::*;
use crate::client::{Absence, Code, Refusal, Request};
use crate::control_port::mutation;
use crate::control_port::test_client::{ms, start};

#[test]
fn an_answer_to_announce_makes_the_protocol_available_but_tells_no_address() {
    let now = start();
    let mut client = client();
    client.probe(now);
    let event = Event::Available { external_address: None };
    assert_eq!(told(&mut client, &announce_answer(0, 0, 1000), now), [event]);
}

#[test]
fn an_ipv4_gateway_is_the_same_in_ipv6_clothing() {
    let now = start();
    let mapped = "::ffff:192.168.1.1".parse().unwrap();
    for (known_as, from) in [(mapped, from_gateway()), (gateway(), SocketAddr::new(mapped, 5351))] {
        let mut client = Client::new(known_as, IpAddr::from([192, 168, 1, 10]), NONCE, SEED);
        client.probe(now);
        client.handle_datagram(from, &announce_answer(0, 0, 1000), now);
        assert_eq!(client.events(), [Event::Available { external_address: None }]);
    }
}

#[test]
fn a_server_that_does_not_know_announce_speaks_pcp_all_the_same() {
    let now = start();
    let mut client = client();
    client.probe(now);
    let event = Event::Available { external_address: None };
    assert_eq!(told(&mut client, &announce_answer(4, 1800, 1000), now), [event]);
}

#[test]
fn quirk_62_a_nat_pmp_gateway_is_told_at_once() {
    for opcode in [0, 0x80] {
        let now = start();
        let mut client = client();
        client.probe(now);
        let event = Event::Absent(Absence::VersionUnsupported { supported: 0 });
        assert_eq!(told(&mut client, &[0, opcode, 0, 1, 0, 0, 0, 9], now + ms(1)), [event]);
        assert_eq!(client.poll_timeout(), None);
    }
}

#[test]
fn quirk_62_a_silent_gateway_is_told_after_the_probe() {
    let now = start();
    let mut client = client();
    client.probe(now);
    assert!(matches!(client.run_out(now).1[..], [(_, Event::Absent(Absence::NoAnswer))]));
}

#[test]
fn quirk_63_a_closed_port_is_absence_at_once() {
    let now = start();
    let mut client = client();
    client.request(&wanted(), now);
    client.handle_unreachable(now);
    assert_eq!(client.events(), [Event::Absent(Absence::Refused)]);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn quirk_65_and_73_the_assigned_port_address_and_lease_count() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    let expected = Grant { external_port: port(61000), ..grant() };
    assert_eq!(told(&mut client, &granted(61000, 1000), now), [Event::Granted(expected)]);
}

#[test]
fn quirk_68_an_assigned_address_of_zeros_is_none() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    let answer = map_answer(&header(1, 0, 3600, 1000), NONCE, 60001, 60002, "0.0.0.0");
    let expected = Grant { external_address: None, ..grant() };
    assert_eq!(told(&mut client, &answer, now), [Event::Granted(expected)]);
}

#[test]
fn another_address_at_a_renewal_is_told_before_the_grant() {
    let now = start();
    let mut client = holding(now);
    client.renew(now);
    let answer = map_answer(&header(1, 0, 3600, 1000), NONCE, 60001, 60002, "203.0.113.8");
    let external_address = Some("203.0.113.8".parse().unwrap());
    assert_eq!(
        told(&mut client, &answer, now),
        [
            Event::ExternalAddressChanged(external_address),
            Event::Granted(Grant { external_address, ..grant() })
        ]
    );
}

#[test]
fn quirk_67_72_and_75_what_does_not_answer_the_question_is_dropped_and_the_wait_goes_on() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    client.settle();
    let due = client.poll_timeout();
    let good = granted(60002, 1000);
    let success = header(1, 0, 3600, 1000);
    let wrong_nonce = map_answer(&success, Nonce(*b"another host"), 60001, 60002, OUTSIDE);
    let truncated_port = map_answer(&success, NONCE, 60001 & 0xff, 60002, OUTSIDE);
    let port_zero = map_answer(&success, NONCE, 60001, 0, OUTSIDE);
    let mut tcp = good.clone();
    tcp[36] = 6;
    let announce = announce_answer(0, 0, 1000);
    let wrong = [&wrong_nonce, &truncated_port, &port_zero, &tcp, &announce, &deleted(1000)];
    let nat_pmp = [0, 0x81, 0, 0, 0, 0, 0, 1, 0xea, 0x61, 0xea, 0x62, 0, 0, 0x1c, 0x20];
    for payload in wrong.map(Vec::as_slice).into_iter().chain([&good[..56], &[], &nat_pmp]) {
        assert_eq!(told(&mut client, payload, now + ms(10)), [], "{payload:02x?}");
    }
    for from in ["192.168.1.2:5351", "192.168.1.1:5350"] {
        client.handle_datagram(from.parse().unwrap(), &good, now + ms(10));
        assert_eq!(client.events(), [], "{from} is believed");
    }
    assert_eq!(client.poll_timeout(), due, "the wait has changed");
    assert_eq!(told(&mut client, &good, now + ms(20)), [Event::Granted(grant())]);
}

/// By a server of PCP alone that NAT-PMP was asked of from the same socket.
#[test]
fn that_another_version_is_not_spoken_is_no_answer_to_ours() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    assert_eq!(told(&mut client, &refused(1, 30), now), []);
    client.settle();
    assert!(client.poll_timeout().is_some(), "and waits on");
}

#[test]
fn quirk_69_every_result_code_tells_what_to_do() {
    let refusals = [
        (2, Refusal::NotAuthorized),
        (3, Refusal::Unsupported { code: Code::Pcp(3) }),
        (4, Refusal::Unsupported { code: Code::Pcp(4) }),
        (5, Refusal::Unsupported { code: Code::Pcp(5) }),
        (6, Refusal::Unsupported { code: Code::Pcp(6) }),
        (7, Refusal::NetworkFailure),
        (8, Refusal::NoResources),
        (9, Refusal::Unsupported { code: Code::Pcp(9) }),
        (10, Refusal::NoResources),
        (11, Refusal::CannotProvideExternal),
        (12, Refusal::AddressMismatch),
        (13, Refusal::Other { code: Code::Pcp(13) }),
        (200, Refusal::Other { code: Code::Pcp(200) }),
    ];
    for (code, refusal) in refusals {
        let now = start();
        let mut client = seen(now);
        client.request(&wanted(), now);
        assert_eq!(told(&mut client, &refused(code, 30), now), [Event::Refused(refusal)]);
        client.settle();
        assert_eq!(client.poll_timeout(), None);
    }
}

/// miniupnpd 2.3.1 behind another NAT.
#[test]
fn quirk_57_a_refusal_that_tells_a_private_address_is_explained_by_it() {
    for (code, external, explained) in [
        (8, "10.0.0.2", true),
        (7, "100.64.0.7", true),
        (8, "20.0.0.1", false),
        (8, "0.0.0.0", false),
        // The address stands in the way of nothing here.
        (11, "10.0.0.2", false),
    ] {
        let now = start();
        let mut client = seen(now);
        client.request(&wanted(), now);
        let answer = map_answer(&header(1, code, 30, 1000), NONCE, 60001, 60001, external);
        let behind_nat = Event::Refused(Refusal::BehindNat { external: external.parse().unwrap() });
        assert_eq!(told(&mut client, &answer, now) == [behind_nat], explained, "{code} {external}");
    }
}

#[test]
fn the_time_that_a_refusal_is_given_is_not_waited_for() {
    for lifetime in [0, 30, u32::MAX] {
        let now = start();
        let mut client = seen(now);
        client.request(&wanted(), now);
        assert_eq!(told(&mut client, &refused(8, lifetime), now), [Event::Refused(Refusal::NoResources)]);
        client.settle();
        assert_eq!(client.poll_timeout(), None);
    }
}

#[test]
fn a_switched_off_gateway_refuses_the_probe() {
    let now = start();
    let mut client = client();
    client.probe(now);
    assert_eq!(
        told(&mut client, &announce_answer(2, 1800, 1000), now),
        [Event::Refused(Refusal::NotAuthorized)]
    );
}

#[test]
fn another_port_in_spite_of_prefer_failure_is_deleted_and_refused() {
    // Measured on miniupnpd 2.3.1, where another mapping or a socket of its own host has the port.
    let now = start();
    let mut client = seen(now);
    client.request(&Request { exact: true, ..wanted() }, now);
    client.settle();
    assert_eq!(told(&mut client, &granted(60003, 1000), now), []);
    assert_eq!(sent(&mut client), sent_for(0, 0, "0.0.0.0"));
    let event = Event::Refused(Refusal::CannotProvideExternal);
    assert_eq!(told(&mut client, &deleted(1000), now), [event]);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn quirk_70_a_clock_too_far_ahead_is_a_restart_too() {
    let now = start();
    let mut client = holding(now);
    client.probe(now + secs(60));
    assert_eq!(told(&mut client, &announce_answer(0, 0, 9000), now + secs(60))[0], Event::GatewayRestarted);
}

#[test]
fn quirk_71_an_announced_restart_is_told_after_a_delay() {
    let now = start();
    let mut client = holding(now);
    client.handle_announcement(from_gateway(), &announce_answer(0, 0, 0), now + secs(60));
    assert_eq!(client.events(), []);
    let (_, told) = client.run_out(now + secs(60));
    let [(delay, Event::GatewayRestarted)] = told[..] else { panic!("{told:?}") };
    assert!(delay > ms(0) && delay <= secs(5), "{delay:?}");
}

#[test]
fn quirk_71_an_announcement_does_not_unsay_the_address() {
    let now = start();
    let mut client = holding(now);
    client.handle_announcement(from_gateway(), &announce_answer(0, 0, 1060), now + secs(60));
    assert_eq!(client.events(), []);
}

/// miniupnpd counts from the start of the system, not from its own (system_uptime=yes, Debian's and OpenWrt's default).
#[test]
fn quirk_71_an_announced_start_is_believed_whatever_its_clock_says() {
    let now = start();
    let mut client = holding(now);
    client.handle_announcement(from_gateway(), &announce_answer(0, 0, 1060), now + secs(60));
    let (_, told) = client.run_out(now + secs(60));
    let [(_, Event::GatewayRestarted)] = told[..] else { panic!("{told:?}") };
}

#[test]
fn a_probe_does_not_unsay_the_address_either() {
    let now = start();
    let mut client = holding(now);
    client.probe(now);
    let event = Event::Available { external_address: grant().external_address };
    assert_eq!(told(&mut client, &announce_answer(0, 0, 1000), now), [event]);
}

#[test]
fn a_change_told_unasked_is_a_reason_to_ask() {
    let ended = map_answer(&header(1, 0, 0, 1060), NONCE, 60001, 60002, OUTSIDE);
    for changed in [granted(61000, 1060), ended] {
        let now = start();
        let mut client = holding(now);
        assert_eq!(told(&mut client, &granted(60002, 1000), now), [], "a late duplicate is a change");
        assert_eq!(told(&mut client, &changed, now + secs(60)), [Event::GatewayRestarted]);
        assert_eq!(told(&mut client, &changed, now + secs(60)), [], "it is told twice");
    }
}

#[test]
fn the_clock_in_a_change_told_unasked_is_read_too() {
    let now = start();
    let mut client = holding(now);
    assert_eq!(told(&mut client, &granted(61000, 5), now + secs(60)), [Event::GatewayRestarted]);
    client.probe(now + secs(61));
    let event = Event::Available { external_address: grant().external_address };
    assert_eq!(told(&mut client, &announce_answer(0, 0, 6), now + secs(61)), [event]);
}

#[test]
fn mutated_datagrams_are_answered_within_bounds() {
    let now = start();
    let mut client = holding(now);
    let (map, announce) = (granted(60002, 1000), announce_answer(0, 0, 1000));
    let mut then = now;
    mutation::each(&[&map, &announce], 50_000, |bytes| {
        then += ms(7);
        client.renew(then);
        client.handle_datagram(from_gateway(), bytes, then);
        client.handle_announcement(from_gateway(), bytes, then);
        client.probe(then);
        client.handle_datagram(from_gateway(), bytes, then);
        client.handle_timeout(then);
    });
    assert!((1..=32).contains(&client.events().len()), "events pile up");
}
