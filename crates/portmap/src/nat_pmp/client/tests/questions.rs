//! What is asked, how often, and when it is given up.

use super::*;
use crate::client::{Absence, Refusal, Request};
use crate::control_port::test_client::{earliest, ms, start};

#[test]
fn a_probe_is_sent_twice_and_given_up_within_a_second() {
    let now = start();
    let mut client = client();
    client.probe(now);
    assert_eq!(client.poll_transmit(), Some(vec![0, 0]));
    assert_eq!(client.poll_timeout(), Some(now + ms(250)));
    client.handle_timeout(now + ms(250));
    assert_eq!(client.poll_transmit(), Some(vec![0, 0]));
    assert_eq!(client.poll_timeout(), Some(now + ms(750)));
    client.handle_timeout(now + ms(750));
    assert_eq!(client.poll_transmit(), None);
    assert_eq!(client.events(), [Event::Absent(Absence::NoAnswer)]);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn a_timeout_that_comes_early_changes_nothing() {
    let now = start();
    let mut client = client();
    client.probe(now);
    client.settle();
    client.handle_timeout(now + ms(249));
    assert_eq!(client.poll_transmit(), None);
    assert_eq!(client.poll_timeout(), Some(now + ms(250)));
}

#[test]
fn quirk_61_a_gateway_that_was_seen_is_asked_nine_times() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    let (sent, told) = client.run_out(now);
    let expected = [0, 250, 750, 1750, 3750, 7750, 15_750, 31_750, 63_750].map(ms);
    assert_eq!(sent, expected);
    assert_eq!(told, [(ms(127_750), Event::Refused(Refusal::NoAnswer))]);
}

#[test]
fn a_gateway_that_was_never_seen_is_asked_twice() {
    let now = start();
    let mut client = client();
    client.request(&wanted(), now);
    let (sent, told) = client.run_out(now);
    assert_eq!(sent, [ms(0), ms(250)]);
    assert_eq!(told, [(ms(750), Event::Absent(Absence::NoAnswer))]);
}

#[test]
fn a_gateway_that_is_slow_is_asked_again_the_later() {
    for (takes, first) in [(10, 250), (300, 1_800), (5_000, 4_000)] {
        let now = start();
        let mut client = client().with_remembered(Some(ms(takes)));
        client.request(&wanted(), now);
        client.settle();
        assert_eq!(client.poll_timeout(), Some(now + ms(first)), "{takes}");
    }
}

#[test]
fn how_slow_a_gateway_is_shows_in_its_answers() {
    let now = start();
    let mut client = client();
    client.probe(now);
    client.handle_datagram(from_gateway(), &address_answer(0, 1, OUTSIDE), now + ms(400));
    assert_eq!(client.answer_time(), Some(ms(400)));
    client.settle();
    client.request(&wanted(), now + ms(400));
    client.settle();
    assert_eq!(client.poll_timeout(), Some(now + ms(2_800)));
}

#[test]
fn after_a_suspended_night_a_question_is_sent_once_not_for_every_missed_wait() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    client.settle();
    let morning = now + secs(8 * 3600);
    client.handle_timeout(morning);
    assert!(client.poll_transmit().is_some());
    assert_eq!(client.poll_timeout(), Some(morning + ms(500)));
}

#[test]
fn quirk_43_and_66_a_real_port_is_suggested() {
    let now = start();
    let mut client = client();
    client.request(&wanted(), now);
    assert_eq!(client.poll_transmit(), Some(map_request(60002, 7200)));
}

#[test]
fn tcp_is_asked_for_by_its_own_opcode() {
    let now = start();
    let mut client = client();
    client.request(&Request { transport: crate::mapping::Transport::Tcp, ..wanted() }, now);
    assert_eq!(client.poll_transmit().map(|packet| packet[1]), Some(2));
}

#[test]
fn quirk_74_a_lease_below_a_second_is_not_asked_for_as_a_deletion() {
    let now = start();
    let mut client = client();
    client.request(&Request { lease: ms(999), ..wanted() }, now);
    assert_eq!(client.poll_transmit(), Some(map_request(60002, 1)));
    client.request(&Request { lease: std::time::Duration::MAX, ..wanted() }, now);
    assert_eq!(client.poll_transmit(), Some(map_request(60002, u32::MAX)));
}

#[test]
fn quirk_73_a_renewal_asks_for_the_wanted_lease_and_the_granted_port() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    client.handle_datagram(from_gateway(), &map_answer(0, 1000, 60001, 61000, 120), now);
    client.settle();
    client.renew(now + secs(60));
    assert_eq!(client.poll_transmit(), Some(map_request(61000, 7200)));
}

#[test]
fn quirk_52_a_renewal_is_for_the_same_internal_port() {
    let now = start();
    let mut client = holding(now);
    for hour in 1..48 {
        let then = now + secs(hour * 1800);
        client.renew(then);
        assert_eq!(client.poll_transmit(), Some(map_request(60002, 7200)));
        let epoch = 1000 + u32::try_from(hour * 1800).unwrap();
        assert_eq!(
            told(&mut client, &map_answer(0, epoch, 60001, 60002, 3600), then),
            [Event::Granted(grant())]
        );
        assert_eq!(client.poll_timeout(), None);
    }
}

#[test]
fn a_renewal_without_a_mapping_does_nothing() {
    let now = start();
    let mut client = seen(now);
    client.renew(now);
    assert_eq!((client.poll_transmit(), client.poll_timeout()), (None, None));
}

#[test]
fn a_new_question_replaces_the_one_under_way() {
    let now = start();
    let mut client = client();
    client.probe(now);
    client.request(&wanted(), now + ms(100));
    assert_eq!(client.poll_transmit(), Some(map_request(60002, 7200)));
    assert_eq!(client.poll_timeout(), Some(now + ms(350)));
    assert_eq!(told(&mut client, &address_answer(0, 1, OUTSIDE), now + ms(101)), []);
}

#[test]
fn output_that_waits_is_no_deadline() {
    let now = start();
    let mut client = client();
    client.probe(now + ms(5));
    assert_eq!(client.poll_timeout(), Some(now + ms(255)), "a datagram waits");
    client.handle_datagram(from_gateway(), &address_answer(0, 1, OUTSIDE), now + ms(9));
    assert_eq!(client.poll_timeout(), None, "an event waits");
    assert_eq!(client.events().len(), 1);
}

#[test]
fn the_earliest_instant_is_as_good_as_any() {
    let now = earliest();
    let mut client = holding(now);
    client.handle_announcement(from_gateway(), &address_answer(0, 0, OUTSIDE), now);
    client.renew(now);
    client.handle_timeout(now);
    client.handle_unreachable(now);
    client.release(now);
    assert_eq!(
        client.run_out(now).1.last(),
        Some(&(ms(1750), Event::Released { port: None, confirmed: false }))
    );
}
