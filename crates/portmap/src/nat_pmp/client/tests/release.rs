//! The end of a mapping, and mappings from another life.

use super::*;
use crate::client::Refusal;
use crate::control_port::test_client::{ms, start};

#[test]
fn quirk_74_a_release_asks_for_lifetime_0_of_this_internal_port_and_external_port_0() {
    let now = start();
    let mut client = holding(now);
    client.release(now);
    assert_eq!(client.poll_transmit(), Some(vec![0, 1, 0, 0, 0xea, 0x61, 0, 0, 0, 0, 0, 0]));
    let answer = map_answer(0, 1000, 60001, 0, 0);
    assert_eq!(told(&mut client, &answer, now), [Event::Released { port: None, confirmed: true }]);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn a_release_is_sent_three_times() {
    let now = start();
    let mut client = holding(now);
    client.release(now);
    let (sent, told) = client.run_out(now);
    assert_eq!(sent, [ms(0), ms(250), ms(750)]);
    assert_eq!(told, [(ms(1750), Event::Released { port: None, confirmed: false })]);
    client.handle_datagram(from_gateway(), &map_answer(0, 1002, 60001, 0, 0), now + secs(2));
    assert_eq!(client.events(), [], "it is released twice");
}

#[test]
fn a_late_grant_does_not_confirm_a_release() {
    let now = start();
    let mut client = holding(now);
    client.renew(now);
    client.release(now);
    assert_eq!(told(&mut client, &map_answer(0, 1000, 60001, 60002, 3600), now), []);
    let answer = map_answer(0, 1000, 60001, 0, 0);
    assert_eq!(told(&mut client, &answer, now), [Event::Released { port: None, confirmed: true }]);
}

#[test]
fn a_deletion_that_is_refused_or_has_no_gateway_is_unconfirmed() {
    let unconfirmed = [Event::Released { port: None, confirmed: false }];
    let now = start();
    let mut client = holding(now);
    client.release(now);
    assert_eq!(told(&mut client, &map_answer(2, 1000, 60001, 0, 0), now), [], "it is asked once more");
    assert_eq!(told(&mut client, &map_answer(2, 1000, 60001, 0, 0), now), unconfirmed);

    let mut client = holding(now);
    client.release(now);
    client.handle_unreachable(now);
    assert_eq!(client.events(), unconfirmed);
    assert_eq!(client.poll_timeout(), None);
}

/// The answer to the first copy was lost.
#[test]
fn what_a_request_may_have_made_whose_second_copy_is_refused_is_deleted() {
    for answer in [map_answer(0, 1000, 60001, 0, 0), map_answer(2, 1000, 60001, 0, 0)] {
        let now = start();
        let mut client = seen(now);
        client.request(&wanted(), now);
        client.poll_transmit();
        let now = now + ms(250);
        client.handle_timeout(now);
        assert!(client.poll_transmit().is_some());
        assert_eq!(told(&mut client, &map_answer(4, 1000, 60001, 0, 0), now), []);
        assert_eq!(client.poll_transmit(), Some(vec![0, 1, 0, 0, 0xea, 0x61, 0, 0, 0, 0, 0, 0]));
        assert_eq!(told(&mut client, &answer, now), [Event::Refused(Refusal::NoResources)]);
        assert_eq!(client.poll_timeout(), None);
    }
}

#[test]
fn an_open_request_is_released_too() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    client.release(now);
    assert_eq!(client.poll_transmit(), Some(map_request(0, 0)));
}

#[test]
fn a_request_that_was_given_up_is_released_too() {
    let now = start();
    let mut client = client();
    client.request(&wanted(), now);
    client.run_out(now);
    client.release(now + secs(1));
    assert_eq!(client.poll_transmit(), Some(map_request(0, 0)));
}

#[test]
fn where_there_is_no_mapping_there_is_nothing_to_send() {
    let now = start();
    let mut client = seen(now);
    client.probe(now);
    client.release(now);
    assert_eq!(client.poll_transmit(), None);
    assert_eq!(client.events(), [Event::Released { port: None, confirmed: true }]);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn a_refused_request_leaves_nothing_to_release() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    client.handle_datagram(from_gateway(), &map_answer(2, 1000, 60001, 0, 0), now);
    client.settle();
    client.release(now);
    assert_eq!(
        (client.poll_transmit(), client.events()),
        (None, vec![Event::Released { port: None, confirmed: true }])
    );
}

#[test]
fn a_mapping_of_another_client_can_be_renewed_and_released() {
    let now = start();
    let mut client = client();
    client.resume(&wanted(), &Grant { external_port: port(61000), ..grant() });
    assert_eq!((client.poll_transmit(), client.poll_timeout()), (None, None));
    client.renew(now);
    assert_eq!(client.poll_transmit(), Some(map_request(61000, 7200)));
    client.release(now);
    assert_eq!(client.poll_transmit(), Some(map_request(0, 0)));
    assert_eq!(client.run_out(now).0, [ms(250), ms(750)]);
}

#[test]
fn a_release_ends_the_wait_for_an_announced_restart() {
    let now = start();
    let mut client = holding(now);
    client.handle_announcement(from_gateway(), &address_answer(0, 0, OUTSIDE), now + secs(60));
    client.release(now + secs(60));
    client.settle();
    client.handle_datagram(from_gateway(), &map_answer(0, 0, 60001, 0, 0), now + secs(60));
    client.events();
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn a_request_that_was_only_repeated_leaves_nothing_to_release_either() {
    let now = start();
    let mut client = seen(now);
    client.request(&wanted(), now);
    client.request(&wanted(), now);
    client.handle_datagram(from_gateway(), &map_answer(2, 1000, 60001, 0, 0), now);
    client.settle();
    client.release(now);
    assert_eq!(client.poll_transmit(), None);
}

#[test]
fn a_refused_request_for_a_granted_mapping_leaves_it_to_be_released() {
    let now = start();
    let mut client = holding(now);
    client.request(&wanted(), now);
    client.handle_datagram(from_gateway(), &map_answer(2, 1000, 60001, 0, 0), now);
    client.settle();
    client.release(now);
    assert_eq!(client.poll_transmit(), Some(map_request(0, 0)));
}
