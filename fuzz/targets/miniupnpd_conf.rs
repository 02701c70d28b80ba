#![no_main]

use libfuzzer_sys::fuzz_target;
use miniupnpd::build::Build;
use miniupnpd::configuration::Configuration;
use miniupnpd::document::Document;
use miniupnpd::plan::{DEFAULT_RANGE, Plan};
use miniupnpd::rule::{Action, Rule, allows};
use miniupnpd::setup::{Flavour, Wishes, edit};

fuzz_target!(|file: &[u8]| {
    assert_eq!(Document::parse(file).to_bytes(), file, "what is not edited stays");
    for version in ["2.2.1", "2.3.1", "2.3.11", "2.4.0", "unknown"] {
        set_up(
            file,
            Build::parse(&format!("miniupnpd {version} Jan  1 2026\nusing netfilter(nftables) backend\n")),
        );
    }
});

fn set_up(file: &[u8], build: Build) {
    let wishes = Wishes {
        wan: "wan0".into(),
        lan: "lan0".into(),
        lan_network: "192.168.1.0/24".parse().expect("a literal"),
        plan: Plan::Shared(DEFAULT_RANGE),
        flavour: Flavour::Nftables,
        build,
        chains_are_there: false,
    };
    let once = edit(file, file, &wishes);
    let again = edit(&once.configuration, &once.defaults, &wishes);
    assert_eq!(again.configuration, once.configuration, "a second setup changes nothing");
    assert_eq!(again.defaults, once.defaults, "a second setup changes nothing");

    let configuration = Configuration::parse(&once.configuration);
    assert_eq!(configuration.option("ext_ifname").as_deref(), Some("wan0"));
    assert_eq!(configuration.is_secure(&wishes.build), Some(true));
    assert!(configuration.speaks_pcp(&wishes.build) && configuration.speaks_upnp());
    let mut bad = configuration.bad_lines(&wishes.build);
    assert!(bad.all(|bad| !bad.objection.is_certain()), "miniupnpd starts with it");
    let rules = configuration.rules(&wishes.build);
    let host = [192, 168, 1, 10].into();
    let is_exception = |rule: &Rule| rule.action == Action::Deny && rule.fits(60001, host, 60001);
    let denials_before = rules.iter().take_while(|rule| **rule != wishes.plan.rules(wishes.lan_network)[0]);
    if !denials_before.clone().any(is_exception) {
        assert!(allows(&rules, 60001, host, 60001), "mosh has its ports");
    }
    let is_allowed = rules.iter().any(|rule| rule.action == Action::Allow && rule.fits(5, host, 5));
    assert!(is_allowed || !allows(&rules, 5, host, 5), "what no rule allows is denied");
}
