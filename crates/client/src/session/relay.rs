//! The TURN server that the user has named (RFC 8656), by UDP.
//!
//! What it gives us is a socket to the agent ([`path::relay`]). Each has a UDP socket of its own here, since a server knows a
//! client by its address and port, and is another client after a move.
//!
//! # Which part decides what
//!
//! | What | Who |
//! |---|---|
//! | when it is asked, what is to be let in, and when an address is given back | [`path::relay`] |
//! | that no private address is let in: a host must not reach into the server's own network by us | [`Relays`] |
//! | how it is asked, and when all of it is renewed | [`Allocation`], by turn-client-proto |
//! | who we are to it | [`Credentials`] |
//! | what becomes of a server that refuses, or is silent | [`Refusal`], told at the end if that is how it ended |

mod allocation;
mod credentials;
#[cfg(test)]
mod played;
mod refusal;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use net::interfaces::source_toward;
use net::wait::wait;
use net::{NotSent, PathSockets, Received, clock};
use path::{Binding, Family, SocketId};
use portmap::address::{Reach, reach};
use rustix::event::PollFd;
use turn_client_proto::stun::Instant as TurnInstant;

use self::allocation::{Allocation, LONGEST_RETURN, Moment, STEPS_PER_TURN, State};
pub(crate) use self::credentials::Credentials;
pub(crate) use self::refusal::Refusal;

/// What TURN puts around a datagram: a Data indication from an IPv6 address (RFC 8656 §11).
const WRAPPING: usize = 20 + 24 + 4 + 3;

/// With those that are being given back.
const ALLOCATIONS_MAXIMUM: usize = 6;

#[derive(Debug)]
pub(crate) struct Relays {
    credentials: Option<Credentials>,
    open: Vec<Allocation>,
    sockets: PathSockets,
    outcomes: VecDeque<Outcome>,
    /// As the last one went.
    refusal: Option<(Option<SocketAddr>, Refusal)>,
    epoch: Instant,
    buffer: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An address of the server's, which lets the host in.
    Opened { socket: SocketId, place: SocketAddr, by: SocketAddr },
    /// There is none, or none any more.
    Failed { socket: SocketId, by: Option<SocketAddr>, refusal: Refusal },
}

impl Relays {
    /// Without credentials none is ever asked.
    pub(crate) fn new(credentials: Option<Credentials>, longest: usize, now: Instant) -> Self {
        Self {
            buffer: if credentials.is_some() { vec![0; longest + WRAPPING] } else { Vec::new() },
            credentials,
            open: Vec::new(),
            sockets: PathSockets::default(),
            outcomes: VecDeque::new(),
            refusal: None,
            epoch: now,
        }
    }

    pub(crate) fn may_be_asked(&self) -> bool {
        self.credentials.is_some()
    }

    /// Of a server at one of these addresses. Answered by an [`Outcome`].
    pub(crate) fn allocate(
        &mut self,
        socket: SocketId,
        family: Family,
        servers: impl Iterator<Item = SocketAddr>,
        now: Instant,
    ) {
        let servers: Vec<_> = servers.filter(|server| source_toward(server.ip()).is_some()).collect();
        let best = servers.iter().find(|&&server| !self.was_silent(server)).or(servers.first());
        let begun = best.copied().filter(|_| self.open.len() < ALLOCATIONS_MAXIMUM);
        let allocation = begun.and_then(|server| self.begin(socket, family, server));
        match allocation {
            Some(allocation) => self.open.push(allocation),
            None => self.outcomes.push_back(Outcome::Failed { socket, by: None, refusal: Refusal::NoWay }),
        }
        self.perform(now);
    }

    /// When it was asked last.
    fn was_silent(&self, server: SocketAddr) -> bool {
        self.refusal == Some((Some(server), Refusal::Silent))
    }

    fn begin(&mut self, socket: SocketId, family: Family, server: SocketAddr) -> Option<Allocation> {
        let credentials = self.credentials.as_ref()?.at(clock::unix_seconds());
        let of_server = if server.is_ipv6() { Family::V6 } else { Family::V4 };
        let opened = self.sockets.open(socket, Binding::any(of_server));
        opened.inspect_err(|error| tracing::debug!(%error, "no socket for the relay")).ok()?;
        let any: IpAddr =
            if server.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let local = SocketAddr::new(any, self.sockets.port(socket)?);
        tracing::info!(%server, ?family, "the TURN server is asked for an address");
        Some(Allocation::ask(socket, (local, server), family, credentials, self.epoch))
    }

