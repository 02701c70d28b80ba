//! What answers mean, and what is no answer.

use super::*;
use crate::client::{Absence, Code, Refusal, Request};
use crate::control_port::LEASE_MAXIMUM;
use crate::control_port::mutation;
use crate::control_port::test_client::{ms, start};

#[test]
fn an_address_makes_the_protocol_available() {
    let now = start();
    let mut client = client();
    client.probe(now);
    client.settle();
    let event = Event::Available { external_address: outside() };
    assert_eq!(told(&mut client, &address_answer(0, 1000, OUTSIDE), now), [event]);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn quirk_68_an_address_of_zeros_is_none() {
    let now = start();
    let mut client = client();
    client.probe(now);
    let event = Event::Available { external_address: None };
    assert_eq!(told(&mut client, &address_answer(0, 1000, [0; 4]), now), [event]);
}

#[test]
fn another_address_than_before_is_told() {
    let now = start();
    let mut client = seen(now);
    client.probe(now + secs(1));
    let other = Some([203, 0, 113, 8].into());
    assert_eq!(
        told(&mut client, &address_answer(0, 1001, [203, 0, 113, 8]), now + secs(1)),
        [Event::ExternalAddressChanged(other), Event::Available { external_address: other }]
    );
}

#[test]
fn a_grant_tells_the_address_that_was_learned_before() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    let answer = map_answer(0, 1000, 60001, 60002, 3600);
    assert_eq!(told(&mut client, &answer, now), [Event::Granted(grant())]);
    assert_eq!(told(&mut client, &answer, now), [], "a duplicate is told twice");
}

#[test]
fn quirk_65_the_assigned_port_counts_not_the_suggested_one() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    let expected = Grant { external_port: port(61000), ..grant() };
    let answer = map_answer(0, 1000, 60001, 61000, 3600);
    assert_eq!(told(&mut client, &answer, now), [Event::Granted(expected)]);
}

#[test]
fn quirk_73_the_granted_lease_counts_not_the_wanted_one() {
    for (granted, lease) in [(120, secs(120)), (90_000, LEASE_MAXIMUM), (u32::MAX, LEASE_MAXIMUM)] {
        let now = start();
        let mut client = seen(now);
        client.request(&wanted(), now);
        let expected = Grant { lease: Some(lease), ..grant() };
        assert_eq!(
            told(&mut client, &map_answer(0, 1000, 60001, 60002, granted), now),
            [Event::Granted(expected)]
        );
    }
}

#[test]
fn quirk_67_and_75_what_does_not_answer_the_question_is_dropped_and_the_wait_goes_on() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    client.settle();
    let good = map_answer(0, 1000, 60001, 60002, 3600);
    let truncated_port = map_answer(0, 1000, 60001 & 0xff, 60002, 3600);
    let tcp = [&[0, 0x82][..], &good[2..]].concat();
    let port_zero = map_answer(0, 1000, 60001, 0, 3600);
    let lifetime_zero = map_answer(0, 1000, 60001, 60002, 0);
    let address = address_answer(0, 1000, OUTSIDE);
    let for_pcp = [0, 0x81, 0, 1, 0, 0, 0, 1];
    let wrong = [&truncated_port, &tcp, &port_zero, &lifetime_zero, &address];
    for payload in wrong.map(Vec::as_slice).into_iter().chain([&good[..15], &[], &for_pcp]) {
        assert_eq!(told(&mut client, payload, now + ms(10)), [], "{payload:02x?}");
    }
    client.handle_datagram("192.168.1.2:5351".parse().unwrap(), &good, now + ms(10));
    assert_eq!(client.events(), [], "another host is believed");

    assert_eq!(client.poll_timeout(), Some(now + ms(250)), "the wait has changed");
    assert_eq!(told(&mut client, &good, now + ms(20)), [Event::Granted(grant())]);
}

#[test]
fn a_gateway_may_answer_from_another_port() {
    let now = start();
    let mut client = client();
    client.probe(now);
    client.handle_datagram(SocketAddr::from((GATEWAY, 1024)), &address_answer(0, 1, OUTSIDE), now);
    assert_eq!(client.events(), [Event::Available { external_address: outside() }]);
}

