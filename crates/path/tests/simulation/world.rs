//! Time, links, and what is on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use path::{Binding, Candidate, Family, Kind, Reply, Route, SocketId, Transmit, Way, WayId};

use crate::channel::Channels;
use crate::laptop::{Laptop, family};
use crate::link::Link;
use crate::mosh::{Client, Datagram, Peer, Server};
use crate::nat::Nat;
use crate::relay::{RELAY, Relay};
use crate::router::Router;

pub(crate) const LAN: &str = "192.168.1.10:60001";
pub(crate) const IPV6: &str = "[2001:db8::10]:60001";
pub(crate) const MAPPED: &str = "198.51.100.1:60001";
pub(crate) const MAPPED_AGAIN: &str = "198.51.100.77:60001";
/// Where the server is seen behind its NAT, as long as that keeps ports.
pub(crate) const BEHIND_NAT: &str = "198.51.100.99:60001";

/// What a relay adds one way.
const RELAY_DELAY: Duration = ms(10);

/// What a host takes to map the port again.
const KEEPER: Duration = ms(1_500);

#[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
fn start() -> Instant {
    Instant::now()
}

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[derive(Debug, Clone, Copy)]
enum Flight {
    Up {
        datagram: Datagram,
        peer: Peer,
    },
    Down {
        datagram: Datagram,
        to: SocketAddr,
        from: SocketAddr,
    },
    CarriedDown {
        datagram: Datagram,
        by: WayId,
    },
    /// By a channel: openers are wanted, to there.
    Ask {
        round: u32,
        to: SocketAddr,
    },
    /// By a channel: they are under way.
    Punched {
        round: u32,
    },
    /// Its time has come to be sent.
    OpenerDue {
        to: SocketAddr,
    },
    Opener {
        to: SocketAddr,
        from: SocketAddr,
    },
    /// The relay has answered.
    Allocated {
        socket: SocketId,
        granted: bool,
    },
}

impl Flight {
    fn is_relayed(&self) -> bool {
        match self {
            Self::Up { peer, .. } => peer.address.ip() == RELAY,
            Self::Down { to, .. } | Self::Opener { to, .. } => to.ip() == RELAY,
            _ => false,
        }
    }
}

/// In which directions UDP comes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Udp {
    pub(crate) up: bool,
    pub(crate) down: bool,
}

impl Udp {
    pub(crate) const OPEN: Self = Self { up: true, down: true };
    pub(crate) const NO_ANSWER: Self = Self { up: true, down: false };
    pub(crate) const NO_WAY_THERE: Self = Self { up: false, down: true };
    pub(crate) const BLOCKED: Self = Self { up: false, down: false };
}

#[derive(Debug)]
pub(crate) struct World {
    began: Instant,
    pub(crate) now: Instant,
    pub(crate) laptop: Laptop,
    pub(crate) client: Client,
    pub(crate) server: Server,
    link: Option<Link>,
    attachments: u8,
    flights: BTreeMap<(Instant, u64), Flight>,
    launched: u64,
    newest: Option<Datagram>,
    /// The server's addresses that lead to it.
    pub(crate) serves: BTreeSet<SocketAddr>,
    pub(crate) router: Router,
    /// Another router of the server, which maps nothing.
    pub(crate) host_nat: Option<Nat>,
    pub(crate) relay: Option<Relay>,
    /// Nothing is between that one and the laptop's, so that what is to die on the way there does not.
    pub(crate) next_door: bool,
    /// Since the beginning.
    pub(crate) openers: u64,
    pub(crate) primes: u64,
    pub(crate) rounds: u64,
    /// How often the laptop's router was asked for a mapping.
    pub(crate) mappings: u64,
    pub(crate) udp: Udp,
    pub(crate) channels: Channels,
    /// Copies of mosh-client's datagrams.
    pub(crate) sent: BTreeMap<Kind, u64>,
    /// Those of mosh-server's datagrams that were carried.
    pub(crate) carried_down: u64,
    /// Sources that a NAT has got stuck with: nothing from there comes through.
    pub(crate) stuck_ports: BTreeSet<u16>,
    /// Sources that a NAT lets no answer back to.
    pub(crate) deaf_ports: BTreeSet<u16>,
    pub(crate) most_sockets: usize,
    pub(crate) replies: Vec<Reply>,
    random: u64,
}

