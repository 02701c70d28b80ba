//! The search for gateways: what to send when, and when to stop waiting.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::ssdp::{self, SearchTarget};
use crate::effects::{Socket, Transmit};

/// What is asked for when, until the default gateway answers. Nearly every gateway answers the first; some answer the
/// other version only, or nothing but a service's name (Sagemcom FAST3890, Technicolor). Then again, because datagrams
/// get lost, ever more seldom, because a router that is slow is not made faster by more of them.
const ROUNDS: [(Duration, &[SearchTarget]); 6] = [
    (Duration::ZERO, &[SearchTarget::InternetGatewayDevice1]),
    (Duration::from_millis(100), &[SearchTarget::InternetGatewayDevice2, SearchTarget::WanIpConnection1]),
    (
        Duration::from_millis(400),
        &[
            SearchTarget::InternetGatewayDevice1,
            SearchTarget::InternetGatewayDevice2,
            SearchTarget::RootDevice,
        ],
    ),
    (Duration::from_millis(1_000), &[SearchTarget::InternetGatewayDevice1]),
    (Duration::from_millis(3_000), &[SearchTarget::InternetGatewayDevice1]),
    (Duration::from_millis(7_000), &[SearchTarget::InternetGatewayDevice1]),
];

/// How long the default gateway is waited for where another answers: its second chance at the first question, should a
/// datagram get lost, and time for the answer.
const DEFAULT_GATEWAY_PATIENCE: Duration = Duration::from_millis(500);

/// When silence usually means that there is no gateway. A device may wait up to `MX` (here 1 s) before it answers
/// (UDA 1.1 §1.3.3); those seen answer the unicast search, or within a fraction of that.
pub const SEARCH_WINDOW: Duration = Duration::from_millis(900);

/// UDA 1.1 §1.3.2: 1 is the least that a control point may ask for.
const MAXIMUM_WAIT_SECONDS: u8 = 1;

#[derive(Debug)]
pub(super) struct Search {
    gateway: Option<IpAddr>,
    is_ipv6: bool,
    started: Instant,
    ends: Instant,
    rounds: usize,
    default_gateway_first: bool,
    over: bool,
    transmits: VecDeque<Transmit>,
}

impl Search {
    /// In the address family of `internal`.
    pub(super) fn new(internal: IpAddr, gateway: Option<IpAddr>, window: Duration, now: Instant) -> Self {
        let (started, ends, transmits) = (now, now + window, VecDeque::new());
        let is_ipv6 = internal.is_ipv6();
        let default_gateway_first = gateway.is_some();
        let mut search = Self {
            gateway,
            is_ipv6,
            started,
            ends,
            rounds: 0,
            default_gateway_first,
            over: false,
            transmits,
        };
        search.handle_timeout(now);
        search
    }

    /// Nobody is asked: somebody has been heard of otherwise.
    pub(super) fn without_a_question(internal: IpAddr, window: Duration, now: Instant) -> Self {
        let search = Self::new(internal, None, window, now);
        Self { rounds: ROUNDS.len(), transmits: VecDeque::new(), ..search }
    }

    /// Stops repeating the search; further answers may still be on their way.
    pub(super) fn answered(&mut self) {
        self.rounds = ROUNDS.len();
    }

    /// Whether any other gateway is not yet worth a question.
    pub(super) fn is_default_gateway_first(&self) -> bool {
        self.default_gateway_first
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some((after, targets)) = ROUNDS.get(self.rounds) {
            if now < self.started + *after {
                break;
            }
            self.rounds += 1;
            self.send(targets);
        }
        self.default_gateway_first &= now < self.patience_ends();
        self.over |= now >= self.ends;
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        let round = ROUNDS.get(self.rounds).map(|(after, _)| self.started + *after);
        let patience = self.default_gateway_first.then(|| self.patience_ends());
        round.into_iter().chain(patience).chain([self.ends]).min()
    }

    fn patience_ends(&self) -> Instant {
        self.ends.min(self.started + DEFAULT_GATEWAY_PATIENCE)
    }

    /// To the gateway itself first: some answer only that, and it opens the way through this host's own firewall
    /// for the answers to the multicast (tailscale#3197).
    fn send(&mut self, targets: &[SearchTarget]) {
        let unicast = self.gateway.map(|gateway| SocketAddr::new(gateway, ssdp::MULTICAST.port()));
        for destination in unicast.into_iter().chain(self.groups()) {
            // Every device of the link is a root device, and only the default gateway's answer would count.
            let is_for_all = |target: &&SearchTarget| **target != SearchTarget::RootDevice;
            for &target in targets.iter().filter(|target| unicast == Some(destination) || is_for_all(target))
            {
                let target = self.in_family(target);
                self.transmits.push_back(Transmit {
                    socket: Socket::Discovery,
                    destination,
                    payload: ssdp::search(target, destination, MAXIMUM_WAIT_SECONDS),
                });
            }
        }
    }

    fn groups(&self) -> Vec<SocketAddr> {
        match self.is_ipv6 {
            false => vec![ssdp::MULTICAST.into()],
            true => ssdp::MULTICAST_V6.map(SocketAddr::from).to_vec(),
        }
    }

    fn in_family(&self, target: SearchTarget) -> SearchTarget {
        match target {
            SearchTarget::WanIpConnection1 if self.is_ipv6 => SearchTarget::WanIpv6FirewallControl1,
            target => target,
        }
    }
}
