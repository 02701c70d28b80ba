//! What the gateway says to everybody.

use super::*;
use crate::control_port::test_client::{ms, start};

fn announce(client: &mut Client, epoch: u32, address: [u8; 4], now: Instant) -> Vec<Event> {
    client.handle_announcement(from_gateway(), &address_answer(0, epoch, address), now);
    client.events()
}

#[test]
fn quirk_71_an_announced_restart_is_told_after_a_random_delay() {
    let mut delays: Vec<_> = (0..200)
        .map(|seed| {
            let now = start();
            let mut client = Client::new(GATEWAY, seed);
            client.resume(&wanted(), &grant());
            announce(&mut client, 1000, OUTSIDE, now);
            assert_eq!(announce(&mut client, 0, OUTSIDE, now + secs(60)), []);
            let (sent, told) = client.run_out(now + secs(60));
            assert_eq!(sent, []);
            let [(delay, Event::GatewayRestarted)] = told[..] else { panic!("{told:?}") };
            delay
        })
        .collect();
    delays.sort();
    assert!(delays[0] < ms(200) && delays[199] > ms(1800) && delays[199] <= secs(2), "{delays:?}");
}

#[test]
fn what_somebody_has_been_told_is_asked_for_as_soon_as_a_restart_is_announced() {
    let now = start();
    let mut client = holding(now);
    client.hurry();
    announce(&mut client, 0, OUTSIDE, now + secs(60));
    assert_eq!(client.run_out(now + secs(60)), (vec![], vec![(ms(0), Event::GatewayRestarted)]));
}

#[test]
fn quirk_71_the_announcements_that_follow_change_nothing() {
    let now = start();
    let mut client = holding(now);
    announce(&mut client, 3, OUTSIDE, now + secs(60));
    let due = client.poll_timeout();
    assert!(due.is_some());
    announce(&mut client, 3, OUTSIDE, now + secs(60) + ms(250));
    assert_eq!(client.poll_timeout(), due);
    announce(&mut client, 0, OUTSIDE, now + secs(60) + ms(300));
    assert_eq!(client.poll_timeout(), due, "a second restart puts it off");
    client.handle_timeout(due.unwrap());
    assert_eq!(client.events(), [Event::GatewayRestarted]);
    announce(&mut client, 10, OUTSIDE, now + secs(70));
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn quirk_71_only_the_gateway_is_believed() {
    let now = start();
    let mut client = holding(now);
    let payload = address_answer(0, 0, [203, 0, 113, 99]);
    client.handle_announcement("192.168.1.66:5351".parse().unwrap(), &payload, now + secs(60));
    assert_eq!((client.events(), client.poll_timeout()), (vec![], None));
}

#[test]
fn an_announcement_is_no_restart_where_the_clock_went_on() {
    let now = start();
    let mut client = holding(now);
    assert_eq!(announce(&mut client, 1060, OUTSIDE, now + secs(60)), []);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn an_announced_address_is_told_at_once() {
    let now = start();
    let mut client = holding(now);
    let other = [203, 0, 113, 8];
    let event = Event::ExternalAddressChanged(Some(other.into()));
    assert_eq!(announce(&mut client, 1060, other, now + secs(60)), [event]);
    assert_eq!(announce(&mut client, 1061, other, now + secs(61)), []);
    assert_eq!(announce(&mut client, 1062, [0; 4], now + secs(62)), [Event::ExternalAddressChanged(None)]);
}

#[test]
fn an_announced_failure_does_not_unsay_the_address() {
    let now = start();
    let mut client = holding(now);
    client.handle_announcement(from_gateway(), &address_answer(3, 1060, [0; 4]), now + secs(60));
    assert_eq!(client.events(), []);
}

#[test]
fn a_grant_before_the_delay_is_over_mends_the_restart() {
    let now = start();
    let mut client = holding(now);
    announce(&mut client, 0, OUTSIDE, now + secs(60));
    client.renew(now + secs(60));
    client.settle();
    let answer = map_answer(0, 0, 60001, 60002, 3600);
    assert_eq!(told(&mut client, &answer, now + secs(60)), [Event::Granted(grant())]);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn an_announcement_answers_a_probe_that_was_given_up() {
    let now = start();
    let mut client = client();
    client.probe(now);
    client.run_out(now);
    let event = Event::Available { external_address: outside() };
    assert_eq!(announce(&mut client, 0, OUTSIDE, now + secs(30)), [event]);
}

#[test]
fn a_mapping_answer_is_no_announcement() {
    let now = start();
    let mut client = holding(now);
    client.handle_announcement(from_gateway(), &map_answer(0, 0, 60001, 60002, 3600), now + secs(60));
    assert_eq!((client.events(), client.poll_timeout()), (vec![], None));
}

#[test]
fn events_that_nobody_fetches_are_bounded() {
    let now = start();
    let mut client = holding(now);
    for last in 0..200 {
        let payload = address_answer(0, 1000, [203, 0, 113, last]);
        client.handle_announcement(from_gateway(), &payload, now);
    }
    let events = client.events();
    assert_eq!(events.len(), 32);
    assert_eq!(events.last(), Some(&Event::ExternalAddressChanged(Some([203, 0, 113, 199].into()))));
}
