//! The STUN servers that the user has named: where they are, and which of them are not worth waiting for.

use std::net::SocketAddr;

use rustix::event::PollFd;
use wire::opener::is_target;
use wire::stun::SERVERS_MAXIMUM;

use crate::addresses::look_up::LookUp;
use crate::children::child::Leaving;
use crate::configuration::StunServer;

#[derive(Debug)]
pub(crate) struct StunServers {
    servers: Vec<Server>,
    /// In this network they have not answered in time.
    silent: Vec<SocketAddr>,
}

#[derive(Debug)]
struct Server {
    named: StunServer,
    look_up: Option<LookUp>,
    /// The best of each family.
    addresses: Vec<SocketAddr>,
}

impl StunServers {
    pub(crate) fn new(named: &[StunServer]) -> Self {
        let server =
            |named: &StunServer| Server { named: named.clone(), look_up: None, addresses: Vec::new() };
        let mut servers = Self { servers: named.iter().map(server).collect(), silent: Vec::new() };
        servers.servers.iter_mut().for_each(Server::look_up);
        servers
    }

    /// In another network a name may lead elsewhere, and whoever was silent may answer. What was known counts until more is.
    pub(crate) fn look_up_again(&mut self, leaving: &mut Leaving) {
        self.silent.clear();
        for server in &mut self.servers {
            let former = server.look_up.take().map(LookUp::into_program);
            former.into_iter().for_each(|program| leaving.add(program));
            server.look_up();
        }
    }

    pub(crate) fn keep_up(&mut self) {
        self.servers.iter_mut().for_each(Server::keep_up);
    }

    /// As far as they are known by now, and no more than [`SERVERS_MAXIMUM`].
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.servers.iter().flat_map(|server| server.addresses.iter().copied()).take(SERVERS_MAXIMUM)
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
        self.servers.iter().flat_map(|server| &server.look_up).flat_map(LookUp::descriptors)
    }
}

impl Server {
    fn look_up(&mut self) {
        match self.named.host.parse() {
            Ok(address) => self.found([SocketAddr::new(address, self.named.port)]),
            Err(_) => {
                self.look_up = LookUp::of_name(&self.named.host)
                    .inspect_err(|error| tracing::debug!(%error, server = ?self.named, "not looked up"))
                    .ok();
            }
        }
    }

    fn keep_up(&mut self) {
        let Some(addresses) = self.look_up.as_mut().and_then(LookUp::finished) else { return };
        self.look_up = None;
        tracing::debug!(server = ?self.named, ?addresses);
        let port = self.named.port;
        self.found(addresses.into_iter().map(|address| SocketAddr::new(address.ip(), port)));
    }

    fn found(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) {
        let mut found: Vec<SocketAddr> = Vec::new();
        for address in addresses.into_iter().filter(|&address| is_target(address)) {
            if found.iter().all(|other| other.is_ipv4() != address.is_ipv4()) {
                found.push(address);
            }
        }
        if !found.is_empty() {
            self.addresses = found;
        }
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
    fn of_a_name_one_address_a_family_counts_and_what_is_known_stays_known() {
        let mut server = Server { named: "stun:x".parse().unwrap(), look_up: None, addresses: Vec::new() };
        server.found(["20.0.0.3:1", "20.0.0.4:1", "[2a00:7::3]:1", "[2a00:7::4]:1"].map(address));
        assert_eq!(server.addresses, ["20.0.0.3:1", "[2a00:7::3]:1"].map(address));
        server.found([]);
        assert_eq!(server.addresses.len(), 2);
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
