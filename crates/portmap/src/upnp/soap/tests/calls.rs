use std::num::NonZeroU16;

use super::super::*;
use super::{FIREWALL, WAN_IP_1, WAN_IP_2};
use crate::mapping::Transport;
use crate::upnp::mutation::mutants;
use crate::upnp::xml;

fn port(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

fn mapping(description: &str) -> PortMapping {
    PortMapping {
        external_port: port(60001),
        transport: Transport::Udp,
        internal_client: "192.168.1.5".parse().unwrap(),
        internal_port: port(60002),
        description: description.to_owned(),
        lease_seconds: 3600,
    }
}

/// Names and values in order, as a router reads them.
fn arguments(call: &Call) -> Vec<(String, String)> {
    let elements = xml::elements(call.body.as_bytes()).unwrap();
    elements.into_iter().skip(3).map(|element| (element.name, element.text)).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_call_without_arguments_is_a_bare_action() {
    let call = get_external_ip_address(WAN_IP_1);
    assert_eq!(call.action_header, "urn:schemas-upnp-org:service:WANIPConnection:1#GetExternalIPAddress");
    assert_eq!(
        call.body,
        "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:GetExternalIPAddress \
         xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\"></u:GetExternalIPAddress></s:Body></s:Envelope>\r\n"
    );
}

#[test]
fn quirk_29_arguments_stand_in_the_order_of_the_service_description() {
    let expected = pairs(&[
        ("NewRemoteHost", ""),
        ("NewExternalPort", "60001"),
        ("NewProtocol", "UDP"),
        ("NewInternalPort", "60002"),
        ("NewInternalClient", "192.168.1.5"),
        ("NewEnabled", "1"),
        ("NewPortMappingDescription", "mosh"),
        ("NewLeaseDuration", "3600"),
    ]);
    assert_eq!(arguments(&add_port_mapping(WAN_IP_1, &mapping("mosh"))), expected);
    assert_eq!(arguments(&add_any_port_mapping(WAN_IP_2, &mapping("mosh"))), expected);
}

#[test]
fn an_entry_is_named_by_remote_host_port_and_protocol() {
    let expected = pairs(&[("NewRemoteHost", ""), ("NewExternalPort", "60001"), ("NewProtocol", "TCP")]);
    let calls = [
        delete_port_mapping(WAN_IP_1, port(60001), Transport::Tcp),
        get_specific_port_mapping_entry(WAN_IP_1, port(60001), Transport::Tcp),
    ];
    for call in calls {
        assert_eq!(arguments(&call), expected);
    }
}

#[test]
fn each_action_goes_by_its_own_name() {
    let pinhole = pinhole();
    let calls = [
        (get_external_ip_address(WAN_IP_1), "GetExternalIPAddress"),
        (get_status_info(WAN_IP_1), "GetStatusInfo"),
        (add_port_mapping(WAN_IP_1, &mapping("")), "AddPortMapping"),
        (add_any_port_mapping(WAN_IP_2, &mapping("")), "AddAnyPortMapping"),
        (delete_port_mapping(WAN_IP_1, port(1), Transport::Udp), "DeletePortMapping"),
        (get_specific_port_mapping_entry(WAN_IP_1, port(1), Transport::Udp), "GetSpecificPortMappingEntry"),
        (get_generic_port_mapping_entry(WAN_IP_1, 0), "GetGenericPortMappingEntry"),
        (get_firewall_status(FIREWALL), "GetFirewallStatus"),
        (add_pinhole(FIREWALL, &pinhole), "AddPinhole"),
        (update_pinhole(FIREWALL, 1, 1), "UpdatePinhole"),
        (delete_pinhole(FIREWALL, 1), "DeletePinhole"),
    ];
    for (call, action) in calls {
        assert_eq!(call.action_header.rsplit_once('#').unwrap().1, action);
        assert_eq!(xml::elements(call.body.as_bytes()).unwrap()[2].name, action);
    }
}

fn pinhole() -> Pinhole {
    Pinhole {
        internal_client: "2001:db8::5".parse().unwrap(),
        internal_port: port(60001),
        transport: Transport::Udp,
        lease_seconds: 86400,
    }
}

#[test]
fn a_pinhole_is_open_to_any_remote_host_and_port() {
    let expected = pairs(&[
        ("RemoteHost", ""),
        ("RemotePort", "0"),
        ("InternalClient", "2001:db8::5"),
        ("InternalPort", "60001"),
        ("Protocol", "17"),
        ("LeaseTime", "86400"),
    ]);
    assert_eq!(arguments(&add_pinhole(FIREWALL, &pinhole())), expected);
    let tcp = add_pinhole(FIREWALL, &Pinhole { transport: Transport::Tcp, ..pinhole() });
    assert_eq!(arguments(&tcp)[4].1, "6");
}

#[test]
fn a_pinhole_is_renewed_and_closed_by_its_id() {
    let renewed = pairs(&[("UniqueID", "65535"), ("NewLeaseTime", "60")]);
    assert_eq!(arguments(&update_pinhole(FIREWALL, 65535, 60)), renewed);
    assert_eq!(arguments(&delete_pinhole(FIREWALL, 7)), pairs(&[("UniqueID", "7")]));
}

#[test]
fn quirk_29_a_body_begins_with_its_first_byte_and_has_no_space_between_elements() {
    let body = add_port_mapping(WAN_IP_1, &mapping("mosh")).body;
    assert!(body.starts_with("<?xml"), "{body}");
    let envelope = body.split_once("?>\r\n").unwrap().1.trim_end();
    assert!(
        envelope.split("><").all(|piece| !piece.contains("> ") && !piece.contains(['\n', '\t'])),
        "{envelope}"
    );
}

#[test]
fn quirk_30_the_protocol_is_in_upper_case() {
    for (transport, name) in [(Transport::Udp, "UDP"), (Transport::Tcp, "TCP")] {
        let call = add_port_mapping(WAN_IP_1, &PortMapping { transport, ..mapping("") });
        assert!(call.body.contains(&format!("<NewProtocol>{name}</NewProtocol>")), "{}", call.body);
    }
}

#[test]
fn quirk_31_the_action_has_the_prefix_u() {
    let body = delete_port_mapping(WAN_IP_1, port(1), Transport::Udp).body;
    assert!(
        body.contains("<u:DeletePortMapping xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">"),
        "{body}"
    );
    assert!(body.contains("</u:DeletePortMapping>"), "{body}");
}

#[test]
fn quirk_21_the_service_type_is_repeated_as_the_router_wrote_it() {
    let call = get_status_info("urn:dslforum-org:service:WANPPPConnection:1");
    assert_eq!(call.action_header, "urn:dslforum-org:service:WANPPPConnection:1#GetStatusInfo");
    assert!(call.body.contains("xmlns:u=\"urn:dslforum-org:service:WANPPPConnection:1\""), "{}", call.body);
}

#[test]
fn quirks_35_36_and_37_every_lease_can_be_asked_for() {
    for lease_seconds in [0, 3600, 604_800] {
        let call = add_port_mapping(WAN_IP_1, &PortMapping { lease_seconds, ..mapping("") });
        assert_eq!(arguments(&call)[7].1, lease_seconds.to_string());
    }
}

#[test]
fn quirk_46_a_description_is_short_printable_ascii() {
    let description = |text: &str| arguments(&add_port_mapping(WAN_IP_1, &mapping(text)))[6].1.clone();
    assert_eq!(description("caf\u{e9}\n\u{1b}[31m\0"), "caf___[31m_");
    assert_eq!(description(&"x".repeat(MAXIMUM_DESCRIPTION + 1)).len(), MAXIMUM_DESCRIPTION);
}

#[test]
fn quirk_46_a_description_is_escaped() {
    let call = add_port_mapping(WAN_IP_1, &mapping("</x>&\"'"));
    assert!(call.body.contains(">&lt;/x&gt;&amp;&quot;&apos;<"), "{}", call.body);
    assert_eq!(arguments(&call)[6].1, "</x>&\"'");
}

#[test]
fn quirk_47_enumeration_counts_from_any_index() {
    assert_eq!(
        arguments(&get_generic_port_mapping_entry(WAN_IP_1, 0)),
        pairs(&[("NewPortMappingIndex", "0")])
    );
    assert_eq!(arguments(&get_generic_port_mapping_entry(WAN_IP_1, 65535))[0].1, "65535");
}

#[test]
fn quirk_55_the_remote_host_is_an_empty_element() {
    let body = add_port_mapping(WAN_IP_1, &mapping("mosh")).body;
    assert!(body.contains("<NewRemoteHost></NewRemoteHost>"), "{body}");
}

#[test]
fn a_service_type_cannot_add_elements() {
    let body = get_status_info("urn\"><x>").body;
    assert!(body.contains("xmlns:u=\"urn&quot;&gt;&lt;x&gt;\""), "{body}");
}

#[test]
fn mutated_descriptions_stay_one_short_argument() {
    let originals: [&[u8]; 2] = [b"moshpunch 60001 of user@host", b"caf\xc3\xa9 <b>&amp;\"</b>"];
    let tokens: [&[u8]; 5] = [b"</NewPortMappingDescription>", b"&", b"]]>", b"\r\n", b"<!--"];
    for mutant in mutants(46, &originals, &tokens) {
        let found = arguments(&add_port_mapping(WAN_IP_1, &mapping(&String::from_utf8_lossy(&mutant))));
        assert_eq!(found.len(), 8, "{}", String::from_utf8_lossy(&mutant));
        assert!(found[6].1.len() <= MAXIMUM_DESCRIPTION);
        assert!(found[6].1.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{:?}", found[6].1);
    }
}
