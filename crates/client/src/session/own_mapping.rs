//! This network's own router, asked to map a port to the socket of a round of hole punching.
//!
//! With a mapping whatever comes to the router's port comes to the socket, from anywhere and by whatever kind of NAT. So the
//! host's openers arrive, and tell from where; this serves a laptop whose NAT gives each remote another port.
//!
//! # Which part decides what
//!
//! | What | Who |
//! |---|---|
//! | when a mapping is wanted: rounds without one have failed in both orders in this network | [`path::round`] |
//! | whether a router is there to be asked, and is worth it: the session's datagrams leave by its network, from a private address, and it has not refused before in this network | [`OwnMappings`] |
//! | that it has to answer within [`PATIENCE`], and that what it maps serves: it ends by itself, and is on a public address | [`OwnMappings`] |
//! | how it is asked, how a mapping is renewed, made again and deleted | [`Mapper`] |
//! | that openers are sent there, and not to where the host sees us | [`punching::Round`](super::punching::Round) |
//! | when it is given back: with its socket, and at the end of the session, however that ends | the forwarder |
//! | that a hole is there | mosh-server, by an authentic reply, and nothing else |
//!
//! # What is left behind
//!
//! The client writes down nothing, so nobody would delete what it leaves. It asks for [`LEASE`] and for no other one: a router
//! that only knows mappings without an end is not used. After a kill, or where the network is gone before a mapping is given
//! back, the rest of the lease is all that is left. At the end a router is waited for no longer than [`LONGEST_RETURN`].

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use anyhow::Result;
use net::interfaces::{Attachment, Gateway, source_toward};
use net::wait::wait;
use net::{MapperSockets, clock, random};
use path::SocketId;
use portmap::address::{Reach, reach};
use portmap::mapper::{Event as Told, External, Mapper, Mapping, Protocol, Settings, Wanted};
use portmap::mapping::Transport;
use portmap::pcp::Nonce;
use portmap::upnp::SEARCH_WINDOW;
use rustix::event::PollFd;

/// Renewed at its half, for as long as the socket is open.
const LEASE: Duration = Duration::from_secs(300);

/// Less than [`path::round::MAPPING_SPAN`]. A router in good order takes a second at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// At the end of a session.
const LONGEST_RETURN: Duration = Duration::from_secs(2);

/// With those that are being given back to a router that does not answer.
const MAPPINGS_MAXIMUM: usize = 4;

/// What a router's permissions mostly allow.
const FIRST_PORT: NonZeroU16 = NonZeroU16::new(1_024).unwrap();

#[derive(Debug, Default)]
pub(crate) struct OwnMappings {
    open: Vec<OwnMapping>,
    /// Here nothing is mapped.
    refused: Option<Toward>,
    outcomes: VecDeque<Outcome>,
}

/// What is answered to [`OwnMappings::ask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Mapped { socket: SocketId, outside: Outside, by: IpAddr },
    NotMapped { socket: SocketId },
}

/// From where the socket is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outside {
    /// As far as the router tells.
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: NonZeroU16,
}

/// A router, and the address that this machine has toward it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Toward {
    internal: IpAddr,
    gateway: IpAddr,
}

#[derive(Debug)]
struct OwnMapping {
    socket: SocketId,
    toward: Toward,
    state: State,
    mapper: Mapper,
    sockets: MapperSockets,
    /// When the mapper has something to do.
    due: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Asked { until: Instant },
    Held(Outside),
    Leaving,
}

impl OwnMappings {
    /// Has a port mapped to the socket that is bound to `port`, for a host at some of the `remotes`; answered by an
    /// [`Outcome`]. Whether there is a router to be asked.
    pub(crate) fn ask(
        &mut self,
        socket: SocketId,
        port: NonZeroU16,
        mut remotes: impl Iterator<Item = IpAddr>,
        now: Instant,
    ) -> bool {
        let Some(toward) = Toward::read().filter(|toward| Some(*toward) != self.refused) else {
            return false;
        };
        let leads_there = remotes.any(|remote| source_toward(remote) == Some(toward.internal));
        if !leads_there || self.open.len() == MAPPINGS_MAXIMUM {
            return false;
        }
        match OwnMapping::begin(socket, toward, port, now) {
            Ok(mapping) => self.open.push(mapping),
            Err(error) => {
                tracing::debug!(%error, "no router is asked for a mapping");
                return false;
            }
        }
        self.perform(now);
        true
    }

    pub(crate) fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    pub(crate) fn outside(&self, socket: SocketId) -> Option<Outside> {
        self.open.iter().find(|mapping| mapping.socket == socket).and_then(OwnMapping::outside)
    }

