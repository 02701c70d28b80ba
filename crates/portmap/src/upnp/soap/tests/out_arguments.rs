use std::net::IpAddr;

use super::super::*;
use super::read;
use crate::mapping::Transport;

fn external(address: &str) -> Result<Option<IpAddr>, ArgumentError> {
    external_ip_address(&read(&format!("<NewExternalIPAddress>{address}</NewExternalIPAddress>")))
}

fn some(address: &str) -> Result<Option<IpAddr>, ArgumentError> {
    Ok(Some(address.parse().unwrap()))
}

#[test]
fn quirk_57_an_external_address_is_read_and_nothing_else_is_one() {
    assert_eq!(external("203.0.113.7"), some("203.0.113.7"));
    assert_eq!(external(" 203.0.113.7\r\n"), some("203.0.113.7"));
    for none in ["", " ", "0.0.0.0", "127.0.0.1", "127.8.9.10", "::", "::1", "2a00:7::1"] {
        assert_eq!(external(none), Ok(None), "{none}");
    }
    let invalid = ArgumentError::Invalid {
        name: "NewExternalIPAddress",
        expected: "an ip address",
        found: "(null)".to_owned(),
    };
    assert_eq!(external("(null)"), Err(invalid));
    assert_eq!(external_ip_address(&read("")), Err(ArgumentError::Missing { name: "NewExternalIPAddress" }));
}

#[test]
fn quirks_57_and_60_a_private_external_address_is_handed_on() {
    for address in ["192.168.1.3", "10.0.0.2", "100.64.0.1"] {
        assert_eq!(external(address), some(address));
    }
}

#[test]
fn quirk_20_connected_and_up_are_connected() {
    let status = |text: &str| {
        connection_status(&read(&format!("<NewConnectionStatus>{text}</NewConnectionStatus>"))).unwrap()
    };
    for connected in ["Connected", "Up", "CONNECTED", " up "] {
        assert_eq!(status(connected), ConnectionStatus::Connected, "{connected}");
    }
    for other in ["Disconnected", "Connecting", "Unconfigured", "PendingDisconnect", ""] {
        assert_eq!(status(other), ConnectionStatus::NotConnected { status: other.to_owned() });
    }
    assert_eq!(connection_status(&read("")), Err(ArgumentError::Missing { name: "NewConnectionStatus" }));
}

#[test]
fn the_uptime_is_read_if_it_is_a_number() {
    assert_eq!(uptime_seconds(&read("<NewUptime>4294967295</NewUptime>")), Some(u32::MAX));
    for none in ["", "<NewUptime/>", "<NewUptime>3 days</NewUptime>"] {
        assert_eq!(uptime_seconds(&read(none)), None);
    }
}

#[test]
fn a_generic_entry_is_read() {
    let entry = port_mapping_entry(&read(
        "<NewRemoteHost></NewRemoteHost><NewExternalPort>60001</NewExternalPort><NewProtocol>UDP</NewProtocol>\
         <NewInternalPort>60002</NewInternalPort><NewInternalClient>192.168.1.5</NewInternalClient>\
         <NewEnabled>1</NewEnabled><NewPortMappingDescription>a &amp; b</NewPortMappingDescription>\
         <NewLeaseDuration>3599</NewLeaseDuration>",
    ));
    let expected = PortMappingEntry {
        external_port: Some(60001),
        transport: Some(Transport::Udp),
        internal_client: InternalClient::Address("192.168.1.5".parse().unwrap()),
        internal_port: 60002,
        enabled: true,
        description: "a & b".to_owned(),
        lease_seconds: Some(3599),
    };
    assert_eq!(entry, Ok(expected));
}

#[test]
fn quirk_39_a_bare_entry_leaves_unknown_what_it_does_not_say() {
    let bare = "<NewInternalPort>1</NewInternalPort><NewInternalClient>laptop</NewInternalClient>";
    let expected = PortMappingEntry {
        external_port: None,
        transport: None,
        internal_client: InternalClient::Name("laptop".to_owned()),
        internal_port: 1,
        enabled: true,
        description: String::new(),
        lease_seconds: None,
    };
    assert_eq!(port_mapping_entry(&read(bare)), Ok(expected));
}

