//! What a gateway answers after its answer was given up.

use super::control_port::{Asking, ControlPort, PCP, pcp_header};
use super::refusals::{FORBIDDEN, TAKEN};
use super::router::answer;
use super::*;

/// RFC 6887 §7.4.
const ADDRESS_MISMATCH: u8 = 12;

/// miniupnpd 2.3.1 (measured) tries its rules with every port before it refuses.
#[test]
fn a_denial_that_comes_after_the_request_was_given_up_is_still_one() {
    for protocol in [Protocol::Pcp, Protocol::NatPmp] {
        let now = start();
        let protocols = vec![protocol, Protocol::Upnp];
        let remembered = Some(known(protocol));
        let settings = Settings { protocols, remembered, search_window: HOUR, ..settings("192.168.1.10") };
        let mut asking = Asking::new(Mapper::new(settings, now), now);
        let mut gateway = ControlPort { code: 2, slow: true, ..ControlPort::default() };
        asking.mapper.map(wanted(60001, mosh_range()), now);
        asking.advance(&mut gateway, Duration::from_secs(5));
        assert_eq!(asking.events.len(), 0, "{protocol:?}");
        asking.hear_late_answers(&mut gateway);
        asking.advance(&mut gateway, HOUR);
        let told = in_words(asking.events.drain(..));
        assert_eq!(told, [format!("failed: {FORBIDDEN}")], "{protocol:?}");
    }
}

fn asking_beside_upnp(protocol: Protocol, external: External) -> Asking {
    let now = start();
    let protocols = vec![protocol, Protocol::Upnp];
    let settings = Settings { protocols, remembered: Some(known(protocol)), ..settings("192.168.1.10") };
    let mut asking = Asking::new(Mapper::new(settings, now), now);
    asking.mapper.map(wanted(60001, external), now);
    asking
}

/// UPnP, too, waits behind that.
#[test]
fn a_denial_that_comes_after_everything_else_failed_is_told() {
    for protocol in [Protocol::Pcp, Protocol::NatPmp] {
        let mut gateway = ControlPort { code: 2, slow: true, ..ControlPort::default() };
        let mut asking = asking_beside_upnp(protocol, mosh_range());
        asking.advance(&mut gateway, Duration::from_secs(4));
        assert_eq!(asking.events.len(), 0, "{protocol:?}");
        asking.hear_late_answers(&mut gateway);
        let told = in_words(asking.events.drain(..));
        assert_eq!(told, [format!("failed: {FORBIDDEN}")], "{protocol:?}");
    }
}

#[test]
fn a_late_denial_says_more_than_a_router_that_does_not_describe_itself_in_time() {
    let mut gateway = ControlPort { code: 2, slow: true, ..ControlPort::default() };
    let mut asking = asking_beside_upnp(Protocol::NatPmp, mosh_range());
    asking.advance(&mut gateway, Duration::from_millis(1_100));
    let from = SocketAddr::new(ROUTER.parse().unwrap(), 1900);
    let answer = answer(5000, "Router/1.0");
    asking.mapper.handle_datagram(Socket::Discovery, from, &answer, asking.now);
    asking.advance(&mut gateway, Duration::from_secs(2));
    asking.hear_late_answers(&mut gateway);
    asking.advance(&mut gateway, HOUR);
    assert_eq!(in_words(asking.events.drain(..)), [format!("failed: {FORBIDDEN}")]);
}

#[test]
fn the_only_port_is_called_taken_however_late_that_is_said() {
    let mut gateway = ControlPort { code: 11, slow: true, ..ControlPort::default() };
    let mut asking = asking_beside_upnp(Protocol::Pcp, External::Only(port(60001)));
    asking.advance(&mut gateway, Duration::from_secs(4));
    asking.hear_late_answers(&mut gateway);
    assert_eq!(in_words(asking.events.drain(..)), [format!("failed: {TAKEN}")]);
}

#[test]
fn a_request_that_was_given_up_is_not_repeated_and_not_heard_out_for_ever() {
    for protocol in [Protocol::Pcp, Protocol::NatPmp] {
        let mut gateway = ControlPort { slow: true, ..ControlPort::default() };
        let mut asking = asking_beside_upnp(protocol, mosh_range());
        asking.advance(&mut gateway, Duration::from_millis(9_100));
        let told = in_words(asking.events.drain(..));
        let silence = format!("failed: the router {ROUTER} gave no usable answer in time");
        assert_eq!(told, [silence], "{protocol:?}");
        let asked: Vec<_> = gateway.asked.iter().map(|asked| asked.external_port).collect();
        assert_eq!(asked, [60001, 60001, 60001, 0], "{protocol:?}: at 0, 250 and 750 ms, and taken back");
    }
}

#[test]
fn a_late_grant_is_taken_as_long_as_no_other_protocol_serves() {
    for protocol in [Protocol::Pcp, Protocol::NatPmp] {
        for seconds in 1..=4 {
            let mut gateway = ControlPort { slow: true, ..ControlPort::default() };
            let mut asking = asking_beside_upnp(protocol, mosh_range());
            asking.advance(&mut gateway, Duration::from_secs(seconds));
            asking.hear_late_answers(&mut gateway);
            asking.advance(&mut gateway, HOUR / 60);
            let told = in_words(asking.events.drain(..));
            assert_eq!(told, ["mapped Some(20.0.0.1):60001"], "{protocol:?} after {seconds} s");
            assert!(gateway.asked.iter().all(|asked| asked.external_port == 60001), "{:?}", gateway.asked);
        }
    }
}

