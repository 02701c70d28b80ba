use super::*;
use crate::upnp::mutation::mutants;

const REPLY: &str = "HTTP/1.1 200 OK\r\n\
    CACHE-CONTROL: max-age=120\r\n\
    ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\
    USN: uuid:11111111-2222-3333-4444-555555555555::urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\
    EXT:\r\n\
    SERVER: Debian/12 UPnP/1.1 MiniUPnPd/2.3.1\r\n\
    LOCATION: http://192.168.1.1:5000/rootDesc.xml\r\n\
    OPT: \"http://schemas.upnp.org/upnp/1/0/\"; ns=01\r\n\
    BOOTID.UPNP.ORG: 1700000000\r\n\
    CONFIGID.UPNP.ORG: 1337\r\n\r\n";

const ALIVE: &str = "NOTIFY * HTTP/1.1\r\n\
    HOST: 239.255.255.250:1900\r\n\
    CACHE-CONTROL: max-age=1800\r\n\
    LOCATION: http://192.168.0.1:49152/gatedesc.xml\r\n\
    NT: urn:schemas-upnp-org:service:WANPPPConnection:1\r\n\
    NTS: ssdp:alive\r\n\
    USN: uuid:gateway::urn:schemas-upnp-org:service:WANPPPConnection:1\r\n\r\n";

fn read(datagram: &str) -> Message {
    parse(datagram.as_bytes()).unwrap_or_else(|error| panic!("{datagram}: {error}"))
}