impl World {
    pub(crate) fn new(candidates: &[&str], seed: u64) -> Self {
        let now = start();
        let mut world = Self {
            began: now,
            now,
            laptop: Laptop::new(seed),
            client: Client::new(now),
            server: Server::new(),
            link: None,
            attachments: 0,
            flights: BTreeMap::new(),
            launched: 0,
            newest: None,
            serves: [LAN, IPV6, MAPPED].map(address).into(),
            router: Router::new(),
            host_nat: None,
            relay: None,
            next_door: false,
            openers: 0,
            primes: 0,
            rounds: 0,
            mappings: 0,
            udp: Udp::OPEN,
            channels: Channels::default(),
            sent: BTreeMap::new(),
            carried_down: 0,
            stuck_ports: BTreeSet::new(),
            deaf_ports: BTreeSet::new(),
            most_sockets: 0,
            replies: Vec::new(),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        };
        world.offer(candidates);
        world
    }

    pub(crate) fn offer(&mut self, candidates: &[&str]) {
        let kind = |text| match text {
            LAN => Kind::Lan,
            IPV6 => Kind::Global,
            BEHIND_NAT => Kind::Resolved,
            _ => Kind::Mapped,
        };
        let offered: Vec<_> =
            candidates.iter().map(|text| Candidate { kind: kind(*text), address: address(text) }).collect();
        self.laptop.agent.handle_candidates(&offered, self.now);
        self.settle();
    }

    /// The kernel tells of the change, and would take datagrams of either family.
    pub(crate) fn attach(&mut self, link: Option<Link>) {
        self.slip(link);
        self.laptop.agent.handle_network(&[Family::V6, Family::V4].map(Binding::any), self.now);
        self.settle();
    }

    pub(crate) fn open_channel(&mut self, delay: Duration) {
        let way = self.laptop.agent.handle_carrier(self.now);
        self.channels.add(way, delay);
        self.settle();
    }

    /// The oldest ends, and this is noticed.
    pub(crate) fn end_channel(&mut self) {
        let Some(channel) = self.channels.up().next() else { return };
        channel.up = false;
        let way = channel.way;
        self.laptop.agent.handle_carrier_gone(way, self.now);
        if self.host_nat.is_some() && self.channels.up().next().is_none() {
            self.laptop.agent.handle_puncher_gone(self.now);
        }
        self.settle();
    }

    /// A channel to a host that takes rounds.
    pub(crate) fn open_puncher(&mut self, delay: Duration) {
        self.open_channel(delay);
        self.laptop.agent.handle_puncher(self.now);
        self.settle();
    }

    pub(crate) fn offer_relay(&mut self, relay: Relay) {
        self.relay = Some(relay);
        self.laptop.agent.handle_relay_offered(self.now);
    }

    /// The relay is gone, and this is noticed.
    pub(crate) fn lose_relay(&mut self) {
        let relay = self.relay.as_mut().unwrap();
        relay.up = false;
        for socket in relay.lose() {
            self.laptop.lose(socket, self.now);
        }
        self.settle();
    }

    /// Nobody tells of the change. A connection by TCP does not outlive it.
    pub(crate) fn slip(&mut self, link: Option<Link>) {
        self.channels.up().for_each(|channel| channel.stuck = true);
        self.link = link;
        self.attachments += 1;
    }

    pub(crate) fn link(&mut self) -> &mut Link {
        self.link.as_mut().unwrap()
    }

    pub(crate) fn attached(&self) -> bool {
        self.link.is_some()
    }

    /// Of the socket that the server answers to.
    pub(crate) fn port_in_use(&self) -> u16 {
        let path = self.laptop.agent.followed_way().expect("a session that works");
        self.laptop.port_of(path.socket().expect("it is by UDP")).expect("its socket is open")
    }

    pub(crate) fn in_short(&self) -> String {
        let agent = &self.laptop.agent;
        let carried = self.channels.working().count();
        let ways = format!("{:?} serves {:?} by {:?}", self.followed(), self.serves, self.link);
        format!("{ways}, {:?}, {carried} channels, {:?}", self.udp, agent.counters())
    }

    pub(crate) fn since_start(&self) -> Duration {
        self.now - self.began
    }

    pub(crate) fn type_key(&mut self) {
        self.client.type_key(self.now);
    }

    /// How long the last key took.
    pub(crate) fn echo(&self) -> Option<Duration> {
        self.client.keys.last().and_then(|key| Some(key.echoed? - key.typed))
    }

    /// Types and waits; how long it took.
    pub(crate) fn echo_within(&mut self, patience: Duration) -> Option<Duration> {
        self.type_key();
        self.run(patience);
        self.echo()
    }

    pub(crate) fn followed(&self) -> Option<String> {
        self.laptop.agent.followed_way().and_then(Way::address).map(|address| address.to_string())
    }

    pub(crate) fn kind(&self) -> Option<Kind> {
        self.laptop.agent.followed_way().map(|way| way.kind)
    }

