//! Files that another miniupnpd may like and the installed one, 2.3.1, does not, or reads in its own way.

use anyhow::{Result, ensure};
use lab::{Daemon, Host, Lab, WriteUp};

use crate::common::PATIENCE;
use crate::common::home::nft;
use crate::scene::{CONFIGURATION, HANDMADE, check, found, fresh, router_command, set_up, setup};

/// What each file has in common; its own lines take the place of the dots.
const FILE: &str = "\
ext_ifname=wan0
listening_ip=lan0
enable_upnp=yes
http_port=5000
lease_file=/var/lib/miniupnpd/upnp.leases
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
upnp_table_name=filter
upnp_nat_table_name=filter
…
allow 60000-60023 192.168.1.0/24 60000-60023
deny 0-65535 0.0.0.0/0 0-65535
";

struct Case {
    lines: &'static str,
    /// What miniupnpd says of the file; `None`: it starts.
    refused: Option<&'static str>,
    /// The findings about the file that are faults.
    faults: &'static [&'static str],
}

const CASES: [Case; 7] = [
    Case {
        lines: "secure_mode=yes\nenable_pcp_pmp=yes",
        refused: Some("invalid option"),
        faults: &["configuration", "protocols"],
    },
    Case {
        lines: "secure_mode=yes\nenable_nat_pmp=yes",
        refused: Some("invalid option"),
        faults: &["configuration", "protocols"],
    },
    Case { lines: "secure_mode=yes\n#enable_pcp_pmp=yes", refused: None, faults: &["protocols"] },
    Case { lines: "enable_natpmp=yes", refused: None, faults: &["secure-mode"] },
    Case { lines: "enable_natpmp=yes\nsecure_mode=yes\r\nsecure_mode=no", refused: None, faults: &[] },
    Case {
        lines: "enable_natpmp=yes\nsecure_mode=yes\next_allow_private_ipv4=yes",
        refused: Some("invalid option"),
        faults: &["configuration"],
    },
    Case {
        lines: "enable_natpmp=1\nsecure_mode=yes\nnonsense",
        refused: Some("parsing error"),
        faults: &["configuration"],
    },
];

/// The administrator's tables, of the family `ip`, and those of a firewall that lets nothing in that is not asked for.
const SPLIT: &str = r#"
table ip filter {
    chain forward {
        type filter hook forward priority filter; policy drop
        ct state established,related accept
        iifname "lan0" accept
        iifname "wan0" ip daddr 192.168.1.10 tcp dport 22 accept
        jump miniupnpd
    }
    chain miniupnpd { }
}
table ip nat {
    chain prerouting {
        type nat hook prerouting priority dstnat
        jump prerouting_miniupnpd
    }
    chain postrouting {
        type nat hook postrouting priority srcnat
        jump postrouting_miniupnpd
    }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
}
"#;

fn file(lines: &str) -> String {
    FILE.replace('…', lines)
}

/// What is missing as long as miniupnpd does not run, and the rules that are loaded with it are not there.
const OF_ONE_THAT_IS_STOPPED: [&str; 2] = ["daemon", "input-wan"];

fn faults(router: &Host) -> Result<Vec<String>> {
    let all = found(router, "fault")?;
    Ok(all.into_iter().filter(|name| !OF_ONE_THAT_IS_STOPPED.contains(&name.as_str())).collect())
}

/// From the file as it is.
fn start(router: &Host) -> Result<Daemon> {
    router.spawn("miniupnpd", &router.command("miniupnpd").args(["-d", "-f", CONFIGURATION]))
}

fn maps(network: &WriteUp) -> Result<()> {
    let map = |line: &str| {
        let words = ["map"].into_iter().chain(line.split_whitespace());
        network.server.command("moshpunch").args(words).as_user(lab::USER).run(PATIENCE)
    };
    map("add 60001")?;
    ensure!(network.router.leases()?.len() == 1, "{:?}", network.router.leases()?);
    map("remove 60001").map(drop)
}

/// What check says of the file is what miniupnpd does with it, and what setup makes of it works.
pub(crate) fn each_file_is_judged_as_the_installed_miniupnpd_reads_it_and_setup_mends_it(
    lab: &Lab,
) -> Result<()> {
    let network = fresh(lab, HANDMADE)?;
    let router = &network.router;
    for case in CASES {
        router.write_file(CONFIGURATION, &file(case.lines))?;
        assert_eq!(faults(router)?, case.faults, "{}", case.lines);
        let as_it_was = start(router)?;
        match case.refused {
            Some(words) => as_it_was.wait_for_log(words, PATIENCE)?,
            None => as_it_was.wait_for_log("HTTP listening on port 5000", PATIENCE)?,
        }
        drop(as_it_was);

        setup(router, "--apply")?;
        let miniupnpd = router.start_packaged_miniupnpd()?;
        assert_eq!((check(router)?.0, found(router, "fault")?), (Some(0), vec![]), "{}", case.lines);
        maps(&network)?;
        router.stop_packaged_miniupnpd(miniupnpd)?;
        setup(router, "--revert")?;
        assert_eq!(router.read_file(CONFIGURATION)?, file(case.lines));
    }
    Ok(())
}

