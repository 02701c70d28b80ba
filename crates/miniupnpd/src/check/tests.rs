mod installed;
mod listening;

use super::*;
use crate::mapping::Transport;
use crate::plan::Plan;
use crate::setup::{Flavour, Wishes, edit};

const PATH: &str = "/etc/miniupnpd/miniupnpd.conf";

/// By nft 1.0.6: what `setup` loads, beside an administrator's table with masquerading and a forwarded port, and one
/// mapping.
const RULESET: &str = include_str!("sound.json");

const DEBIAN_12: &str = "miniupnpd 2.3.1 Dec 21 2022\nusing netfilter(nftables) backend\n";

const PLACES: [(Transport, u16); 3] =
    [(Transport::Udp, 1900), (Transport::Udp, 5351), (Transport::Tcp, 5000)];

fn miniupnpd() -> Process {
    Process {
        pid: 77,
        program: Some("/usr/sbin/miniupnpd".into()),
        arguments: ["/usr/sbin/miniupnpd", "-f", PATH].map(str::to_owned).to_vec(),
        started: Some(1_000),
    }
}

fn all_by(process: &Process) -> Vec<Listener> {
    let listener = |(transport, port)| Listener { transport, port, owner: Some(process.clone()) };
    PLACES.map(listener).to_vec()
}

fn interface(name: &str, address: &str, prefix_length: u8) -> Interface {
    Interface { name: name.into(), addresses: vec![(address.parse().unwrap(), prefix_length)] }
}

/// A router after `setup --apply`, with a guard and one session.
fn sound() -> Facts {
    let wishes = Wishes {
        wan: "wan0".into(),
        lan: "lan0".into(),
        lan_network: "192.168.1.0/24".parse().unwrap(),
        plan: Plan::new(None, &[]).unwrap(),
        flavour: Flavour::Nftables,
        build: Build::parse(DEBIAN_12),
        chains_are_there: false,
    };
    let files = edit(b"uuid=1\n", b"", &wishes);
    Facts {
        configuration_path: PATH.into(),
        configuration: Some(files.configuration),
        defaults: Some(files.defaults),
        version: Some(DEBIAN_12.into()),
        listeners: Some(all_by(&miniupnpd())),
        configuration_changed: Some(900),
        interfaces: vec![
            interface("lo", "127.0.0.1", 8),
            interface("wan0", "20.0.0.1", 24),
            interface("lan0", "192.168.1.1", 24),
        ],
        default_routes: vec!["wan0".into()],
        ip_forward: Some(true),
        lease_place: Some(LeasePlace::Lasting),
        leases: Some(b"UDP:60001:192.168.1.10:60002:1795343934:mosh\n".to_vec()),
        ruleset: Some(RULESET.into()),
        udp_ports: Some(vec![1900, 5351, 60001]),
        guard_runs: Some(true),
    }
}

fn said(facts: &Facts, at_least: Verdict) -> Vec<(&'static str, Verdict)> {
    let findings = judge(facts);
    for finding in &findings {
        assert_eq!(finding.cure.is_none(), finding.verdict == Verdict::Ok, "{finding:?}");
    }
    findings.iter().filter(|it| it.verdict >= at_least).map(|it| (it.name, it.verdict)).collect()
}

fn replaced(facts: &mut Facts, old: &str, new: &str) {
    let text = String::from_utf8(facts.configuration.clone().unwrap()).unwrap();
    assert!(text.contains(old), "{old}: {text}");
    facts.configuration = Some(text.replace(old, new).into());
}

fn in_rules(facts: &mut Facts, old: &str, new: &str) {
    assert!(RULESET.contains(old), "{old}");
    facts.ruleset = Some(RULESET.replace(old, new));
}

/// What only this change makes, worse than a warning.
fn after(change: impl FnOnce(&mut Facts)) -> Vec<&'static str> {
    let mut facts = sound();
    change(&mut facts);
    said(&facts, Verdict::Unknown).iter().map(|(name, _)| *name).collect()
}