#[test]
fn a_release_while_a_late_answer_is_waited_for_deletes_what_it_may_grant() {
    let mut gateway = ControlPort { slow: true, ..ControlPort::default() };
    let mut asking = asking_beside_upnp(Protocol::NatPmp, mosh_range());
    asking.advance(&mut gateway, Duration::from_secs(3));
    let now = asking.now;
    asking.mapper.release(now);
    gateway.slow = false;
    asking.advance(&mut gateway, Duration::ZERO);
    assert_eq!(in_words(asking.events.drain(..)), ["released, confirmed true"]);
    assert_eq!(gateway.asked.last().map(|asked| asked.external_port), Some(0));
}

/// The same server speaks both, and keeps one table.
#[test]
fn nat_pmp_is_asked_only_once_nobody_waits_for_pcp_any_longer() {
    let now = start();
    let settings = Settings { protocols: vec![Protocol::Pcp, Protocol::NatPmp], ..settings("192.168.1.10") };
    let mut asking = Asking::new(Mapper::new(settings, now), now);
    let mut gateway = ControlPort { code: 2, slow: true, ..ControlPort::default() };
    let is_nat_pmp = |answer: &Vec<u8>| answer[0] == 0;
    asking.mapper.map(wanted(60001, mosh_range()), now);
    asking.advance(&mut gateway, Duration::from_millis(8_900));
    assert!(!gateway.late.is_empty() && !gateway.late.iter().any(is_nat_pmp));
    asking.advance(&mut gateway, Duration::from_millis(200));
    gateway.late.retain(is_nat_pmp);
    asking.hear_late_answers(&mut gateway);
    assert_eq!(
        in_words(asking.events.drain(..)),
        [format!("failed: {FORBIDDEN}"), "left 60001".into()],
        "PCP may grant it yet"
    );
}

/// What is heard of NAT-PMP while that takes something back does not end the taking back.
#[test]
fn a_nat_between_that_pcp_tells_late_does_not_keep_the_mapper_from_its_end() {
    let now = start();
    let protocols = vec![Protocol::Pcp, Protocol::NatPmp];
    let settings = Settings { protocols, ..settings("192.168.1.10") };
    let mut asking = Asking::new(Mapper::new(settings, now), now);
    let mut gateway = ControlPort { slow: true, deaf_to: Some(PCP), ..ControlPort::default() };
    asking.mapper.map(wanted(60001, mosh_range()), now);
    while gateway.asked.last().is_none_or(|asked| asked.external_port != 0) {
        asking.advance(&mut gateway, Duration::from_millis(100));
    }
    asking.hear(&pcp_header(0, ADDRESS_MISMATCH));
    asking.advance(&mut gateway, Duration::from_secs(60));
    assert!(asking.mapper.has_ended(), "{:?}", asking.events);
}

#[test]
fn while_nat_pmp_is_asked_behind_pcp_the_mapper_waits_for_its_answer() {
    let now = start();
    let protocols = vec![Protocol::Pcp, Protocol::NatPmp];
    let settings = Settings { protocols, remembered: Some(known(Protocol::Pcp)), ..settings("192.168.1.10") };
    let mut asking = Asking::new(Mapper::new(settings, now), now);
    asking.mapper.map(wanted(60001, mosh_range()), now);
    asking.advance(&mut ControlPort { slow: true, ..ControlPort::default() }, Duration::from_millis(8_999));
    let later = now + Duration::from_secs(9);
    asking.mapper.handle_timeout(later);
    let is_nat_pmp = asking.mapper.poll_transmit().is_some_and(|question| question.payload[0] == 0);
    assert!(is_nat_pmp && asking.mapper.poll_transmit().is_none());
    assert!(asking.mapper.poll_timeout().is_some_and(|at| at > later), "and does not spin meanwhile");
}

#[test]
fn a_late_answer_to_a_renewal_renews() {
    for protocol in [Protocol::Pcp, Protocol::NatPmp] {
        let mut gateway = ControlPort::default();
        let mut asking = asking_beside_upnp(protocol, mosh_range());
        asking.advance(&mut gateway, Duration::ZERO);
        gateway.slow = true;
        while gateway.late.is_empty() {
            asking.advance(&mut gateway, Duration::from_millis(100));
        }
        asking.advance(&mut gateway, Duration::from_millis(10_500));
        asking.hear_late_answers(&mut gateway);
        let told = in_words(asking.events.drain(..));
        let (mapped, renewed) = ("mapped Some(20.0.0.1):60001", "renewed Some(20.0.0.1):60001");
        assert_eq!(told, [mapped, renewed], "{protocol:?}");
        assert!(gateway.asked.iter().all(|asked| asked.external_port == 60001), "{:?}", gateway.asked);
    }
}

/// By PCP, and asked for by NAT-PMP since.
#[test]
fn what_was_made_before_the_host_was_away_is_deleted_at_the_end() {
    let now = start();
    let protocols = vec![Protocol::Pcp, Protocol::NatPmp];
    let mut asking = Asking::new(Mapper::new(Settings { protocols, ..settings("192.168.1.10") }, now), now);
    let mut gateway = ControlPort::default();
    asking.mapper.map(wanted(60001, mosh_range()), now);
    asking.advance(&mut gateway, Duration::ZERO);
    (gateway.slow, gateway.deaf_to) = (true, Some(PCP));
    for address in ["192.168.1.20", "192.168.1.10"] {
        let now = asking.now;
        asking.mapper.move_to(address.parse().unwrap(), Some(ROUTER.parse().unwrap()), now);
        asking.advance(&mut gateway, Duration::from_millis(100));
    }
    while gateway.late.is_empty() {
        asking.advance(&mut gateway, Duration::from_millis(100));
    }
    gateway = ControlPort::default();
    let now = asking.now;
    asking.mapper.release(now);
    asking.advance(&mut gateway, Duration::from_secs(60));
    assert_eq!(gateway.asked.len(), 2, "by NAT-PMP and by PCP: {:?}", gateway.asked);
}