/// A later version is not installed anywhere here, but says which it is.
pub(crate) fn chains_of_the_family_ip_are_judged_by_the_version(lab: &Lab) -> Result<()> {
    let network = fresh(lab, SPLIT)?;
    let router = &network.router;
    let split = file("enable_natpmp=yes\nsecure_mode=yes\nupnp_nftables_family_split=yes");
    let split = split.replace("nat_table_name=filter", "nat_table_name=nat");
    router.write_file(CONFIGURATION, &split)?;
    assert_eq!(faults(router)?, ["configuration", "chains", "jump", "forward"]);
    let later = "printf '#!/bin/sh\\necho miniupnpd 2.3.11 Aug 12 2026\\n' > /usr/local/sbin/miniupnpd && \
                 chmod 755 /usr/local/sbin/miniupnpd";
    router.command("sh").args(["-c", later]).run(PATIENCE)?;
    assert_eq!(faults(router)?, [""; 0]);
    setup(router, "--apply")?;
    let kept = router.read_file(CONFIGURATION)?;
    ensure!(kept.contains("\nupnp_nftables_family_split=yes\n"), "the chains that are there serve: {kept}");
    setup(router, "--revert")?;
    router.command("rm").arg("/usr/local/sbin/miniupnpd").run(PATIENCE)?;

    // For 2.3.1 setup brings chains; what the administrator's own drop is his to let through, as it says.
    let said = setup(router, "--apply")?.stderr;
    let line = "the chain forward of the table ip filter drops what is mapped; \
                put 'iifname \"wan0\" ct status dnat accept' into it, before what drops";
    ensure!(said.contains(line), "{said}");
    ensure!(said.contains("commented out: 'upnp_nftables_family_split=yes'"), "{said}");
    let miniupnpd = router.start_packaged_miniupnpd()?;
    assert_eq!(found(router, "fault")?, ["forward"]);
    nft(router, "insert rule ip filter forward iifname \"wan0\" ct status dnat accept")?;
    assert_eq!((check(router)?.0, found(router, "fault")?), (Some(0), vec![]));
    maps(&network)?;
    router.stop_packaged_miniupnpd(miniupnpd)
}

/// By whom, the name of a process does not tell.
pub(crate) fn miniupnpd_runs_where_it_listens(lab: &Lab) -> Result<()> {
    let network = fresh(lab, HANDMADE)?;
    let router = &network.router;
    setup(router, "--apply")?;
    let of_that_name = "cp /bin/sleep /tmp/miniupnpd && exec /tmp/miniupnpd 3600";
    let _elsewhere = router.spawn("elsewhere", &router.command("sh").args(["-c", of_that_name]))?;
    assert_eq!(found(router, "fault")?, OF_ONE_THAT_IS_STOPPED);

    let miniupnpd = router.start_packaged_miniupnpd()?;
    assert_eq!((check(router)?.0, found(router, "fault")?), (Some(0), vec![]));
    router.stop_packaged_miniupnpd(miniupnpd)?;

    // The socket is the test's own, which no process of the router has.
    let _taken = router.udp("192.168.1.1:5351")?;
    assert_eq!(found(router, "fault")?, ["input-wan"]);
    assert_eq!(found(router, "unknown")?, ["daemon"]);
    let said = router_command(router, "check")?;
    ensure!(said.stdout.contains("somebody listens on UDP 5351, and it cannot be seen"), "{said}");
    Ok(())
}

/// What is called as a guard is stands in for one: what it holds is another scenario's.
pub(crate) fn a_guard_runs_where_its_network_is(lab: &Lab) -> Result<()> {
    let network = fresh(lab, HANDMADE)?;
    let router = &network.router;
    let _miniupnpd = set_up(router)?;
    let called_so = |before: &str| -> Result<Daemon> {
        let line = format!("cd /tmp && echo here | tee router guard && exec {before} tail router guard -f");
        let guard = router.spawn("guard", &router.command("sh").args(["-c", &line]))?;
        guard.wait_for_log("==> guard <==", PATIENCE)?;
        Ok(guard)
    };
    let _elsewhere = called_so("unshare -n")?;
    assert_eq!(found(router, "warning")?, ["held"]);
    let _here = called_so("")?;
    assert_eq!(found(router, "warning")?, [""; 0]);
    Ok(())
}
