use super::*;
use crate::plan::Server;

/// What of Debian 12's file is edited, with some of what is not.
const DEBIAN: &str = "\
# WAN network interface
#ext_ifname=eth1
#ext_ifname=xl1
#listening_ip=192.168.0.1/24
#listening_ip=eth0
# CAUTION: mixing up WAN and LAN interfaces may introduce security risks!
#http_port=0
#enable_natpmp=yes
#upnp_table_name=
#upnp_nat_table_name=
#upnp_forward_chain=forwardUPnP
#upnp_nat_chain=UPnP
#upnp_nat_postrouting_chain=UPnP-Postrouting
#lease_file=/var/log/upnp.leases
#secure_mode=yes
system_uptime=yes
uuid=6d6f7368-7075-6e63-6820-6c6162206777
# and end the rule set with \"deny 0-65535 0.0.0.0/0 0-65535\"
#allow 1024-65535 192.168.0.0/24 1024-65535
#deny 0-65535 0.0.0.0/0 0-65535
";

const DEFAULTS: &str = "\
MiniUPnPd_OTHER_OPTIONS=\"\"
MiniUPnPd_ip6tables_enable=0
MiniUPnPd_PRESTART_COMMAND=
MiniUPnPd_POSTSTOP_COMMAND=
";

fn build(version: &str) -> Build {
    Build::parse(&format!("miniupnpd {version} Jan  1 2026\nusing netfilter(nftables) backend\n"))
}

fn wishes() -> Wishes {
    Wishes {
        wan: "wan0".into(),
        lan: "lan0".into(),
        lan_network: "192.168.1.0/24".parse().unwrap(),
        plan: Plan::new(None, &[]).unwrap(),
        flavour: Flavour::Nftables,
        build: build("2.3.1"),
        chains_are_there: false,
    }
}

/// Edits twice; the second time must change nothing.
fn edited(configuration: &str, defaults: &str, wishes: &Wishes) -> (String, String, Files) {
    let files = edit(configuration.as_bytes(), defaults.as_bytes(), wishes);
    let again = edit(&files.configuration, &files.defaults, wishes);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(text(&again.configuration), text(&files.configuration));
    assert_eq!((&again.defaults, &again.firewall), (&files.defaults, &files.firewall));
    (text(&files.configuration), text(&files.defaults), files)
}

fn rules_of(configuration: &str, wishes: &Wishes) -> (Vec<String>, Vec<String>) {
    let (text, _, files) = edited(configuration, "", wishes);
    let rules = Configuration::parse(text.as_bytes())
        .rules(&Build::default())
        .iter()
        .map(ToString::to_string)
        .collect();
    (rules, files.notes)
}

#[test]
fn a_fresh_package_gets_the_write_ups_edits_and_nothing_else() {
    let (configuration, defaults, files) = edited(DEBIAN, DEFAULTS, &wishes());
    assert_eq!(
        configuration,
        "\
# WAN network interface
#ext_ifname=eth1
#ext_ifname=xl1
ext_ifname=wan0
#listening_ip=192.168.0.1/24
#listening_ip=eth0
listening_ip=lan0
# CAUTION: mixing up WAN and LAN interfaces may introduce security risks!
#http_port=0
http_port=5000
#enable_natpmp=yes
enable_natpmp=yes
#upnp_table_name=
upnp_table_name=miniupnpd
#upnp_nat_table_name=
upnp_nat_table_name=miniupnpd
#upnp_forward_chain=forwardUPnP
upnp_forward_chain=miniupnpd
#upnp_nat_chain=UPnP
upnp_nat_chain=prerouting_miniupnpd
#upnp_nat_postrouting_chain=UPnP-Postrouting
upnp_nat_postrouting_chain=postrouting_miniupnpd
#lease_file=/var/log/upnp.leases
lease_file=/var/lib/miniupnpd/upnp.leases
#secure_mode=yes
secure_mode=yes
system_uptime=yes
uuid=6d6f7368-7075-6e63-6820-6c6162206777
# and end the rule set with \"deny 0-65535 0.0.0.0/0 0-65535\"
#allow 1024-65535 192.168.0.0/24 1024-65535
#deny 0-65535 0.0.0.0/0 0-65535
# moshpunch router setup: begin
allow 60000-60023 192.168.1.0/24 60000-60023
deny 0-65535 0.0.0.0/0 0-65535
# moshpunch router setup: end
"
    );
    assert_eq!(
        defaults,
        "\
MiniUPnPd_OTHER_OPTIONS=\"\"
MiniUPnPd_ip6tables_enable=0
MiniUPnPd_PRESTART_COMMAND=\"/usr/sbin/nft -f /etc/miniupnpd/moshpunch.nft\"
MiniUPnPd_POSTSTOP_COMMAND=\"/usr/sbin/nft add table inet miniupnpd; delete table inet miniupnpd\"
"
    );
    assert_eq!(files.firewall, Some(firewall::rules("wan0", 5000, true)));
    assert_eq!(files.notes, [""; 0]);
}

