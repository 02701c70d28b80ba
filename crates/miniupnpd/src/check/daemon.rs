//! Whether miniupnpd runs, on this configuration, and whether the kernel does its part.

use super::{Facts, Finding, Listener, Process, Router};
use crate::build::READS_ITS_OWN_DIRECTORY;
use crate::document::Document;
use crate::firewall::{PCP_PORT, SSDP_PORT};
use crate::mapping::Transport;

/// The kernel tells when a process started by the tick, and when a file was changed by its own.
const SECONDS_TOLERATED: u64 = 2;

const START: &str = "systemctl enable --now miniupnpd";

/// Who listens where miniupnpd would. One of another network namespace does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Daemon<'a> {
    Runs(&'a Process),
    /// Something that is not called so.
    Another(&'a Listener, &'a Process),
    /// It cannot be seen who it is.
    Somebody(&'a Listener),
    Nobody,
    Unknown,
}

pub(super) fn find(facts: &Facts) -> Daemon<'_> {
    let Some(listeners) = &facts.listeners else { return Daemon::Unknown };
    let owned = || listeners.iter().filter_map(|listener| Some((listener, listener.owner.as_ref()?)));
    let of_miniupnpd = || owned().map(|(_, process)| process).filter(|process| is_miniupnpd(process));
    // Two networks may have one each.
    let is_meant = |process: &&Process| file_of(process) == Some(&facts.configuration_path);
    if let Some(process) = of_miniupnpd().find(is_meant).or_else(|| of_miniupnpd().next()) {
        return Daemon::Runs(process);
    }
    if let Some(listener) = listeners.iter().find(|listener| listener.owner.is_none()) {
        return Daemon::Somebody(listener);
    }
    // Any program that searches by UPnP may share SSDP's port.
    match owned().find(|(listener, _)| listener.port != SSDP_PORT) {
        Some((listener, process)) => Daemon::Another(listener, process),
        None => Daemon::Nobody,
    }
}

/// By the file that runs, or by what was called, which may be an interpreter's argument.
fn is_miniupnpd(process: &Process) -> bool {
    let called = process.arguments.iter().take(2).map(String::as_str);
    let mut names = process.program.as_deref().into_iter().chain(called).filter_map(name_of);
    // The file's may be followed by what the package's is, or by that it was replaced.
    names.any(|name| name.starts_with("miniupnpd"))
}

fn name_of(path: &str) -> Option<&str> {
    path.rsplit('/').next()
}

pub(super) fn runs(router: &Router<'_>) -> Finding {
    const NAME: &str = "daemon";
    let path = &router.facts.configuration_path;
    match router.daemon {
        Daemon::Runs(process) => match (file_of(process), default_file(router)) {
            (Some(file), _) if file != path => Finding::fault(
                NAME,
                format!("miniupnpd runs with {file} in place of {path}"),
                cure_of_another_file(path, file),
            ),
            (None, Some(file)) if file != path => Finding::unknown(
                NAME,
                format!(
                    "{} runs without -f: as released, it then reads {file} in place of {path}",
                    router.build
                ),
                cure_of_another_file(path, file),
            ),
            _ => listens(router, NAME, process),
        },
        Daemon::Another(listener, process) => Finding::unknown(
            NAME,
            format!(
                "{} listens on {}, where miniupnpd would; whether that is one cannot be said",
                named(process),
                place(listener.transport, listener.port)
            ),
            format!("if it is none, end it, and {START}"),
        ),
        Daemon::Somebody(listener) => Finding::unknown(
            NAME,
            format!(
                "somebody listens on {}, and it cannot be seen whether that is miniupnpd",
                place(listener.transport, listener.port)
            ),
            "run this as root, and not in a container",
        ),
        Daemon::Nobody => {
            Finding::fault(NAME, "miniupnpd does not run: nobody listens on UDP 1900 or UDP 5351 here", START)
        }
        Daemon::Unknown => {
            Finding::unknown(NAME, "it cannot be seen whether miniupnpd runs", "run this as root")
        }
    }
}

/// Whether it has all that the configuration wants: it goes on without what it did not get.
fn listens(router: &Router<'_>, name: &'static str, process: &Process) -> Finding {
    let pcp = router.speaks_pcp().then_some((Transport::Udp, PCP_PORT));
    let says_itself = process.arguments.iter().any(|argument| argument == "-p");
    let http =
        router.configuration.http_port().filter(|_| router.configuration.speaks_upnp() && !says_itself);
    let listeners = router.facts.listeners.as_deref().unwrap_or_default();
    let has = |(transport, port): (Transport, u16)| {
        let mut all = listeners.iter().filter(|it| (it.transport, it.port) == (transport, port));
        all.any(|it| it.owner.as_ref().is_some_and(|owner| owner.pid == process.pid))
    };
    let missing = pcp.into_iter().chain(http.map(|port| (Transport::Tcp, port))).find(|place| !has(*place));
    match missing {
        None => Finding::ok(name, format!("miniupnpd runs as process {}", process.pid)),
        Some((transport, port)) => Finding::fault(
            name,
            format!(
                "miniupnpd runs as process {}, but does not listen on {}, as {} says",
                process.pid,
                place(transport, port),
                router.facts.configuration_path
            ),
            "systemctl restart miniupnpd; if that does not help, end what else listens there",
        ),
    }
}

fn place(transport: Transport, port: u16) -> String {
    format!("{transport} {port}")
}

fn named(process: &Process) -> String {
    let program = process.program.as_ref().or(process.arguments.first());
    format!("process {} ({})", process.pid, program.map_or("?", String::as_str))
}

/// The file that it was told to read, first of all if it was told several.
fn file_of(process: &Process) -> Option<&str> {
    let flag = process.arguments.iter().position(|argument| argument == "-f")?;
    process.arguments.get(flag + 1).map(String::as_str)
}

/// The file that it reads if it is told none.
fn default_file(router: &Router<'_>) -> Option<&'static str> {
    router.build.is_since(READS_ITS_OWN_DIRECTORY).map(|is_since| match is_since {
        true => "/etc/miniupnpd/miniupnpd.conf",
        false => "/etc/miniupnpd.conf",
    })
}

fn cure_of_another_file(path: &str, other: &str) -> String {
    format!("restart it with -f {path}, or check the other: --miniupnpd-conf {other}")
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
    let Daemon::Runs(process) = router.daemon else {
        return Finding::ok(NAME, format!("{path} will be read at the next start"));
    };
    match (process.started, router.facts.configuration_changed) {
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

/// Whether there is no doubt that what runs has started with every line of the file.
pub(super) fn has_surely_read_its_file(router: &Router<'_>) -> bool {
    let Daemon::Runs(process) = router.daemon else { return false };
    let (Some(started), Some(changed)) = (process.started, router.facts.configuration_changed) else {
        return false;
    };
    file_of(process) == Some(&router.facts.configuration_path) && changed + SECONDS_TOLERATED < started
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
