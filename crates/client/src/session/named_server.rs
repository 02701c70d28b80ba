//! A server that the user has named: where it is.

use std::fmt;
use std::net::SocketAddr;

use rustix::event::PollFd;
use wire::opener::is_target;

use crate::addresses::look_up::LookUp;
use crate::children::child::Leaving;

#[derive(Debug)]
pub(crate) struct NamedServer {
    host: String,
    port: u16,
    look_up: Option<LookUp>,
    /// The best of each family.
    addresses: Vec<SocketAddr>,
}

impl NamedServer {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        let mut server = Self { host: host.to_owned(), port, look_up: None, addresses: Vec::new() };
        server.look_up();
        server
    }

    /// In another network a name may lead elsewhere. What was known counts until more is.
    pub(crate) fn look_up_again(&mut self, leaving: &mut Leaving) {
        let former = self.look_up.take().map(LookUp::into_program);
        former.into_iter().for_each(|program| leaving.add(program));
        self.look_up();
    }

    pub(crate) fn keep_up(&mut self) {
        let Some(addresses) = self.look_up.as_mut().and_then(LookUp::finished) else { return };
        self.look_up = None;
        tracing::debug!(server = self.host, ?addresses);
        let port = self.port;
        self.found(addresses.into_iter().map(|address| SocketAddr::new(address.ip(), port)));
    }

    /// As far as they are known by now: one of each family.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().copied()
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.look_up.iter().flat_map(LookUp::descriptors)
    }

    fn look_up(&mut self) {
        match self.host.parse() {
            Ok(address) => self.found([SocketAddr::new(address, self.port)]),
            Err(_) => {
                self.look_up = LookUp::of_name(&self.host)
                    .inspect_err(|error| tracing::debug!(%error, server = self.host, "not looked up"))
                    .ok();
            }
        }
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

impl fmt::Display for NamedServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn of_a_name_one_address_a_family_counts_and_what_is_known_stays_known() {
        let mut server = NamedServer { host: "x".into(), port: 1, look_up: None, addresses: Vec::new() };
        server.found(["20.0.0.3:1", "20.0.0.4:1", "[2a00:7::3]:1", "[2a00:7::4]:1"].map(address));
        assert_eq!(server.addresses, ["20.0.0.3:1", "[2a00:7::3]:1"].map(address));
        server.found([]);
        assert_eq!(server.addresses.len(), 2);
    }
}
