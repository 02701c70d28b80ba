//! The search for gateways: what to send when, and when to stop waiting.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::ssdp::{self, SearchTarget};
use crate::effects::{Socket, Transmit};

/// When the search is sent again, unless something has answered: datagrams get lost, and one lost search must not
/// cost the session its mapping.
const REPEATS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(150),
    Duration::from_millis(450),
    Duration::from_millis(1_000),
    Duration::from_millis(3_000),
    Duration::from_millis(7_000),
];

/// When silence usually means that there is no gateway. A device may wait up to `MX` (here 1 s) before it answers
/// (UDA 1.1 §1.3.3); those seen answer the unicast search, or within a fraction of that.
pub const SEARCH_WINDOW: Duration = Duration::from_millis(900);

/// UDA 1.1 §1.3.2: 1 is the least that a control point may ask for.
const MAXIMUM_WAIT_SECONDS: u8 = 1;

/// Some routers answer one version only, others answer a search for the device with the wrong one of theirs and
/// need the service's name (peers: Sagemcom FAST3890, Technicolor).
const TARGETS: [SearchTarget; 3] = [
    SearchTarget::InternetGatewayDevice1,
    SearchTarget::InternetGatewayDevice2,
    SearchTarget::WanIpConnection1,
];

#[derive(Debug)]
pub(super) struct Search {
    gateway: Option<IpAddr>,
    started: Instant,
    ends: Instant,
    sent: usize,
    over: bool,
    transmits: VecDeque<Transmit>,
}

impl Search {
    pub(super) fn new(gateway: Option<IpAddr>, window: Duration, now: Instant) -> Self {
        let (started, ends, transmits) = (now, now + window, VecDeque::new());
        let mut search = Self { gateway, started, ends, sent: 0, over: false, transmits };
        search.handle_timeout(now);
        search
    }

    /// Stops repeating the search; further answers may still be on their way.
    pub(super) fn answered(&mut self) {
        self.sent = REPEATS.len();
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some(&after) = REPEATS.get(self.sent) {
            if now < self.started + after {
                break;
            }
            self.sent += 1;
            self.send_round();
        }
        self.over |= now >= self.ends;
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        let repeat = REPEATS.get(self.sent).map(|&after| self.started + after);
        Some(repeat.map_or(self.ends, |repeat| repeat.min(self.ends)))
    }

    /// To the gateway itself first: some answer only that, and it opens the way through this host's own firewall
    /// for the answers to the multicast (tailscale#3197).
    fn send_round(&mut self) {
        let multicast = SocketAddr::V4(ssdp::MULTICAST);
        let unicast = self.gateway.map(|gateway| SocketAddr::new(gateway, multicast.port()));
        for destination in unicast.into_iter().chain([multicast]) {
            for target in TARGETS {
                self.transmits.push_back(Transmit {
                    socket: Socket::Discovery,
                    destination,
                    payload: ssdp::search(target, destination, MAXIMUM_WAIT_SECONDS),
                });
            }
        }
    }
}
