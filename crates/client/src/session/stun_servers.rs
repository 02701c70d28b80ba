//! The STUN servers that the user has named: where they are, and which of them are not worth waiting for.

use std::net::SocketAddr;

use rustix::event::PollFd;
use wire::stun::SERVERS_MAXIMUM;

use crate::children::child::Leaving;
use crate::configuration::StunServer;
use crate::session::named_server::NamedServer;

#[derive(Debug)]
pub(crate) struct StunServers {
    servers: Vec<NamedServer>,
    /// In this network they have not answered in time.
    silent: Vec<SocketAddr>,
}

impl StunServers {
    pub(crate) fn new(named: &[StunServer]) -> Self {
        let server = |named: &StunServer| NamedServer::new(&named.host, named.port);
        Self { servers: named.iter().map(server).collect(), silent: Vec::new() }
    }

    /// In another network a name may lead elsewhere, and whoever was silent may answer. What was known counts until more is.
    pub(crate) fn look_up_again(&mut self, leaving: &mut Leaving) {
        self.silent.clear();
        self.servers.iter_mut().for_each(|server| server.look_up_again(leaving));
    }

    pub(crate) fn keep_up(&mut self) {
        self.servers.iter_mut().for_each(NamedServer::keep_up);
    }

    /// As far as they are known by now, and no more than [`SERVERS_MAXIMUM`].
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.servers.iter().flat_map(NamedServer::addresses).take(SERVERS_MAXIMUM)
    }

    /// Those among them that may answer in time.
    pub(crate) fn worth_asking(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses().filter(|address| !self.silent.contains(address))
    }

    pub(crate) fn were_silent(&mut self, silent: &[SocketAddr]) {
        if !silent.is_empty() {
            tracing::debug!(
                ?silent,
                "these STUN servers do not answer, and are not waited for in this network"
            );
        }
        self.silent.extend_from_slice(silent);
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.servers.iter().flat_map(NamedServer::descriptors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(named: &[&str]) -> StunServers {
        StunServers::new(&named.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_need_no_look_up_and_no_more_are_asked_than_allowed() {
        let servers = servers(&["stun:20.0.0.3", "stun:[2a00:7::3]:5", "stun:127.0.0.1", "stun:224.0.0.1"]);
        let expected = ["20.0.0.3:3478", "[2a00:7::3]:5"].map(address);
        assert!(servers.addresses().eq(expected) && servers.descriptors().count() == 0);
        let many: Vec<_> = (1..=9).map(|number| format!("stun:20.0.0.{number}")).collect();
        let many = self::servers(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(many.addresses().count(), SERVERS_MAXIMUM);
    }

    #[test]
    fn who_was_silent_is_not_waited_for_until_the_network_changes() {
        let mut servers = servers(&["stun:20.0.0.3", "stun:20.0.0.4"]);
        servers.were_silent(&[address("20.0.0.3:3478")]);
        assert!(servers.worth_asking().eq([address("20.0.0.4:3478")]));
        assert_eq!(servers.addresses().count(), 2, "the host may be answered");
        servers.look_up_again(&mut Leaving::default());
        assert_eq!(servers.worth_asking().count(), 2);
    }
}
