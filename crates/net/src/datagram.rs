//! The datagram sockets of a mapper, all of them on the link of its internal address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use portmap::control_port::{ANNOUNCEMENT_PORT, SERVER_PORT};
use portmap::upnp::ssdp;
use socket2::{Domain, Protocol, Socket, Type};
use system::datagram::hear_only_notifications_of;

use crate::link::Link;

/// RFC 6887 §14.1.3: all hosts on this link.
const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

pub(crate) fn discovery(internal: IpAddr, link: &Link) -> io::Result<UdpSocket> {
    let socket = unbound(internal)?;
    match internal {
        IpAddr::V4(internal) => {
            socket.set_multicast_if_v4(&internal)?;
            // UDA 1.1 §1.3.2.
            socket.set_multicast_ttl_v4(2)?;
        }
        // Its multicast does not leave the link, where the gateway is.
        IpAddr::V6(_) => socket.set_multicast_if_v6(link.interface())?,
    }
    socket.bind(&SocketAddr::new(internal, 0).into())?;
    Ok(socket.into())
}

pub(crate) fn control(internal: IpAddr, gateway: IpAddr, link: &Link) -> io::Result<UdpSocket> {
    let socket = unbound(internal)?;
    socket.bind(&SocketAddr::new(internal, 0).into())?;
    socket.connect(&link.scoped(SocketAddr::new(gateway, SERVER_PORT)).into())?;
    Ok(socket.into())
}

/// Shared with every other keeper of this host: each hears every announcement. Bound to the group, so that nothing
/// else wakes it.
pub(crate) fn announcements(internal: IpAddr, link: &Link) -> io::Result<UdpSocket> {
    let socket = unbound(internal)?;
    socket.set_reuse_address(true)?;
    match internal {
        IpAddr::V4(internal) => {
            socket.bind(&SocketAddr::from((ALL_HOSTS, ANNOUNCEMENT_PORT)).into())?;
            socket.join_multicast_v4(&ALL_HOSTS, &internal)?;
        }
        IpAddr::V6(_) => {
            let group = link.scoped(SocketAddr::from((ALL_NODES, ANNOUNCEMENT_PORT)));
            socket.bind(&group.into())?;
            socket.join_multicast_v6(&ALL_NODES, link.interface())?;
        }
    }
    Ok(socket.into())
}

/// Shared with every other keeper and whatever else hears SSDP here. Bound to the group, so that no answer of others ends
/// here; and nothing but what `gateway` notifies wakes it, however much a link has to say. In IPv6, [`ssdp::MULTICAST_V6`]
/// is two groups. What is sent to the wider one comes from an address that nobody can tell to be the gateway's; miniupnpd
/// (2.3.1, measured) sends to both.
pub(crate) fn notifications(internal: IpAddr, gateway: IpAddr, link: &Link) -> io::Result<UdpSocket> {
    let socket = unbound(internal)?;
    socket.set_reuse_address(true)?;
    hear_only_notifications_of(&socket, gateway)?;
    match internal {
        IpAddr::V4(internal) => {
            socket.bind(&SocketAddr::from(ssdp::MULTICAST).into())?;
            socket.join_multicast_v4(ssdp::MULTICAST.ip(), &internal)?;
        }
        IpAddr::V6(_) => {
            let [group, _] = ssdp::MULTICAST_V6;
            socket.bind(&link.scoped(group.into()).into())?;
            socket.join_multicast_v6(group.ip(), link.interface())?;
        }
    }
    Ok(socket.into())
}

fn unbound(internal: IpAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(SocketAddr::new(internal, 0));
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if internal.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;

    use super::*;

    #[test]
    fn quirk_13_searches_leave_by_the_interface_of_the_internal_address() {
        let internal = Ipv4Addr::new(127, 0, 0, 77);
        let socket = discovery(internal.into(), &Link::default()).unwrap();
        assert_eq!(socket.local_addr().unwrap().ip(), internal);
        assert_eq!(SockRef::from(&socket).multicast_if_v4().unwrap(), internal);
    }
}
