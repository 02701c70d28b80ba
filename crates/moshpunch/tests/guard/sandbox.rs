//! The guard in the sandbox of its unit.
//!
//! What systemd makes of mounts, rights and limits is made here by the tools of util-linux, so that no systemd has to run.
//! The filters of system calls are not set: what the guard and its nft call is written down, and compared with what the
//! unit lets them call.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use lab::{Host, Lab, Signal};

use crate::common::{PATIENCE, computes, process, signal};
use crate::home::Home;

const UNIT: &str = include_str!("../../../../packaging/moshpunch-guard.service");
const TRACE: &str = "/run/trace";

/// Nobody else's.
const USER: &str = "61184";

pub(crate) fn in_the_sandbox_of_its_unit_it_does_what_it_promises(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let unit = service(UNIT)?;
    let strace = home.router.command("strace").args(["-f", "-qq", "-s", "256", "-o", TRACE]);
    let inside = strace.args(["unshare", "--mount", "--propagation", "private", "sh", "-c", &script(&unit)?]);
    let daemon = home.router.spawn("guard", &inside)?;
    daemon.wait_for_log("guarding: 0 of 0", PATIENCE)?;
    ensure!(!daemon.log().contains("cannot be read"), "{}", daemon.log());

    let guard = process(&home.router, "moshpunch")?;
    let proc = format!("/proc/{}", guard.pid);
    let status = std::fs::read_to_string(format!("{proc}/status"))?;
    for line in ["NoNewPrivs:\t1", "CapBnd:\t0000000000001000", "CapEff:\t0000000000001000"] {
        ensure!(status.contains(line), "{line}: {status}");
    }
    ensure!(status.contains(&format!("Uid:\t{USER}\t{USER}\t{USER}\t{USER}")), "{status}");
    ensure!(!std::fs::exists(format!("{proc}/root/proc/net"))?, "/proc is whole");
    let mounts = std::fs::read_to_string(format!("{proc}/mounts"))?;
    ensure!(mounts.lines().any(|mount| mount.contains(" / ") && mount.contains(" ro,")), "{mounts}");

    let session = home.open_on_server(0, &[], &[])?;
    home.wait_until_held(session.port)?;
    computes(&mut home.join(&session)?, 2301)?;
    signal(&guard, Signal::TERM)?;
    ensure!(daemon.wait_exit(PATIENCE)?.success(), "{}", daemon.log());
    ensure!(!home.router.nft_ruleset()?.contains("moshpunch_guard"));
    compare(&home.router.read_file(TRACE)?, &unit, &system_calls(&home.router)?)
}

type Directives = BTreeMap<String, String>;

