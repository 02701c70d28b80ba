//! What a mapper does for an IPv6 address.

use super::firewall::{Fault, Firewall, GATEWAY, Inside, NAMED, Pinhole};
use super::*;
use crate::address::Network;
use crate::effects::Socket;

const INTERNAL: &str = "2a00:7::10";
const MAPPED: &str = "mapped Some(2a00:7::10):60001";
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn settings_v6(protocol: Protocol) -> Settings {
    Settings { gateway: Some(GATEWAY.parse().unwrap()), protocols: vec![protocol], ..settings(INTERNAL) }
}

/// With a global and a local address on the link.
fn networks() -> Vec<Network> {
    [INTERNAL, "fd07::10"].map(|own| Network { address: own.parse().unwrap(), prefix_length: 64 }).to_vec()
}

fn inside(settings: Settings) -> Inside {
    let now = start();
    let mut mapper = Mapper::new(settings, now);
    mapper.handle_networks(networks());
    Inside::new(mapper, now)
}

fn asking(firewall: &mut Firewall) -> Inside {
    let mut inside = inside(settings_v6(Protocol::Upnp));
    inside.settle(firewall);
    let now = inside.now;
    inside.mapper.map(wanted(60001, mosh_range()), now);
    inside
}

fn mapped(firewall: &mut Firewall) -> Inside {
    let mut inside = asking(firewall);
    inside.settle(firewall);
    assert_eq!(told(&mut inside), [MAPPED]);
    inside
}

fn told(inside: &mut Inside) -> Vec<String> {
    in_words(inside.events.drain(..))
}

fn number(inside: &Inside) -> u16 {
    let events = inside.events.iter();
    let mut records = events.filter_map(|event| match event {
        Event::Mapped(it) | Event::Renewed(it) | Event::Changed(it) => Some(&it.record),
        Event::Asked(_) | Event::Left(_) | Event::Lost(_) | Event::Failed(_) | Event::Released { .. } => None,
    });
    let record = records.next_back().expect("an event about a mapping");
    let Control::Pinhole { id, .. } = &record.control else { panic!("{record:?}") };
    *id
}

#[test]
fn the_gateway_and_both_groups_of_the_link_are_searched_for_a_firewall() {
    let mut inside = inside(Settings { gateway: None, ..settings_v6(Protocol::Upnp) });
    let mut firewall = Firewall::default();
    inside.advance(&mut firewall, Duration::from_secs(1));
    let asked = |destination: &str, target: &str| {
        let destination = destination.parse().unwrap();
        firewall.searches.iter().any(|search| search.0 == destination && search.1.ends_with(target))
    };
    for group in ["[ff02::c]:1900", "[ff05::c]:1900"] {
        for target in ["InternetGatewayDevice:1", "InternetGatewayDevice:2", "WANIPv6FirewallControl:1"] {
            assert!(asked(group, target), "{group} {target}");
        }
        assert!(!asked(group, "WANIPConnection:1"));
    }
}

#[test]
fn quirk_77_the_pinhole_is_for_the_internal_address_and_asked_for_from_there() {
    let mut firewall = Firewall::default();
    mapped(&mut firewall);
    assert_eq!(firewall.calls, ["GetFirewallStatus", "AddPinhole"]);
    let pinhole = Pinhole { client: INTERNAL.into(), port: "60001".into(), lease: 3_600 };
    assert_eq!(firewall.pinholes.into_iter().collect::<Vec<_>>(), [(1, pinhole)]);
    assert!(firewall.searches.iter().all(|(to, _)| to.is_ipv6()), "{:?}", firewall.searches);
}

#[test]
fn quirk_77_pcp_asks_a_link_local_gateway_for_the_internal_address() {
    let mut inside = inside(Settings { protocols: Protocol::ALL.to_vec(), ..settings_v6(Protocol::Pcp) });
    inside.settle(&mut Firewall::default());
    let [asked] = &inside.asked[..] else { panic!("NAT-PMP has no IPv6: {:?}", inside.asked) };
    assert_eq!(asked.destination, "[fe80::1]:5351".parse().unwrap());
    let internal: std::net::Ipv6Addr = INTERNAL.parse().unwrap();
    assert_eq!(asked.payload[8..24], internal.octets(), "RFC 6887 §7.1, the client's address");
}

