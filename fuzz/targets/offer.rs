#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::offer::{MOST_CANDIDATES, Offer};

fuzz_target!(|line: &[u8]| {
    if let Ok(Some(offer)) = Offer::parse(line) {
        assert!(offer.candidates.len() <= MOST_CANDIDATES);
        assert_eq!(Offer::parse(offer.encode().as_bytes()), Ok(Some(offer)));
    }
});
