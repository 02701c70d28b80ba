//! What is right for one miniupnpd and wrong for another.

use super::*;

/// A sound router, set up for this version, which is stopped, so that nothing has proved that it starts.
fn stopped(version: &str) -> Facts {
    let version = format!("miniupnpd {version} Jan  1 2026\nusing netfilter(nftables) backend\n");
    Facts { version: Some(version), listeners: Some(vec![]), ..sound() }
}

fn with_line(line: &str, version: &str) -> Facts {
    let mut facts = stopped(version);
    replaced(&mut facts, "uuid=1", line);
    facts
}

fn verdict(facts: &Facts, name: &str) -> (Verdict, String) {
    let finding = judge(facts).into_iter().find(|finding| finding.name == name).unwrap();
    (finding.verdict, finding.what)
}

/// With that line, by each version.
fn verdicts<const N: usize>(name: &str, line: &str, versions: [&str; N]) -> [Verdict; N] {
    versions.map(|version| verdict(&with_line(line, version), name).0)
}

use Verdict::{Fault, Ok, Unknown, Warning};

#[test]
fn an_option_that_miniupnpd_does_not_know_is_a_fault_where_it_stops_at_it() {
    for (line, expected) in [
        ("enable_pcp_pmp=yes", [Warning, Fault, Ok, Ok, Ok]),
        ("enable_nat_pmp=yes", [Warning, Fault, Fault, Fault, Unknown]),
        ("ext_allow_private_ipv4=yes", [Warning, Fault, Fault, Ok, Ok]),
        ("upnp_nftables_family_split=no", [Warning, Fault, Fault, Ok, Ok]),
        ("https_port=5001", [Warning, Fault, Fault, Fault, Fault]),
        ("#enable_nat_pmp=yes", [Warning, Ok, Ok, Ok, Ok]),
    ] {
        let versions = ["2.2.2", "2.3.1", "2.3.4", "2.3.11", "2.4.0"];
        assert_eq!(verdicts("configuration", line, versions), expected, "{line}");
    }
}

#[test]
fn what_is_wrong_with_an_option_is_said() {
    let (_, what) = verdict(&with_line("enable_pcp_pmp=yes", "2.3.1"), "configuration");
    assert_eq!(
        what,
        "line 1 of /etc/miniupnpd/miniupnpd.conf, 'enable_pcp_pmp=yes', keeps miniupnpd 2.3.1 from starting: \
         miniupnpd 2.3.1 knows no option enable_pcp_pmp (it came with 2.3.4)"
    );
    let (_, what) = verdict(&with_line("nonsense", "2.2.1"), "configuration");
    assert_eq!(
        what,
        "line 1 of /etc/miniupnpd/miniupnpd.conf, 'nonsense', is passed over by miniupnpd 2.2.1: \
         it is neither a rule nor name=value"
    );
}

/// A distribution may have taught its own.
#[test]
fn what_has_started_with_its_file_has_understood_every_option_of_it() {
    let mut facts = Facts { version: Some(DEBIAN_12.into()), ..sound() };
    replaced(&mut facts, "uuid=1", "an_option_of_their_own=yes");
    assert_eq!(verdict(&facts, "configuration").0, Unknown);
    facts.configuration_changed = Some(999);
    assert_eq!(verdict(&facts, "configuration").0, Fault, "the clocks are not that exact");
    let mut later = with_line("an_option_of_their_own=yes", "2.4.0");
    later.listeners = sound().listeners;
    assert_eq!(verdict(&later, "configuration").0, Ok);
}

#[test]
fn without_a_version_what_depends_on_it_is_unknown() {
    for version in [None, Some(String::new()), Some("Usage:\n".into())] {
        let with = |line: &str| Facts { version: version.clone(), ..with_line(line, "2.3.1") };
        for line in ["enable_pcp_pmp=yes", "enable_nat_pmp=yes"] {
            assert_eq!(verdict(&with(line), "configuration").0, Unknown, "{line}");
        }
        assert_eq!(verdict(&with("uuid=1"), "configuration").0, Ok);
        assert_eq!(verdict(&with("secure_mode=no"), "secure-mode").0, Unknown);
        assert_eq!(verdict(&with("uuid=1"), "secure-mode").0, Ok);
    }
}