fn service(unit: &str) -> Result<Directives> {
    let section = unit.split_once("[Service]\n").context("no [Service]")?.1;
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.split_once('=').with_context(|| line.to_owned())?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// What becomes of each directive (systemd.exec(5), systemd.resource-control(5)); one that is not known here is an error.
fn script(unit: &Directives) -> Result<String> {
    let (mut mounts, mut limits, mut last) = (String::new(), String::new(), String::new());
    let mut program = String::new();
    for (name, value) in unit {
        match (name.as_str(), value.as_str()) {
            ("ExecStart", command) => {
                program = format!("{command} --hairpin --miniupnpd-conf /etc/miniupnpd/lab.conf");
            }
            ("ProtectHome", "yes") => {
                mounts += "for it in /home /root; do mount -t tmpfs -o mode=0 tmpfs $it; done\n";
            }
            ("PrivateTmp", "yes") => {
                mounts += "for it in /tmp /var/tmp; do mount -t tmpfs -o mode=1777 tmpfs $it; done\n";
            }
            ("PrivateDevices", "yes") => {
                mounts += "mkdir /run/devices && mount -t tmpfs tmpfs /run/devices\n\
                           for it in null zero full random urandom; do\n\
                           touch /run/devices/$it && mount --bind /dev/$it /run/devices/$it\ndone\n\
                           mount --rbind /run/devices /dev\n";
            }
            ("ProtectSystem", "strict") => {
                last += "while read -r _ _ _ _ it _; do case $it in\n\
                         /proc*|/dev*|/sys/*|/tmp*|/var/tmp*) ;;\n*) mount -o remount,bind,ro $it ;;\nesac\n\
                         done < /proc/self/mountinfo\n";
            }
            // Of it there is no more than of the processes.
            ("ProcSubset", "pid") => last += "mount -t proc -o hidepid=invisible,subset=pid proc /proc\n",
            ("ProtectProc", "invisible") => {}
            ("LimitNOFILE", number) => limits += &format!(" --nofile={number}"),
            // The user has no other tasks, and memory is less than what is mapped.
            ("TasksMax", number) => limits += &format!(" --nproc={number}"),
            ("MemoryMax", megabytes) => {
                let megabytes: u64 = megabytes.strip_suffix('M').context("MemoryMax is in M")?.parse()?;
                limits += &format!(" --as={}", megabytes << 20);
            }
            ("AmbientCapabilities" | "CapabilityBoundingSet", "CAP_NET_ADMIN")
            | ("DynamicUser" | "NoNewPrivileges", "yes") => {}
            // They take what a user without these rights has not, or are compared.
            (
                "ProtectClock"
                | "ProtectControlGroups"
                | "ProtectHostname"
                | "ProtectKernelLogs"
                | "ProtectKernelModules"
                | "ProtectKernelTunables"
                | "RemoveIPC"
                | "LockPersonality"
                | "MemoryDenyWriteExecute"
                | "RestrictNamespaces"
                | "RestrictRealtime"
                | "RestrictSUIDSGID",
                "yes",
            )
            | ("UMask", "0077")
            | ("RestrictAddressFamilies" | "IPAddressDeny" | "SystemCallArchitectures", _)
            | ("SystemCallFilter", "@system-service")
            | ("SystemCallErrorNumber" | "Type" | "Restart" | "RestartSec" | "OOMPolicy", _) => {}
            _ => bail!("{name}={value} is not tried here"),
        }
    }
    let rights = "--no-new-privs --inh-caps=-all,+net_admin --ambient-caps=-all,+net_admin --bounding-set=-all,+net_admin";
    let rights = format!("setpriv --reuid={USER} --regid={USER} --clear-groups {rights}");
    Ok(format!("set -e\n{mounts}{last}umask 077\nexec prlimit{limits} {rights} {program}\n"))
}

/// Each set with what is in it, sets of sets included.
fn system_calls(host: &Host) -> Result<BTreeMap<String, Vec<String>>> {
    let printed =
        host.command("systemd-analyze").args(["syscall-filter", "--no-pager"]).run(PATIENCE)?.stdout;
    let (mut sets, mut name) = (BTreeMap::<String, Vec<String>>::new(), String::new());
    for line in printed.lines() {
        let word = line.trim();
        if line.starts_with('@') {
            name = word.to_owned();
        } else if !word.is_empty() && !word.starts_with('#') {
            sets.entry(name.clone()).or_default().push(word.to_owned());
        }
    }
    Ok(sets)
}

fn allowed<'a>(set: &str, sets: &'a BTreeMap<String, Vec<String>>) -> BTreeSet<&'a str> {
    let members = sets.get(set).into_iter().flatten();
    members
        .flat_map(|it| if it.starts_with('@') { allowed(it, sets) } else { [it.as_str()].into() })
        .collect()
}

/// What was called from the guard's start on.
fn compare(trace: &str, unit: &Directives, sets: &BTreeMap<String, Vec<String>>) -> Result<()> {
    let allowed = allowed(&unit["SystemCallFilter"], sets);
    ensure!(allowed.contains("read") && !allowed.contains("mount"), "{allowed:?}");
    let families: BTreeSet<&str> = unit["RestrictAddressFamilies"].split(' ').collect();
    let start = format!("execve(\"{}\"", unit["ExecStart"].split(' ').next().unwrap_or_default());
    let calls = trace.lines().skip_while(|line| !line.contains(&start)).filter_map(|line| {
        let call = line.split_once(' ')?.1.trim_start();
        let (name, rest) = call.split_once('(')?;
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then_some((name, rest))
    });
    let (mut seen, mut nfts) = (0, 0);
    for (name, rest) in calls {
        seen += 1;
        nfts += usize::from(name == "execve" && rest.starts_with("\"/usr/sbin/nft\""));
        ensure!(allowed.contains(name), "{name}({rest}");
        let is_writable_code = rest.contains("PROT_WRITE") && rest.contains("PROT_EXEC");
        ensure!(!(name.starts_with('m') && is_writable_code), "{name}({rest}");
        ensure!(!rest.contains("CLONE_NEW"), "{name}({rest}");
        if name == "socket" {
            let family = rest.split(',').next().unwrap_or_default();
            ensure!(families.contains(family), "{name}({rest}");
        }
    }
    ensure!(seen > 100 && nfts > 2, "{seen} calls, {nfts} of nft");
    Ok(())
}
