//! Two lines: a base, and what a document at that base refers to.

#![no_main]

use fuzz::is_printable_ascii;
use libfuzzer_sys::fuzz_target;
use portmap::upnp::url::{MAXIMUM_LENGTH, Url};

fuzz_target!(|text: &str| {
    let (base, reference) = text.split_once('\n').unwrap_or((text, "control"));
    if let Ok(url) = Url::parse(base) {
        check(&url);
        let _ = url.resolve(reference).map(|url| check(&url));
    }
});

fn check(url: &Url) {
    assert!(url.path().starts_with('/') && url.path().len() <= MAXIMUM_LENGTH);
    assert!(is_printable_ascii(url.path()) && is_printable_ascii(&url.authority()));
    assert!(url.served_by(url.host()) && url.port() != 0);
    let written = url.to_string();
    if written.len() <= MAXIMUM_LENGTH && !written.contains('#') {
        assert_eq!(Url::parse(&written).as_ref(), Ok(url), "{written} is read as another url");
    }
}
