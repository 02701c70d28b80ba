//! One address that the server is asked for, until it is given back.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use net::{NotSent, PathSockets};
use path::{Family, SocketId};
use portmap::address::{Reach, reach};
use turn_client_proto::api::{Transmit, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet};
use turn_client_proto::prelude::TurnClientApi;
use turn_client_proto::stun::Instant as TurnInstant;
use turn_client_proto::types::{AddressFamily, TransportType, TurnCredentials};
use turn_client_proto::udp::TurnClientUdp;
use wire::opener::is_target;

use super::{Outcome, Refusal};

/// Of one question: 0.5 s, then doubled, as RFC 8489 §6.2.1 has it, but no longer than whoever types waits.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
const REPETITIONS: u32 = 4;

/// At the end of a session, and for what is not needed any more.
pub(super) const LONGEST_RETURN: Duration = Duration::from_millis(500);

/// One turn of the loop does no more for one of them.
pub(super) const STEPS_PER_TURN: usize = 64;

/// It knows the password, and would show it.
struct Client(TurnClientUdp);

impl Client {
    /// The first look gives up what was not answered, and has a wait beside it in which nobody would hear of that.
    fn next(&mut self, time: TurnInstant) -> TurnPollRet {
        match self.0.poll(time) {
            TurnPollRet::WaitUntil(_) => self.0.poll(time),
            other => other,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Client")
    }
}

#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) socket: SocketId,
    pub(super) server: SocketAddr,
    /// The server takes no notice of it, and the client wants it to be the same always.
    local: SocketAddr,
    client: Client,
    pub(super) state: State,
    /// To be let in, once there is an address.
    pub(super) wanted: Vec<IpAddr>,
    /// Questions about these are not answered yet.
    asked: Vec<IpAddr>,
    lets_in: bool,
    pub(super) place: Option<SocketAddr>,
    has_said_who_it_is: bool,
    refusal: Option<Refusal>,
    has_been_heard: bool,
    due: Instant,
}

/// Now, by our clock and by the client's, which counts from the epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Instant,
    pub(super) epoch: Instant,
    pub(super) time: TurnInstant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Asking,
    Open,
    Leaving { until: Instant },
    Ended,
}

