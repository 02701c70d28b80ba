#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::stun::{Answer, Transaction};

fuzz_target!(|datagram: &[u8]| {
    let Some(bytes) = datagram.get(8..20).and_then(|bytes| bytes.try_into().ok()) else { return };
    match Transaction::new(bytes).answer(datagram) {
        Some(Answer::Refused { code }) => assert!((300..=699).contains(&code)),
        Some(Answer::Seen(_)) => assert!(datagram.len() >= 32 && datagram.len().is_multiple_of(4)),
        None => {}
    }
    let other = bytes.map(|byte| !byte);
    assert_eq!(Transaction::new(other).answer(datagram), None);
});
