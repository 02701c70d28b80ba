use super::*;
use crate::upnp::mutation::mutants;

const LOCATION: &str = "http://192.168.1.1:5000/rootDesc.xml";

/// In the shape of miniupnpd's, shortened.
const GATEWAY_2: &str = r#"<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0" configId="1337">
<specVersion><major>1</major><minor>1</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:2</deviceType>
<friendlyName>Router of A &amp; B</friendlyName><manufacturer>Debian</manufacturer>
<modelName>Debian Router</modelName><modelNumber>2.3.1</modelNumber><UDN>uuid:1-2-3</UDN>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType>
<controlURL>/ctl/L3F</controlURL><eventSubURL>/evt/L3F</eventSubURL></service></serviceList>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:2</deviceType>
<friendlyName>WANDevice</friendlyName>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType>
<controlURL>/ctl/CmnIfCfg</controlURL><eventSubURL>/evt/CmnIfCfg</eventSubURL></service></serviceList>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:2</deviceType>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:2</serviceType>
<SCPDURL>/WANIPCn.xml</SCPDURL>
<controlURL>/ctl/IPConn</controlURL><eventSubURL>/evt/IPConn</eventSubURL></service>
<service><serviceType>urn:schemas-upnp-org:service:WANIPv6FirewallControl:1</serviceType>
<controlURL>/ctl/IP6FCtl</controlURL><eventSubURL></eventSubURL></service></serviceList>
</device></deviceList></device></deviceList>
<presentationURL>http://192.168.1.1/</presentationURL></device></root>"#;

