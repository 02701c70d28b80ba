use std::net::SocketAddrV4;

use super::*;
use crate::mapping::{External, Transport};
use crate::rule::Network;

/// By nft 1.0.6.
const EXAMPLE: &str = include_str!("example.json");

fn network(text: &str) -> Network {
    text.parse().unwrap()
}

fn to_router(comes_in: &'static str, protocol: Transport, port: u16) -> Packet<'static> {
    let (source, destination) = match comes_in {
        "wan0" => (Network::ALL, network("20.0.0.1")),
        _ => (network("192.168.1.0/24"), network("192.168.1.1")),
    };
    Packet { comes_in, goes_out: None, source, destination, protocol, port, translated: false }
}

fn mapped() -> Packet<'static> {
    Packet {
        goes_out: Some("lan0"),
        destination: network("192.168.1.0/24"),
        translated: true,
        ..to_router("wan0", Transport::Udp, 60001)
    }
}

fn example() -> Ruleset {
    Ruleset::parse(EXAMPLE).unwrap()
}

/// A table with one chain at a hook, its rules in nft's JSON.
fn one_chain(hook: &str, policy: &str, rules: &[Value]) -> Ruleset {
    let base = serde_json::json!({"chain": {"family": "inet", "table": "t", "name": "c", "hook": hook, "prio": 0, "policy": policy}});
    let rules = rules.iter().map(
        |expr| serde_json::json!({"rule": {"family": "inet", "table": "t", "chain": "c", "expr": expr}}),
    );
    let objects: Vec<_> = [base].into_iter().chain(rules).collect();
    Ruleset::parse(&serde_json::json!({ "nftables": objects }).to_string()).unwrap()
}

fn dropped() -> Verdict {
    Verdict::Dropped(ChainName::new("inet", "filter", "input"))
}

#[test]
fn conditions_of_many_kinds_are_decided() {
    let verdict = |packet| example().verdict("input", &packet, None);
    for (packet, expected) in [
        (to_router("lan0", Transport::Udp, 1900), Verdict::Passes),
        (to_router("lan0", Transport::Udp, 6005), Verdict::Passes),
        (to_router("wan0", Transport::Udp, 5351), Verdict::Passes),
        (to_router("wan0", Transport::Udp, 5352), dropped()),
        (to_router("lan1", Transport::Tcp, 5000), Verdict::Passes),
        (to_router("lan1", Transport::Tcp, 22), dropped()),
        (to_router("wan0", Transport::Tcp, 5000), dropped()),
        (to_router("lo", Transport::Tcp, 22), Verdict::Passes),
    ] {
        assert_eq!(verdict(packet.clone()), expected, "{packet:?}");
    }
}

#[test]
fn a_limit_is_followed_both_ways() {
    let sometimes = serde_json::json!([{"limit": {"rate": 5, "per": "second"}}, {"accept": null}]);
    let ruleset = one_chain("input", "drop", &[sometimes]);
    let unknown = Verdict::Unknown(ChainName::new("inet", "t", "c"));
    assert_eq!(ruleset.verdict("input", &to_router("lan0", Transport::Udp, 53), None), unknown);
}

/// The status is a set of bits, and compared as a whole it has others, too.
#[test]
fn only_a_bit_of_the_status_is_decided() {
    let verdict = |operator: &str, packet: &Packet<'_>| {
        let status = serde_json::json!({"match": {"op": operator, "left": {"ct": {"key": "status"}}, "right": "dnat"}});
        one_chain("forward", "drop", &[serde_json::json!([status, {"accept": null}])])
            .verdict("forward", packet, None)
    };
    let chain = ChainName::new("inet", "t", "c");
    let untranslated = Packet { translated: false, ..mapped() };
    assert_eq!(verdict("in", &mapped()), Verdict::Passes);
    assert_eq!(verdict("in", &untranslated), Verdict::Dropped(chain.clone()));
    assert_eq!(verdict("!=", &mapped()), Verdict::Unknown(chain.clone()));
    assert_eq!(verdict("==", &mapped()), Verdict::Unknown(chain));
}

#[test]
fn an_extension_that_is_not_known_makes_the_answer_unknown() {
    let ruleset = one_chain("input", "accept", &[serde_json::json!([{"xt": null}])]);
    let unknown = Verdict::Unknown(ChainName::new("inet", "t", "c"));
    assert_eq!(ruleset.verdict("input", &to_router("lan0", Transport::Udp, 53), None), unknown);
}

#[test]
fn a_mapped_packet_passes_where_its_chain_is_jumped_to() {
    let chain = ChainName::new("inet", "filter", "miniupnpd");
    assert_eq!(example().verdict("forward", &mapped(), Some(&chain)), Verdict::Passes);
    let untranslated = Packet { translated: false, ..mapped() };
    assert_eq!(example().verdict("forward", &untranslated, Some(&chain)), Verdict::Passes);
    let forward = ChainName::new("inet", "filter", "forward");
    assert_eq!(example().verdict("forward", &untranslated, None), Verdict::Dropped(forward));
}