#[test]
fn who_maps_for_others_depends_on_the_version() {
    let said = |line: &str, version| {
        let mut facts = stopped(version);
        replaced(&mut facts, "secure_mode=yes", line);
        verdict(&facts, "secure-mode").0
    };
    for (line, before, since) in [
        ("", Fault, Ok),
        ("secure_mode=no", Fault, Fault),
        ("secure_mode=yes\nsecure_mode=no", Ok, Fault),
        ("secure_mode=no\nsecure_mode=yes", Ok, Fault),
    ] {
        for (version, expected) in [("2.3.1", before), ("2.3.3", before), ("2.3.4", since), ("2.4.0", since)]
        {
            assert_eq!(said(line, version), expected, "{version} {line}");
        }
    }
}

#[test]
fn what_miniupnpd_was_called_with_comes_after_its_file() {
    let called = |secure_mode: &str, argument: &str, version| {
        let mut facts = stopped(version);
        replaced(&mut facts, "secure_mode=yes", secure_mode);
        let mut process = miniupnpd();
        process.arguments.push(argument.into());
        facts.listeners = Some(all_by(&process));
        verdict(&facts, "secure-mode").0
    };
    assert_eq!(called("", "-S", "2.3.1"), Ok);
    assert_eq!(called("secure_mode=yes", "-S0", "2.3.11"), Fault);
    assert_eq!(called("secure_mode=no", "-S", "2.3.11"), Fault);
    assert_eq!(called("secure_mode=yes", "-S0", "?"), Unknown);

    let mut facts = sound();
    replaced(&mut facts, "enable_natpmp=yes", "enable_natpmp=no");
    replaced(&mut facts, "http_port=5000", "http_port=6000");
    let mut process = miniupnpd();
    process.arguments.extend(["-N", "-p", "5000"].map(str::to_owned));
    facts.listeners = Some(all_by(&process));
    assert_eq!(verdict(&facts, "protocols").0, Ok);
    assert_eq!(verdict(&facts, "daemon").0, Ok);
}

#[test]
fn a_private_address_is_mapped_on_where_that_is_allowed() {
    let behind = |line: &str, version| {
        let mut facts = with_line(line, version);
        facts.interfaces[1] = interface("wan0", "192.168.0.2", 24);
        verdict(&facts, "wan-address").0
    };
    const ALLOWED: &str = "ext_allow_private_ipv4=yes";
    for (version, expected) in [
        ("2.1", Warning),
        ("2.3.1", Fault),
        ("2.3.8", Fault),
        ("2.3.9", Warning),
        ("2.4.0", Warning),
        ("?", Unknown),
    ] {
        assert_eq!(behind(ALLOWED, version), expected, "{version}");
    }
    for (version, expected) in [("2.1", Warning), ("2.2.0", Fault), ("2.3.11", Fault), ("?", Fault)] {
        assert_eq!(behind("ext_allow_private_ipv4=no", version), expected, "{version}");
    }
    let ext_ip = |version| verdicts("wan-address", &format!("ext_ip=192.168.0.2\n{ALLOWED}"), [version])[0];
    assert_eq!((ext_ip("2.3.1"), ext_ip("2.3.9")), (Fault, Warning));
    assert_eq!(verdicts("wan-address", "ext_perform_stun=no", ["2.3.1", "2.3.11"]), [Ok, Ok]);
    assert_eq!(verdicts("wan-address", "ext_perform_stun=allow-filtered", ["2.3.1", "2.3.9"]), [Ok, Warning]);
}

