//! The server's own router: the rule that maps [`MAPPED`](crate::world::MAPPED), and the connections that it tracks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Linux's `nf_conntrack_udp_timeout_stream`.
const EXPIRY: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) up: bool,
    /// Whether the rule is there.
    pub(crate) maps: bool,
    flows: BTreeMap<SocketAddr, Flow>,
}

/// Where what comes from a source goes to is decided for the first datagram, and holds for all that follow.
#[derive(Debug, Clone, Copy)]
struct Flow {
    leads_inside: bool,
    used: Instant,
}

impl Router {
    pub(crate) fn new() -> Self {
        Self { up: true, maps: true, flows: BTreeMap::new() }
    }

    /// It goes down and forgets everything.
    pub(crate) fn fail(&mut self) {
        *self = Self { up: false, maps: false, flows: BTreeMap::new() };
    }

    pub(crate) fn lets_in(&mut self, from: SocketAddr, now: Instant) -> bool {
        if !self.up {
            return false;
        }
        self.flows.retain(|_, flow| flow.used + EXPIRY > now);
        let flow = self.flows.entry(from).or_insert(Flow { leads_inside: self.maps, used: now });
        flow.used = now;
        flow.leads_inside
    }

    /// By the port that the laptop sends to. Without a connection it would be another one.
    pub(crate) fn lets_out(&self, to: SocketAddr) -> bool {
        self.up && self.flows.get(&to).is_some_and(|flow| flow.leads_inside)
    }
}
