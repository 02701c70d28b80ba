//! Which of this host's addresses a user's UDP sockets are bound to.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

/// proc_pid_net(5), `udp` and `udp6`.
const TABLES: [&str; 2] = ["/proc/self/net/udp", "/proc/self/net/udp6"];

/// The addresses of `user`'s sockets on `port`; unspecified is any.
#[must_use]
pub fn addresses(port: NonZeroU16, user: u32) -> Vec<IpAddr> {
    let tables = TABLES.iter().filter_map(|table| fs::read_to_string(table).ok());
    tables.flat_map(|table| addresses_in(&table, port, user)).collect()
}

/// Whether anybody has the port, on whichever address.
#[must_use]
pub fn is_taken(port: u16) -> bool {
    let tables = TABLES.iter().filter_map(|table| fs::read_to_string(table).ok());
    tables.into_iter().any(|table| table.lines().skip(1).filter_map(entry).any(|entry| entry.1 == port))
}

fn addresses_in(table: &str, port: NonZeroU16, user: u32) -> Vec<IpAddr> {
    let entries = table.lines().skip(1).filter_map(entry);
    entries.filter(|entry| (entry.1, entry.2) == (port.get(), user)).map(|entry| entry.0).collect()
}

/// Number, local address, remote address, state, queues, timer, retransmissions, user.
fn entry(line: &str) -> Option<(IpAddr, u16, u32)> {
    let words: Vec<_> = line.split_whitespace().collect();
    let (address, port) = words.get(1)?.split_once(':')?;
    Some((address_of(address)?, u16::from_str_radix(port, 16).ok()?, words.get(7)?.parse().ok()?))
}

/// Words of 32 bits in hexadecimal, each as it lies in memory.
fn address_of(text: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes = <[u8; 16]>::try_from(words.concat()).ok()?;
            Some(IpAddr::from(Ipv6Addr::from(bytes)).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_socket_is_found_by_its_port_and_its_owner() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = NonZeroU16::new(socket.local_addr().unwrap().port()).unwrap();
        let user = rustix::process::getuid().as_raw();
        assert_eq!(addresses(port, user), [IpAddr::from([127, 0, 0, 1])]);
        assert!(addresses(port, user + 1).is_empty());
        assert!(is_taken(port.get()));
        drop(socket);
        assert!(!is_taken(port.get()));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_are_read_as_the_kernel_writes_them() {
        let address = |text: &str| address_of(text).map(|address| address.to_string());
        assert_eq!(address("0A01A8C0").as_deref(), Some("192.168.1.10"));
        assert_eq!(address("0700002A000000000000000010000000").as_deref(), Some("2a00:7::10"));
        assert_eq!(address("00000000000000000000000000000000").as_deref(), Some("::"));
        assert_eq!(address("0000"), None);
    }
}
