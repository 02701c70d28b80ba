//! The real mapper finds the gateway by UPnP, and maps.

use std::collections::BTreeMap;
use std::time::Duration;

use fake_gateway::{Counters, Effect, FakeGateway, Fault, Mapping, MessageKind, Protocol, Quirk};

use crate::host::Host;

fn gateway() -> FakeGateway {
    FakeGateway::builder().protocols(&[Protocol::Upnp]).bind_loopback().unwrap()
}

fn soap(actions: &[(&str, usize)]) -> BTreeMap<String, usize> {
    actions.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[test]
fn a_mapping_takes_one_description_and_five_actions_and_nobody_complains() {
    let gateway = gateway();
    let mut host = Host::behind(&gateway, 10);
    assert_eq!(host.map(60001), ["mapped 20.0.0.1:60001"]);
    let expected = Counters {
        descriptions: 1,
        soap: soap(&[
            ("GetStatusInfo", 1),
            ("GetExternalIPAddress", 1),
            ("GetSpecificPortMappingEntry", 2),
            ("AddPortMapping", 1),
        ]),
        ..Counters::default()
    };
    assert_eq!(gateway.counters().without_searches(), expected);
    let mapping = Mapping::udp(60001, host.address, 60001, "moshpunch alice@host10 1a2b3c4d");
    assert_eq!(gateway.mappings(), [mapping]);

    gateway.reset_counters();
    assert_eq!(host.release(), ["released, confirmed true"]);
    let expected = Counters {
        soap: soap(&[("GetSpecificPortMappingEntry", 2), ("DeletePortMapping", 1)]),
        ..Counters::default()
    };
    assert_eq!(gateway.counters().without_searches(), expected);
    assert_eq!(gateway.mappings(), []);
    assert_eq!(gateway.complaints(), [""; 0]);
}

#[test]
fn a_gateway_of_version_2_serves_as_well() {
    let gateway = FakeGateway::builder().igd_version(2).bind_loopback().unwrap();
    assert_eq!(Host::behind(&gateway, 10).map(60001), ["mapped 20.0.0.1:60001"]);
    assert_eq!(gateway.complaints(), [""; 0]);
}

#[test]
fn a_ppp_service_serves_as_well() {
    let service = "urn:schemas-upnp-org:service:WANPPPConnection:1";
    let gateway = FakeGateway::builder().service_type(service).bind_loopback().unwrap();
    assert_eq!(Host::behind(&gateway, 10).map(60001), ["mapped 20.0.0.1:60001"]);
    assert_eq!(gateway.complaints(), [""; 0]);
}

#[test]
fn a_description_from_a_file_is_served_with_the_gateways_address() {
    let file = "<root><URLBase>http://{address}:{port}</URLBase><device><serviceList><service>\
                <serviceType>urn:dslforum-org:service:WANIPConnection:1</serviceType>\
                <controlURL>upnp/control?WANIPConnection</controlURL></service></serviceList></device></root>";
    let gateway = FakeGateway::builder()
        .description_file(file)
        .description_path("/deep/in/igd.xml")
        .bind_loopback()
        .unwrap();
    assert_eq!(Host::behind(&gateway, 10).map(60001), ["mapped 20.0.0.1:60001"]);
    assert_eq!(gateway.complaints(), [""; 0]);
}

#[test]
fn two_hosts_get_different_ports_and_one_table_holds_both() {
    let gateway = gateway();
    let (mut one, mut other) = (Host::behind(&gateway, 10), Host::behind(&gateway, 11));
    assert_eq!(one.map(60001), ["mapped 20.0.0.1:60001"]);
    assert_ne!(other.map(60001), ["mapped 20.0.0.1:60001"]);
    let clients: Vec<_> = gateway.mappings().iter().map(|mapping| mapping.client).collect();
    assert_eq!(clients.len(), 2);
    assert!(clients.contains(&one.address) && clients.contains(&other.address));
}

#[test]
fn many_gateways_live_side_by_side() {
    let gateways: Vec<_> = (0..20).map(|_| gateway()).collect();
    std::thread::scope(|scope| {
        for gateway in &gateways {
            scope.spawn(|| assert_eq!(Host::behind(gateway, 10).map(60001), ["mapped 20.0.0.1:60001"]));
        }
    });
    for gateway in &gateways {
        assert_eq!(gateway.counters().descriptions, 1);
        assert_eq!(gateway.counters().multicast_searches, 0);
    }
}

#[test]
fn rules_that_forbid_the_port_are_obeyed() {
    let gateway = FakeGateway::builder().allowed(1..=1023).bind_loopback().unwrap();
    let told = Host::behind(&gateway, 10).map(60001);
    assert_eq!(told, [format!("failed: the router {} forbids mapping port 60001", gateway.address())]);
    assert_eq!(gateway.mappings(), []);
}

#[test]
fn a_full_table_is_told() {
    let gateway = FakeGateway::builder().max_mappings(1).bind_loopback().unwrap();
    gateway.insert(Mapping::udp(60009, gateway.host(20), 60009, "a game"));
    let told = Host::behind(&gateway, 10).map(60001);
    let expected = format!("failed: the router {} has no room for another mapping", gateway.address());
    assert_eq!(told, [expected]);
}

#[test]
fn an_error_may_be_scripted_for_one_action() {
    let gateway = gateway();
    gateway.script(Fault::once(MessageKind::Action("AddPortMapping"), Effect::ErrorCode(725)));
    assert_eq!(Host::behind(&gateway, 10).map(60001), ["mapped 20.0.0.1:60001"]);
    assert_eq!(gateway.counters().action("AddPortMapping"), 2);
    assert_eq!(gateway.mappings()[0].lease_seconds, 0);
}

#[test]
fn quirks_last() {
    for (quirk, told, adds) in [
        (Quirk::OnlyPermanentLeases, "mapped 20.0.0.1:60001", 2),
        (Quirk::NoPermanentLeases, "mapped 20.0.0.1:60001", 1),
        (Quirk::SamePortsOnly, "mapped 20.0.0.1:60001", 1),
        (Quirk::HidesLeases, "mapped 20.0.0.1:60001", 1),
        (Quirk::CutsDescriptions(12), "mapped 20.0.0.1:60001", 1),
    ] {
        let gateway = FakeGateway::builder().quirk(quirk).bind_loopback().unwrap();
        assert_eq!(Host::behind(&gateway, 10).map(60001), [told], "{quirk:?}");
        assert_eq!(gateway.counters().action("AddPortMapping"), adds, "{quirk:?}");
    }
}

#[test]
fn a_router_that_adds_nothing_is_seen_through() {
    let gateway = FakeGateway::builder().quirk(Quirk::AddsNothing).bind_loopback().unwrap();
    let told = Host::behind(&gateway, 10).map(60001);
    let expected =
        format!("failed: the router {} accepts the mapping, but does not make it", gateway.address());
    assert_eq!(told, [expected]);
}

#[test]
fn a_router_without_an_external_address_is_named() {
    let gateway = FakeGateway::builder().external_address("").bind_loopback().unwrap();
    let mut host = Host::behind(&gateway, 10);
    gateway.script(Fault::always(MessageKind::Action("AddPortMapping"), Effect::ErrorCode(501)));
    let expected = format!("failed: the router {} tells no external address of its own", gateway.address());
    assert_eq!(host.map(60001), [expected]);
}

#[test]
fn framing_that_is_allowed_is_understood() {
    for effect in [
        Effect::Chunked,
        Effect::NoContentLength,
        Effect::HoldOpen,
        Effect::ContentLengthOffBy(100),
        Effect::Delay(Duration::from_millis(50)),
    ] {
        let gateway = gateway();
        gateway.script(Fault::always(MessageKind::Http, effect.clone()));
        assert_eq!(Host::behind(&gateway, 10).map(60001), ["mapped 20.0.0.1:60001"], "{effect:?}");
    }
}

#[test]
fn an_answer_to_a_search_may_come_twice_and_from_another_port() {
    let gateway = gateway();
    let elsewhere = Effect::ReplyFrom((gateway.address(), 0).into());
    gateway.script(Fault::always(MessageKind::Search, elsewhere).and(Effect::Duplicate));
    assert_eq!(Host::behind(&gateway, 10).map(60001), ["mapped 20.0.0.1:60001"]);
    assert_eq!(gateway.counters().descriptions, 1);
}

#[test]
fn a_gateway_may_know_only_one_search_target() {
    for target in [
        "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
        "urn:schemas-upnp-org:service:WANIPConnection:1",
    ] {
        let gateway = gateway();
        gateway.script(Fault::always(MessageKind::SearchFor(target), Effect::Silence));
        assert_eq!(Host::behind(&gateway, 10).map(60001), ["mapped 20.0.0.1:60001"], "without {target}");
    }
}
