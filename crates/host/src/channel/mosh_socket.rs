//! The socket by which carried datagrams go to mosh-server, and come from it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

use net::own_addresses::is_dual_stack;
use net::{MarkedSocket, Received};
use rustix::event::{PollFd, PollFlags};
use rustix::net::connect;

/// Hears mosh-server alone.
#[derive(Debug)]
pub(super) struct MoshSocket {
    socket: MarkedSocket,
    mosh_server: SocketAddr,
}

impl MoshSocket {
    /// To a mosh-server that is bound to `address` and `port`.
    ///
    /// # Errors
    ///
    /// The kernel knows no way there.
    pub(super) fn open(address: IpAddr, port: NonZeroU16) -> io::Result<Self> {
        let address = on_this_host(address, is_dual_stack());
        let (socket, mosh_server) = (MarkedSocket::bind(address)?, SocketAddr::new(address, port.get()));
        connect(&socket, &mosh_server)?;
        Ok(Self { socket, mosh_server })
    }

    /// What does not leave is lost, as datagrams are.
    pub(super) fn send(&self, tos: u8, datagram: &[u8]) {
        if let Err(error) = self.socket.send(datagram, self.mosh_server, tos) {
            tracing::debug!(%error, "not handed to mosh-server");
        }
    }

    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        self.socket.receive(buffer)
    }

    pub(super) fn descriptor(&self) -> PollFd<'_> {
        PollFd::new(&self.socket, PollFlags::IN)
    }
}

/// Where a socket that is bound to `address` is reached from here. mosh reads the congestion mark of IPv4 alone, so that is
/// preferred.
fn on_this_host(address: IpAddr, dual_stack: bool) -> IpAddr {
    match address {
        IpAddr::V6(address) if address.is_unspecified() && !dual_stack => Ipv6Addr::LOCALHOST.into(),
        address if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use net::wait::wait;

    use super::*;

    #[test]
    fn the_tos_byte_goes_both_ways() {
        let mut mosh_server = MarkedSocket::bind(Ipv4Addr::UNSPECIFIED.into()).unwrap();
        let port = NonZeroU16::new(mosh_server.address().unwrap().port()).unwrap();
        let mut socket = MoshSocket::open(Ipv4Addr::UNSPECIFIED.into(), port).unwrap();
        let mut buffer = [0; 64];
        socket.send(0xb9, b"to mosh-server");
        wait(&mut [PollFd::new(&mosh_server, PollFlags::IN)], None).unwrap();
        let received = mosh_server.receive(&mut buffer).unwrap();
        assert_eq!((received.tos, &buffer[..received.length]), (0xb9, &b"to mosh-server"[..]));
        mosh_server.send(b"from it", received.from, 0x02).unwrap();
        wait(&mut [socket.descriptor()], None).unwrap();
        let received = socket.receive(&mut buffer).unwrap();
        assert_eq!((received.tos, &buffer[..received.length]), (0x02, &b"from it"[..]));
    }

    #[test]
    fn others_are_not_heard() {
        let mosh_server = MarkedSocket::bind(Ipv4Addr::LOCALHOST.into()).unwrap();
        let other = MarkedSocket::bind(Ipv4Addr::LOCALHOST.into()).unwrap();
        let port = NonZeroU16::new(mosh_server.address().unwrap().port()).unwrap();
        let mut socket = MoshSocket::open(Ipv4Addr::LOCALHOST.into(), port).unwrap();
        let to = socket.socket.address().unwrap();
        let _refused = other.send(b"from another", to, 0);
        mosh_server.send(b"from it", to, 0).unwrap();
        let mut buffer = [0; 64];
        wait(&mut [socket.descriptor()], None).unwrap();
        let received = socket.receive(&mut buffer).unwrap();
        assert_eq!(&buffer[..received.length], b"from it");
    }

    #[test]
    fn it_goes_over_loopback_where_mosh_server_is_everywhere() {
        for (bound, dual_stack, expected) in [
            ("0.0.0.0", true, "127.0.0.1"),
            ("::", true, "127.0.0.1"),
            ("::", false, "::1"),
            ("192.168.1.10", true, "192.168.1.10"),
            ("2a00:7::10", true, "2a00:7::10"),
        ] {
            let [bound, expected] = [bound, expected].map(|text| text.parse::<IpAddr>().unwrap());
            assert_eq!(on_this_host(bound, dual_stack), expected, "{bound} {dual_stack}");
        }
    }
}