fn read(body: &str) -> Description {
    parse(body.as_bytes(), &Url::parse(LOCATION).unwrap()).unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn service_xml(service_type: &str, control_url: &str) -> String {
    format!(
        "<service><serviceType>{service_type}</serviceType><controlURL>{control_url}</controlURL></service>"
    )
}

fn root(inside: &str) -> String {
    format!("<root><device>{inside}</device></root>")
}

fn wan_ip(control_url: &str) -> String {
    service_xml("urn:schemas-upnp-org:service:WANIPConnection:1", control_url)
}

/// The control URL of the only service.
fn control_url(body: &str) -> String {
    let services = read(body).services;
    assert_eq!(services.len(), 1, "{body}");
    services[0].control_url.to_string()
}

#[test]
fn names_are_those_of_the_root_device() {
    let found = read(GATEWAY_2);
    assert_eq!(found.friendly_name.as_deref(), Some("Router of A & B"));
    assert_eq!(found.manufacturer.as_deref(), Some("Debian"));
    assert_eq!(found.model_name.as_deref(), Some("Debian Router"));
    assert_eq!(found.model_number.as_deref(), Some("2.3.1"));
    assert_eq!(found.unique_device_name.as_deref(), Some("uuid:1-2-3"));
}

#[test]
fn the_services_that_matter_are_kept_in_order() {
    let found: Vec<_> =
        read(GATEWAY_2).services.into_iter().map(|s| (s.kind, s.control_url.to_string())).collect();
    let expected = [
        (ServiceKind::WanCommonInterfaceConfig { version: 1 }, "http://192.168.1.1:5000/ctl/CmnIfCfg"),
        (ServiceKind::WanIpConnection { version: 2 }, "http://192.168.1.1:5000/ctl/IPConn"),
        (ServiceKind::WanIpv6FirewallControl { version: 1 }, "http://192.168.1.1:5000/ctl/IP6FCtl"),
    ];
    assert_eq!(found, expected.map(|(kind, url)| (kind, url.to_owned())));
}

#[test]
fn an_event_url_is_optional() {
    let services = read(GATEWAY_2).services;
    assert_eq!(services[1].event_url.as_ref().unwrap().path(), "/evt/IPConn");
    assert_eq!(services[2].event_url, None, "it is empty");
    assert_eq!(read(&root(&wan_ip("/c"))).services[0].event_url, None, "it is absent");
}

#[test]
fn quirk_3_the_description_tells_the_version_whatever_the_search_reply_said() {
    assert_eq!(read(GATEWAY_2).gateway_version(), Some(2));
    assert_eq!(read(&GATEWAY_2.replace("GatewayDevice:2", "GatewayDevice:1")).gateway_version(), Some(1));
    assert_eq!(read(&GATEWAY_2.replace("InternetGatewayDevice", "Basic")).gateway_version(), None);
}

#[test]
fn quirk_9_a_device_without_gateway_type_and_services_is_no_gateway() {
    let nas = "<deviceType>urn:schemas-upnp-org:device:MediaServer:1</deviceType>";
    let directory = service_xml("urn:schemas-upnp-org:service:ContentDirectory:1", "/cd");
    let found = read(&root(&format!("{nas}{directory}")));
    assert!(!found.is_gateway());
    assert_eq!(found.services, []);
    assert!(read(GATEWAY_2).is_gateway());
    assert!(read(&root(&wan_ip("/c"))).is_gateway(), "by its service");
}

#[test]
fn quirk_15_urls_on_other_hosts_are_kept_but_not_served_by_the_gateway() {
    for elsewhere in ["http://127.0.0.1/c", "http://10.0.0.1:5000/c", "//169.254.1.1/c"] {
        let service = &read(&root(&wan_ip(elsewhere))).services[0];
        assert!(!service.control_url.served_by("192.168.1.1".parse().unwrap()), "{elsewhere}");
    }
    let service = &read(&root(&wan_ip("/c"))).services[0];
    assert!(service.control_url.served_by("192.168.1.1".parse().unwrap()));
}

#[test]
fn quirk_16_services_with_unusable_urls_are_left_out() {
    let unusable =
        ["", "https://192.168.1.1/c", "http://192.168.1.1:0/c", "http://router.lan/c", "/a\u{7f}b"];
    let unusable: String = unusable.into_iter().map(wan_ip).collect();
    let without =
        "<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType></service>";
    assert_eq!(
        control_url(&root(&format!("{unusable}{without}{}", wan_ip("/good")))),
        "http://192.168.1.1:5000/good"
    );
}

#[test]
fn quirk_17_every_form_of_control_url_is_resolved() {
    for (written, resolved) in [
        ("/ctl/IPConn", "http://192.168.1.1:5000/ctl/IPConn"),
        ("ctl/IPConn", "http://192.168.1.1:5000/ctl/IPConn"),
        ("http://192.168.1.1:49152/ctl", "http://192.168.1.1:49152/ctl"),
        (" /ctl/IPConn\r\n", "http://192.168.1.1:5000/ctl/IPConn"),
        ("<![CDATA[/ctl/IPConn]]>", "http://192.168.1.1:5000/ctl/IPConn"),
    ] {
        assert_eq!(control_url(&root(&wan_ip(written))), resolved, "{written}");
    }
}

#[test]
fn quirk_18_a_base_url_is_used_if_there_is_one() {
    let with_base =
        |base: &str| format!("<root><URLBase>{base}</URLBase><device>{}</device></root>", wan_ip("/c"));
    assert_eq!(control_url(&with_base("http://192.168.1.1:49152")), "http://192.168.1.1:49152/c");
    assert_eq!(control_url(&with_base("http://192.168.1.1:49152/")), "http://192.168.1.1:49152/c");
    for unusable in ["", "  ", "http://", "http://router.lan/", "https://192.168.1.1/"] {
        assert_eq!(control_url(&with_base(unusable)), "http://192.168.1.1:5000/c", "{unusable}");
    }
}

#[test]
fn quirk_18_a_base_url_on_another_host_is_not_used() {
    let stale =
        format!("<root><URLBase>http://192.168.0.1:49152/</URLBase><device>{}</device></root>", wan_ip("c"));
    assert_eq!(control_url(&stale), "http://192.168.1.1:5000/c");
}

#[test]
fn quirk_18_a_presentation_url_is_no_base() {
    let body = format!("<presentationURL>http://192.168.1.1:81/p/</presentationURL>{}", wan_ip("c"));
    assert_eq!(control_url(&root(&body)), "http://192.168.1.1:5000/c");
}

#[test]
fn quirk_19_the_query_of_a_control_url_is_kept() {
    let url = control_url(&root(&wan_ip("/upnp/control?WANIPConnection&amp;x=1")));
    assert_eq!(url, "http://192.168.1.1:5000/upnp/control?WANIPConnection&x=1");
}

#[test]
fn quirk_20_all_wan_connections_are_kept() {
    let ppp = service_xml("urn:schemas-upnp-org:service:WANPPPConnection:1", "/ppp1");
    let body = root(&format!("<device>{}{ppp}</device><device>{}</device>", wan_ip("/ip1"), wan_ip("/ip2")));
    let found: Vec<_> =
        read(&body).services.into_iter().map(|s| (s.kind, s.control_url.path().to_owned())).collect();
    let ip = ServiceKind::WanIpConnection { version: 1 };
    let ppp = ServiceKind::WanPppConnection { version: 1 };
    assert_eq!(found, [(ip, "/ip1".to_owned()), (ppp, "/ppp1".to_owned()), (ip, "/ip2".to_owned())]);
    assert!(ip.is_wan_connection() && ppp.is_wan_connection());
    assert!(!ServiceKind::WanCommonInterfaceConfig { version: 1 }.is_wan_connection());
}

#[test]
fn quirk_21_services_of_the_dsl_forum_are_known_and_kept_as_written() {
    for (service_type, kind) in [
        ("urn:dslforum-org:service:WANIPConnection:1", ServiceKind::WanIpConnection { version: 1 }),
        ("urn:dslforum-org:service:WANPPPConnection:1", ServiceKind::WanPppConnection { version: 1 }),
    ] {
        let service = &read(&root(&service_xml(service_type, "/c"))).services[0];
        assert_eq!((service.kind, service.service_type.as_str()), (kind, service_type));
    }
}

#[test]
fn quirk_22_a_description_without_usable_service_is_a_value() {
    let bare = read("<root><device><friendlyName>x</friendlyName></device></root>");
    assert_eq!(bare.services, []);
    assert_eq!(bare.friendly_name.as_deref(), Some("x"));
    assert_eq!(read("<root><device/></root>").friendly_name, None);
    assert_eq!(read("<root><device><friendlyName> </friendlyName></device></root>").friendly_name, None);
    assert_eq!(read("<root><device><serviceList><service/></serviceList></device></root>").services, []);
}

#[test]
fn the_service_type_goes_back_as_it_was_written() {
    let service_type = "URN:schemas-upnp-org:Service:wanipconnection:01";
    let service = &read(&root(&service_xml(&format!("\r\n {service_type} "), "/c"))).services[0];
    assert_eq!(service.service_type, service_type);
    assert_eq!(service.kind, ServiceKind::WanIpConnection { version: 1 });
}

#[test]
fn other_service_types_are_not_taken_for_ours() {
    for service_type in [
        "urn:schemas-upnp-org:service:WANIPConnection",
        "urn:schemas-upnp-org:service:WANIPConnection:",
        "urn:schemas-upnp-org:service:WANIPConnection:0",
        "urn:schemas-upnp-org:service:WANIPConnection:+1",
        "urn:schemas-upnp-org:service:WANIPConnection:256",
        "urn:schemas-upnp-org:service:WANIPConnection:1:x",
        "urn:schemas-upnp-org:service:WANIPConnection:1\r\nX-Evil",
        "urn:schemas-upnp-org:device:WANIPConnection:1",
        "urn:example-com:service:WANIPConnection:1",
        "WANIPConnection:1",
        "",
    ] {
        assert_eq!(ServiceKind::parse(service_type), None, "{service_type}");
    }
}

#[test]
fn quirk_32_missing_and_mismatched_end_tags_do_not_mix_services() {
    let body = "<root><device><serviceList><service>\
        <serviceType>urn:schemas-upnp-org:service:WANPPPConnection:1<controlURL>/ppp</controlUrl>\
        <service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType></service>\
        <device><controlURL>/of-no-service</controlURL></root>";
    let services = read(body).services;
    assert_eq!(services.len(), 1);
    assert_eq!(services[0].control_url.path(), "/ppp");
}

#[test]
fn another_document_is_not_a_description() {
    for (body, found) in [("<html><body>Login</body></html>", "html"), ("", ""), ("plain", "")] {
        let result = parse(body.as_bytes(), &Url::parse(LOCATION).unwrap());
        assert_eq!(result, Err(DescriptionError::NotADescription { found: found.to_owned() }));
    }
}

#[test]
fn quirk_34_services_and_texts_are_capped() {
    let many = root(&wan_ip("/c").repeat(MAXIMUM_SERVICES + 1));
    assert_eq!(read(&many).services.len(), MAXIMUM_SERVICES);
    let long = "\u{e9}".repeat(MAXIMUM_TEXT_CHARACTERS + 1);
    let name = read(&root(&format!("<friendlyName>{long}</friendlyName>"))).friendly_name.unwrap();
    assert_eq!(name.chars().count(), MAXIMUM_TEXT_CHARACTERS);
    let zeros = "0".repeat(70_000);
    let service_type = format!("urn:schemas-upnp-org:service:WANIPConnection:{zeros}1");
    assert_eq!(read(&root(&service_xml(&service_type, "/c"))).services, []);
}

#[test]
fn quirk_85_what_is_relative_may_be_meant_from_the_root() {
    let at_root = |url: &str| {
        let body = root(&wan_ip(url));
        let location = Url::parse("http://192.168.1.1:5000/upnp/d.xml").unwrap();
        let service = parse(body.as_bytes(), &location).unwrap().services.remove(0);
        (service.control_url.path().to_owned(), service.control_url_at_root.map(|url| url.path().to_owned()))
    };
    let root = |path: &str| Some(path.to_owned());
    assert_eq!(at_root("ctl?x=1"), ("/upnp/ctl?x=1".into(), root("/ctl?x=1")));
    assert_eq!(at_root("../ctl"), ("/ctl".into(), None));
    assert_eq!(at_root("/ctl"), ("/ctl".into(), None));
    assert_eq!(at_root("http://192.168.1.1:5000/a"), ("/a".into(), None));
}

#[test]
fn quirk_34_a_huge_document_is_refused() {
    let huge = vec![b' '; xml::MAXIMUM_BYTES + 1];
    let expected = XmlError::TooLarge { found: xml::MAXIMUM_BYTES + 1 };
    assert_eq!(parse(&huge, &Url::parse(LOCATION).unwrap()), Err(expected.into()));
}

#[test]
fn mutants_are_survived_within_bounds() {
    let location = Url::parse(LOCATION).unwrap();
    let legacy = root(&format!(
        "<friendlyName>x</friendlyName>{}{}",
        service_xml("urn:dslforum-org:service:WANPPPConnection:1", "http://192.168.1.1/c?d"),
        wan_ip("ctl")
    ));
    let based =
        format!("<root><URLBase>http://192.168.1.1:80/</URLBase><device>{}</device></root>", wan_ip("//c"));
    let originals = [legacy.as_bytes(), based.as_bytes()];
    let tokens: [&[u8]; 8] =
        [b"<service>", b"</service>", b"<controlURL>", b"\r\n", b"\"", b"&#10;", b"<device/>", b":1:"];
    let mut accepted = 0;
    for mutant in mutants(2, &originals, &tokens) {
        let Ok(found) = parse(&mutant, &location) else { continue };
        assert!(found.services.len() <= MAXIMUM_SERVICES);
        assert!(found.friendly_name.is_none_or(|name| name.chars().count() <= MAXIMUM_TEXT_CHARACTERS));
        for service in found.services {
            accepted += 1;
            let is_urn = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-');
            assert!(service.service_type.bytes().all(is_urn), "{:?}", service.service_type);
        }
    }
    assert!(accepted > 10_000, "only {accepted} services accepted");
}
