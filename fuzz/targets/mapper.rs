//! What a router sends, piece by piece, with `----` on a line of its own between them.

#![no_main]

use fuzz::host::Host;
use fuzz::start;
use libfuzzer_sys::fuzz_target;

const SEPARATOR: &[u8] = b"\n----\n";

fuzz_target!(|story: &[u8]| {
    let mut host = Host::new(start());
    let mut rest = story;
    while let Some(at) = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR) {
        host.receive(&rest[..at]);
        rest = &rest[at + SEPARATOR.len()..];
    }
    host.receive(rest);
    host.release();
});
