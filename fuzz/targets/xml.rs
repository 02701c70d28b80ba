#![no_main]

use libfuzzer_sys::fuzz_target;
use portmap::upnp::xml::{MAXIMUM_BYTES, MAXIMUM_EVENTS, elements, escape};

fuzz_target!(|document: &[u8]| {
    if let Ok(elements) = elements(document) {
        assert!(document.len() <= MAXIMUM_BYTES && elements.len() <= MAXIMUM_EVENTS);
    }
    let text = String::from_utf8_lossy(document);
    let text = text.trim_matches(|character: char| character.is_whitespace() || character == '\0');
    let written = format!("<a>{}</a>", escape(text));
    if written.len() <= MAXIMUM_BYTES && text.matches(['&', '<', '>', '"', '\'']).count() < MAXIMUM_EVENTS / 4
    {
        let read = elements(written.as_bytes()).expect("one element");
        assert_eq!(read.len(), 1, "what was escaped has become markup");
    }
});
