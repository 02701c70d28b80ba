//! The first byte chooses the status.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portmap::upnp::soap;

const STATUSES: [u16; 4] = [200, 500, 501, 404];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, body)) = data.split_first() else { return };
    let status = STATUSES[usize::from(choice) % STATUSES.len()];
    match soap::parse_reply(status, body) {
        Ok(reply) => {
            assert_eq!(status, 200, "a success under an error's status");
            read(&reply);
        }
        Err(soap::Fault::Upnp { code, description }) => {
            assert!(code > 0 && description.chars().count() <= soap::MAXIMUM_VALUE_CHARACTERS);
        }
        Err(soap::Fault::Http(status)) => assert_ne!(status, 200),
        Err(soap::Fault::Malformed { found }) => {
            assert!(found.chars().count() <= soap::MAXIMUM_VALUE_CHARACTERS);
        }
    }
});

fn read(reply: &soap::Reply) {
    if let Ok(Some(address)) = soap::external_ip_address(reply) {
        assert!(!address.is_unspecified() && !address.is_loopback());
    }
    if let Ok(entry) = soap::port_mapping_entry(reply) {
        assert!(entry.description.chars().count() <= soap::MAXIMUM_VALUE_CHARACTERS);
    }
    let _ = (soap::connection_status(reply), soap::uptime_seconds(reply), soap::assigned_port(reply));
    let _ = (soap::pinhole_id(reply), soap::firewall_status(reply));
}
