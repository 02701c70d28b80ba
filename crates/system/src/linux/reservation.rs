//! A UDP port that nobody else is to have, and that nobody is to be heard on.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

use socket2::{Domain, Protocol, Socket, Type};

/// Bound to it, a socket hears nothing from any network; for the kernel the port is taken all the same.
const LOOPBACK: &[u8] = b"lo";

/// Keeps other programs from binding a port for as long as it lives.
///
/// Its sockets are IPv6 sockets that cover IPv4: what a program binds in IPv4 conflicts with them, but they are listed in
/// `/proc/net/udp6` alone. miniupnpd looks into `/proc/net/udp`, and does not take the port for used.
#[derive(Debug)]
pub struct Reservation {
    _sockets: Vec<Socket>,
}

impl Reservation {
    /// Every address of this host.
    ///
    /// # Errors
    ///
    /// `AddrInUse`: some program has the port on some address. `Unsupported`: the kernel has no IPv6.
    pub fn of_every_address(port: NonZeroU16) -> io::Result<Self> {
        Ok(Self { _sockets: vec![reserve(Ipv6Addr::UNSPECIFIED, port)?] })
    }

    /// These addresses, and with them every attempt to bind all.
    ///
    /// # Errors
    ///
    /// As above, for one of them; `AddrNotAvailable` also if there are none.
    pub fn of(addresses: &[Ipv4Addr], port: NonZeroU16) -> io::Result<Self> {
        if addresses.is_empty() {
            return Err(ErrorKind::AddrNotAvailable.into());
        }
        let sockets = addresses.iter().map(|address| reserve(address.to_ipv6_mapped(), port));
        Ok(Self { _sockets: sockets.collect::<io::Result<_>>()? })
    }
}

fn reserve(address: Ipv6Addr, port: NonZeroU16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)).map_err(without_ipv6)?;
    socket.set_only_v6(false)?;
    // Kernels before 5.7 want a privilege for it; there the small buffer has to do.
    if let Err(error) = socket.bind_device(Some(LOOPBACK)) {
        tracing::debug!(%error, "a reserved port can be sent to");
    }
    socket.set_recv_buffer_size(0)?;
    socket.bind(&SocketAddr::new(address.into(), port.get()).into())?;
    Ok(socket)
}

fn without_ipv6(error: io::Error) -> io::Error {
    let none = error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    if none { io::Error::new(ErrorKind::Unsupported, error) } else { error }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    const LOOPBACK_ADDRESSES: [&str; 4] = ["0.0.0.0", "127.0.0.1", "::", "::1"];

    fn bind(address: &str, port: NonZeroU16) -> io::Result<UdpSocket> {
        UdpSocket::bind((address, port.get()))
    }

    fn free_port() -> NonZeroU16 {
        let socket = UdpSocket::bind("[::]:0").unwrap();
        NonZeroU16::new(socket.local_addr().unwrap().port()).unwrap()
    }

    #[test]
    fn a_reserved_port_can_be_bound_to_no_address_until_it_is_given_up() {
        let port = free_port();
        let reservation = Reservation::of_every_address(port).unwrap();
        for address in LOOPBACK_ADDRESSES {
            assert_eq!(bind(address, port).unwrap_err().kind(), ErrorKind::AddrInUse, "{address}");
        }
        drop(reservation);
        bind("0.0.0.0", port).unwrap();
    }

    #[test]
    fn beside_a_program_on_one_address_another_can_be_reserved_and_with_it_all() {
        let port = free_port();
        let _program = bind("127.0.0.1", port).unwrap();
        assert_eq!(Reservation::of_every_address(port).unwrap_err().kind(), ErrorKind::AddrInUse);
        let _reservation = Reservation::of(&[Ipv4Addr::new(127, 0, 0, 2)], port).unwrap();
        for address in ["0.0.0.0", "127.0.0.2", "::"] {
            assert_eq!(bind(address, port).unwrap_err().kind(), ErrorKind::AddrInUse, "{address}");
        }
        assert_eq!(Reservation::of(&[], port).unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn a_reserved_port_is_in_no_table_of_ipv4() {
        let port = free_port();
        let _reservation = Reservation::of_every_address(port).unwrap();
        let table = std::fs::read_to_string("/proc/net/udp").unwrap();
        assert!(!table.contains(&format!(":{:04X} 00000000:0000", port.get())), "{table}");
    }
}
