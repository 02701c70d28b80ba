//! What a strict router would not take is answered with an error, and noted.

use fake_gateway::FakeGateway;
use portmap::upnp::soap;

use crate::raw::{ask, http, receive, socket};

const SERVICE: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";

fn gateway() -> FakeGateway {
    FakeGateway::builder().bind_loopback().unwrap()
}

fn post(gateway: &FakeGateway, call: &soap::Call) -> String {
    format!(
        "POST /ctl/IPConn HTTP/1.1\r\nHost: {}:{}\r\nContent-Type: text/xml\r\nSOAPAction: \"{}\"\r\n\
         Content-Length: {}\r\n\r\n{}",
        gateway.address(),
        gateway.http_port(),
        call.action_header,
        call.body.len(),
        call.body
    )
}

#[test]
fn a_host_header_without_the_port_is_taken_for_an_attack() {
    let gateway = gateway();
    let good = post(&gateway, &soap::get_status_info(SERVICE));
    assert!(http(&gateway, &good).contains("<NewConnectionStatus>Connected<"));
    let bad = good.replace(&format!(":{}\r\n", gateway.http_port()), "\r\n");
    assert!(http(&gateway, &bad).starts_with("HTTP/1.1 404 "));
    assert_eq!(gateway.complaints().len(), 1);
    assert_eq!(gateway.counters().unknown, 1);
}

#[test]
fn arguments_out_of_order_are_invalid() {
    let gateway = gateway();
    let port = 60001.try_into().unwrap();
    let mut call = soap::delete_port_mapping(SERVICE, port, portmap::mapping::Transport::Udp);
    call.body = call.body.replace("<NewRemoteHost></NewRemoteHost>", "");
    call.body = call.body.replace("</u:", "<NewRemoteHost></NewRemoteHost></u:");
    let answer = http(&gateway, &post(&gateway, &call));
    assert!(answer.contains("<errorCode>402</errorCode>"), "{answer}");
    assert_eq!(gateway.counters().action("DeletePortMapping"), 1);
}

#[test]
fn a_protocol_in_lower_case_is_invalid() {
    let gateway = gateway();
    let port = 60001.try_into().unwrap();
    let mut call = soap::delete_port_mapping(SERVICE, port, portmap::mapping::Transport::Udp);
    call.body = call.body.replace("UDP", "udp");
    assert!(http(&gateway, &post(&gateway, &call)).contains("<errorCode>402</errorCode>"));
}

#[test]
fn a_search_without_quotes_is_not_answered() {
    let gateway = gateway();
    let socket = socket(gateway.host(10));
    let good = format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: {}:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\r\n",
        gateway.address()
    );
    let ssdp = (gateway.address(), 1900);
    socket.send_to(good.replace('"', "").as_bytes(), ssdp).unwrap();
    socket.send_to(good.as_bytes(), ssdp).unwrap();
    let (from, answer) = receive(&socket);
    assert_eq!(from, ssdp.into());
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains(&format!("\r\nLOCATION: {}\r\n", gateway.description_url())), "{answer}");
    assert_eq!(gateway.complaints(), ["SSDP: MAN ssdp:discover"]);
    assert_eq!((gateway.counters().searches, gateway.counters().unknown), (1, 1));
}

#[test]
fn a_search_for_everything_is_answered_once_for_each_thing() {
    let gateway = FakeGateway::builder().igd_version(2).bind_loopback().unwrap();
    let socket = socket(gateway.host(10));
    let search = portmap::upnp::ssdp::search(
        portmap::upnp::ssdp::SearchTarget::All,
        (gateway.address(), 1900).into(),
        1,
    );
    socket.send_to(&search, (gateway.address(), 1900)).unwrap();
    let targets: Vec<_> =
        (0..5).map(|_| portmap::upnp::ssdp::parse(&receive(&socket).1).unwrap().target).collect();
    let expected = [
        "upnp:rootdevice",
        "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
        "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
        "urn:schemas-upnp-org:service:WANIPConnection:1",
        "urn:schemas-upnp-org:service:WANIPConnection:2",
    ];
    assert_eq!(targets, expected);
}

#[test]
fn a_pcp_client_that_tells_another_address_is_behind_a_nat() {
    let gateway = gateway();
    let socket = socket(gateway.host(10));
    let mut packet = vec![2, 0, 0, 0, 0, 0, 0, 0];
    packet.extend(gateway.host(11).to_ipv6_mapped().octets());
    let answer = ask(&gateway, &socket, &packet);
    assert_eq!((answer.len(), &answer[..4]), (24, &[2, 0x80, 0, 12][..]));
    assert_eq!(gateway.complaints().len(), 1);
}

#[test]
fn reserved_fields_are_zero() {
    let gateway = gateway();
    let socket = socket(gateway.host(10));
    let mut packet = vec![2, 0, 0, 1, 0, 0, 0, 0];
    packet.extend(gateway.host(10).to_ipv6_mapped().octets());
    assert_eq!(ask(&gateway, &socket, &packet)[3], 3);
    ask(&gateway, &socket, &[0, 1, 0, 9, 0xea, 0x61, 0xea, 0x61, 0, 0, 14, 16]);
    let expected = ["PCP: reserved field of the header is not 0", "NAT-PMP: reserved field is not 0"];
    assert_eq!(gateway.complaints(), expected);
}