    /// Whatever comes from there is to be let in, if that is a public address.
    pub(crate) fn permit(&mut self, socket: SocketId, peer: IpAddr, now: Instant) {
        if let Some(allocation) = self.open.iter_mut().find(|open| open.socket == socket)
            && reach(peer) == Reach::Public
        {
            allocation.wanted.push(peer);
        }
        self.perform(now);
    }

    /// The session goes by it: datagrams to there need less around them from now on.
    pub(crate) fn is_used(&mut self, socket: SocketId, peer: SocketAddr, now: Instant) {
        let time = self.time(now);
        if let Some(allocation) = self.open.iter_mut().find(|open| open.socket == socket) {
            allocation.bind_channel(peer, time);
            self.perform(now);
        }
    }

    /// It is not needed any more.
    pub(crate) fn give_back(&mut self, socket: SocketId, now: Instant) {
        self.leave(|open| open.socket == socket, now);
    }

    pub(crate) fn has(&self, socket: SocketId) -> bool {
        self.open.iter().any(|open| open.socket == socket)
    }

    /// Where others reach that socket.
    pub(crate) fn place(&self, socket: SocketId) -> Option<SocketAddr> {
        self.open.iter().find(|open| open.socket == socket)?.place
    }

    pub(crate) fn poll_outcome(&mut self) -> Option<Outcome> {
        let outcome = self.outcomes.pop_front()?;
        self.refusal = match outcome {
            Outcome::Failed { by, refusal, .. } => Some((by, refusal)),
            Outcome::Opened { .. } => None,
        };
        Some(outcome)
    }

    pub(crate) fn send(
        &mut self,
        socket: SocketId,
        remote: SocketAddr,
        datagram: &[u8],
        tos: u8,
    ) -> Result<(), NotSent> {
        let time = self.time(clock::now());
        let allocation = self.open.iter_mut().find(|open| open.socket == socket).ok_or(NotSent::Dropped)?;
        allocation.send(&mut self.sockets, (remote, datagram, tos), time)
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.sockets.descriptors()
    }

    pub(crate) fn look_again(&mut self, ready: impl IntoIterator<Item = bool>) {
        self.sockets.look_again(ready);
    }

    /// What a peer has sent, which is in `buffer` then.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Option<(SocketId, Received)> {
        for _ in 0..STEPS_PER_TURN {
            let (socket, received) = self.sockets.receive(&mut self.buffer)?;
            let now = clock::now();
            let time = self.time(now);
            let allocation = self.open.iter_mut().find(|open| open.socket == socket)?;
            let datagram = &self.buffer[..received.length.min(self.buffer.len())];
            if let Some((peer, length)) = allocation.hear(datagram, received.from, time, buffer) {
                return Some((socket, Received { length, from: peer, tos: received.tos }));
            }
            self.perform(now);
        }
        None
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.open.iter().map(Allocation::deadline).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.perform(now);
        }
    }

    pub(crate) fn give_back_all(&mut self, now: Instant) {
        self.leave(|_| true, now);
    }

    /// At the end of the session, once all is [given back](Self::give_back_all). What the server has had to refuse or lost last
    /// is returned.
    pub(crate) fn end(mut self) -> Option<(Option<SocketAddr>, Refusal)> {
        let end = clock::now() + LONGEST_RETURN;
        while !self.open.is_empty() && clock::now() < end {
            let until = self.deadline().map_or(end, |deadline| deadline.min(end));
            let ready = {
                let mut descriptors: Vec<_> = self.descriptors().collect();
                if wait(&mut descriptors, Some(until)).is_err() {
                    break;
                }
                descriptors.iter().map(|descriptor| !descriptor.revents().is_empty()).collect::<Vec<_>>()
            };
            self.look_again(ready);
            while self.receive(&mut []).is_some() {}
            self.handle_timeout(clock::now());
        }
        self.refusal
    }

    fn leave(&mut self, which: impl Fn(&Allocation) -> bool, now: Instant) {
        let at = self.moment(now);
        for allocation in self.open.iter_mut().filter(|open| which(open)) {
            allocation.leave(at);
        }
        self.perform(now);
    }

    fn perform(&mut self, now: Instant) {
        let at = self.moment(now);
        for allocation in &mut self.open {
            allocation.perform(&mut self.sockets, &mut self.outcomes, at);
        }
        for ended in self.open.extract_if(.., |open| open.state == State::Ended) {
            self.sockets.close(ended.socket);
        }
    }

    fn time(&self, now: Instant) -> TurnInstant {
        self.moment(now).time
    }

    fn moment(&self, now: Instant) -> Moment {
        let since = now.saturating_duration_since(self.epoch).as_nanos();
        let time = TurnInstant::from_nanos(i64::try_from(since).unwrap_or(i64::MAX));
        Moment { now, epoch: self.epoch, time }
    }
}