impl Allocation {
    /// For an address of this family, between these two of ours and the server's.
    pub(super) fn ask(
        socket: SocketId,
        (local, server): (SocketAddr, SocketAddr),
        family: Family,
        credentials: TurnCredentials,
        epoch: Instant,
    ) -> Self {
        let mut config = TurnConfig::new(credentials);
        config.set_address_family(match family {
            Family::V6 => AddressFamily::IPV6,
            Family::V4 => AddressFamily::IPV4,
        });
        config.set_request_retransmits(FIRST_WAIT, LONGEST_WAIT, REPETITIONS, LONGEST_WAIT);
        Self {
            socket,
            server,
            local,
            client: Client(TurnClientUdp::allocate(local, server, config)),
            state: State::Asking,
            wanted: Vec::new(),
            asked: Vec::new(),
            lets_in: false,
            place: None,
            has_said_who_it_is: false,
            refusal: None,
            has_been_heard: false,
            due: epoch,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        match self.state {
            State::Leaving { until } => self.due.min(until),
            State::Asking | State::Open | State::Ended => self.due,
        }
    }

    /// What goes to this peer needs less around it from now on.
    pub(super) fn bind_channel(&mut self, peer: SocketAddr, time: TurnInstant) {
        let bound = self.client.0.bind_channel(TransportType::Udp, peer, time);
        bound.err().inspect(|error| tracing::debug!(%error, "no channel"));
    }

    pub(super) fn send(
        &mut self,
        sockets: &mut PathSockets,
        (remote, datagram, tos): (SocketAddr, &[u8], u8),
        time: TurnInstant,
    ) -> Result<(), NotSent> {
        match self.client.0.send_to(TransportType::Udp, remote, datagram, time) {
            Ok(Some(wrapped)) => sockets.send(self.socket, self.server, &wrapped.build().data, tos),
            Ok(None) => Ok(()),
            Err(error) => {
                tracing::debug!(%error, %remote, "not relayed");
                Err(NotSent::Dropped)
            }
        }
    }

    /// The peer that has sent it, and how much of it is in `buffer`.
    pub(super) fn hear(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        time: TurnInstant,
        buffer: &mut [u8],
    ) -> Option<(SocketAddr, usize)> {
        if from != self.server {
            return None;
        }
        self.has_been_heard = true;
        if let Some(refusal) = Refusal::of(datagram, self.has_said_who_it_is) {
            tracing::debug!(server = %self.server, ?refusal);
            self.refusal = Some(refusal);
        }
        self.has_said_who_it_is = true;
        let transmit = Transmit::new(datagram, TransportType::Udp, from, self.local);
        match self.client.0.recv(transmit, time) {
            TurnRecvRet::PeerData(data) if self.state == State::Open => {
                let length = data.data().len().min(buffer.len());
                buffer[..length].copy_from_slice(&data.data()[..length]);
                Some((data.peer, length))
            }
            _ => None,
        }
    }

    pub(super) fn leave(&mut self, at: Moment) {
        if !matches!(self.state, State::Leaving { .. } | State::Ended) {
            // What is under way to us can be given back only when it is there.
            let may_be_given = self.has_been_heard && self.place.is_none();
            let is_returned = self.client.0.delete(at.time).is_ok();
            self.state = match is_returned || may_be_given {
                true => State::Leaving { until: at.now + LONGEST_RETURN },
                false => State::Ended,
            };
        }
    }

    pub(super) fn perform(
        &mut self,
        sockets: &mut PathSockets,
        outcomes: &mut VecDeque<Outcome>,
        at: Moment,
    ) {
        for _ in 0..STEPS_PER_TURN {
            while let Some(event) = self.client.0.poll_event() {
                tracing::debug!(?event);
                self.note(&event, outcomes, at);
            }
            self.ask_for_permissions(at.time);
            while let Some(transmit) = self.client.0.poll_transmit(at.time) {
                if let Err(error) = sockets.send(self.socket, self.server, &transmit.data, 0) {
                    tracing::debug!(?error, "the TURN server is not asked");
                }
            }
            match self.client.next(at.time) {
                TurnPollRet::WaitUntil(until) => {
                    self.due = at.epoch + until.duration_since(TurnInstant::from_nanos(0));
                    if self.due > at.now {
                        break;
                    }
                }
                TurnPollRet::Closed => {
                    self.fail(outcomes, at);
                    break;
                }
                TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => break,
            }
        }
        if matches!(self.state, State::Leaving { until } if until <= at.now) {
            self.state = State::Ended;
        }
    }

    fn ask_for_permissions(&mut self, time: TurnInstant) {
        if self.place.is_none() || self.wanted.is_empty() {
            return;
        }
        for peer in std::mem::take(&mut self.wanted) {
            if self.client.0.create_permission(TransportType::Udp, peer, time).is_ok() {
                self.asked.push(peer);
            }
        }
    }

    fn note(&mut self, event: &TurnEvent, outcomes: &mut VecDeque<Outcome>, at: Moment) {
        match *event {
            TurnEvent::AllocationCreated(_, place) => {
                self.place = Some(place);
                self.is_given(place, outcomes, at);
            }
            TurnEvent::AllocationCreateFailed(_) => self.fail(outcomes, at),
            TurnEvent::PermissionCreated(_, peer) => {
                self.lets_in = true;
                self.is_answered(peer, outcomes, at);
            }
            TurnEvent::PermissionCreateFailed(_, peer) => self.is_answered(peer, outcomes, at),
            _ => {}
        }
    }

    fn is_given(&mut self, place: SocketAddr, outcomes: &mut VecDeque<Outcome>, at: Moment) {
        if self.state != State::Asking {
            let returned = self.client.0.delete(at.time);
            returned.err().inspect(|error| tracing::debug!(%error, "not given back"));
            return;
        }
        self.refusal = None;
        if reach(place.ip()) != Reach::Public || !is_target(place) {
            self.refusal = Some(Refusal::Inside);
        } else if self.wanted.is_empty() {
            self.refusal = Some(Refusal::NoPeer);
        }
        if self.refusal.is_some() {
            self.fail(outcomes, at);
        }
    }

    /// Once all questions are answered, and it is let in from somewhere.
    fn is_answered(&mut self, peer: IpAddr, outcomes: &mut VecDeque<Outcome>, at: Moment) {
        self.asked.retain(|asked| *asked != peer);
        if self.state != State::Asking || !self.asked.is_empty() || !self.wanted.is_empty() {
            return;
        }
        match self.place.filter(|_| self.lets_in) {
            Some(place) => {
                self.state = State::Open;
                self.refusal = None;
                outcomes.push_back(Outcome::Opened { socket: self.socket, place, by: self.server });
            }
            None => self.fail(outcomes, at),
        }
    }

    fn fail(&mut self, outcomes: &mut VecDeque<Outcome>, at: Moment) {
        let refusal = match self.state {
            State::Asking if !self.has_been_heard => Refusal::Silent,
            State::Asking => self.refusal.unwrap_or(Refusal::Silent),
            State::Open => self.refusal.unwrap_or(Refusal::Unknown),
            State::Leaving { .. } | State::Ended => {
                self.state = State::Ended;
                return;
            }
        };
        outcomes.push_back(Outcome::Failed { socket: self.socket, by: Some(self.server), refusal });
        self.leave(at);
    }
}