#[test]
fn a_gateway_of_the_other_family_is_not_asked() {
    let gateway = Some(ROUTER.parse().unwrap());
    let protocols = Protocol::ALL.to_vec();
    let mut inside = inside(Settings { gateway, protocols, ..settings_v6(Protocol::Pcp) });
    inside.settle(&mut Firewall::default());
    assert_eq!(inside.asked, []);
}

#[test]
fn by_pcp_no_port_but_the_internal_one_is_asked_for() {
    let mut inside = inside(settings_v6(Protocol::Pcp));
    let (mut firewall, now) = (Firewall::default(), inside.now);
    inside.mapper.map(wanted(60001, External::Within(port(60001)..=port(60010))), now);
    let mut answer = |result: u8, inside: &mut Inside| {
        inside.settle(&mut firewall);
        let mut answer = inside.asked.pop().expect("a question").payload;
        (answer[1], answer[3]) = (answer[1] | 0x80, result);
        answer[8..24].fill(0);
        let from = SocketAddr::new(GATEWAY.parse().unwrap(), 5351);
        inside.mapper.handle_datagram(Socket::Control, from, &answer, now);
    };
    answer(0, &mut inside);
    answer(11, &mut inside);
    inside.settle(&mut Firewall::default());
    assert_eq!(inside.asked, []);
    assert_eq!(told(&mut inside), ["failed: port 60001 of the router fe80::1 is taken"]);
}

#[test]
fn a_pinhole_is_extended_under_its_number_for_as_long_as_the_session_lasts() {
    let mut firewall = Firewall::default();
    let mut inside = mapped(&mut firewall);
    inside.advance(&mut firewall, DAY);
    assert_eq!(number(&inside), 1);
    assert!(told(&mut inside).iter().all(|event| event == "renewed Some(2a00:7::10):60001"));
    assert_eq!(firewall.calls.iter().filter(|call| *call == "AddPinhole").count(), 1);
    let extended = firewall.calls.iter().filter(|call| *call == "UpdatePinhole").count();
    assert!(extended >= 24 * 30, "{extended} times a day");
}

#[test]
fn a_pinhole_that_cannot_be_extended_is_made_anew() {
    for fault in [None, Some(Fault::Code(402)), Some(Fault::Code(606)), Some(Fault::Silence)] {
        let mut firewall = Firewall::default();
        let mut inside = mapped(&mut firewall);
        firewall.forget();
        firewall.faults.extend(fault.map(|fault| ("UpdatePinhole", fault)));
        inside.advance(&mut firewall, CHECK_INTERVAL + Duration::from_secs(10));
        assert_eq!(firewall.pinholes.len(), 1, "{fault:?}");
        assert_eq!(told(&mut inside)[0], "renewed Some(2a00:7::10):60001", "{fault:?}");
        let calls = ["GetFirewallStatus", "AddPinhole", "UpdatePinhole", "AddPinhole"];
        assert_eq!(firewall.calls, calls, "{fault:?}");
    }
}

#[test]
fn a_number_that_the_gateway_disowned_is_not_used_again() {
    let mut firewall = Firewall::default();
    let mut inside = mapped(&mut firewall);
    firewall.forget();
    firewall.faults.extend([("UpdatePinhole", Fault::Code(704)), ("AddPinhole", Fault::Code(701))]);
    let theirs = Pinhole { client: INTERNAL.into(), port: "60002".into(), lease: 3_600 };
    assert_eq!(firewall.add(theirs), 1);
    inside.advance(&mut firewall, CHECK_INTERVAL + Duration::from_secs(5));
    assert_eq!(number(&inside), 2);
    assert_eq!(firewall.calls.iter().filter(|call| *call == "UpdatePinhole").count(), 1);
}

#[test]
fn after_silence_the_pinhole_is_still_known_by_its_number() {
    let mut firewall = Firewall::default();
    let mut inside = mapped(&mut firewall);
    firewall.faults.extend([("UpdatePinhole", Fault::Silence), ("AddPinhole", Fault::Silence)]);
    inside.advance(&mut firewall, CHECK_INTERVAL + Duration::from_secs(20));
    assert_eq!(firewall.calls.last().unwrap(), "UpdatePinhole");
    assert_eq!(told(&mut inside), ["renewed Some(2a00:7::10):60001"]);
}