    /// The socket is gone.
    pub(crate) fn give_back(&mut self, socket: SocketId, now: Instant) {
        self.open
            .iter_mut()
            .filter(|mapping| mapping.socket == socket)
            .for_each(|mapping| mapping.leave(now));
        self.perform(now);
    }

    pub(crate) fn give_back_all(&mut self, now: Instant) {
        self.open.iter_mut().for_each(|mapping| mapping.leave(now));
        self.perform(now);
    }

    /// What this machine has left cannot be asked any more; and elsewhere nobody has refused.
    pub(crate) fn network_may_have_changed(&mut self) {
        if self.open.is_empty() && self.refused.is_none() {
            return;
        }
        let Ok(attachment) = Attachment::read() else { return };
        self.open.retain(|mapping| attachment.faces(mapping.toward.internal, mapping.toward.gateway));
        let here = Toward::of(&attachment);
        self.refused.take_if(|refused| Some(*refused) != here);
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.open.iter().flat_map(|mapping| mapping.sockets.descriptors())
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.open.iter().filter_map(OwnMapping::deadline).min()
    }

    pub(crate) fn receive(&mut self, now: Instant) {
        if self.open.is_empty() {
            return;
        }
        for OwnMapping { sockets, mapper, .. } in &mut self.open {
            sockets.receive(mapper, now);
        }
        self.perform(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        for mapping in &mut self.open {
            mapping.mapper.handle_timeout(now);
            if matches!(mapping.state, State::Asked { until } if until <= now) {
                mapping.fail(&mut self.outcomes, now);
                self.refused = Some(mapping.toward);
            }
        }
        self.perform(now);
    }

    /// At the end of the session, once all was [given back](Self::give_back_all): no answer is waited for long.
    pub(crate) fn end(mut self) {
        let end = clock::now() + LONGEST_RETURN;
        while !self.open.is_empty() && clock::now() < end {
            let until = self.deadline().map_or(end, |deadline| deadline.min(end));
            if wait(&mut self.descriptors().collect::<Vec<_>>(), Some(until)).is_err() {
                return;
            }
            self.receive(clock::now());
            self.handle_timeout(clock::now());
        }
    }

    fn perform(&mut self, now: Instant) {
        for mapping in &mut self.open {
            if mapping.perform(&mut self.outcomes, now) {
                self.refused = Some(mapping.toward);
            }
        }
        self.open.retain(|mapping| !mapping.mapper.has_ended());
    }
}

impl OwnMapping {
    fn begin(socket: SocketId, toward: Toward, port: NonZeroU16, now: Instant) -> Result<Self> {
        let mut nonce = Nonce([0; 12]);
        random::fill(&mut nonce.0)?;
        let settings = Settings {
            internal: toward.internal,
            gateway: Some(toward.gateway),
            protocols: Protocol::ALL.to_vec(),
            remembered: None,
            description: format!("moshpunch client {:08x}", random::u32()?),
            lease: LEASE,
            only_this_lease: true,
            search_window: SEARCH_WINDOW,
            nonce,
            seed: random::u64()?,
        };
        let sockets = MapperSockets::open(toward.internal, Some(toward.gateway))?;
        let mut mapper = Mapper::new(settings, now);
        let external = External::Near(FIRST_PORT..=NonZeroU16::MAX);
        mapper.map(Wanted { transport: Transport::Udp, internal_port: port, external }, now);
        tracing::info!(router = %toward.gateway, port, "this network's router is asked to map a port");
        Ok(Self { socket, toward, state: State::Asked { until: now + PATIENCE }, mapper, sockets, due: None })
    }

