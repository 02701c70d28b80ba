//! What nft prints, the comments of rules among it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use miniupnpd::hairpin;
use miniupnpd::redirections::Reading;

fuzz_target!(|ruleset: &str| {
    let chains = ["prerouting_miniupnpd".to_owned()];
    let Some(mappings) = Reading::parse(ruleset, &chains).mappings else { return };
    assert!(mappings.len() <= ruleset.lines().count());
    let rules = hairpin::rules("wan0", &[], &mappings);
    assert_eq!(rules.matches('"').count(), 10, "text of a rule has come into ours");
});
