//! Which of this host's addresses a user's UDP sockets are bound to, in this network namespace.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

/// proc_pid_net(5), `udp` and `udp6`.
const TABLES: [&str; 2] = ["/proc/self/net/udp", "/proc/self/net/udp6"];

/// The addresses of `user`'s sockets on `port`; unspecified is any.
#[must_use]
pub fn addresses(port: NonZeroU16, user: u32) -> Vec<IpAddr> {
    sockets(port, user).into_iter().map(|socket| socket.address).collect()
}

/// A socket in the kernel's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// Unspecified is any.
    pub address: IpAddr,
    pub port: u16,
    pub user: u32,
    /// By which a process has it open.
    pub inode: u64,
}

/// `user`'s sockets on `port`.
#[must_use]
pub fn sockets(port: NonZeroU16, user: u32) -> Vec<Socket> {
    let mut sockets = all();
    sockets.retain(|socket| (socket.port, socket.user) == (port.get(), user));
    sockets
}

/// Those of everybody.
#[must_use]
pub fn all() -> Vec<Socket> {
    let tables = TABLES.iter().filter_map(|table| fs::read_to_string(table).ok());
    tables.flat_map(|table| table.lines().skip(1).filter_map(socket).collect::<Vec<_>>()).collect()
}

/// Number, local address, remote address, state, queues, timer, retransmissions, user, timeout, inode.
fn socket(line: &str) -> Option<Socket> {
    let words: Vec<_> = line.split_whitespace().collect();
    let (address, port) = words.get(1)?.split_once(':')?;
    Some(Socket {
        address: address_of(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        user: words.get(7)?.parse().ok()?,
        inode: words.get(9)?.parse().ok()?,
    })
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
        assert_eq!(sockets(port, user).len(), 1);
        drop(socket);
        assert!(sockets(port, user).is_empty());
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_line_of_the_table_tells_who_has_a_socket() {
        let line = " 1103: 0A01A8C0:EA61 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 4711 2";
        let address = IpAddr::from([192, 168, 1, 10]);
        assert_eq!(socket(line), Some(Socket { address, port: 60001, user: 1000, inode: 4711 }));
        assert_eq!(socket(" 1103: 0A01A8C0:EA61 00000000:0000 07"), None);
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