#[test]
fn either_name_switches_pcp_on_for_who_knows_it() {
    let said = |line: &str, version| {
        let mut facts = stopped(version);
        replaced(&mut facts, "enable_natpmp=yes", line);
        verdict(&facts, "protocols").0
    };
    for (line, by_2_3_1, by_2_3_4) in [
        ("enable_pcp_pmp=yes", Fault, Ok),
        ("enable_natpmp=yes\r\nenable_natpmp=no\r", Ok, Ok),
        ("enable_natpmp=1", Ok, Ok),
        ("enable_natpmp=\"yes\"", Fault, Fault),
        ("enable_natpmp=yes\nenable_upnp=no\nenable_upnp=yes", Warning, Warning),
    ] {
        assert_eq!((said(line, "2.3.1"), said(line, "2.3.4")), (by_2_3_1, by_2_3_4), "{line}");
    }
}

/// The administrator's tables of the family `ip`, and a mapping in them.
fn split(version: &str) -> Facts {
    let rule = r#"[{"rule": {"family": "ip", "table": "nat", "chain": "prerouting_miniupnpd", "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 60001}},
        {"dnat": {"addr": "192.168.1.10", "port": 60002}}]}},"#;
    let closed = r#"[{"chain": {"family": "ip", "table": "guard", "name": "input", "hook": "input", "prio": 0, "policy": "accept"}},
        {"rule": {"family": "ip", "table": "guard", "chain": "input", "expr": [
        {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "wan0"}}, {"drop": null}]}},"#;
    let mut facts = stopped(version);
    for (name, new) in [("upnp_table_name", "filter"), ("upnp_nat_table_name", "nat")] {
        replaced(&mut facts, &format!("{name}=miniupnpd"), &format!("{name}={new}"));
    }
    replaced(&mut facts, "uuid=1", "upnp_nftables_family_split=yes");
    let rules = include_str!("../split.json").replacen('[', rule, 1).replacen('[', closed, 1);
    facts.ruleset = Some(rules);
    facts.listeners = sound().listeners;
    facts
}

#[test]
fn chains_of_the_family_ip_serve_who_is_told_to_use_them() {
    assert_eq!(said(&split("2.3.11"), Warning), []);
    let by_2_3_1 = said(&Facts { listeners: Some(vec![]), ..split("2.3.1") }, Fault);
    let names: Vec<_> = by_2_3_1.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["configuration", "daemon", "chains", "jump", "forward"]);

    let mut unjumped = split("2.3.11");
    let rules = unjumped.ruleset.take().unwrap();
    let jump = r#"{"jump": {"target": "miniupnpd"}}"#;
    assert!(rules.contains(jump));
    unjumped.ruleset = Some(rules.replace(jump, r#"{"log": null}"#));
    let finding = judge(&unjumped).into_iter().find(|finding| finding.verdict == Fault).unwrap();
    assert_eq!(finding.what, "the chain forward of the table ip filter drops what is mapped");
    assert_eq!(finding.cure.as_deref(), Some("'jump miniupnpd' in it, before what drops"));
}

#[test]
fn where_an_old_one_puts_its_rules_is_unknown() {
    let facts = stopped("2.2.1");
    let unknown: Vec<_> =
        judge(&facts).into_iter().filter(|it| it.verdict == Unknown).map(|it| it.name).collect();
    assert_eq!(unknown, ["chains", "jump", "forward", "mappings"]);
}

#[test]
fn a_denial_with_a_pattern_denies_only_some_since_2_3_2() {
    let patterned = |version: &str| {
        let mut facts = stopped(version);
        replaced(&mut facts, "deny 0-65535 0.0.0.0/0 0-65535", "deny 0-65535 0.0.0.0/0 0-65535 \"torrent\"");
        ["configuration", "rules-deny"].map(|name| verdict(&facts, name).0)
    };
    assert_eq!(patterned("2.3.1"), [Ok, Ok]);
    assert_eq!(patterned("2.3.11"), [Unknown, Fault]);
}