#[test]
fn chains_that_are_there_are_used() {
    let there = Wishes { chains_are_there: true, ..wishes() };
    let (configuration, _, files) = edited(DEBIAN, DEFAULTS, &there);
    assert!(!configuration.contains("\nupnp_table_name="), "{configuration}");
    assert_eq!(files.firewall, Some(firewall::rules("wan0", 5000, false)));
}

/// The second setup of a running router finds the chains of the first.
#[test]
fn our_own_chains_are_not_taken_for_the_administrators() {
    let (configuration, defaults, first) = edited(DEBIAN, DEFAULTS, &wishes());
    let there = Wishes { chains_are_there: true, ..wishes() };
    let (again, _, second) = edited(&configuration, &defaults, &there);
    assert_eq!((again, second.firewall), (configuration, first.firewall));
}

#[test]
fn the_administrators_own_start_command_stays() {
    let own = "MiniUPnPd_PRESTART_COMMAND=/root/chains\nSTART_DAEMON=0\n";
    let (configuration, defaults, files) = edited(DEBIAN, own, &wishes());
    assert_eq!(defaults, "MiniUPnPd_PRESTART_COMMAND=/root/chains\nSTART_DAEMON=1\n");
    assert_eq!(files.firewall, None);
    assert!(!configuration.contains("\nupnp_table_name="), "{configuration}");
    assert!(
        files.notes[0].starts_with("kept: MiniUPnPd_PRESTART_COMMAND=/root/chains; "),
        "{:?}",
        files.notes
    );
}

#[test]
fn iptables_gets_the_packages_scripts_with_the_interface() {
    let (_, defaults, files) = edited(DEBIAN, DEFAULTS, &Wishes { flavour: Flavour::Iptables, ..wishes() });
    assert!(
        defaults.contains("PRESTART_COMMAND=\"/etc/miniupnpd/iptables_init.sh -i wan0\"\n"),
        "{defaults}"
    );
    assert!(
        defaults.contains("POSTSTOP_COMMAND=\"/etc/miniupnpd/iptables_removeall.sh -i wan0\"\n"),
        "{defaults}"
    );
    assert_eq!(files.firewall, None);
    assert!(files.service.unwrap().ends_with("[Service]\nTasksMax=32\n"));
    assert!(files.notes[0].starts_with("miniupnpd-iptables needs iptables-legacy"), "{:?}", files.notes);
}

#[test]
fn the_newer_name_of_pcp_is_used_where_the_file_and_miniupnpd_have_it() {
    let names = |before: &str, version: &str| {
        let wishes = Wishes { build: build(version), ..wishes() };
        let (configuration, ..) = edited(before, "", &wishes);
        let document = Document::parse(configuration.as_bytes());
        [PCP, PCP_TOO].map(|name| document.values(name).join(" "))
    };
    for file in ["#enable_pcp_pmp=yes\n", "enable_pcp_pmp=yes\n", "enable_pcp_pmp=no\n"] {
        assert_eq!(names(file, "2.3.4"), ["", "yes"], "{file}");
        assert_eq!(names(file, "2.3.1"), ["yes", ""], "{file}");
        assert_eq!(names(file, "?")[0], "yes", "{file}");
    }
    assert_eq!(names("#enable_natpmp=yes\n", "2.3.11"), ["yes", ""]);
}