#[test]
fn another_number_after_a_restart_is_the_one_that_is_deleted() {
    let mut firewall = Firewall::default();
    let mut inside = mapped(&mut firewall);
    firewall.forget();
    firewall.faults.push(("UpdatePinhole", Fault::Code(606)));
    let theirs = Pinhole { client: INTERNAL.into(), port: "60002".into(), lease: 3_600 };
    assert_eq!(firewall.add(theirs.clone()), 1);
    inside.advance(&mut firewall, CHECK_INTERVAL);
    assert_eq!(number(&inside), 2);
    let now = inside.now;
    inside.mapper.release(now);
    inside.settle(&mut firewall);
    assert_eq!(firewall.pinholes.into_iter().collect::<Vec<_>>(), [(1, theirs)]);
}

#[test]
fn release_deletes_the_pinhole() {
    let mut firewall = Firewall::default();
    let mut inside = mapped(&mut firewall);
    let now = inside.now;
    inside.mapper.release(now);
    inside.settle(&mut firewall);
    assert_eq!(told(&mut inside), ["released, confirmed true"]);
    assert!(firewall.pinholes.is_empty());
}

#[test]
fn what_is_gone_or_anothers_by_now_is_released() {
    let released: &[&str] = &["released, confirmed true"];
    let left: &[&str] = &["left 60001", "released, confirmed false"];
    for (fault, outcome) in [(704, released), (606, released), (501, left)] {
        let mut firewall = Firewall::default();
        let mut inside = mapped(&mut firewall);
        // Whatever is asked, the answer is the same: twice, and twice again where the gateway is looked for.
        firewall.faults.extend([("DeletePinhole", Fault::Code(fault)); 4]);
        let now = inside.now;
        inside.mapper.release(now);
        inside.settle(&mut firewall);
        assert_eq!(told(&mut inside), outcome, "{fault}");
    }
}

#[test]
fn one_wrong_answer_does_not_keep_a_pinhole_open() {
    for fault in [Fault::Code(704), Fault::Code(606), Fault::Code(501), Fault::Silence] {
        let mut firewall = Firewall::default();
        let mut inside = mapped(&mut firewall);
        firewall.faults.push(("DeletePinhole", fault));
        let now = inside.now;
        inside.mapper.release(now);
        inside.advance(&mut firewall, Duration::from_secs(10));
        assert_eq!(told(&mut inside), ["released, confirmed true"], "{fault:?}");
        assert!(firewall.pinholes.is_empty(), "{fault:?}");
    }
}

/// Whoever asked for it was killed before the answer came.
#[test]
fn a_pinhole_whose_number_nobody_knows_is_deleted_by_its_record() {
    let mut firewall = Firewall::default();
    firewall.faults.push(("AddPinhole", Fault::LostReply));
    let mut killed = asking(&mut firewall);
    killed.settle(&mut firewall);
    assert_eq!((firewall.pinholes.len(), killed.events.len()), (1, 0));
    let [record] = &killed.recorded[..] else { panic!("{:?}", killed.recorded) };
    let (now, settings) = (killed.now, settings_v6(Protocol::Upnp));
    let mut later = Inside::new(Mapper::resume(settings, record.clone(), now), now);
    later.mapper.release(now);
    later.settle(&mut firewall);
    assert_eq!(told(&mut later), ["released, confirmed true"]);
    assert!(firewall.pinholes.is_empty());
}

#[test]
fn a_later_process_deletes_the_pinhole_by_its_number() {
    let mut firewall = Firewall::default();
    let mut inside = asking(&mut firewall);
    inside.settle(&mut firewall);
    let Some(Event::Mapped(mapping)) = inside.events.pop_front() else { panic!("not mapped") };
    assert_eq!(mapping.record.control.gateway().to_string(), NAMED);
    let (now, settings) = (inside.now, settings_v6(Protocol::Upnp));
    let mut later = Inside::new(Mapper::resume(settings, mapping.record, now), now);
    later.mapper.release(now);
    later.settle(&mut firewall);
    assert_eq!(told(&mut later), ["released, confirmed true"]);
    assert!(firewall.pinholes.is_empty());
}

