use net::own_addresses::Bridge;

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn interface(index: u32, name: &str) -> Interface {
    Interface { index, name: name.into(), is_down: false, bridge: None }
}

fn bridge(index: u32, name: &str, leads_to_hardware: bool) -> Interface {
    Interface { bridge: Some(Bridge { leads_to_hardware }), ..interface(index, name) }
}

fn own(interface: &Interface, text: &str) -> OwnAddress {
    OwnAddress { address: address(text), standing: Standing::Stable, interface: interface.clone() }
}

fn standing(standing: Standing, own: OwnAddress) -> OwnAddress {
    OwnAddress { standing, ..own }
}

fn gateway(interface: u32, at: &str, source: &str) -> Gateway {
    Gateway { interface, address: address(at), source: Some(address(source)) }
}

fn chosen(served: Served, own: &[OwnAddress], gateways: &[Gateway]) -> Vec<String> {
    choose(served, own, gateways).iter().map(ToString::to_string).collect()
}

/// Loopback, an Ethernet, Docker's bridge with and without containers, virtual machines, a VPN.
fn workstation() -> (Vec<OwnAddress>, Vec<Gateway>) {
    let (eth0, vpn) = (interface(2, "eth0"), interface(7, "wg0"));
    let docker0 = Interface { is_down: true, ..bridge(3, "docker0", false) };
    let addresses = vec![
        own(&interface(1, "lo"), "127.0.0.1"),
        own(&interface(1, "lo"), "::1"),
        own(&docker0, "172.17.0.1"),
        own(&bridge(4, "br-1234", false), "172.18.0.1"),
        own(&bridge(4, "br-1234", false), "fd18::1"),
        own(&bridge(5, "virbr0", false), "192.168.122.1"),
        own(&interface(6, "ve-guest"), "10.0.0.1"),
        own(&vpn, "10.8.0.2"),
        own(&eth0, "169.254.7.7"),
        own(&eth0, "192.168.1.10"),
        own(&eth0, "fe80::10"),
        own(&eth0, "fd07::10"),
        own(&eth0, "2a00:7::10"),
    ];
    let gateways = vec![gateway(2, "192.168.1.1", "192.168.1.10"), gateway(2, "fe80::1", "2a00:7::10")];
    (addresses, gateways)
}

#[test]
fn what_the_socket_serves_and_others_can_reach_is_offered_the_way_out_first() {
    let (own, gateways) = workstation();
    for (served, expected) in [
        (Served::V4, vec!["192.168.1.10", "10.8.0.2"]),
        (Served::V6, vec!["2a00:7::10", "fd07::10"]),
        (Served::Both, vec!["192.168.1.10", "2a00:7::10", "fd07::10", "10.8.0.2"]),
        (Served::Only(address("10.8.0.2")), vec!["10.8.0.2"]),
        (Served::Only(address("172.18.0.1")), vec!["172.18.0.1"]),
        (Served::Only(address("10.8.0.3")), vec![]),
        (Served::Only(address("127.0.0.1")), vec![]),
    ] {
        assert_eq!(chosen(served, &own, &gateways), expected, "{served:?}");
    }
}

#[test]
fn a_bridge_is_offered_that_leads_to_a_card_or_is_the_way_out() {
    let lan = own(&bridge(2, "br-lan", true), "192.168.1.10");
    let guests = own(&bridge(3, "br0", false), "10.0.3.1");
    assert_eq!(chosen(Served::V4, &[guests.clone(), lan], &[]), ["192.168.1.10"]);
    let way_out = [gateway(3, "10.0.3.254", "10.0.3.1")];
    assert_eq!(chosen(Served::V4, &[guests], &way_out), ["10.0.3.1"]);
}

#[test]
fn inside_a_container_its_own_link_is_offered() {
    let veth = own(&interface(2, "veth0"), "172.17.0.2");
    let (own, way_out) = ([veth], [gateway(2, "172.17.0.1", "172.17.0.2")]);
    assert_eq!(chosen(Served::V4, &own, &way_out), ["172.17.0.2"]);
    assert_eq!(chosen(Served::V4, &own, &[]), [""; 0]);
}

#[test]
fn of_temporary_addresses_only_the_one_that_the_kernel_uses_is_offered() {
    let eth0 = interface(2, "eth0");
    let own = [
        own(&eth0, "2a00:7::10"),
        standing(Standing::Deprecated, own(&eth0, "2a00:7::aaaa")),
        standing(Standing::Temporary, own(&eth0, "2a00:7::bbbb")),
        standing(Standing::Temporary, own(&eth0, "2a00:7::cccc")),
        standing(Standing::Tentative, own(&eth0, "2a00:7::dddd")),
    ];
    let gateways = [gateway(2, "fe80::1", "2a00:7::cccc")];
    assert_eq!(chosen(Served::Both, &own, &gateways), ["2a00:7::cccc", "2a00:7::10"]);
}

#[test]
fn an_interface_has_a_few_ipv6_addresses_and_each_is_named_once() {
    let eth0 = interface(2, "eth0");
    let mut addresses: Vec<_> = (1..=9).map(|number| own(&eth0, &format!("2a00:7::{number}"))).collect();
    addresses.insert(0, own(&eth0, "fd07::1"));
    addresses.push(own(&interface(3, "eth1"), "2a00:8::1"));
    addresses.push(own(&interface(3, "eth1"), "2a00:7::1"));
    let expected = ["2a00:7::1", "2a00:7::2", "2a00:7::3", "2a00:8::1"];
    assert_eq!(chosen(Served::Both, &addresses, &[]), expected);
}

#[test]
fn a_public_address_on_loopback_is_as_good_as_any() {
    let own = [own(&interface(1, "lo"), "20.0.0.7"), own(&interface(1, "lo"), "127.0.0.1")];
    assert_eq!(chosen(Served::V4, &own, &[]), ["20.0.0.7"]);
}

#[test]
fn the_address_that_a_socket_is_bound_to_tells_what_it_serves() {
    for (bound, dual_stack, expected) in [
        ("0.0.0.0", true, Served::V4),
        ("::", true, Served::Both),
        ("::", false, Served::V6),
        ("10.8.0.2", true, Served::Only(address("10.8.0.2"))),
    ] {
        assert_eq!(Served::by(address(bound), dual_stack), expected, "{bound}");
    }
}
