//! Gateways come, restart, tell so, and go.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::time::Duration;

use fake_gateway::{FakeGateway, Mapping, Protocol, Restart};

use crate::host::Host;
use crate::raw::{ask, receive, socket};

fn gateway() -> FakeGateway {
    FakeGateway::builder().bind_loopback().unwrap()
}

#[test]
fn a_dropped_gateway_leaves_its_ports_free() {
    let first = gateway();
    let (address, port) = (first.address(), first.http_port());
    let taken = FakeGateway::builder().bind(address).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    drop(first);
    assert_eq!(TcpStream::connect((address, port)).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let _second = FakeGateway::builder().bind(address).unwrap();
}

#[test]
fn a_restart_changes_the_http_port_and_may_forget_the_table() {
    let gateway = gateway();
    let mut host = Host::behind(&gateway, 10);
    host.map(60001);
    for (restart, left) in [(Restart::Keep, 1), (Restart::Forget, 0)] {
        let before = gateway.http_port();
        gateway.restart(restart).unwrap();
        assert_ne!(gateway.http_port(), before);
        assert_eq!(gateway.mappings().len(), left);
        let old = TcpStream::connect((gateway.address(), before)).unwrap_err();
        assert_eq!(old.kind(), ErrorKind::ConnectionRefused);
    }
    assert_eq!(Host::behind(&gateway, 11).map(60001), ["mapped 20.0.0.1:60001"]);
}

#[test]
fn a_mapper_finds_a_restarted_gateway_on_its_new_port() {
    let gateway = gateway();
    let mut host = Host::with_lease(&gateway, 10, Duration::from_secs(20));
    host.map(60001);
    gateway.restart(Restart::Forget).unwrap();
    assert_eq!(host.renew(), ["renewed 60001"]);
    assert_eq!(gateway.mappings().len(), 1);
    assert_eq!(gateway.complaints(), [""; 0]);
}

#[test]
fn protocols_that_are_not_spoken_have_closed_ports() {
    let gateway = FakeGateway::builder().protocols(&[Protocol::Upnp]).bind_loopback().unwrap();
    let client = socket(gateway.host(10));
    client.connect((gateway.address(), 5351)).unwrap();
    client.send(&[0, 0]).unwrap();
    let refused = client.recv(&mut [0; 16]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_lease_ends_when_it_is_told_to_or_by_the_clock_where_that_is_wanted() {
    let gateway = FakeGateway::builder().expiring().bind_loopback().unwrap();
    let brief = Mapping { lease_seconds: 1, ..Mapping::udp(60001, gateway.host(10), 60001, "brief") };
    gateway.insert(brief);
    gateway.insert(Mapping::udp(60002, gateway.host(10), 60002, "long"));
    assert_eq!(gateway.mappings().len(), 2);
    assert!(gateway.expire(60002) && !gateway.expire(60002));
    let never = |_: &fake_gateway::Counters| false;
    assert!(!gateway.wait_until(Duration::from_millis(1_050), never));
    assert_eq!(gateway.mappings(), []);
}

#[test]
fn a_new_external_address_is_told_when_asked() {
    let gateway = gateway();
    let client = socket(gateway.host(10));
    gateway.set_external_address("20.0.0.9");
    assert_eq!(ask(&gateway, &client, &[0, 0])[8..12], [20, 0, 0, 9]);
    gateway.set_external_address("");
    assert_eq!(ask(&gateway, &client, &[0, 0])[2..4], [0, 3]);
}

/// Bound to the group, so that no unicast comes; on loopback others' announcements do come.
fn listener(group: Ipv4Addr, port: u16, on: Ipv4Addr) -> UdpSocket {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&std::net::SocketAddr::from((group, port)).into()).unwrap();
    socket.join_multicast_v4(&group, &on).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket.into()
}

#[test]
fn announcements_go_to_everybody_on_the_link() {
    let gateway = gateway();
    let control = listener(Ipv4Addr::new(224, 0, 0, 1), 5350, gateway.host(10));
    let ssdp = listener(Ipv4Addr::new(239, 255, 255, 250), 1900, gateway.host(10));
    gateway.announce().unwrap();
    let from_gateway = |socket: &UdpSocket| loop {
        let (from, payload) = receive(socket);
        if from.ip() == gateway.address() {
            break (from.port(), payload);
        }
    };
    let (port, nat_pmp) = from_gateway(&control);
    assert_eq!((port, &nat_pmp[..4], &nat_pmp[8..]), (5351, &[0, 0x80, 0, 0][..], &[20, 0, 0, 1][..]));
    let (port, pcp) = from_gateway(&control);
    assert_eq!((port, pcp.len(), &pcp[..4]), (5351, 24, &[2, 0x80, 0, 0][..]));
    let (port, alive) = from_gateway(&ssdp);
    let alive = portmap::upnp::ssdp::parse(&alive).unwrap();
    assert_eq!((port, alive.kind, alive.boot_id), (1900, portmap::upnp::ssdp::MessageKind::Alive, Some(1)));
    assert_eq!(alive.location, Some(gateway.description_url()));
}