#[test]
fn what_the_installed_miniupnpd_does_not_start_with_is_commented_out_and_named() {
    let before = "enable_nat_pmp=yes\nnonsense\nupnp_nftables_family_split=yes\nuuid=1\r\n";
    let (configuration, _, files) = edited(before, "", &wishes());
    let start = "#enable_nat_pmp=yes\n#nonsense\n#upnp_nftables_family_split=yes\nuuid=1\r\n";
    assert!(configuration.starts_with(start), "{configuration}");
    assert_eq!(
        files.notes,
        [
            "commented out: 'enable_nat_pmp=yes'; miniupnpd 2.3.1 knows no option enable_nat_pmp",
            "commented out: 'nonsense'; it is neither a rule nor name=value",
            "commented out: 'upnp_nftables_family_split=yes'; \
             miniupnpd 2.3.1 knows no option upnp_nftables_family_split (it came with 2.3.6)",
        ]
    );
}

#[test]
fn what_a_later_miniupnpd_may_know_stays_and_is_named() {
    for version in ["2.3.12", "?"] {
        let wishes = Wishes { build: build(version), ..wishes() };
        let (configuration, _, files) = edited("new_thing=yes\n", "", &wishes);
        assert!(configuration.starts_with("new_thing=yes\n"), "{configuration}");
        assert_eq!(files.notes.len(), 1, "{:?}", files.notes);
        assert!(files.notes[0].starts_with("kept: 'new_thing=yes'; whether miniupnpd "), "{:?}", files.notes);
    }
}

#[test]
fn our_own_chains_are_of_no_split_family_and_the_administrators_may_be() {
    const SPLIT: &str = "upnp_nftables_family_split=yes\n";
    let newer = Wishes { build: build("2.3.11"), ..wishes() };
    let (configuration, _, files) = edited(SPLIT, "", &newer);
    assert!(configuration.starts_with(&format!("#{SPLIT}")), "{configuration}");
    assert_eq!(files.firewall, Some(firewall::rules("wan0", 5000, true)));

    let (configuration, _, files) = edited(SPLIT, "", &Wishes { chains_are_there: true, ..newer });
    assert!(configuration.starts_with(SPLIT), "{configuration}");
    assert_eq!(files.firewall, Some(firewall::rules("wan0", 5000, false)));
}

#[test]
fn the_lan_is_listened_to_and_the_wan_is_not() {
    for (before, expected) in [
        ("listening_ip=wan0\n", &["lan0"][..]),
        ("listening_ip=wan0 eth7\nlistening_ip=lan0\n", &["lan0"]),
        ("listening_ip=192.168.1.1/24\n", &["192.168.1.1/24"]),
        ("listening_ip=guest0\n", &["guest0", "lan0"]),
    ] {
        let (configuration, ..) = edited(before, "", &wishes());
        assert_eq!(Configuration::parse(configuration.as_bytes()).listening(), expected, "{configuration}");
    }
}

#[test]
fn a_lease_file_that_survives_a_restart_stays() {
    for (before, expected) in
        [("/srv/leases", "/srv/leases"), ("/run/leases", LEASE_FILE), ("/var/run/leases", LEASE_FILE)]
    {
        let (configuration, ..) = edited(&format!("lease_file={before}\n"), "", &wishes());
        assert_eq!(Document::parse(configuration.as_bytes()).values("lease_file"), [expected], "{before}");
    }
}

const ALLOW: &str = "allow 60000-60023 192.168.1.0/24 60000-60023";
const DENY: &str = "deny 0-65535 0.0.0.0/0 0-65535";

#[test]
fn the_line_goes_before_the_denial_of_everything() {
    for before in [
        format!("{DENY}\n"),
        format!("allow 1024-65535 192.168.0.0/16 1024-65535\n{DENY}\n"),
        format!("{ALLOW}\n{DENY}\n"),
        format!("{ALLOW}\n"),
        String::new(),
    ] {
        assert_eq!(rules_of(&before, &wishes()).0, [ALLOW, DENY], "{before}");
    }
    let torn = format!("# moshpunch router setup: end\n# moshpunch router setup: begin\n{ALLOW}\n");
    assert_eq!(rules_of(&torn, &wishes()).0, [ALLOW, DENY]);
    assert_eq!(rules_of(&format!("{DENY}\n{ALLOW}\n"), &wishes()).0, [ALLOW, DENY, ALLOW]);
}

#[test]
fn wider_rules_are_commented_out_and_named_others_stay() {
    let before = format!(
        "allow 1024-65535 192.168.0.0/16 1024-65535\nallow 12345 192.168.1.7/32 54321\ndeny 60005 192.168.1.9/32 60005\n{DENY}\n"
    );
    let (rules, notes) = rules_of(&before, &wishes());
    assert_eq!(rules, ["allow 12345 192.168.1.7/32 54321", "deny 60005 192.168.1.9/32 60005", ALLOW, DENY]);
    assert_eq!(
        notes,
        [
            "commented out: 'allow 1024-65535 192.168.0.0/16 1024-65535' allows more than 60000-60023",
            "kept: 'deny 60005 192.168.1.9/32 60005' denies a part of what is allowed now",
        ]
    );
}