    /// The oracle: some candidate that the agent knows leads to the server and back.
    pub(crate) fn direct_path_possible(&self, candidates: &[&str]) -> bool {
        self.udp == Udp::OPEN && candidates.iter().any(|text| self.leads_to_server(address(text)))
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.next().filter(|&next| next <= end) {
            self.now = self.now.max(next);
            self.step();
            self.settle();
        }
        self.now = end;
    }

    /// When it is up again it takes what comes for its own, until its host has mapped the port; and remembers so for as
    /// long as more comes from there.
    pub(crate) fn restart_router(&mut self, down: Duration) {
        self.router.fail();
        self.run(down);
        self.router.up = true;
        self.run(KEEPER);
        self.router.maps = true;
    }

    /// The machine sleeps; what was on its way is lost.
    pub(crate) fn sleep(&mut self, time: Duration) {
        self.now += time;
        self.flights.clear();
    }

    /// Somebody sends recorded replies again, as if from `from`.
    pub(crate) fn replay_all(&mut self, from: &str) {
        let ports: Vec<_> = (40_001..40_020).collect();
        for reply in self.replies.clone() {
            for &port in &ports {
                self.laptop.receive(port, address(from), reply, self.now);
            }
        }
        self.settle();
    }

    pub(crate) fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 20) % below
    }

    fn next(&self) -> Option<Instant> {
        let flight = self.flights.keys().next().map(|(at, _)| *at);
        let own = [Some(self.client.next()), self.server.next(), self.laptop.agent.poll_timeout()];
        own.into_iter().flatten().chain(flight).min()
    }

    fn step(&mut self) {
        let now = self.now;
        self.laptop.agent.handle_timeout(now);
        self.settle();
        if self.client.next() <= now {
            self.newest = Some(self.client.send(now));
            self.laptop.agent.handle_outgoing(now);
        }
        if self.server.next().is_some_and(|next| next <= now)
            && let Some((datagram, peer)) = self.server.send(now)
        {
            self.answer(datagram, peer);
        }
        let landing = self.flights.first_key_value().map(|(key, _)| *key).filter(|(at, _)| *at <= now);
        if let Some(flight) = landing.and_then(|key| self.flights.remove(&key)) {
            self.land(flight);
        }
    }

    fn settle(&mut self) {
        loop {
            if self.laptop.obey(self.now) {
                self.client.nudge(self.now);
            }
            self.most_sockets = self.most_sockets.max(self.laptop.sockets());
            let has_answered = self.map();
            self.allocate();
            self.punch();
            let transmits = self.laptop.transmits();
            if transmits.is_empty() && !has_answered {
                return;
            }
            transmits.into_iter().for_each(|transmit| self.send(transmit));
        }
    }

    /// What the laptop's router makes of it, at once. Whether it was asked.
    fn map(&mut self) -> bool {
        let Some(socket) = self.laptop.to_map.take() else { return false };
        self.mappings += 1;
        let own = self.own_address(address(BEHIND_NAT)).zip(self.laptop.port_of(socket));
        let nat = self.link.as_mut().and_then(|link| link.nat.as_mut());
        let is_mapped = nat.zip(own).is_some_and(|(nat, (own, port))| nat.map(SocketAddr::new(own, port)));
        match is_mapped {
            true => self.laptop.agent.handle_mapped(socket, self.now),
            false => self.laptop.agent.handle_not_mapped(socket, self.now),
        }
        true
    }

    /// What the laptop's owner does for a round.
    fn punch(&mut self) {
        for (socket, remote) in std::mem::take(&mut self.laptop.primes) {
            self.primes += 1;
            let (from, now) = (self.translate(socket, remote), self.now);
            if let (Some(from), true, Some(nat)) = (from, self.next_door, self.behind_nat(remote)) {
                nat.inbound(remote, from, now);
            }
        }
        for (round, socket) in std::mem::take(&mut self.laptop.asked) {
            self.rounds += 1;
            let delay = self.channels.working().last().map(|channel| channel.delay);
            if let Some((to, delay)) = self.place_of(socket).zip(delay) {
                self.carry(Flight::Ask { round, to }, delay);
            }
        }
    }

    /// Where the laptop believes that a socket is seen.
    fn place_of(&self, socket: SocketId) -> Option<SocketAddr> {
        if let Some(place) = self.relay.as_ref().and_then(|relay| relay.place_of(socket)) {
            return Some(place);
        }
        let (own, port) = self.own_address(address(BEHIND_NAT)).zip(self.laptop.port_of(socket))?;
        let seen = self.link.as_ref().and_then(|link| link.nat.as_ref()).map_or(own, |nat| nat.external);
        Some(SocketAddr::new(seen, port))
    }

    /// The relay's answer takes the round trips of TURN: it asks who one is, allocates, and permits.
    fn allocate(&mut self) {
        for socket in std::mem::take(&mut self.laptop.to_allocate) {
            let (Some(relay), Some(link)) = (&mut self.relay, &self.link) else { continue };
            let granted = relay.allocate(socket, self.attachments);
            let delay = 3 * 2 * link.delay;
            self.carry(Flight::Allocated { socket, granted }, delay);
        }
        for socket in std::mem::take(&mut self.laptop.closed) {
            self.relay.iter_mut().for_each(|relay| relay.take_back(socket));
        }
        for (socket, peer) in std::mem::take(&mut self.laptop.to_permit) {
            self.relay.iter_mut().for_each(|relay| relay.permit(socket, peer));
        }
    }

    fn handle_ask(&mut self, round: u32, to: SocketAddr) {
        for after in [0, 100, 300] {
            self.carry(Flight::OpenerDue { to }, ms(after));
        }
        if let Some(delay) = self.channels.working().last().map(|channel| channel.delay) {
            self.carry(Flight::Punched { round }, delay);
        }
    }

    fn send_opener(&mut self, to: SocketAddr) {
        self.openers += 1;
        let now = self.now;
        if let Some(nat) = &mut self.host_nat {
            let from = nat.outbound(address(LAN), to, now);
            self.launch(Flight::Opener { to, from });
        }
    }

    /// As the laptop's router does, which remembers it.
    fn translate(&mut self, socket: SocketId, to: SocketAddr) -> Option<SocketAddr> {
        let port = self.laptop.port_of(socket).expect("what is sent goes through open sockets");
        let inside = SocketAddr::new(self.own_address(to)?, port);
        let (home, now) = (to == address(LAN), self.now);
        let link = self.link.as_mut()?;
        let translated = link.nat.as_mut().filter(|_| to.is_ipv4() && !home);
        Some(translated.map_or(inside, |nat| nat.outbound(inside, to, now)))
    }

    /// The address that the host's router shows, unless it is none of that router's.
    fn behind_nat(&mut self, by_way_of: SocketAddr) -> Option<&mut Nat> {
        self.host_nat.as_mut().filter(|nat| nat.external == by_way_of.ip())
    }

    fn answer(&mut self, datagram: Datagram, peer: Peer) {
        if !peer.address.ip().is_loopback() {
            let (to, now) = (peer.address, self.now);
            let by = self.behind_nat(peer.by_way_of).map(|nat| nat.outbound(address(LAN), to, now));
            return self.launch(Flight::Down { datagram, to, from: by.unwrap_or(peer.by_way_of) });
        }
        if let Some((by, delay)) =
            self.channels.behind(peer.address).map(|channel| (channel.way, channel.delay))
        {
            self.carried_down += 1;
            self.carry(Flight::CarriedDown { datagram, by }, delay);
        }
    }

    fn send(&mut self, transmit: Transmit) {
        let datagram = self.newest.expect("a transmit is a copy of a datagram");
        let way = self.laptop.agent.way(transmit.way).expect("copies go over ways that are there");
        *self.sent.entry(way.kind).or_default() += 1;
        let Route::Udp { socket, remote: to } = transmit.route else {
            if let Some((source, delay)) = self.channels.source(transmit.way) {
                let peer = Peer { address: source, by_way_of: source };
                self.carry(Flight::Up { datagram, peer }, delay);
            }
            return;
        };
        let port = self.laptop.port_of(socket).expect("copies go through open sockets");
        if let Some(place) = self.relay.as_ref().and_then(|relay| relay.place_of(socket)) {
            if self.own_address(to).is_none() {
                return self.laptop.agent.handle_unreachable(transmit.way, self.now);
            }
            if self.relay.as_mut().unwrap().passes_on(place, to, self.attachments) {
                self.launch(Flight::Up { datagram, peer: Peer { address: place, by_way_of: to } });
            }
            return;
        }
        let Some(source) = self.translate(socket, to) else {
            return self.laptop.agent.handle_unreachable(transmit.way, self.now);
        };
        if !self.stuck_ports.contains(&port) {
            self.launch(Flight::Up { datagram, peer: Peer { address: source, by_way_of: to } });
        }
    }

    fn launch(&mut self, flight: Flight) {
        let Some(link) = self.link.clone() else { return };
        let copies = if link.duplicates { 2 } else { 1 };
        for _ in 0..copies {
            if self.random(100) < link.loss_percent {
                continue;
            }
            let jitter = ms(self.random(u64::try_from(link.jitter.as_millis()).unwrap() + 1));
            self.launched += 1;
            let detour = if flight.is_relayed() { RELAY_DELAY } else { Duration::ZERO };
            self.flights.insert((self.now + link.delay + detour + jitter, self.launched), flight);
        }
    }

    fn carry(&mut self, flight: Flight, delay: Duration) {
        self.launched += 1;
        self.flights.insert((self.now + delay, self.launched), flight);
    }

    fn land(&mut self, flight: Flight) {
        match flight {
            Flight::Up { datagram, peer } if peer.address.ip().is_loopback() => {
                if self.channels.behind(peer.address).is_some() {
                    self.server.receive(datagram, peer, self.now);
                }
            }
            Flight::CarriedDown { datagram, by } => {
                if self.channels.source(by).is_some() {
                    let reply = datagram.as_reply(self.now);
                    self.laptop.agent.handle_reply(by, reply, self.now);
                    self.client.receive(datagram, self.now);
                }
            }
            Flight::Ask { round, to } => self.handle_ask(round, to),
            Flight::Punched { round } => {
                self.laptop.agent.handle_punched(round, &[address(BEHIND_NAT)], self.now);
            }
            Flight::OpenerDue { to } => self.send_opener(to),
            Flight::Allocated { socket, granted } => match granted {
                true => self.laptop.agent.handle_opened(socket, self.now),
                false => self.laptop.lose(socket, self.now),
            },
            Flight::Up { .. } if !self.udp.up => {}
            Flight::Down { .. } | Flight::Opener { .. } if !self.udp.down => {}
            Flight::Opener { to, from } => {
                if let Some(port) = self.reached_port(to, from) {
                    self.laptop.receive_opener(port, from, self.now);
                }
            }
            Flight::Up { datagram, peer } => {
                if self.lets_in(peer) {
                    self.server.receive(datagram, peer, self.now);
                }
            }
            Flight::Down { datagram, to, from } => {
                let let_out = from != address(MAPPED) || self.router.lets_out(to);
                if self.behind_nat(from).is_some() || let_out && self.leads_to_server(from) {
                    self.arrive(datagram, to, from);
                }
            }
        }
    }

    fn lets_in(&mut self, peer: Peer) -> bool {
        let now = self.now;
        if let Some(nat) = self.behind_nat(peer.by_way_of) {
            return nat.inbound(peer.by_way_of, peer.address, now).is_some();
        }
        let let_in = peer.by_way_of != address(MAPPED) || self.router.lets_in(peer.address, now);
        let_in && self.leads_to_server(peer.by_way_of)
    }

    /// Of the laptop's, through its router.
    fn reached_port(&mut self, to: SocketAddr, from: SocketAddr) -> Option<u16> {
        let now = self.now;
        if let Some(relay) = self.relay.as_mut().filter(|_| to.ip() == RELAY) {
            let socket = relay.lets_in(to, from, self.attachments)?;
            return self.laptop.port_of(socket);
        }
        let nat = self.link.as_mut().and_then(|link| link.nat.as_mut()).filter(|nat| nat.external == to.ip());
        let inside = nat.map_or(Some(to), |nat| nat.inbound(to, from, now))?;
        let here = self.own_address(from) == Some(inside.ip());
        Some(inside.port()).filter(|port| here && !self.deaf_ports.contains(port))
    }

    fn arrive(&mut self, datagram: Datagram, to: SocketAddr, from: SocketAddr) {
        let Some(port) = self.reached_port(to, from) else { return };
        let reply = datagram.as_reply(self.now);
        if self.laptop.receive(port, from, reply, self.now) {
            self.replies.push(reply);
            self.client.receive(datagram, self.now);
        }
    }

    fn own_address(&self, to: SocketAddr) -> Option<IpAddr> {
        let link = self.link.as_ref().filter(|link| link.families.contains(&family(to)))?;
        let number = self.attachments;
        let own = if to.is_ipv6() { format!("2001:db8:{number:x}::2") } else { format!("10.0.{number}.2") };
        link.address.filter(|address| address.is_ipv4() == to.is_ipv4()).or_else(|| own.parse().ok())
    }

    /// No hairpin at home, and no private address from elsewhere.
    fn leads_to_server(&self, to: SocketAddr) -> bool {
        let home = self.link.as_ref().is_some_and(|link| link.home);
        let private = to == address(LAN);
        let there = if home { private || to.is_ipv6() } else { !private };
        there && self.serves.contains(&to) && self.own_address(to).is_some()
    }
}