#[cfg(test)]
mod tests {
    use std::iter::from_fn;
    use std::net::UdpSocket;
    use std::time::Duration;

    use path::{Agent, Event};

    use super::played::{PASSWORD, Played, USER};
    use super::*;
    use crate::configuration::secret::Secret;

    fn relays() -> Relays {
        let password = Secret::new(PASSWORD.into());
        let credentials = Credentials::Password { user: USER.into(), password };
        Relays::new(Some(credentials), 2_000, clock::now())
    }

    fn socket() -> SocketId {
        let mut agent = Agent::new(1);
        agent.handle_network(&[Binding::any(Family::V4)], clock::now());
        match agent.poll_event() {
            Some(Event::Open { socket, .. }) => socket,
            other => panic!("a socket is wanted: {other:?}"),
        }
    }

    #[test]
    fn a_server_without_a_way_there_is_told_at_once() {
        let (mut relays, socket) = (relays(), socket());
        relays.allocate(socket, Family::V4, [].into_iter(), clock::now());
        let refusal = Refusal::NoWay;
        assert_eq!(relays.poll_outcome(), Some(Outcome::Failed { socket, by: None, refusal }));
        assert!(!relays.has(socket) && relays.deadline().is_none());
        assert_eq!(relays.end(), Some((None, refusal)));
    }

