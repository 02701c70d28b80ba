//! What the program that logs in says itself, where it failed: its last words, each a whole line. A banner or a start-up
//! file may say anything; but ssh speaks last.

use super::Cause;

/// Behind the cause, ssh and the ssh to its jump host say that they end.
const LINES_OF_AN_END: usize = 8;

/// How ssh calls the far end of a ProxyJump or ProxyCommand.
const OF_A_PROXY: &str = "UNKNOWN port 65535";

const FORWARDING_FAILED: &str = "stdio forwarding failed";

/// That a connection has ended: what comes before may tell why.
const ENDS: [&str; 6] = [
    "Connection closed by ",
    "Connection reset by ",
    "Connection to ",
    "Shared connection to ",
    "Received disconnect from ",
    "client_loop: ",
];

/// What never is a cause: another line, or another ssh on the way, has told it before.
const AFTERWARDS: [&str; 6] = [
    "Disconnected from ",
    "kex_exchange_identification: ",
    "ssh_exchange_identification: ",
    "banner exchange: ",
    "Killed by signal ",
    FORWARDING_FAILED,
];

/// On which machine it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Blamed {
    Host,
    /// A jump host, as ssh calls it.
    Named(String),
    SomeJumpHost,
}

pub(super) fn cause(messages: &[&str]) -> Option<(Cause, Blamed)> {
    let mut is_by_proxy = false;
    let lines = messages.iter().rev().filter(|line| !line.is_empty());
    for line in lines.take(LINES_OF_AN_END) {
        if let Some((cause, machine)) = words(line) {
            let of_jump_host = machine.map_or(Blamed::SomeJumpHost, |name| Blamed::Named(name.to_owned()));
            let is_of_host = !is_by_proxy || line.starts_with("channel ");
            return Some((cause, if is_of_host { Blamed::Host } else { of_jump_host }));
        }
        if !is_afterwards(line) && !ENDS.iter().any(|end| line.starts_with(end)) {
            return None;
        }
        is_by_proxy |= line.contains(OF_A_PROXY) || line.starts_with(FORWARDING_FAILED);
    }
    None
}

pub(crate) fn is_afterwards(line: &str) -> bool {
    AFTERWARDS.iter().any(|beginning| line.starts_with(beginning))
}

/// With the machine that the line names.
fn words(line: &str) -> Option<(Cause, Option<&str>)> {
    of_the_way(line).or_else(|| of_the_login(line)).or_else(|| of_dropbear(line))
}

fn of_the_way(line: &str) -> Option<(Cause, Option<&str>)> {
    if let Some(rest) = line.strip_prefix("ssh: Could not resolve hostname ") {
        return Some((Cause::UnknownName, rest.split_once(": ").map(|(name, _)| name)));
    }
    if let Some(rest) = line.strip_prefix("ssh: connect to host ") {
        let (place, reason) = rest.rsplit_once(": ")?;
        return Some((unreached(reason)?, place.split(' ').next()));
    }
    if line.starts_with("channel ") {
        let (_, reason) = line.split_once(": open failed: connect failed: ")?;
        return Some((unreached(reason)?, None));
    }
    let is_time_out = line == "Connection timed out during banner exchange"
        || line.starts_with("Connection to ") && line.ends_with(" timed out")
        || line.starts_with("Timeout, server ") && line.ends_with(" not responding.");
    is_time_out.then_some((Cause::Unreachable, None))
}

fn of_the_login(line: &str) -> Option<(Cause, Option<&str>)> {
    if line == "Host key verification failed." {
        return Some((Cause::HostKey, None));
    }
    if line.starts_with("Received disconnect from ") && line.ends_with(": Too many authentication failures") {
        return Some((Cause::Denied, None));
    }
    let (user, methods) = line.strip_suffix(").")?.split_once("Permission denied (")?;
    let user = if user.is_empty() { Some(None) } else { user.strip_suffix(": ").map(Some) };
    let is_ours = !methods.contains(' ');
    user.filter(|user| is_ours && !user.is_some_and(|user| user.contains(' ')))
        .map(|user| (Cause::Denied, user))
}

