//! Faults planted one at a time on a correct router, and whether `router check` finds each.

use anyhow::{Result, ensure};
use lab::{Host, Lab, WriteUp};

use crate::common::PATIENCE;
use crate::common::home::nft;
use crate::scene::{CONFIGURATION, DEFAULTS, check, found, fresh, replace_in, set_up};

const ALLOW: &str = "allow 60000-60023 192.168.1.0/24 60000-60023\n";
const DENY: &str = "deny 0-65535 0.0.0.0/0 0-65535\n# moshpunch";

/// What a line of the configuration becomes, and the finding that must tell it.
const IN_THE_CONFIGURATION: [(&str, &str, &str); 14] = [
    ("\next_ifname=wan0", "\next_ifname=lan0", "wan-interface"),
    ("\next_ifname=wan0", "\next_ifname=wan7", "wan-interface"),
    ("\nlistening_ip=lan0", "\nlistening_ip=wan0", "lan-interface"),
    ("\nlistening_ip=lan0", "\n", "lan-interface"),
    ("\nsecure_mode=yes", "\nsecure_mode=no", "secure-mode"),
    ("\nenable_natpmp=yes", "\nenable_natpmp=no", "protocols"),
    (DENY, "# moshpunch", "rules-deny"),
    (ALLOW, "", "rules-range"),
    (ALLOW, "deny 0-65535 0.0.0.0/0 0-65535\nallow 60000-60023 192.168.1.0/24 60000-60023\n", "rules-range"),
    (ALLOW, "allow 50000-50023 192.168.1.0/24 50000-50023\n", "rules-range"),
    (ALLOW, "allow 60000 - 60023\n", "configuration"),
    ("\nlease_file=/var/lib/miniupnpd/", "\nlease_file=/run/", "lease-file"),
    ("\nlease_file=/var/lib/miniupnpd/", "\nlease_file=/var/lib/nowhere/", "lease-file"),
    ("\nlease_file=", "\n#lease_file=", "lease-file"),
];

/// What the administrator's firewall does, and the finding that must tell it.
const IN_THE_FIREWALL: [(&str, &str); 7] = [
    ("table inet strict { chain forward { type filter hook forward priority 5; policy drop; }; }", "forward"),
    (
        "table ip strict { chain late { type filter hook forward priority 5; udp dport 60001 drop; }; }",
        "forward",
    ),
    ("table inet strict { chain input { type filter hook input priority 5; policy drop; }; }", "input-lan"),
    ("flush chain inet miniupnpd input", "input-wan"),
    ("flush chain inet miniupnpd prerouting", "jump"),
    ("delete table inet miniupnpd", "chains"),
    ("flush ruleset", "chains"),
];

/// One after the other, each undone, on a router that is correct again in between.
struct Correct<'a> {
    router: &'a Host,
    planted: usize,
}

impl Correct<'_> {
    fn is_found(&mut self, fault: &str, name: &str) -> Result<()> {
        self.planted += 1;
        let (code, findings) = check(self.router)?;
        let is_it = |(found, verdict): &(String, String)| found == name && verdict == "fault";
        ensure!(
            code == Some(1) && findings.iter().any(is_it),
            "{fault}: no fault {name}: {code:?} {findings:?}"
        );
        Ok(())
    }

    fn is_correct(&self) -> Result<()> {
        let (code, findings) = check(self.router)?;
        let bad: Vec<_> =
            findings.iter().filter(|(_, verdict)| ["fault", "unknown"].contains(&verdict.as_str())).collect();
        ensure!(code == Some(0) && bad.is_empty(), "{code:?} {bad:?}");
        Ok(())
    }

    fn run(&self, line: &str) -> Result<()> {
        self.router.command("sh").args(["-c", line]).run(PATIENCE).map(drop)
    }
}

pub(crate) fn each_planted_fault_is_found_and_a_correct_router_is_called_correct(lab: &Lab) -> Result<()> {
    let network = fresh(lab, "")?;
    let router = &network.router;
    let miniupnpd = set_up(router)?;
    let mut correct = Correct { router, planted: 0 };
    correct.is_correct()?;
    assert_eq!(found(router, "warning")?, ["held"]);

    for (old, new, name) in IN_THE_CONFIGURATION {
        let sound = router.read_file(CONFIGURATION)?;
        replace_in(router, CONFIGURATION, old, new)?;
        correct.is_found(new, name)?;
        router.write_file(CONFIGURATION, &sound)?;
    }
    for (rules, name) in IN_THE_FIREWALL {
        correct.run("nft list ruleset > /tmp/sound")?;
        nft(router, rules)?;
        correct.is_found(rules, name)?;
        correct.run("nft flush ruleset && nft -f /tmp/sound")?;
    }
    addresses(&mut correct)?;
    the_running_system(&mut correct)?;
    mappings(&network, &mut correct)?;

    // What check says of that last fault is its cure.
    router.stop_packaged_miniupnpd(miniupnpd)?;
    let miniupnpd = router.start_packaged_miniupnpd()?;
    correct.is_correct()?;
    router.stop_packaged_miniupnpd(miniupnpd)?;
    correct.is_found("stopped", "daemon")?;
    assert_eq!(correct.planted, IN_THE_CONFIGURATION.len() + IN_THE_FIREWALL.len() + 8);
    Ok(())
}

fn addresses(correct: &mut Correct<'_>) -> Result<()> {
    for (address, gateway) in [("192.168.178.2/24", "192.168.178.1"), ("100.64.0.2/24", "100.64.0.1")] {
        correct.router.readdress(WriteUp::OUTSIDE, &[address], &[])?;
        correct.run(&format!("ip route replace default via {gateway}"))?;
        correct.is_found(address, "wan-address")?;
        assert_eq!(found(correct.router, "fault")?, ["wan-address"]);
    }
    correct.router.readdress(WriteUp::OUTSIDE, &["20.0.0.1/24"], &[])?;
    correct.run("ip route replace default via 20.0.0.9")?;
    correct.is_correct()
}

fn the_running_system(correct: &mut Correct<'_>) -> Result<()> {
    correct.run("echo 0 > /proc/sys/net/ipv4/ip_forward")?;
    correct.is_found("no forwarding", "ip-forward")?;
    correct.run("echo 1 > /proc/sys/net/ipv4/ip_forward")?;

    let sound = correct.router.read_file(DEFAULTS)?;
    correct.router.write_file(DEFAULTS, &format!("{sound}START_DAEMON=0\n"))?;
    correct.is_found("START_DAEMON=0", "start")?;
    correct.router.write_file(DEFAULTS, &sound)
}

fn mappings(network: &WriteUp, correct: &mut Correct<'_>) -> Result<()> {
    const LEASES: &str = "/var/lib/miniupnpd/upnp.leases";
    let (router, server) = (&network.router, &network.server);
    let map = server.command("moshpunch").args(["map", "add", "60001"]);
    map.as_user(lab::USER).run(PATIENCE)?;
    correct.is_correct()?;

    let socket = router.udp("0.0.0.0:60001")?;
    correct.is_found("a mapped port is taken", "held")?;
    drop(socket);

    let leases = router.read_file(LEASES)?;
    router.write_file(LEASES, "")?;
    correct.is_found("rules without leases", "mappings")?;
    router.write_file(LEASES, &leases)?;
    correct.is_correct()?;

    nft(router, "flush chain inet miniupnpd prerouting_miniupnpd")?;
    correct.is_found("leases without rules", "mappings")
}