    #[test]
    fn a_server_is_asked_without_the_password_which_is_shown_by_nothing() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (mut relays, socket) = (relays(), socket());
        let at = server.local_addr().unwrap();
        relays.allocate(socket, Family::V4, [at].into_iter(), clock::now());
        let mut asked = [0; 2_000];
        let (length, _) = server.recv_from(&mut asked).unwrap();
        assert_eq!(asked[..2], [0, 3], "RFC 8656: an Allocate request");
        assert!(!asked[..length].windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()));
        assert!(relays.has(socket) && relays.place(socket).is_none());
        assert!(!format!("{relays:?}").contains(PASSWORD));
    }

    #[test]
    fn a_server_that_is_silent_is_given_up() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (mut relays, socket) = (relays(), socket());
        let by = server.local_addr().unwrap();
        let begun = clock::now();
        relays.allocate(socket, Family::V4, [by].into_iter(), begun);
        let (outcome, now) = until_an_outcome(&mut relays, begun);
        assert_eq!(outcome, Outcome::Failed { socket, by: Some(by), refusal: Refusal::Silent });
        assert!(now - begun <= Duration::from_secs(10), "{:?}", now - begun);
    }

    /// RFC 8489 §9.2.4: what it wants to know, and then nothing more.
    #[test]
    fn a_server_that_is_silent_once_it_knows_who_asks_is_given_up() {
        let (mut relays, socket, mut server) = (relays(), socket(), Played::new());
        let (by, begun) = (server.address(), clock::now());
        relays.allocate(socket, Family::V4, [by].into_iter(), begun);
        server.asks_who(&mut relays);
        let (outcome, now) = until_an_outcome(&mut relays, begun);
        assert_eq!(outcome, Outcome::Failed { socket, by: Some(by), refusal: Refusal::Silent });
        assert!(now - begun <= Duration::from_secs(20), "{:?}", now - begun);
    }

    /// The first may be asked twice before its answer is there.
    #[test]
    fn what_a_server_has_refused_before_it_gave_an_address_is_not_why_it_is_lost() {
        let (mut relays, socket, mut server) = (relays(), socket(), Played::new());
        let (by, begun) = (server.address(), clock::now());
        relays.allocate(socket, Family::V4, [by].into_iter(), begun);
        relays.permit(socket, "20.0.0.1".parse().unwrap(), begun);
        let place = "20.0.0.3:50000".parse().unwrap();
        server.asks_who(&mut relays);
        server.say(&refusal::error(401), &mut relays);
        server.gives(place, 1_800, &mut relays);
        server.agrees(&mut relays);
        assert_eq!(relays.poll_outcome(), Some(Outcome::Opened { socket, place, by }));
        let (outcome, _) = until_an_outcome(&mut relays, begun);
        assert_eq!(outcome, Outcome::Failed { socket, by: Some(by), refusal: Refusal::Unknown });
    }

    #[test]
    fn an_address_that_no_host_on_the_internet_reaches_is_refused() {
        for place in ["10.0.0.3:50000", "127.0.0.1:50000", "20.0.0.3:0"] {
            let (mut relays, socket, mut server) = (relays(), socket(), Played::new());
            let (by, begun) = (server.address(), clock::now());
            relays.allocate(socket, Family::V4, [by].into_iter(), begun);
            relays.permit(socket, "20.0.0.1".parse().unwrap(), begun);
            server.asks_who(&mut relays);
            server.gives(place.parse().unwrap(), 1_800, &mut relays);
            let refusal = Refusal::Inside;
            assert_eq!(relays.poll_outcome(), Some(Outcome::Failed { socket, by: Some(by), refusal }));
        }
    }

    #[test]
    fn a_server_to_which_every_question_is_stale_is_given_up() {
        let (mut relays, socket, mut server) = (relays(), socket(), Played::new());
        relays.allocate(socket, Family::V4, [server.address()].into_iter(), clock::now());
        server.asks_who(&mut relays);
        let answered = (1..=20).find(|_| {
            server.refuses(438, &mut relays);
            relays.handle_timeout(clock::now());
            relays.poll_outcome().is_some()
        });
        assert!(answered.is_some());
    }

    /// RFC 8656 §7.2 has it that none is shorter than ten minutes.
    #[test]
    fn an_address_for_however_long_keeps_nobody_busy() {
        for lifetime in [0, 1, 59, 60, 61, 599, 86_400, u32::MAX] {
            let (mut relays, socket, mut server) = (relays(), socket(), Played::new());
            relays.allocate(socket, Family::V4, [server.address()].into_iter(), clock::now());
            relays.permit(socket, "20.0.0.1".parse().unwrap(), clock::now());
            server.asks_who(&mut relays);
            server.gives("20.0.0.3:50000".parse().unwrap(), lifetime, &mut relays);
            let mut now = clock::now();
            let end = now + Duration::from_secs(120);
            let turns = from_fn(|| {
                now = relays.deadline()?.max(now);
                relays.handle_timeout(now);
                Some(now)
            });
            let turns = turns.take_while(|now| *now < end).take(1_000).count();
            assert!(turns < 200, "{lifetime} s: {turns} turns");
        }
    }

    /// Whose IPv6 leads nowhere, say.
    #[test]
    fn after_a_silent_address_of_a_server_another_is_asked() {
        let (mut relays, socket) = (relays(), socket());
        let servers = [Played::new(), Played::new()].map(|server| server.address());
        let mut now = clock::now();
        let asked = [0; 3].map(|_| {
            relays.allocate(socket, Family::V4, servers.into_iter(), now);
            let (outcome, end) = until_an_outcome(&mut relays, now);
            now = end;
            outcome
        });
        let silent = |by: usize| Outcome::Failed { socket, by: Some(servers[by]), refusal: Refusal::Silent };
        assert_eq!(asked, [0, 1, 0].map(silent));
    }

    #[test]
    fn what_a_server_gives_to_one_who_has_left_is_given_back() {
        let (mut relays, socket, mut server) = (relays(), socket(), Played::new());
        let begun = clock::now();
        relays.allocate(socket, Family::V4, [server.address()].into_iter(), begun);
        server.asks_who(&mut relays);
        relays.give_back(socket, clock::now());
        server.gives("20.0.0.3:50000".parse().unwrap(), 1_800, &mut relays);
        assert_eq!(server.agrees(&mut relays)[..2], [0, 4], "RFC 8656: a Refresh request");
        assert!(!relays.has(socket));
    }

    /// As time passes.
    fn until_an_outcome(relays: &mut Relays, mut now: Instant) -> (Outcome, Instant) {
        loop {
            if let Some(outcome) = relays.poll_outcome() {
                return (outcome, now);
            }
            now = relays.deadline().expect("it is asked, or given up").max(now);
            relays.handle_timeout(now);
        }
    }

    #[test]
    fn private_addresses_are_not_let_in() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (mut relays, socket) = (relays(), socket());
        relays.allocate(socket, Family::V4, [server.local_addr().unwrap()].into_iter(), clock::now());
        for peer in ["192.168.1.10", "10.0.0.1", "127.0.0.1", "100.64.0.1", "169.254.1.1", "20.0.0.1"] {
            relays.permit(socket, peer.parse().unwrap(), clock::now());
        }
        assert_eq!(relays.open[0].wanted, ["20.0.0.1".parse::<IpAddr>().unwrap()]);
    }
}