#[test]
fn quirk_69_every_result_code_tells_what_to_do() {
    let refusals = [
        (2, Refusal::NotAuthorized),
        (3, Refusal::NetworkFailure),
        (4, Refusal::NoResources),
        (5, Refusal::Unsupported { code: Code::NatPmp(5) }),
        (99, Refusal::Other { code: Code::NatPmp(99) }),
    ];
    for (code, refusal) in refusals {
        let now = start();
        let mut client = seen(now);
        client.request(&wanted(), now);
        let expected = [Event::Refused(refusal)];
        assert_eq!(told(&mut client, &map_answer(code, 1000, 60001, 0, 0), now), expected);
        client.probe(now);
        assert_eq!(told(&mut client, &address_answer(code, 1000, [0; 4]), now), expected);
        client.settle();
        assert_eq!(client.poll_timeout(), None);
    }
}

#[test]
fn quirk_63_a_closed_port_is_absence_at_once() {
    let now = start();
    let mut client = client();
    client.handle_unreachable(now);
    assert_eq!(client.events(), [], "nothing was asked");
    client.probe(now);
    client.handle_unreachable(now + ms(1));
    assert_eq!(client.poll_transmit(), None);
    assert_eq!(client.events(), [Event::Absent(Absence::Refused)]);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn a_port_that_closes_after_giving_up_is_not_told_as_a_second_absence() {
    let now = start();
    let mut client = client();
    client.probe(now);
    client.run_out(now);
    client.handle_unreachable(now + secs(1));
    assert_eq!(client.events(), []);
}

#[test]
fn an_answer_about_the_mapping_does_not_answer_a_probe() {
    let now = start();
    let mut client = holding(now);
    client.probe(now);
    assert_eq!(told(&mut client, &map_answer(0, 1000, 60001, 0, 0), now), []);
    client.settle();
    client.release(now);
    assert_eq!(client.poll_transmit(), Some(map_request(0, 0)), "the mapping is forgotten");
}

#[test]
fn a_gateway_of_another_version_is_absent() {
    let now = start();
    let mut client = client();
    client.probe(now);
    let mut pcp_only = [0; 24];
    pcp_only[..4].copy_from_slice(&[2, 0x80, 0, 1]);
    let event = Event::Absent(Absence::VersionUnsupported { supported: 2 });
    assert_eq!(told(&mut client, &pcp_only, now), [event]);
}

#[test]
fn an_answer_after_giving_up_still_counts() {
    let now = start();
    let mut client = client();
    client.probe(now);
    client.run_out(now);
    let event = Event::Available { external_address: outside() };
    assert_eq!(told(&mut client, &address_answer(0, 1000, OUTSIDE), now + secs(2)), [event]);
    client.request(&wanted(), now + secs(2));
    client.run_out(now + secs(2));
    let answer = map_answer(0, 1200, 60001, 60002, 3600);
    assert_eq!(told(&mut client, &answer, now + secs(202)), []);
    client.handle_timeout(now + secs(205));
    assert_eq!(client.events(), [Event::Granted(grant())], "nobody answers the copies");
}

/// One that was asked for a mapping, and again after a quarter of a second.
fn asked_twice(now: Instant) -> Client {
    let mut client = seen(now);
    client.request(&wanted(), now);
    client.settle();
    client.handle_timeout(now + ms(250));
    assert!(client.poll_transmit().is_some());
    client
}

#[test]
fn a_new_mapping_is_told_once_the_copy_of_its_question_is_answered_too() {
    let now = start();
    let mut client = asked_twice(now);
    assert_eq!(told(&mut client, &map_answer(0, 1000, 60001, 60003, 3600), now + ms(400)), []);
    let last = map_answer(0, 1000, 60001, 60002, 3600);
    assert_eq!(told(&mut client, &last, now + ms(600)), [Event::Granted(grant())], "as it is now");
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn where_a_question_was_lost_the_answer_to_its_copy_is_not_waited_for_long() {
    let now = start();
    let mut client = asked_twice(now);
    assert_eq!(told(&mut client, &map_answer(0, 1000, 60001, 60002, 3600), now + ms(260)), []);
    assert_eq!(client.poll_timeout(), Some(now + ms(780)));
    client.handle_timeout(now + ms(780));
    assert_eq!(client.events(), [Event::Granted(grant())]);
}

/// Measured where forty asked at once.
#[test]
fn where_many_ask_the_answer_to_a_copy_takes_longer_than_the_first() {
    let now = start();
    let mut client = asked_twice(now);
    assert_eq!(told(&mut client, &map_answer(0, 1000, 60001, 60002, 3600), now + ms(1_440)), []);
    client.handle_timeout(now + ms(3_300));
    assert_eq!(client.events(), []);
    let last = map_answer(0, 1000, 60001, 60002, 3600);
    assert_eq!(told(&mut client, &last, now + ms(3_320)), [Event::Granted(grant())]);
}

#[test]
fn what_is_given_up_meanwhile_is_told_at_once() {
    let now = start();
    let mut client = asked_twice(now);
    assert_eq!(told(&mut client, &map_answer(0, 1000, 60001, 60002, 3600), now + ms(400)), []);
    client.fall_silent();
    assert_eq!(client.events(), [Event::Granted(grant())]);
}

#[test]
fn what_is_released_meanwhile_is_deleted_and_not_told() {
    let now = start();
    let mut client = asked_twice(now);
    assert_eq!(told(&mut client, &map_answer(0, 1000, 60001, 60002, 3600), now + ms(400)), []);
    client.release(now + ms(400));
    assert_eq!(client.poll_transmit(), Some(map_request(0, 0)));
    client.handle_timeout(now + ms(640));
    assert_eq!(client.events(), []);
}

#[test]
fn an_exact_port_or_a_refusal() {
    let now = start();
    let mut client = seen(now);
    client.request(&Request { exact: true, ..wanted() }, now);
    client.settle();
    assert_eq!(told(&mut client, &map_answer(0, 1000, 60001, 60003, 3600), now), []);
    assert_eq!(client.poll_transmit(), Some(map_request(0, 0)), "the other port is not deleted");
    let event = Event::Refused(Refusal::CannotProvideExternal);
    assert_eq!(told(&mut client, &map_answer(0, 1000, 60001, 0, 0), now), [event]);
    client.release(now);
    assert_eq!(client.events(), [Event::Released { port: None, confirmed: true }], "it is deleted twice");
}

#[test]
fn another_port_than_the_only_one_that_will_do_is_told_as_left_behind_where_it_is_not_seen_deleted() {
    let now = start();
    let mut client = seen(now);
    client.request(&Request { exact: true, ..wanted() }, now);
    client.handle_datagram(from_gateway(), &map_answer(0, 1000, 60001, 60003, 3600), now);
    let (sent, told) = client.run_out(now);
    assert_eq!(sent, [ms(0), ms(250), ms(750)]);
    let left = Refusal::LeftBehind { port: port(60003), lease: Some(ms(7_200_000)) };
    assert_eq!(told, [(ms(1750), Event::Refused(left))]);
}

#[test]
fn quirk_70_an_answer_with_an_older_clock_tells_a_restart_at_once() {
    let now = start();
    let mut client = holding(now);
    client.probe(now + secs(60));
    assert_eq!(
        told(&mut client, &address_answer(0, 5, OUTSIDE), now + secs(60)),
        [Event::GatewayRestarted, Event::Available { external_address: outside() }]
    );
}

#[test]
fn quirk_70_a_refused_renewal_tells_the_restart_first() {
    let now = start();
    let mut client = holding(now);
    client.renew(now + secs(60));
    assert_eq!(
        told(&mut client, &map_answer(3, 5, 60001, 0, 0), now + secs(60)),
        [Event::GatewayRestarted, Event::Refused(Refusal::NetworkFailure)]
    );
}

#[test]
fn quirk_70_a_restart_is_not_told_with_the_grant_that_mends_it() {
    let now = start();
    let mut client = holding(now);
    client.renew(now + secs(60));
    let answer = map_answer(0, 5, 60001, 60002, 3600);
    assert_eq!(told(&mut client, &answer, now + secs(60)), [Event::Granted(grant())]);
}

#[test]
fn a_refused_renewal_leaves_the_mapping_to_be_released() {
    let now = start();
    let mut client = holding(now);
    client.renew(now);
    client.handle_datagram(from_gateway(), &map_answer(4, 1000, 60001, 0, 0), now);
    client.settle();
    client.release(now);
    assert_eq!(client.poll_transmit(), Some(map_request(0, 0)));
}

#[test]
fn mutated_datagrams_are_answered_within_bounds() {
    let now = start();
    let mut client = holding(now);
    let (map, address) = (map_answer(0, 1000, 60001, 60002, 3600), address_answer(0, 1000, OUTSIDE));
    let mut then = now;
    mutation::each(&[&map, &address], 50_000, |bytes| {
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