fn reply_with(headers: &str) -> Message {
    read(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n"))
}

fn searched(target: SearchTarget, host: &str, wait: u8) -> String {
    String::from_utf8(search(target, host.parse().unwrap(), wait)).unwrap()
}

#[test]
fn a_search_is_what_the_standard_shows() {
    assert_eq!(
        searched(SearchTarget::InternetGatewayDevice1, "239.255.255.250:1900", 2),
        "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\n\
         ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"
    );
}

#[test]
fn quirk_1_a_unicast_search_names_the_gateway_as_its_host() {
    let unicast = searched(SearchTarget::All, "192.168.1.1:1900", 1);
    assert!(unicast.contains("\r\nHOST: 192.168.1.1:1900\r\n"), "{unicast}");
    assert_eq!(SocketAddr::from(MULTICAST), "239.255.255.250:1900".parse().unwrap());
}

#[test]
fn an_ipv6_host_is_written_without_its_scope() {
    let scoped = SocketAddr::V6(SocketAddrV6::new("fe80::1".parse().unwrap(), 1900, 0, 3));
    let request = String::from_utf8(search(SearchTarget::All, scoped, 1)).unwrap();
    assert!(request.contains("\r\nHOST: [fe80::1]:1900\r\n"), "{request}");
}

#[test]
fn quirks_2_and_3_each_device_and_service_can_be_searched_for_by_version() {
    let targets = [
        (SearchTarget::InternetGatewayDevice1, "urn:schemas-upnp-org:device:InternetGatewayDevice:1"),
        (SearchTarget::InternetGatewayDevice2, "urn:schemas-upnp-org:device:InternetGatewayDevice:2"),
        (SearchTarget::WanIpConnection1, "urn:schemas-upnp-org:service:WANIPConnection:1"),
        (SearchTarget::WanIpConnection2, "urn:schemas-upnp-org:service:WANIPConnection:2"),
        (SearchTarget::WanPppConnection1, "urn:schemas-upnp-org:service:WANPPPConnection:1"),
        (SearchTarget::WanIpv6FirewallControl1, "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"),
        (SearchTarget::RootDevice, "upnp:rootdevice"),
        (SearchTarget::All, "ssdp:all"),
    ];
    for (target, text) in targets {
        let request = searched(target, "239.255.255.250:1900", 1);
        assert!(request.ends_with(&format!("\r\nST: {text}\r\n\r\n")), "{request}");
    }
}

#[test]
fn the_wait_is_brought_into_what_the_standard_allows() {
    for (asked, sent) in [(0, 1), (1, 1), (5, 5), (6, 5), (255, 5)] {
        let request = searched(SearchTarget::All, "239.255.255.250:1900", asked);
        assert!(request.contains(&format!("\r\nMX: {sent}\r\n")), "{request}");
    }
}

#[test]
fn a_search_reply_is_read() {
    let usn =
        "uuid:11111111-2222-3333-4444-555555555555::urn:schemas-upnp-org:device:InternetGatewayDevice:1";
    let expected = Message {
        kind: MessageKind::SearchReply,
        target: "urn:schemas-upnp-org:device:InternetGatewayDevice:1".to_owned(),
        location: Some("http://192.168.1.1:5000/rootDesc.xml".to_owned()),
        server: Some("Debian/12 UPnP/1.1 MiniUPnPd/2.3.1".to_owned()),
        unique_service_name: Some(usn.to_owned()),
        boot_id: Some(1_700_000_000),
    };
    assert_eq!(read(REPLY), expected);
}

#[test]
fn quirk_3_a_gateway_of_any_version_or_vendor_is_recognised() {
    for target in [
        "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
        "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
        "urn:dslforum-org:device:InternetGatewayDevice:1",
        "urn:schemas-upnp-org:service:WANIPConnection:2",
        "urn:schemas-upnp-org:service:WANPPPConnection:1",
        "URN:SCHEMAS-UPNP-ORG:DEVICE:INTERNETGATEWAYDEVICE:1",
    ] {
        assert!(reply_with(&format!("ST: {target}")).names_gateway(), "{target}");
    }
}

#[test]
fn quirk_4_a_gateway_is_recognised_by_its_text_alone() {
    assert!(
        reply_with("ST: ssdp:all\r\nUSN: uuid:1::urn:schemas-upnp-org:device:InternetGatewayDevice:1")
            .names_gateway()
    );
    assert!(reply_with("ST: upnp:InternetGatewayDevice\r\nX: y").names_gateway());
}

#[test]
fn quirk_6_a_notification_is_as_good_as_a_reply() {
    let message = read(ALIVE);
    assert_eq!(message.kind, MessageKind::Alive);
    assert_eq!(message.target, "urn:schemas-upnp-org:service:WANPPPConnection:1");
    assert_eq!(message.location.as_deref(), Some("http://192.168.0.1:49152/gatedesc.xml"));
    assert!(message.names_gateway());
}

#[test]
fn a_farewell_and_an_update_are_told_from_an_arrival() {
    assert_eq!(read(&ALIVE.replace("ssdp:alive", "ssdp:byebye")).kind, MessageKind::ByeBye);
    assert_eq!(read(&ALIVE.replace("ssdp:alive", "ssdp:update")).kind, MessageKind::Update);
    assert_eq!(read(&ALIVE.replace("ssdp:alive", "SSDP:Alive")).kind, MessageKind::Alive);
}

#[test]
fn quirk_9_other_devices_are_no_gateways() {
    for (target, server) in [
        ("urn:schemas-upnp-org:device:basic:1", "Hue/1.0 UPnP/1.0 IpBridge/1.60.0"),
        ("urn:schemas-upnp-org:device:MediaServer:1", "Linux UPnP/1.0 NAS/1.0"),
        ("urn:schemas-wifialliance-org:device:WFADevice:1", "Linux UPnP/1.0 InternetGatewayDevice/1.0"),
        ("upnp:rootdevice", "Printer UPnP/1.0"),
    ] {
        assert!(
            !reply_with(&format!("ST: {target}\r\nSERVER: {server}\r\nUSN: uuid:1::{target}"))
                .names_gateway(),
            "{target}"
        );
    }
}

#[test]
fn quirk_11_a_missing_or_odd_unique_service_name_is_accepted() {
    let target = "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1";
    let missing = reply_with(target);
    assert_eq!(missing.unique_service_name, None);
    assert!(missing.names_gateway());
    let odd = reply_with(&format!("{target}\r\nUSN: uuid:0"));
    assert_eq!(odd.unique_service_name.as_deref(), Some("uuid:0"));
    assert!(odd.names_gateway());
}

#[test]
fn quirk_23_bare_line_feeds_and_any_header_case_are_read() {
    let message =
        read("HTTP/1.0 200 OK\nlocation:http://192.168.1.1/\nSt :  upnp:rootdevice \nbootid.upnp.org: 7");
    assert_eq!(message.location.as_deref(), Some("http://192.168.1.1/"));
    assert_eq!(message.target, "upnp:rootdevice");
    assert_eq!(message.boot_id, Some(7));
}

#[test]
fn trailing_zero_bytes_and_leading_empty_lines_do_not_matter() {
    let message = read("\r\nHTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1/\0\r\n\r\n\0\0");
    assert_eq!(message.location.as_deref(), Some("http://192.168.1.1/"));
}

#[test]
fn an_empty_header_counts_as_missing() {
    let message = reply_with("LOCATION:\r\nSERVER: \r\nBOOTID.UPNP.ORG: never");
    assert_eq!((message.location, message.server, message.boot_id), (None, None, None));
}

#[test]
fn the_body_is_not_searched_for_headers() {
    assert_eq!(read("HTTP/1.1 200 OK\r\nST: a\r\n\r\nLOCATION: http://10.0.0.1/\r\n").location, None);
}

#[test]
fn a_search_by_another_host_is_not_a_message() {
    let heard = search(SearchTarget::All, MULTICAST.into(), 1);
    assert_eq!(parse(&heard), Err(Malformed::StartLine { found: "M-SEARCH * HTTP/1.1".to_owned() }));
}

#[test]
fn refusals_and_unknown_notifications_are_malformed() {
    assert_eq!(parse(b"HTTP/1.1 404 Not Found\r\n\r\n"), Err(Malformed::Status { found: "404".to_owned() }));
    let unknown = ALIVE.replace("ssdp:alive", "upnp:propchange");
    assert_eq!(
        parse(unknown.as_bytes()),
        Err(Malformed::NotificationKind { found: "upnp:propchange".to_owned() })
    );
    assert_eq!(parse(b""), Err(Malformed::StartLine { found: String::new() }));
}

#[test]
fn quirk_34_a_datagram_over_the_cap_is_refused() {
    let mut datagram = REPLY.as_bytes().to_vec();
    datagram.resize(MAXIMUM_DATAGRAM, b' ');
    assert!(parse(&datagram).is_ok());
    datagram.push(b' ');
    assert_eq!(parse(&datagram), Err(Malformed::TooLong { found: MAXIMUM_DATAGRAM + 1 }));
}

#[test]
fn quirk_34_values_and_their_number_are_capped() {
    let long = "x".repeat(MAXIMUM_VALUE_CHARACTERS + 1);
    let message = reply_with(&format!("SERVER: {long}\r\nLOCATION: {long}"));
    assert_eq!(message.server.unwrap().len(), MAXIMUM_VALUE_CHARACTERS);
    assert_eq!(message.location, None, "half a url is worse than none");
    let late = format!("{}SERVER: late", "A: b\r\n".repeat(MAXIMUM_HEADERS));
    assert_eq!(reply_with(&late).server, None);
}

#[test]
fn mutants_are_survived_within_bounds() {
    let heard = search(SearchTarget::WanIpConnection1, MULTICAST.into(), 1);
    let originals: [&[u8]; 3] = [REPLY.as_bytes(), ALIVE.as_bytes(), &heard];
    let tokens: [&[u8]; 8] =
        [b"\r\n", b"\n\n", b":", b"\0", b"HTTP/1.1 200 OK", b"NOTIFY", b"\xff", b"LOCATION:"];
    let mut accepted = 0;
    for mutant in mutants(1900, &originals, &tokens) {
        let Ok(message) = parse(&mutant) else { continue };
        accepted += 1;
        let Message { target, location, server, unique_service_name, .. } = message;
        for text in [Some(target), location, server, unique_service_name].into_iter().flatten() {
            assert!(text.chars().count() <= MAXIMUM_VALUE_CHARACTERS && !text.contains('\n'), "{text:?}");
        }
    }
    assert!((5_000..20_000).contains(&accepted), "{accepted} accepted");
}