#[test]
fn an_accept_in_one_table_does_not_overrule_a_drop_in_another() {
    let jump = serde_json::json!([{"jump": {"target": "miniupnpd"}}]);
    let both = format!(
        r#"{{"nftables": [
            {{"chain": {{"family": "inet", "table": "own", "name": "forward", "hook": "forward", "prio": 0, "policy": "accept"}}}},
            {{"chain": {{"family": "inet", "table": "own", "name": "miniupnpd"}}}},
            {{"rule": {{"family": "inet", "table": "own", "chain": "forward", "expr": {jump}}}}},
            {{"chain": {{"family": "ip", "table": "admin", "name": "forward", "hook": "forward", "prio": 10, "policy": "drop"}}}}
        ]}}"#
    );
    let ruleset = Ruleset::parse(&both).unwrap();
    let admins = ChainName::new("ip", "admin", "forward");
    let own = ChainName::new("inet", "own", "miniupnpd");
    assert_eq!(ruleset.verdict("forward", &mapped(), Some(&own)), Verdict::Dropped(admins));
}

#[test]
fn a_chain_is_reached_only_by_a_packet_that_its_jump_fits() {
    let before = Packet { goes_out: None, destination: network("20.0.0.1"), translated: false, ..mapped() };
    let chain = ChainName::new("inet", "filter", "prerouting_miniupnpd");
    assert_eq!(example().reaches("prerouting", &before, &chain), Reached::Yes);
    let forwarded = Packet { protocol: Transport::Tcp, port: 8022, ..before.clone() };
    assert_eq!(example().reaches("prerouting", &forwarded, &chain), Reached::No);
    assert_eq!(
        example().reaches("prerouting", &before, &ChainName::new("inet", "filter", "other")),
        Reached::No
    );
    let perhaps = serde_json::json!([
        {"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 7}}, {"jump": {"target": "goal"}}
    ]);
    let ruleset = one_chain("prerouting", "accept", &[perhaps]);
    assert_eq!(
        ruleset.reaches("prerouting", &before, &ChainName::new("inet", "t", "goal")),
        Reached::Perhaps
    );
}

/// Each of a hundred chains jumps twice to the next.
#[test]
fn every_chain_is_walked_once() {
    let name = |number: usize| if number == 0 { "c".to_owned() } else { format!("c{number}") };
    let rules = (0..100).flat_map(|number| {
        let jump = serde_json::json!([{"jump": {"target": name(number + 1)}}]);
        let rule = serde_json::json!({"rule": {"family": "inet", "table": "t", "chain": name(number), "expr": jump}});
        [rule.clone(), rule]
    });
    let base = serde_json::json!({"chain": {"family": "inet", "table": "t", "name": "c", "hook": "input", "prio": 0, "policy": "drop"}});
    let objects: Vec<_> = [base].into_iter().chain(rules).collect();
    let ruleset = Ruleset::parse(&serde_json::json!({ "nftables": objects }).to_string()).unwrap();
    let dropped = Verdict::Dropped(ChainName::new("inet", "t", "c"));
    assert_eq!(ruleset.verdict("input", &to_router("lan0", Transport::Udp, 53), None), dropped);
}

#[test]
fn endless_jumps_end() {
    let ruleset = one_chain("input", "accept", &[serde_json::json!([{"goto": {"target": "c"}}])]);
    let unknown = Verdict::Unknown(ChainName::new("inet", "t", "c"));
    assert_eq!(ruleset.verdict("input", &to_router("lan0", Transport::Udp, 53), None), unknown);
}

#[test]
fn both_ways_of_writing_a_redirection_are_read() {
    let found = example().redirections(&ChainName::new("inet", "filter", "prerouting"));
    let redirection = |transport, external_port: u16, internal_port| {
        let external = External { transport, port: external_port.try_into().unwrap() };
        (external, SocketAddrV4::new([192, 168, 1, 10].into(), internal_port))
    };
    assert_eq!(
        found,
        [
            redirection(Transport::Tcp, 8022, 22),
            redirection(Transport::Udp, 60001, 60001),
            redirection(Transport::Udp, 60002, 60001),
        ]
    );
}

/// 0.0.0.6, whose number is TCP's.
#[test]
fn the_host_outside_is_not_taken_for_the_protocol() {
    let bits = |offset: u64, length: u64, right: u64| {
        let payload = serde_json::json!({"base": "nh", "offset": offset, "len": length});
        serde_json::json!({"match": {"op": "==", "left": {"payload": payload}, "right": right}})
    };
    let port = serde_json::json!({"payload": {"protocol": "th", "field": "dport"}});
    let rule = serde_json::json!([
        bits(96, 32, 6),
        bits(72, 8, 17),
        {"match": {"op": "==", "left": port, "right": 60001}},
        {"dnat": {"family": "ip", "addr": "192.168.1.10", "port": 60001}},
    ]);
    let found = one_chain("prerouting", "accept", &[rule]).redirections(&ChainName::new("inet", "t", "c"));
    let external = External::udp(60001.try_into().unwrap());
    assert_eq!(found, [(external, "192.168.1.10:60001".parse().unwrap())]);
}

#[test]
fn what_is_no_ruleset_is_an_error() {
    for text in ["", "{}", "[]", "{\"nftables\": 1}"] {
        assert!(Ruleset::parse(text).is_err(), "{text}");
    }
    assert_eq!(
        Ruleset::parse("{\"nftables\": [{\"rule\": 7}, 7]}")
            .unwrap()
            .redirections(&ChainName::new("inet", "", "")),
        []
    );
}