#[test]
fn release_while_the_pinhole_is_being_added_leaves_nothing_behind() {
    for fault in [None, Some(Fault::LostReply)] {
        let mut firewall = Firewall::default();
        firewall.faults.extend(fault.map(|fault| ("AddPinhole", fault)));
        let mut inside = asking(&mut firewall);
        let now = inside.now;
        inside.mapper.release(now);
        inside.advance(&mut firewall, upnp::EXCHANGE_TIMEOUT_ONCE_HEARD);
        assert_eq!(told(&mut inside), ["released, confirmed true"], "{fault:?}");
        assert!(firewall.pinholes.is_empty(), "{fault:?}");
    }
}

#[test]
fn an_add_whose_answer_is_lost_is_repeated_and_makes_no_second_pinhole() {
    for fault in [Fault::LostReply, Fault::NoArguments] {
        let mut firewall = Firewall::default();
        firewall.faults.push(("AddPinhole", fault));
        let mut inside = asking(&mut firewall);
        inside.advance(&mut firewall, upnp::EXCHANGE_TIMEOUT_ONCE_HEARD);
        assert_eq!(told(&mut inside), [MAPPED], "{fault:?}");
        assert_eq!(firewall.pinholes.keys().collect::<Vec<_>>(), [&1], "{fault:?}");
    }
}

#[test]
fn every_refusal_is_told_by_its_cause() {
    let forbidden = "failed: the router fd07::1 does not let this host open its IPv6 firewall";
    let full = "failed: the router fd07::1 has no room for another mapping";
    let refused = |code: u16| format!("failed: the router fd07::1 refuses the mapping (UPnP error {code})");
    let expected = [(606, forbidden.into()), (701, full.into()), (703, forbidden.into())];
    let others = [402, 501, 704, 705, 706, 707, 708, 709].map(|code| (code, refused(code)));
    for (code, words) in expected.into_iter().chain(others) {
        let mut firewall = Firewall::default();
        firewall.faults.push(("AddPinhole", Fault::Code(code)));
        let mut inside = asking(&mut firewall);
        inside.settle(&mut firewall);
        assert_eq!(told(&mut inside), [words], "{code}");
        assert_eq!(firewall.calls.iter().filter(|call| *call == "AddPinhole").count(), 1, "{code}");
    }
}

#[test]
fn a_firewall_that_is_switched_off_needs_no_pinhole() {
    let mut firewall = Firewall { switched_off: true, ..Firewall::default() };
    let mut inside = mapped(&mut firewall);
    let now = inside.now;
    inside.mapper.release(now);
    inside.settle(&mut firewall);
    assert_eq!(told(&mut inside), ["released, confirmed true"]);
    assert!(!firewall.calls.contains(&"DeletePinhole".to_owned()));
}

#[test]
fn a_lease_is_a_day_at_most() {
    let mut inside = inside(Settings { lease: 7 * DAY, ..settings_v6(Protocol::Upnp) });
    let (mut firewall, now) = (Firewall::default(), inside.now);
    inside.mapper.map(wanted(60001, mosh_range()), now);
    inside.settle(&mut firewall);
    let Some(Event::Mapped(mapping)) = inside.events.pop_front() else { panic!("not mapped") };
    assert_eq!(mapping.lease, Some(DAY));
    assert_eq!(firewall.pinholes[&1].lease, 86_400);
}

#[test]
fn another_port_outside_than_inside_cannot_be_had() {
    let mut inside = inside(settings_v6(Protocol::Upnp));
    let (mut firewall, now) = (Firewall::default(), inside.now);
    inside.mapper.map(wanted(60001, External::Only(port(60002))), now);
    inside.settle(&mut firewall);
    let words = "failed: [2a00:7::10]:60001 has the same port outside as inside, and no other";
    assert_eq!(told(&mut inside), [words]);
    assert!(!firewall.calls.contains(&"AddPinhole".to_owned()));
}