#[test]
fn a_correct_router_is_called_correct() {
    assert_eq!(said(&sound(), Verdict::Warning), []);
    let texts: Vec<_> = judge(&sound()).into_iter().map(|it| format!("{}: {}", it.name, it.what)).collect();
    assert_eq!(
        texts,
        [
            "configuration: /etc/miniupnpd/miniupnpd.conf can be read",
            "daemon: miniupnpd runs as process 77",
            "start: nothing in /etc/default/miniupnpd keeps it from starting",
            "current: miniupnpd has read /etc/miniupnpd/miniupnpd.conf as it is",
            "wan-interface: wan0 has the default route",
            "lan-interface: miniupnpd listens on lan0 (192.168.1.0/24)",
            "wan-address: 20.0.0.1 is public",
            "secure-mode: a host may map ports to itself only",
            "protocols: PCP, NAT-PMP and UPnP are on",
            "rules-deny: what no rule allows is denied",
            "rules-range: 192.168.1.0/24 may map 23 of mosh's ports, from 60001 on",
            "rules-others: no rule allows more than mosh needs",
            "lease-file: /var/lib/miniupnpd/upnp.leases survives a restart of the router",
            "cleaning: a mapping stays until its lease ends",
            "ip-forward: the kernel forwards IPv4",
            "chains: the chains for miniupnpd's rules are there",
            "jump: what comes from outside comes to the chain prerouting_miniupnpd of the table inet miniupnpd",
            "forward: what is mapped is let through",
            "input-lan: the LAN reaches SSDP, PCP, NAT-PMP and UPnP's HTTP port",
            "input-wan: the outside reaches nothing of miniupnpd's",
            "mappings: 1 mapped, and each has its rule",
            "held: the guard holds what is mapped",
        ]
    );
}

const ALLOW: &str = "allow 60000-60023 192.168.1.0/24 60000-60023\n";
const DENY: &str = "deny 0-65535 0.0.0.0/0 0-65535\n";

#[test]
fn faults_of_the_configuration_are_found_and_no_others() {
    let changed = |old: &'static str, new: &'static str| after(move |facts| replaced(facts, old, new));
    for (old, new, expected) in [
        ("uuid=1", "nonsense", "configuration"),
        ("uuid=1", "allow 2-1 10.0.0.0/8 1", "configuration"),
        ("secure_mode=yes", "secure_mode=no", "secure-mode"),
        ("enable_natpmp=yes", "enable_natpmp=no", "protocols"),
        (DENY, "", "rules-deny"),
        (ALLOW, "", "rules-range"),
        (
            "allow 60000-60023 192.168.1.0/24 60000-60023",
            "allow 50000-50023 192.168.1.0/24 50000-50023",
            "rules-range",
        ),
        (
            "allow 60000-60023 192.168.1.0/24 60000-60023",
            "allow 60000-60023 192.168.2.0/24 60000-60023",
            "rules-range",
        ),
    ] {
        assert_eq!(changed(old, new), [expected], "{old} -> {new}");
    }
    let no_lease_file = changed("lease_file=", "#lease_file=");
    assert_eq!(no_lease_file, ["lease-file", "mappings"]);
    let reversed = after(|facts| {
        replaced(facts, DENY, "");
        replaced(facts, ALLOW, &format!("{DENY}{ALLOW}"));
    });
    assert_eq!(reversed, ["rules-range"]);
}

#[test]
fn wrong_interfaces_and_addresses_are_found() {
    assert_eq!(after(|facts| facts.default_routes = vec!["wan1".into()]), ["wan-interface"]);
    assert!(after(|facts| replaced(facts, "ext_ifname=wan0", "ext_ifname=wan9")).contains(&"wan-interface"));
    assert!(after(|facts| replaced(facts, "ext_ifname=wan0", "ext_ifname=lan0")).contains(&"wan-interface"));
    assert!(
        after(|facts| replaced(facts, "listening_ip=lan0", "listening_ip=wan0")).contains(&"lan-interface")
    );
    assert!(after(|facts| replaced(facts, "listening_ip=lan0", "")).contains(&"lan-interface"));
    assert_eq!(after(|facts| replaced(facts, "listening_ip=lan0", "listening_ip=192.168.1.1/24")), [""; 0]);
    for address in ["192.168.178.20", "100.64.0.7", "0.0.0.0"] {
        let moved = after(|facts| facts.interfaces[1] = interface("wan0", address, 24));
        assert_eq!(moved, ["wan-address"], "{address}");
    }
}

#[test]
fn faults_of_the_running_system_are_found() {
    assert_eq!(after(|facts| facts.listeners = Some(vec![])), ["daemon"]);
    assert_eq!(after(|facts| facts.defaults = Some(b"START_DAEMON=0\n".to_vec())), ["start"]);
    assert_eq!(after(|facts| facts.ip_forward = Some(false)), ["ip-forward"]);
    assert_eq!(after(|facts| facts.lease_place = Some(LeasePlace::Volatile)), ["lease-file"]);
    assert_eq!(after(|facts| facts.lease_place = Some(LeasePlace::Missing)), ["lease-file"]);
    assert_eq!(after(|facts| facts.leases = Some(Vec::new())), ["mappings"]);
    let another = b"UDP:60001:192.168.1.10:60002:0:a\nTCP:80::192.168.1.10:80:0:b:c\n".to_vec();
    assert_eq!(after(|facts| facts.leases = Some(another)), ["mappings"]);
    assert_eq!(after(|facts| facts.udp_ports = Some(vec![])), ["held"]);
    assert_eq!(after(|facts| facts.guard_runs = Some(false)), ["held"], "its port is taken");
}

