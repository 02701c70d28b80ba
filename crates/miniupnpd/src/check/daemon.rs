//! Whether miniupnpd runs, on this configuration, and whether the kernel does its part.

use super::{Daemon, Finding, Router};
use crate::document::Document;

/// The kernel tells when a process started by the tick, and when a file was changed by its own.
const SECONDS_TOLERATED: u64 = 2;

const START: &str = "systemctl enable --now miniupnpd";

pub(super) fn runs(router: &Router<'_>) -> Finding {
    const NAME: &str = "daemon";
    let path = &router.facts.configuration_path;
    match &router.facts.daemon {
        Daemon::Runs { pid, arguments, .. } => match another_file(arguments, path) {
            None => Finding::ok(NAME, format!("miniupnpd runs as process {pid}")),
            Some(other) => Finding::fault(
                NAME,
                format!("miniupnpd runs with {other} in place of {path}"),
                format!("restart it with -f {path}, or check the other: --miniupnpd-conf {other}"),
            ),
        },
        Daemon::Stopped => Finding::fault(NAME, "miniupnpd does not run", START),
        Daemon::Unknown => {
            Finding::unknown(NAME, "it cannot be seen whether miniupnpd runs", "run this as root")
        }
    }
}

fn another_file<'a>(arguments: &'a [String], path: &str) -> Option<&'a str> {
    let flag = arguments.iter().position(|argument| argument == "-f")?;
    arguments.get(flag + 1).map(String::as_str).filter(|file| *file != path)
}

pub(super) fn starts(router: &Router<'_>) -> Finding {
    const NAME: &str = "start";
    let Some(defaults) = &router.facts.defaults else {
        return Finding::unknown(NAME, "/etc/default/miniupnpd cannot be read", "run this as root");
    };
    match Document::parse(defaults).value("START_DAEMON").as_deref() {
        None => Finding::ok(NAME, "nothing in /etc/default/miniupnpd keeps it from starting"),
        Some("1" | "\"1\"" | "'1'") => Finding::ok(NAME, "START_DAEMON=1"),
        Some(value) => Finding::fault(
            NAME,
            format!("START_DAEMON={value} in /etc/default/miniupnpd: it will not start with the router"),
            "START_DAEMON=1",
        ),
    }
}

pub(super) fn has_read_its_file(router: &Router<'_>) -> Finding {
    const NAME: &str = "current";
    let path = &router.facts.configuration_path;
    let Daemon::Runs { started, .. } = router.facts.daemon else {
        return Finding::ok(NAME, format!("{path} will be read at the next start"));
    };
    match (started, router.facts.configuration_changed) {
        (Some(started), Some(changed)) if changed <= started + SECONDS_TOLERATED => {
            Finding::ok(NAME, format!("miniupnpd has read {path} as it is"))
        }
        (Some(_), Some(_)) => Finding::warning(
            NAME,
            format!("{path} was changed after miniupnpd had started"),
            "systemctl restart miniupnpd",
        ),
        _ => Finding::unknown(NAME, "it cannot be seen when miniupnpd started", "run this as root"),
    }
}

pub(super) fn forwards_packets(router: &Router<'_>) -> Finding {
    const NAME: &str = "ip-forward";
    match router.facts.ip_forward {
        Some(true) => Finding::ok(NAME, "the kernel forwards IPv4"),
        Some(false) => Finding::fault(
            NAME,
            "the kernel forwards no IPv4 packets: nothing that is mapped arrives",
            "sysctl -w net.ipv4.ip_forward=1, and the same in /etc/sysctl.d",
        ),
        None => Finding::unknown(NAME, "net.ipv4.ip_forward cannot be read", "run this as root"),
    }
}
