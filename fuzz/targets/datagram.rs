#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::datagram::{LONGEST_PLAINTEXT, SessionKey};

fuzz_target!(|datagram: &[u8]| {
    let key: SessionKey = "4NeCCgvZFe2RnPgrcU1PQw".parse().expect("22 characters of base64");
    let mut plaintext = [0; LONGEST_PLAINTEXT];
    if let Ok(opened) = key.open(datagram, &mut plaintext) {
        assert_eq!(key.seal(opened.header, opened.payload).as_deref(), Some(datagram));
    }
});
