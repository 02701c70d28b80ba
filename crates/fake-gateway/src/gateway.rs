//! The handle that a test holds.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use net::clock;

use crate::builder::{self, Builder, Settings};
use crate::counters::Counters;
use crate::fault::Fault;
use crate::server::{Remote, Server, Sockets};
use crate::state::{Shared, State};
use crate::table::Mapping;

/// Whether a restart loses the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    Keep,
    Forget,
}

/// A gateway that serves until it is dropped.
#[derive(Debug)]
pub struct FakeGateway {
    address: Ipv4Addr,
    shared: Arc<Shared>,
    remote: Remote,
    thread: Option<JoinHandle<()>>,
}

impl FakeGateway {
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn start(settings: Settings, address: Ipv4Addr) -> io::Result<Self> {
        let sockets = Sockets::bind(address, &settings.protocols)?;
        let state = State::new(settings, address, sockets.http_port(), clock::now());
        let shared = Arc::new(Shared::new(state));
        let (server, remote) = Server::new(sockets, Arc::clone(&shared))?;
        let thread = thread::Builder::new().name("fake gateway".into()).spawn(move || server.run())?;
        Ok(Self { address, shared, remote, thread: Some(thread) })
    }

    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Another address of the gateway's /24. On loopback any can be bound.
    #[must_use]
    pub fn host(&self, number: u8) -> Ipv4Addr {
        let [first, second, third, _] = self.address.octets();
        Ipv4Addr::new(first, second, third, number)
    }

    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.shared.lock().http_port
    }

    #[must_use]
    pub fn description_url(&self) -> String {
        let state = self.shared.lock();
        format!("http://{}:{}{}", state.address, state.http_port, state.settings.description_path)
    }

    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.lock().counters.clone()
    }

    pub fn reset_counters(&self) {
        self.shared.lock().counters = Counters::default();
    }

    /// What a strict router would not have accepted, in the order in which it came.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.shared.lock().complaints().to_vec()
    }

    /// The table, by transport and external port.
    #[must_use]
    pub fn mappings(&self) -> Vec<Mapping> {
        let mut state = self.shared.lock();
        if state.settings.expires {
            state.table.remove_expired(clock::now());
        }
        state.table.mappings().cloned().collect()
    }

    /// Puts an entry into the table, in the place of what is there.
    pub fn insert(&self, mapping: Mapping) {
        self.shared.lock().table.insert(mapping, None, clock::now());
    }

    /// Ends the lease of that external port now. Whether there was one.
    pub fn expire(&self, external_port: u16) -> bool {
        self.shared.lock().table.expire(external_port)
    }

    pub fn script(&self, fault: Fault) {
        self.shared.lock().script.push(fault);
    }

    /// Answers rightly from now on.
    pub fn clear_script(&self) {
        self.shared.lock().script.clear();
    }

    /// Empty: not connected.
    ///
    /// # Panics
    /// When it is neither an IPv4 address nor empty.
    pub fn set_external_address(&self, address: &str) {
        self.shared.lock().settings.external_address = builder::external_address(address);
    }

    /// Ends every connection, begins the epoch at 0 and the boot id anew, and serves HTTP on another port. Nothing is
    /// announced: see [`Self::announce`].
    ///
    /// # Errors
    /// No port is free.
    pub fn restart(&self, restart: Restart) -> io::Result<()> {
        self.remote.restart(restart)
    }

    /// Says by multicast, in every protocol that is spoken, that the gateway is there: `ssdp:alive` to
    /// 239.255.255.250:1900, the external address and an ANNOUNCE to 224.0.0.1:5350.
    ///
    /// # Errors
    /// There is no route for multicast.
    pub fn announce(&self) -> io::Result<()> {
        self.remote.announce()
    }

    /// Waits until what has been heard is as wanted; `false` when the time is over.
    #[must_use]
    pub fn wait_until(&self, within: Duration, condition: impl Fn(&Counters) -> bool) -> bool {
        self.shared.wait_until(within, |state| condition(&state.counters))
    }
}

impl Drop for FakeGateway {
    fn drop(&mut self) {
        self.remote.stop();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || !matches!(ended, Some(Err(_))), "the fake gateway's thread panicked");
    }
}
