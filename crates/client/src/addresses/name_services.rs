//! What this machine's name services know of a name. The C library of a static program looks into /etc/hosts and asks DNS, and
//! knows none of the others that nsswitch.conf(5) may name: getent(1) does.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::process::Stdio;

use crate::children::child::tied;

/// Any other C library has asked them all itself.
const ASKS_GETENT: bool = cfg!(target_env = "musl");

/// Three lines for each address of a name.
const BYTES_MAXIMUM: u64 = 16 * 1024;

/// It waits no longer than a name server that is down may take, by timeout(1) where there is one.
const LIMITED: &str = "if command -v timeout >/dev/null; then exec timeout 20 getent ahosts \"$1\"; fi; exec getent ahosts \"$1\"";

/// Of a host, with this port. That blocks, for as long as a name server lets it wait.
///
/// # Errors
///
/// The name has no address.
pub(crate) fn addresses(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let unknown = match (name, port).to_socket_addrs() {
        Ok(addresses) => return Ok(addresses.collect()),
        Err(error) => error,
    };
    let told = if ASKS_GETENT { told_by_getent(name, port) } else { Vec::new() };
    if told.is_empty() { Err(unknown) } else { Ok(told) }
}

/// In its order, each once; none, where it knows none, or is not there.
fn told_by_getent(name: &str, port: u16) -> Vec<SocketAddr> {
    if !is_name(name) {
        return Vec::new();
    }
    let told = asked(name).unwrap_or_default();
    let mut addresses = Vec::new();
    for address in told.lines().filter_map(|line| address(line, port)) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// What getent would take for no option, and a terminal for nothing.
fn is_name(name: &str) -> bool {
    let is_taken = |character: char| character.is_alphanumeric() || "-_.".contains(character);
    !name.is_empty() && name.len() <= 255 && !name.starts_with('-') && name.chars().all(is_taken)
}

fn asked(name: &str) -> Option<String> {
    let mut child = tied("sh")
        .args(["-c", LIMITED, "moshpunch", name])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut printed = Vec::new();
    let read = child.stdout.take()?.take(BYTES_MAXIMUM).read_to_end(&mut printed);
    // What still prints has nobody to print to, and ends by that or with this process.
    let _ended = child.wait();
    read.ok()?;
    String::from_utf8(printed).ok()
}

/// Of a line `ADDRESS TYPE [NAME]`.
fn address(line: &str, port: u16) -> Option<SocketAddr> {
    let mut words = line.split_whitespace();
    let (address, kind) = (words.next()?, words.next()?);
    if !["STREAM", "DGRAM", "RAW"].contains(&kind) {
        return None;
    }
    match address.split_once('%') {
        None => Some(SocketAddr::new(address.parse::<IpAddr>().ok()?, port)),
        // The system knows the number of an interface, and looks nothing up.
        Some((bare, scope)) if bare.parse::<Ipv6Addr>().is_ok() && is_name(scope) => {
            (address, port).to_socket_addrs().ok()?.next()
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_address_and_a_type() {
        let address = |line| address(line, 22).map(|address| address.to_string());
        for (line, expected) in [
            ("192.0.2.7       STREAM host.example", Some("192.0.2.7:22")),
            ("192.0.2.7       DGRAM  ", Some("192.0.2.7:22")),
            ("2001:db8::7 RAW", Some("[2001:db8::7]:22")),
            ("fe80::7%1 STREAM", Some("[fe80::7%1]:22")),
            ("fe80::7%lo STREAM", Some("[fe80::7%1]:22")),
            ("fe80::7%-x STREAM", None),
            ("192.0.2.7%lo STREAM", None),
            ("192.0.2.7", None),
            ("192.0.2.7 host.example", None),
            ("host.example STREAM", None),
            ("", None),
        ] {
            assert_eq!(address(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn only_what_may_be_a_name_is_asked() {
        for name in ["host", "host.example.", "my_host-2", "b\u{fc}cher.example"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-s", "--help", "a b", "a;b", "$(id)", "a\nb", "fe80::1", &"x".repeat(256)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
