//! Where mosh-server listens for our own client, which moves between addresses and families.
//!
//! mosh-server has one socket. On `[::]` it serves both families, but miniupnpd looks into `/proc/net/udp` alone before it
//! maps a port, and would give the port of such a session to a host behind. So on the host that maps ports, a session
//! is on IPv4, where miniupnpd sees it, or on one IPv6 address, where nothing that is mapped can be in its way.

use net::bound;
use net::own_addresses::is_dual_stack;
use portmap::address::{Reach, reach};
use portmap::control_port::SERVER_PORT;
use portmap::upnp::ssdp;
use wire::Bind;

use crate::ssh_connection::SshConnection;

const ROOT: u32 = 0;

/// Where a session is to listen for whose place nothing was said.
pub(crate) fn bind(ssh: Option<SshConnection>) -> Bind {
    choose(maps_ports(), is_dual_stack(), ssh)
}

fn choose(maps_ports: bool, dual_stack: bool, ssh: Option<SshConnection>) -> Bind {
    // Such a client may have no IPv4; mosh would serve it there, too.
    let needs_ipv6 = ssh.is_some_and(|ssh| ssh.server.is_ipv6() && reach(ssh.server) == Reach::Public);
    match (maps_ports, dual_stack) {
        (true, _) if needs_ipv6 => Bind::Ssh,
        (false, true) => Bind::Address("::".into()),
        _ => Bind::Any,
    }
}

/// Whether this host gives its outside ports to others: root listens there for who asks for them. What another namespace
/// runs, or another user, maps no port of this host.
fn maps_ports() -> bool {
    let ports = [SERVER_PORT, ssdp::MULTICAST.port()];
    // A group is where notifications are heard, by root's own keepers as well. Nobody is served there.
    let serves = |socket: &bound::Socket| socket.user == ROOT && !socket.address.is_multicast();
    bound::all().iter().any(|socket| ports.contains(&socket.port) && serves(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_IPV4: &str = "20.0.0.9 4 20.0.0.1 22";
    const BY_IPV6: &str = "2a00::9 4 2a00:7::1 22";

    fn every_address() -> Bind {
        Bind::Address("::".into())
    }

    #[test]
    fn both_families_are_served_where_nobody_else_gets_the_ports() {
        for ssh in ["", BY_IPV4, BY_IPV6] {
            assert_eq!(choose(false, true, SshConnection::parse(ssh)), every_address(), "{ssh}");
            assert_eq!(choose(false, false, SshConnection::parse(ssh)), Bind::Any, "{ssh}");
        }
    }

    #[test]
    fn a_host_that_maps_ports_serves_ipv4_where_miniupnpd_sees_it() {
        for ssh in ["", BY_IPV4, "fd07::9 4 fd07::1 22", "fe80::9%lan0 4 fe80::1%lan0 22"] {
            assert_eq!(choose(true, true, SshConnection::parse(ssh)), Bind::Any, "{ssh}");
        }
    }

    #[test]
    fn a_client_that_came_by_ipv6_is_served_there_on_such_a_host_too() {
        assert_eq!(choose(true, true, SshConnection::parse(BY_IPV6)), Bind::Ssh);
        assert_eq!(choose(true, false, SshConnection::parse(BY_IPV6)), Bind::Ssh);
    }
}
