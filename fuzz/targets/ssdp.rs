#![no_main]

use libfuzzer_sys::fuzz_target;
use portmap::upnp::ssdp::{MAXIMUM_DATAGRAM, MAXIMUM_VALUE_CHARACTERS, parse};

fuzz_target!(|datagram: &[u8]| {
    let Ok(message) = parse(datagram) else { return };
    assert!(datagram.len() <= MAXIMUM_DATAGRAM);
    let texts = [Some(&message.target), message.location.as_ref(), message.server.as_ref()];
    for text in texts.into_iter().chain([message.unique_service_name.as_ref()]).flatten() {
        assert!(text.chars().count() <= MAXIMUM_VALUE_CHARACTERS);
        assert!(!text.contains('\n'), "a value runs over the end of its line");
    }
    let _ = message.names_gateway();
});