#[test]
fn another_plan_takes_the_place_of_the_first() {
    let servers = [Server { name: "server".into(), address: "192.168.1.10".parse().unwrap() }];
    let divided = Wishes { plan: Plan::new(None, &servers).unwrap(), ..wishes() };
    let (first, ..) = edited(DEBIAN, DEFAULTS, &wishes());
    assert_eq!(rules_of(&first, &divided).0, ["allow 60006-60010 192.168.1.10/32 60006-60010", DENY]);
    let (second, ..) = edited(&first, "", &divided);
    let (third, ..) = edited(&second, "", &wishes());
    assert_eq!(third, first);
    assert_eq!(
        rules_of(&format!("{ALLOW}\n{DENY}\n"), &divided).0,
        ["allow 60006-60010 192.168.1.10/32 60006-60010", DENY]
    );
}

#[test]
fn an_old_miniupnpd_that_cannot_be_told_its_table_gets_none() {
    let (configuration, _, files) = edited("uuid=1\n", "", &Wishes { build: build("2.2.1"), ..wishes() });
    assert!(!configuration.contains("upnp_"), "{configuration}");
    assert_eq!(files.firewall, Some(firewall::rules("wan0", 5000, false)));
    let note = "miniupnpd 2.2.1 cannot be told which chains to use: it needs those of its own scripts";
    assert_eq!(files.notes, [note]);
}

/// Of which a file may be made.
const LINES: [&str; 18] = [
    "secure_mode=yes\n",
    "secure_mode=no\r\n",
    " secure_mode = no\n",
    "enable_natpmp=no\n",
    "enable_natpmp=1\n",
    "enable_pcp_pmp=yes\n",
    "#enable_pcp_pmp=no\n",
    "enable_upnp=no\n",
    "enable_upnp=yes\n",
    "upnp_nftables_family_split=yes\n",
    "upnp_nat_table_name=miniupnpd\n",
    "ext_allow_private_ipv4=yes\n",
    "enable_nat_pmp=yes\n",
    "=\n",
    "nonsense\n",
    "allow 1024-65535 192.168.0.0/16 1024-65535\n",
    "deny all\n",
    "deny 0-65535 0.0.0.0/0 0-65535\n",
];

#[test]
fn whatever_the_file_is_every_version_starts_with_it_after_setup_and_is_safe() {
    for seed in 0..100_u64 {
        // Knuth's MMIX, so that a failure can be repeated.
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 40).unwrap()
        };
        let file: String = (0..next() % 9).map(|_| LINES[next() % LINES.len()]).collect();
        for version in ["2.2.1", "2.3.1", "2.3.6", "2.3.11", "2.4.0", "?"] {
            let wishes = Wishes { build: build(version), ..wishes() };
            let (text, ..) = edited(&file, "", &wishes);
            let after = Configuration::parse(text.as_bytes());
            let starts = after.bad_lines(&wishes.build).all(|bad| !bad.objection.is_certain());
            let is_safe = after.is_secure(&wishes.build) == Some(true);
            let speaks = after.speaks_pcp(&wishes.build) && after.speaks_upnp();
            let names = after.chain_names(&wishes.build);
            assert!(
                starts && is_safe && speaks && names.is_none_or(|names| names == firewall::own_names()),
                "{seed} {version}: {text}"
            );
        }
    }
}

#[test]
fn a_denial_with_a_pattern_closes_nothing_since_2_3_2() {
    let patterned = "deny 0-65535 0.0.0.0/0 0-65535 \"torrent\"";
    let rules = |version: &str| {
        let (text, ..) = edited(&format!("{patterned}\n"), "", &Wishes { build: build(version), ..wishes() });
        let lines = text.lines().filter(|line| line.starts_with("allow") || line.starts_with("deny"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (allow, deny) = ("allow 60000-60023 192.168.1.0/24 60000-60023", "deny 0-65535 0.0.0.0/0 0-65535");
    assert_eq!(rules("2.3.1"), [allow, patterned]);
    assert_eq!(rules("2.3.11"), [patterned, allow, deny]);
}
