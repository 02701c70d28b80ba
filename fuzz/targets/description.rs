#![no_main]

use fuzz::is_printable_ascii;
use libfuzzer_sys::fuzz_target;
use portmap::upnp::description::{MAXIMUM_SERVICES, MAXIMUM_TEXT_CHARACTERS, parse};
use portmap::upnp::url::Url;

fuzz_target!(|document: &[u8]| {
    let location = Url::parse("http://192.168.1.1:5000/rootDesc.xml").expect("a literal");
    let Ok(description) = parse(document, &location) else { return };
    assert!(description.services.len() <= MAXIMUM_SERVICES);
    for name in
        [&description.friendly_name, &description.model_name, &description.manufacturer].into_iter().flatten()
    {
        assert!(!name.is_empty() && name.chars().count() <= MAXIMUM_TEXT_CHARACTERS);
    }
    for service in &description.services {
        assert!(is_printable_ascii(&service.service_type), "it goes into a header");
        assert!(is_printable_ascii(service.control_url.path()), "it goes into a request line");
    }
});