    fn outside(&self) -> Option<Outside> {
        match self.state {
            State::Held(outside) => Some(outside),
            State::Asked { .. } | State::Leaving => None,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let patience = match self.state {
            State::Asked { until } => Some(until),
            State::Held(_) | State::Leaving => None,
        };
        self.due.into_iter().chain(patience).min()
    }

    /// Whether its router maps nothing that serves.
    fn perform(&mut self, outcomes: &mut VecDeque<Outcome>, now: Instant) -> bool {
        let mut has_refused = false;
        loop {
            self.sockets.perform(&mut self.mapper, now);
            let Some(told) = self.mapper.poll_event() else { break };
            tracing::debug!(?told);
            has_refused |= self.hear(&told, outcomes, now);
        }
        self.due = self.mapper.poll_timeout();
        has_refused
    }

    /// Whether its router maps nothing that serves.
    fn hear(&mut self, told: &Told, outcomes: &mut VecDeque<Outcome>, now: Instant) -> bool {
        let mapping = match told {
            Told::Mapped(mapping) | Told::Changed(mapping) | Told::Renewed(mapping) => Some(mapping),
            Told::Failed(cause) => {
                tracing::info!(%cause, "this network's router maps no port");
                None
            }
            Told::Asked(_) | Told::Left(_) | Told::Lost(_) | Told::Released { .. } => return false,
        };
        if self.state == State::Leaving {
            return false;
        }
        match mapping.filter(|mapping| serves(mapping)) {
            Some(mapping) => {
                let outside = Outside { address: mapping.external_address, port: mapping.external_port() };
                self.hold(outside, outcomes);
                false
            }
            None => {
                self.fail(outcomes, now);
                true
            }
        }
    }

    fn hold(&mut self, outside: Outside, outcomes: &mut VecDeque<Outcome>) {
        if matches!(self.state, State::Asked { .. }) {
            let (socket, by) = (self.socket, self.toward.gateway);
            outcomes.push_back(Outcome::Mapped { socket, outside, by });
        }
        self.state = State::Held(outside);
    }

    fn fail(&mut self, outcomes: &mut VecDeque<Outcome>, now: Instant) {
        if matches!(self.state, State::Asked { .. }) {
            outcomes.push_back(Outcome::NotMapped { socket: self.socket });
        }
        self.leave(now);
    }

    fn leave(&mut self, now: Instant) {
        if self.state != State::Leaving {
            self.state = State::Leaving;
            self.mapper.release(now);
        }
    }
}

impl Toward {
    fn read() -> Option<Self> {
        Self::of(&Attachment::read().inspect_err(|error| tracing::debug!(%error)).ok()?)
    }

    /// A public address is translated by nobody.
    fn of(attachment: &Attachment) -> Option<Self> {
        let Gateway { address: gateway, source, .. } = attachment.gateway_v4()?;
        let internal = source.filter(|own| reach(*own) != Reach::Public)?;
        Some(Self { internal, gateway })
    }
}

impl Outside {
    /// For a host that sees us come from `seen`.
    pub(crate) fn target(self, seen: Option<IpAddr>) -> Option<SocketAddr> {
        let address = self.address.or(seen.filter(IpAddr::is_ipv4))?;
        Some(SocketAddr::new(address, self.port.get()))
    }
}

/// It ends by itself, and no other NAT is between the router and the host, as far as the router tells.
fn serves(mapping: &Mapping) -> bool {
    mapping.lease.is_some() && mapping.external_address.is_none_or(|outside| reach(outside) == Reach::Public)
}

#[cfg(test)]
mod tests {
    use net::interfaces::Gateway;
    use portmap::mapper::{Control, Record};
    use portmap::upnp::Listing;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn behind(gateways: &[(&str, Option<&str>)]) -> Option<Toward> {
        let gateway = |&(gateway, source): &(&str, Option<&str>)| Gateway {
            interface: 2,
            address: address(gateway),
            source: source.map(address),
        };
        Toward::of(&Attachment { addresses: Vec::new(), gateways: gateways.iter().map(gateway).collect() })
    }

    #[test]
    fn the_router_of_a_private_ipv4_address_is_asked() {
        let toward = Toward { internal: address("10.1.0.5"), gateway: address("10.1.0.1") };
        let v6 = ("fe80::1", Some("2a00::5"));
        assert_eq!(behind(&[v6, ("10.1.0.1", Some("10.1.0.5"))]), Some(toward));
        assert_eq!(behind(&[v6]), None);
        assert_eq!(behind(&[("20.0.0.1", Some("20.0.0.9"))]), None);
        assert_eq!(behind(&[("10.1.0.1", None)]), None);
        assert!(behind(&[("100.64.0.1", Some("100.64.7.7"))]).is_some(), "a provider's may map, too");
    }

    fn mapping(lease: Option<u64>, external_address: Option<&str>) -> Mapping {
        let port = NonZeroU16::new(40_001).unwrap();
        Mapping {
            internal: "10.1.0.5:40001".parse().unwrap(),
            external_address: external_address.map(address),
            lease: lease.map(Duration::from_secs),
            record: Record {
                protocol: Protocol::Pcp,
                transport: Transport::Udp,
                internal_port: port,
                external_port: port,
                control: Control::ControlPort { gateway: address("10.1.0.1"), nonce: None },
                listing: Listing::Unread,
            },
        }
    }

    #[test]
    fn what_is_mapped_serves_if_it_ends_by_itself_and_is_on_no_private_address() {
        assert!(serves(&mapping(Some(300), Some("20.0.1.50"))));
        assert!(
            serves(&mapping(Some(300), None)),
            "where the router does not tell, the host's view is as good"
        );
        assert!(!serves(&mapping(None, Some("20.0.1.50"))));
        assert!(!serves(&mapping(Some(300), Some("192.168.178.20"))));
        assert!(!serves(&mapping(Some(300), Some("100.64.7.7"))));
    }
}
