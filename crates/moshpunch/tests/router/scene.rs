//! The write-up's network, its router as fresh as `apt install miniupnpd` leaves it.

use anyhow::{Context, Result, ensure};
use lab::{Daemon, Host, Lab, Output, WriteUp};
use serde_json::Value;

use crate::common::home::nft;
use crate::common::{PATIENCE, computes, leave, mosh_to_router, mosh_to_server, raise, wait_for_empty_table};

pub(crate) const CONFIGURATION: &str = "/etc/miniupnpd/miniupnpd.conf";
pub(crate) const DEFAULTS: &str = "/etc/default/miniupnpd";
pub(crate) const FIREWALL: &str = "/etc/miniupnpd/moshpunch.nft";
pub(crate) const SERVICE: &str = "/etc/systemd/system/miniupnpd.service.d/moshpunch.conf";

/// Debian's own firewall, which has no rules, with what makes a router of it: masquerading and the forwarded port.
const OPEN: &str = r#"
table ip nat {
    chain prerouting {
        type nat hook prerouting priority dstnat
        iifname "wan0" tcp dport 8022 dnat to 192.168.1.10:22
    }
    chain postrouting {
        type nat hook postrouting priority srcnat
        oifname "wan0" masquerade
    }
}
"#;

/// One that lets nothing in that is not asked for.
pub(crate) const CLOSED: &str = r#"
table inet filter {
    chain forward {
        type filter hook forward priority filter; policy drop
        ct state established,related accept
        iifname "lan0" accept
        iifname "wan0" ip daddr 192.168.1.10 tcp dport 22 accept
    }
}
"#;

/// The chains as docs/router.md has them made by hand.
pub(crate) const HANDMADE: &str = r#"
table inet filter {
    chain forward {
        type filter hook forward priority filter; policy drop
        ct state established,related accept
        iifname "lan0" accept
        iifname "wan0" ip daddr 192.168.1.10 tcp dport 22 accept
        jump miniupnpd
    }
    chain prerouting {
        type nat hook prerouting priority dstnat
        jump prerouting_miniupnpd
    }
    chain postrouting {
        type nat hook postrouting priority srcnat
        jump postrouting_miniupnpd
    }
    chain miniupnpd { }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
}
"#;

/// A router with that beside masquerading and the forwarded port, and a way to the internet.
pub(crate) fn fresh(lab: &Lab, firewall: &str) -> Result<WriteUp> {
    let network = without_miniupnpd(lab, firewall)?;
    network.router.install_miniupnpd_package()?;
    Ok(network)
}

/// The same with Debian's other flavour of miniupnpd.
pub(crate) fn fresh_for_iptables(lab: &Lab) -> Result<WriteUp> {
    let network = without_miniupnpd(lab, "")?;
    network.router.install_miniupnpd_package_for_iptables()?;
    Ok(network)
}

fn without_miniupnpd(lab: &Lab, firewall: &str) -> Result<WriteUp> {
    let network = raise(lab)?;
    let router = &network.router;
    nft(router, &format!("flush ruleset\n{OPEN}{firewall}"))?;
    router.command("ip").args(["route", "add", "default", "via", WriteUp::LAPTOP]).run(PATIENCE)?;
    Ok(network)
}

pub(crate) fn router_command(router: &Host, line: &str) -> Result<Output> {
    router.command("moshpunch").arg("router").args(line.split_whitespace()).output(PATIENCE)
}

pub(crate) fn setup(router: &Host, line: &str) -> Result<Output> {
    let output = router_command(router, &format!("setup {line}"))?;
    ensure!(output.status.success(), "setup {line}: {output}");
    Ok(output)
}

/// Set up, and started from exactly those files.
pub(crate) fn set_up(router: &Host) -> Result<Daemon> {
    setup(router, "--apply")?;
    router.start_packaged_miniupnpd()
}

/// Both commands of the write-up.
pub(crate) fn the_write_ups_commands_work(network: &WriteUp) -> Result<()> {
    let mut to_router = mosh_to_router(&network.laptop)?;
    computes(&mut to_router, 5001)?;
    leave(to_router)?;
    let mut to_server = mosh_to_server(&network.laptop, "moshpunch server")?;
    computes(&mut to_server, 5002)?;
    ensure!(network.router.leases()?.len() == 1, "{:?}", network.router.leases()?);
    leave(to_server)?;
    wait_for_empty_table(&network.router, crate::common::AT_ONCE)
}

/// All that a setup may touch: mode, owner, path and digest of each file.
pub(crate) fn files(router: &Host) -> Result<String> {
    let list = "cd /etc && find miniupnpd default/miniupnpd systemd -type f -printf '%m %u %g %p ' \
                -exec sha256sum {} \\; 2>/dev/null | sort";
    let output = router.command("sh").args(["-c", list]).output(PATIENCE)?;
    ensure!(output.stdout.contains("miniupnpd.conf"), "{output}");
    Ok(output.stdout)
}

pub(crate) fn replace_in(router: &Host, path: &str, old: &str, new: &str) -> Result<()> {
    let text = router.read_file(path)?;
    ensure!(text.contains(old), "{path} has no {old:?}:\n{text}");
    router.write_file(path, &text.replace(old, new))
}

/// Each by its name and its verdict.
pub(crate) type Findings = Vec<(String, String)>;

/// Exit code and findings.
pub(crate) fn check(router: &Host) -> Result<(Option<i32>, Findings)> {
    let output = router_command(router, "check --json")?;
    let value: Value = serde_json::from_str(&output.stdout).with_context(|| output.to_string())?;
    ensure!(value["exit_code"].as_i64() == output.status.code().map(i64::from), "{output}");
    let findings = value["findings"].as_array().context("findings")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pairs = findings.iter().map(|finding| (text(&finding["name"]), text(&finding["verdict"])));
    Ok((output.status.code(), pairs.collect()))
}

/// The names of the findings that have that verdict.
pub(crate) fn found(router: &Host, verdict: &str) -> Result<Vec<String>> {
    let (_, findings) = check(router)?;
    Ok(findings.into_iter().filter(|(_, own)| own == verdict).map(|(name, _)| name).collect())
}