#[test]
fn an_entry_may_be_disabled_or_permanent_or_odd() {
    let base = "<NewInternalPort>1</NewInternalPort><NewInternalClient>10.0.0.2</NewInternalClient>";
    let entry = |more: &str| port_mapping_entry(&read(&format!("{base}{more}"))).unwrap();
    for (text, enabled) in
        [("0", false), ("false", false), ("No", false), ("1", true), ("TRUE", true), ("?", true)]
    {
        assert_eq!(entry(&format!("<NewEnabled>{text}</NewEnabled>")).enabled, enabled, "{text}");
    }
    assert_eq!(entry("<NewLeaseDuration>0</NewLeaseDuration>").lease_seconds, Some(0));
    assert_eq!(entry("<NewLeaseDuration>forever</NewLeaseDuration>").lease_seconds, None);
    assert_eq!(entry("<NewProtocol>tcp</NewProtocol>").transport, Some(Transport::Tcp));
    assert_eq!(entry("<NewProtocol>BOTH</NewProtocol>").transport, None);
    assert_eq!(
        entry("<NewExternalPort>0</NewExternalPort>").external_port,
        Some(0),
        "quirk 43: forwards everything"
    );
}

#[test]
fn an_entry_without_client_or_port_is_an_error() {
    let client = "<NewInternalClient>10.0.0.2</NewInternalClient>";
    let missing = |name| Err(ArgumentError::Missing { name });
    assert_eq!(port_mapping_entry(&read("")), missing("NewInternalClient"));
    assert_eq!(port_mapping_entry(&read(client)), missing("NewInternalPort"));
    let result = port_mapping_entry(&read(&format!("{client}<NewInternalPort>65536</NewInternalPort>")));
    assert!(matches!(result, Err(ArgumentError::Invalid { name: "NewInternalPort", .. })), "{result:?}");
}

#[test]
fn quirk_54_the_assigned_port_goes_by_either_name() {
    assert_eq!(assigned_port(&read("<NewReservedPort>60003</NewReservedPort>")).unwrap().get(), 60003);
    assert_eq!(assigned_port(&read("<NewExternalPort>60004</NewExternalPort>")).unwrap().get(), 60004);
    let both = read("<NewExternalPort>1</NewExternalPort><NewReservedPort>60003</NewReservedPort>");
    assert_eq!(assigned_port(&both).unwrap().get(), 60003);
    assert_eq!(assigned_port(&read("")), Err(ArgumentError::Missing { name: "NewReservedPort" }));
}

#[test]
fn quirk_43_no_assigned_port_is_0() {
    for name in ["NewReservedPort", "NewExternalPort"] {
        let result = assigned_port(&read(&format!("<{name}>0</{name}>")));
        assert!(matches!(result, Err(ArgumentError::Invalid { .. })), "{result:?}");
    }
}

#[test]
fn a_pinhole_has_an_id() {
    assert_eq!(pinhole_id(&read("<UniqueID>65535</UniqueID>")), Ok(65535));
    assert!(matches!(pinhole_id(&read("<UniqueID>x</UniqueID>")), Err(ArgumentError::Invalid { .. })));
    assert_eq!(pinhole_id(&read("")), Err(ArgumentError::Missing { name: "UniqueID" }));
}

#[test]
fn the_firewall_tells_whether_it_takes_pinholes() {
    let status = |enabled: &str, allowed: &str| {
        firewall_status(&read(&format!(
            "<FirewallEnabled>{enabled}</FirewallEnabled><InboundPinholeAllowed>{allowed}</InboundPinholeAllowed>"
        )))
    };
    assert_eq!(status("1", "0"), Ok(FirewallStatus { enabled: true, inbound_pinhole_allowed: false }));
    assert_eq!(status("false", "true"), Ok(FirewallStatus { enabled: false, inbound_pinhole_allowed: true }));
    assert!(matches!(status("1", "?"), Err(ArgumentError::Invalid { name: "InboundPinholeAllowed", .. })));
}