/// Its client ends with code 1, and with its own name before a line of this kind.
fn of_dropbear(line: &str) -> Option<(Cause, Option<&str>)> {
    let (_, rest) = line.split_once(": Connection to ")?;
    let (_, reason) = rest.split_once(" exited: ")?;
    let cause = match reason.strip_prefix("Connect failed: ") {
        Some(reason) => unreached(reason)?,
        None if reason.starts_with("Error resolving ") => Cause::UnknownName,
        None if reason == "No auth methods could be used." => Cause::Denied,
        None if reason.starts_with("Didn't validate host key") => Cause::HostKey,
        None if reason.contains("host key mismatch") => Cause::HostKey,
        None => return None,
    };
    Some((cause, None))
}

fn unreached(reason: &str) -> Option<Cause> {
    match reason {
        "Connection refused" => Some(Cause::Refused),
        "Name or service not known" | "Temporary failure in name resolution" => Some(Cause::UnknownName),
        "No route to host" | "Network is unreachable" | "Host is down" => Some(Cause::Unreachable),
        _ => reason.ends_with("timed out").then_some(Cause::Unreachable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(messages: &str) -> Option<(Cause, Blamed)> {
        cause(&messages.lines().collect::<Vec<_>>())
    }

    const OF_A_JUMP: &str = "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535";

    #[test]
    fn its_last_line_is_understood() {
        for (line, expected) in [
            ("ssh: connect to host router port 9: Connection refused", Cause::Refused),
            ("ssh: connect to host 192.0.2.1 port 22: Network is unreachable", Cause::Unreachable),
            ("ssh: connect to host router port 22: Connection timed out", Cause::Unreachable),
            (
                "Connection timed out during banner exchange\nConnection to 20.0.0.1 port 22 timed out",
                Cause::Unreachable,
            ),
            ("ssh: Could not resolve hostname nowhere: Name or service not known", Cause::UnknownName),
            ("alice@router: Permission denied (publickey,password).", Cause::Denied),
            ("Permission denied (publickey).", Cause::Denied),
            (
                "Received disconnect from 20.0.0.1 port 22:2: Too many authentication failures\n\
              Disconnected from 20.0.0.1 port 22",
                Cause::Denied,
            ),
            (
                "No ED25519 host key is known for router and you have requested strict checking.\n\
              Host key verification failed.",
                Cause::HostKey,
            ),
            (
                "dbclient: Connection to alice@router:9 exited: Connect failed: Connection refused",
                Cause::Refused,
            ),
            ("ssh: Connection to alice@router:22 exited: No auth methods could be used.", Cause::Denied),
        ] {
            assert_eq!(found(line), Some((expected, Blamed::Host)), "{line}");
        }
    }

    #[test]
    fn words_in_a_banner_are_not_its_own() {
        for banner in [
            "Permission denied (publickey). says who logs in here unasked",
            "Here: Permission denied (to all but staff).",
            "Your ssh: connect to host x port 1: Connection refused",
            "Usage: Host key verification failed.",
            "Connection refused",
        ] {
            assert_eq!(found(banner), None, "{banner}");
            let denied = format!("{banner}\nalice@router: Permission denied (publickey).");
            assert_eq!(found(&denied), Some((Cause::Denied, Blamed::Host)), "{banner}");
        }
        let then_another = "Host key verification failed.\nBad packet length 1349676916.";
        assert_eq!(found(then_another), None);
    }

    #[test]
    fn a_jump_host_is_told_from_the_host() {
        for (line, cause, machine) in [
            (
                "ssh: connect to host gw port 22: Connection refused",
                Cause::Refused,
                Blamed::Named("gw".into()),
            ),
            ("bob@gw: Permission denied (publickey).", Cause::Denied, Blamed::Named("bob@gw".into())),
            ("Host key verification failed.", Cause::HostKey, Blamed::SomeJumpHost),
            (
                "channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed",
                Cause::Refused,
                Blamed::Host,
            ),
        ] {
            assert_eq!(found(&format!("{line}\n{OF_A_JUMP}")), Some((cause, machine)), "{line}");
        }
        assert_eq!(found(OF_A_JUMP), None);
    }
}
