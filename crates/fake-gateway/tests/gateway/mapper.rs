//! The mapper with every protocol at once: the best answer is taken, and what one refuses another may grant.

use std::time::Duration;

use fake_gateway::{Effect, FakeGateway, Fault, Mapping, MessageKind, Protocol as Spoken};
use portmap::mapper::Protocol;

use crate::host::Host;

fn gateway(spoken: &[Spoken]) -> FakeGateway {
    FakeGateway::builder().protocols(spoken).bind_loopback().unwrap()
}

fn host(gateway: &FakeGateway) -> Host {
    Host::speaking(gateway, 10, &Protocol::ALL)
}

/// Who made the only mapping.
fn maker(gateway: &FakeGateway) -> Spoken {
    let [Mapping { made_by, .. }] = &gateway.mappings()[..] else { panic!("{:?}", gateway.mappings()) };
    *made_by
}

#[test]
fn each_protocol_alone_is_enough() {
    for spoken in [Spoken::Pcp, Spoken::NatPmp, Spoken::Upnp] {
        let gateway = gateway(&[spoken]);
        let mut host = host(&gateway);
        assert_eq!(host.map(60001), ["mapped 20.0.0.1:60001"], "{spoken:?}");
        assert_eq!(maker(&gateway), spoken);
        assert_eq!(host.release(), ["released, confirmed true"], "{spoken:?}");
        assert_eq!(gateway.mappings(), []);
        assert_eq!(gateway.complaints(), [""; 0]);
    }
}

#[test]
fn with_all_of_them_one_mapping_is_made_and_not_by_upnp() {
    let gateway = gateway(&[Spoken::Pcp, Spoken::NatPmp, Spoken::Upnp]);
    let mut host = host(&gateway);
    assert_eq!(host.map(60001), ["mapped 20.0.0.1:60001"]);
    assert_ne!(maker(&gateway), Spoken::Upnp);
    assert_eq!(gateway.counters().action("AddPortMapping"), 0);
    host.release();
    assert_eq!(gateway.mappings(), []);
}

#[test]
fn what_the_first_protocol_refuses_the_others_are_asked_for() {
    let gateway = gateway(&[Spoken::Pcp, Spoken::NatPmp, Spoken::Upnp]);
    gateway.script(Fault::always(MessageKind::PcpMap, Effect::ResultCode(2)));
    gateway.script(Fault::always(MessageKind::NatPmpMap, Effect::ResultCode(2)));
    assert_eq!(host(&gateway).map(60001), ["mapped 20.0.0.1:60001"]);
    assert_eq!(maker(&gateway), Spoken::Upnp);
}

/// NAT-PMP would map for the NAT, and for every other host behind it.
#[test]
fn a_gateway_that_sees_another_address_is_not_asked_by_nat_pmp() {
    let gateway = gateway(&[Spoken::Pcp, Spoken::NatPmp]);
    gateway.script(Fault::always(MessageKind::PcpMap, Effect::ResultCode(12)));
    let cause = format!("failed: another NAT stands between this host and the router {}", gateway.address());
    assert_eq!(host(&gateway).map(60001), [cause]);
    assert_eq!(gateway.counters().nat_pmp_map, 0);
}

#[test]
fn a_request_that_is_never_answered_does_not_keep_the_others_waiting() {
    let gateway = gateway(&[Spoken::NatPmp, Spoken::Upnp]);
    gateway.script(Fault::always(MessageKind::NatPmpMap, Effect::Silence));
    assert_eq!(host(&gateway).map(60001), ["mapped 20.0.0.1:60001"]);
    assert_eq!(maker(&gateway), Spoken::Upnp);
}

#[test]
fn fifty_hosts_that_want_the_same_port_get_one_each() {
    let gateway = gateway(&[Spoken::Pcp, Spoken::NatPmp, Spoken::Upnp]);
    let told: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (10..60)
            .map(|number| {
                let gateway = &gateway;
                scope.spawn(move || Host::speaking(gateway, number, &Protocol::ALL).map(60001))
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(told.iter().all(|told| told.starts_with("mapped ")), "{told:?}");
    let mut ports: Vec<_> = gateway.mappings().iter().map(|mapping| mapping.external_port).collect();
    ports.dedup();
    assert_eq!(ports.len(), 50);
}

#[test]
fn a_brief_lease_is_renewed_by_each_protocol() {
    std::thread::scope(|scope| {
        for protocol in Protocol::ALL {
            scope.spawn(move || {
                let gateway = FakeGateway::builder().lifetimes(1..=60).bind_loopback().unwrap();
                let mut host = Host::speaking_with_lease(&gateway, 10, &[protocol], Duration::from_secs(12));
                assert_eq!(host.map(60001), ["mapped 20.0.0.1:60001"]);
                assert_eq!(host.renew(), ["renewed 60001"], "{protocol:?}");
            });
        }
    });
}

#[test]
fn quirk_91_a_gateway_that_grants_a_second_is_not_asked_without_pause() {
    std::thread::scope(|scope| {
        for protocol in [Protocol::Pcp, Protocol::NatPmp] {
            scope.spawn(move || {
                let gateway = FakeGateway::builder().lifetimes(1..=1).bind_loopback().unwrap();
                let mut host = Host::speaking(&gateway, 10, &[protocol]);
                assert_eq!(host.map(60001), ["mapped 20.0.0.1:60001"]);
                let began = net::clock::now();
                let told = host.renew();
                assert_eq!(told.last().unwrap(), "changed 60001", "{protocol:?}: {told:?}");
                assert!(net::clock::now() - began > Duration::from_secs(4), "{protocol:?}");
            });
        }
    });
}
