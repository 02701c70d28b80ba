//! Every socket of a gateway, bound at once.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};

use portmap::control_port::SERVER_PORT;
use portmap::upnp::ssdp::MULTICAST;
use rustix::event::{PollFd, PollFlags};
use socket2::{Domain, Socket, Type};

use crate::builder::Protocol;

#[derive(Debug)]
pub(crate) struct Sockets {
    address: Ipv4Addr,
    pub(super) ssdp: Option<UdpSocket>,
    pub(super) ssdp_multicast: Option<UdpSocket>,
    pub(super) control: Option<UdpSocket>,
    pub(super) http: Option<TcpListener>,
}

impl Sockets {
    pub(crate) fn bind(address: Ipv4Addr, protocols: &[Protocol]) -> io::Result<Self> {
        let upnp = protocols.contains(&Protocol::Upnp);
        let control = protocols.iter().any(|protocol| *protocol != Protocol::Upnp);
        let hears_multicast = upnp && !address.is_loopback();
        Ok(Self {
            address,
            ssdp: upnp.then(|| datagram_socket(address, MULTICAST.port())).transpose()?,
            ssdp_multicast: hears_multicast.then(|| multicast_socket(address)).transpose()?,
            control: control.then(|| datagram_socket(address, SERVER_PORT)).transpose()?,
            http: upnp.then(|| listener(address)).transpose()?,
        })
    }

    /// 0 without UPnP.
    pub(crate) fn http_port(&self) -> u16 {
        let address = self.http.as_ref().and_then(|listener| listener.local_addr().ok());
        address.map_or(0, |address| address.port())
    }

    /// The new listener is there before the old one goes, so that the kernel does not give the same port again.
    pub(super) fn change_http_port(&mut self) -> io::Result<()> {
        if self.http.is_some() {
            self.http = Some(listener(self.address)?);
        }
        Ok(())
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        let datagrams = [&self.ssdp, &self.ssdp_multicast, &self.control];
        let datagrams = datagrams.into_iter().flatten().map(|socket| PollFd::new(socket, PollFlags::IN));
        datagrams.chain(self.http.iter().map(|listener| PollFd::new(listener, PollFlags::IN)))
    }

    /// Sends as the server of that port does, or from elsewhere.
    pub(super) fn send(&self, port: u16, from: Option<SocketAddr>, to: SocketAddr, payload: &[u8]) {
        let server = if port == SERVER_PORT { &self.control } else { &self.ssdp };
        // A client that has gone is no fault of the gateway's.
        let _ = match from {
            Some(from) => UdpSocket::bind(from).and_then(|socket| socket.send_to(payload, to)),
            None => server.as_ref().map_or(Ok(0), |socket| socket.send_to(payload, to)),
        };
    }
}

fn datagram_socket(address: Ipv4Addr, port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_multicast_if_v4(&address)?;
    socket.bind(&SocketAddr::from((address, port)).into())?;
    Ok(socket.into())
}

/// Bound to the group, so that it hears nothing else.
fn multicast_socket(address: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddrV4::new(*MULTICAST.ip(), MULTICAST.port()).into())?;
    socket.join_multicast_v4(MULTICAST.ip(), &address)?;
    Ok(socket.into())
}

fn listener(address: Ipv4Addr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((address, 0))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