#[test]
fn faults_of_the_firewall_are_found() {
    let policy = "\"name\": \"forward\", \"handle\": 4, \"type\": \"filter\", \"hook\": \"forward\", \"prio\": 0, \"policy\": \"accept\"";
    let drops = policy.replace("accept", "drop");
    assert_eq!(after(|facts| in_rules(facts, policy, &drops)), [""; 0], "the jump comes before the policy");
    let unjumped = "\"chain\": \"forward\", \"handle\": 8, \"expr\": [{\"jump\"";
    let closed = after(|facts| {
        in_rules(facts, policy, &drops);
        let rules = facts.ruleset.take().unwrap();
        assert!(rules.contains(unjumped));
        facts.ruleset = Some(rules.replace(unjumped, &unjumped.replace("jump", "log")));
    });
    assert_eq!(closed, ["forward"]);
    let jump = "\"jump\": {\"target\": \"prerouting_miniupnpd\"}";
    assert_eq!(after(|facts| in_rules(facts, jump, "\"log\": null")), ["jump"]);
    assert_eq!(after(|facts| in_rules(facts, "\"right\": 5000", "\"right\": 5001")), ["input-wan"]);
    assert_eq!(after(|facts| in_rules(facts, "[1900, 5351]", "[1900]")), ["input-wan"]);
    let everywhere = "\"policy\": \"drop\"";
    let no_input = "\"hook\": \"input\", \"prio\": 0, \"policy\": \"accept\"";
    let shut = no_input.replace("\"policy\": \"accept\"", everywhere);
    assert_eq!(after(|facts| in_rules(facts, no_input, &shut)), ["input-lan"]);
    let gone = after(|facts| facts.ruleset = Some("{\"nftables\": []}".into()));
    assert_eq!(gone, ["chains", "jump", "input-wan", "mappings"]);
}

#[test]
fn what_could_not_be_read_is_unknown_and_nothing_is_guessed() {
    let unknown = |change: fn(&mut Facts)| {
        let mut facts = sound();
        change(&mut facts);
        let said = said(&facts, Verdict::Warning);
        assert!(said.iter().all(|(_, verdict)| *verdict == Verdict::Unknown), "{said:?}");
        said.len()
    };
    assert_eq!(unknown(|facts| facts.configuration = None), 1);
    assert_eq!(unknown(|facts| facts.ruleset = None), 6);
    assert_eq!(unknown(|facts| facts.listeners = None), 1);
    assert_eq!(unknown(|facts| facts.configuration_changed = None), 1);
    assert_eq!(unknown(|facts| facts.leases = None), 2);
    assert_eq!(
        unknown(|facts| (facts.ip_forward, facts.lease_place, facts.guard_runs) = (None, None, None)),
        3
    );
}

#[test]
fn what_works_but_not_always_is_a_warning() {
    let warned = |change: fn(&mut Facts)| {
        let mut facts = sound();
        change(&mut facts);
        said(&facts, Verdict::Warning)
    };
    let warning = |name| vec![(name, Verdict::Warning)];
    assert_eq!(warned(|facts| facts.configuration_changed = Some(2_000)), warning("current"));
    assert_eq!(warned(|facts| facts.default_routes.clear()), warning("wan-interface"));
    assert_eq!(warned(|facts| replaced(facts, "uuid=1", "ext_ip=20.0.0.7")), warning("wan-address"));
    assert_eq!(warned(|facts| replaced(facts, "uuid=1", "clean_ruleset_interval=600")), warning("cleaning"));
    assert_eq!(warned(|facts| replaced(facts, "uuid=1", "enable_upnp=no")), warning("protocols"));
    assert_eq!(warned(|facts| replaced(facts, "http_port=5000", "http_port=0")), warning("input-lan"));
    assert_eq!(
        warned(|facts| replaced(facts, "uuid=1", "allow 22 192.168.1.0/24 22")),
        warning("rules-others")
    );
    assert_eq!(
        warned(|facts| replaced(facts, "uuid=1", "allow 1024-65535 192.168.1.0/24 1024-65535")),
        warning("rules-others")
    );
    assert_eq!(
        warned(|facts| {
            facts.guard_runs = Some(false);
            facts.udp_ports = Some(vec![]);
        }),
        warning("held")
    );
}
