//! One protocol's client, as the mapper drives it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::elsewhere::Made;
use super::{Control, Protocol, Record, Settings};
use crate::address::Network;
use crate::cause::Cause;
use crate::client::{Event, Grant, Request};
use crate::control_port::SERVER_PORT;
use crate::effects::{Exchange, ExchangeId, ExchangeInput, Socket, Transmit};
use crate::{nat_pmp, pcp, upnp};

#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) protocol: Protocol,
    standing: Standing,
    client: Client,
    /// The gateway's, as it was told last, whatever has become of the rest.
    outside: Option<IpAddr>,
}

/// What is known of a protocol at this gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    Asked,
    Available {
        external_address: Option<IpAddr>,
    },
    Unusable(Cause),
    /// Spoken there, but the request was given up. Its answer still counts, and is waited for until then.
    Late {
        until: Instant,
    },
    /// Not asked while another protocol serves.
    Resting,
    /// Gives back what it was, or may be, granted. Nothing else is asked before that is done, and what is heard meanwhile
    /// does not change it.
    Undoing,
}

/// How long a request is waited for, at least: after two retransmissions another protocol is worth more than the
/// third. A slow router is waited for longer: the others would wait behind the same question.
const PATIENCE: Duration = Duration::from_secs(1);
const LONGEST_PATIENCE: Duration = Duration::from_secs(6);
/// One that serves so many at once, one after the other, is heard within its patience.
const ANSWERS_PATIENCE: u32 = 8;

#[derive(Debug)]
enum Client {
    Pcp(pcp::Client, SocketAddr),
    NatPmp(nat_pmp::Client, SocketAddr),
    Upnp(Box<upnp::client::Client>),
}

impl Speaker {
    /// `None` where the protocol cannot be spoken: PCP and NAT-PMP ask the default gateway and nobody else, NAT-PMP in
    /// IPv4 alone.
    pub(super) fn new(protocol: Protocol, settings: &Settings, now: Instant) -> Option<Self> {
        let gateway = settings.gateway.filter(|gateway| gateway.is_ipv4() == settings.internal.is_ipv4());
        let server = gateway.map(|gateway| SocketAddr::new(gateway, SERVER_PORT));
        let known = settings.remembered.as_ref().filter(|known| known.protocol == protocol);
        let known = known.map(|known| known.answer_time.unwrap_or_default());
        let client = match (protocol, server) {
            (Protocol::Upnp, _) => Client::Upnp(Box::new(
                upnp::client::Client::new(
                    settings.internal,
                    settings.gateway,
                    settings.description.clone(),
                    now,
                )
                .with_search_window(settings.search_window)
                .with_only_one_lease(settings.only_this_lease)
                .with_remembered(settings.remembered.as_ref().and_then(|known| known.control.clone())),
            )),
            (Protocol::Pcp, Some(server)) => {
                let (internal, nonce, seed) = (settings.internal, settings.nonce, settings.seed);
                let client = pcp::Client::new(server.ip(), internal, nonce, seed);
                Client::Pcp(client.with_remembered(known), server)
            }
            (Protocol::NatPmp, Some(server)) => match server.ip() {
                IpAddr::V4(gateway) => {
                    let client = nat_pmp::Client::new(gateway, settings.seed);
                    Client::NatPmp(client.with_remembered(known), server)
                }
                IpAddr::V6(_) => return None,
            },
            (Protocol::Pcp | Protocol::NatPmp, None) => return None,
        };
        Some(Self { protocol, standing: Standing::Resting, client, outside: None })
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    pub(super) fn is_asked(&self) -> bool {
        self.standing == Standing::Asked
    }

    pub(super) fn is_undoing(&self) -> bool {
        self.standing == Standing::Undoing
    }

    /// What is known of it now, unless it is undoing: only [`Self::end_undoing`] ends that.
    pub(super) fn stand(&mut self, standing: Standing) {
        if let Standing::Available { external_address: Some(told) } = standing {
            self.outside = Some(told);
        }
        if !self.is_undoing() {
            self.standing = standing;
        }
    }

    /// Whether it was undoing, with the last [`Event::Released`].
    pub(super) fn end_undoing(&mut self, then: Standing) -> bool {
        let was_undoing = self.is_undoing();
        if was_undoing {
            self.standing = then;
        }
        was_undoing
    }

    /// Takes over what another mapper was granted.
    pub(super) fn resume(&mut self, record: &Record, request: &Request, grant: &Grant) {
        match (&mut self.client, &record.control) {
            (Client::Upnp(client), Control::Upnp(control)) => {
                client.take_control(control.clone(), None);
                client.take_mapping(record.external_port, record.listing.clone());
            }
            (Client::Upnp(client), Control::Pinhole { control, id }) => {
                client.take_control(control.clone(), Some(*id));
            }
            (Client::Pcp(client, _), _) => client.resume(request, grant),
            (Client::NatPmp(client, _), _) => client.resume(request, grant),
            (Client::Upnp(_), Control::ControlPort { .. }) => {}
        }
        self.stand(Standing::Available { external_address: grant.external_address });
    }

    pub(super) fn probe(&mut self, now: Instant) {
        if self.is_undoing() {
            return;
        }
        self.stand(Standing::Asked);
        match &mut self.client {
            Client::Pcp(client, _) => client.probe(now),
            Client::NatPmp(client, _) => client.probe(now),
            Client::Upnp(client) => client.probe(now),
        }
    }

    /// As [`Self::probe`], but leaves the router in peace until then.
    pub(super) fn probe_behind_others(&mut self, until: Instant, now: Instant) {
        self.probe(now);
        if let Client::Upnp(client) = &mut self.client {
            client.wait_for_others(until);
        }
    }

    /// The others have nothing to say.
    pub(super) fn go_ahead(&mut self, now: Instant) {
        if let Client::Upnp(client) = &mut self.client {
            client.go_ahead(now);
        }
    }

    /// Probes, and hears out all that answer.
    pub(super) fn survey(&mut self, now: Instant) {
        match &mut self.client {
            Client::Upnp(client) => client.survey(now),
            Client::Pcp(..) | Client::NatPmp(..) => self.probe(now),
        }
    }

    /// The networks of the link, each by this host's address in it.
    pub(super) fn handle_networks(&mut self, networks: &[Network]) {
        if let Client::Upnp(client) = &mut self.client {
            client.handle_networks(networks.to_vec());
        }
    }

    /// The gateway was heard to be elsewhere than where it is asked; a [`probe`](Self::probe) looks there.
    pub(super) fn has_moved(&self) -> bool {
        match &self.client {
            Client::Upnp(client) => client.has_moved(),
            Client::Pcp(..) | Client::NatPmp(..) => false,
        }
    }

    /// Leaves the field to another protocol.
    pub(super) fn rest(&mut self) {
        if self.standing == Standing::Asked {
            self.stand(Standing::Resting);
            match &mut self.client {
                Client::Upnp(client) => client.abandon(),
                Client::Pcp(client, _) => client.fall_silent(),
                Client::NatPmp(client, _) => client.fall_silent(),
            }
        }
    }

    /// How long a request is waited for while another protocol might serve. `None`: UPnP's questions have time-outs of
    /// their own, and there are several.
    pub(super) fn patience(&self) -> Option<Duration> {
        if self.protocol == Protocol::Upnp {
            return None;
        }
        Some(match self.answer_time() {
            Some(time) => (time * ANSWERS_PATIENCE).clamp(PATIENCE, LONGEST_PATIENCE),
            None => PATIENCE,
        })
    }

    /// Whether the protocol is known to be spoken there.
    pub(super) fn has_answered(&self) -> bool {
        match &self.client {
            Client::Pcp(client, _) => client.has_answered(),
            Client::NatPmp(client, _) => client.has_answered(),
            Client::Upnp(client) => client.control().is_some() || !client.found().is_empty(),
        }
    }

    /// Was asked to delete something, and may do so yet: it has not answered.
    pub(super) fn owes_a_deletion(&self) -> bool {
        match &self.client {
            Client::Pcp(client, _) => client.owes_a_deletion(),
            Client::NatPmp(client, _) => client.owes_a_deletion(),
            Client::Upnp(_) => false,
        }
    }

    /// How long the gateway took to answer, where that is known.
    pub(super) fn answer_time(&self) -> Option<Duration> {
        match &self.client {
            Client::Pcp(client, _) => client.answer_time(),
            Client::NatPmp(client, _) => client.answer_time(),
            Client::Upnp(_) => None,
        }
    }

    /// What is mapped has been told to somebody: after a restart it is asked for before anybody else can.
    pub(super) fn hurry(&mut self) {
        match &mut self.client {
            Client::Pcp(client, _) => client.hurry(),
            Client::NatPmp(client, _) => client.hurry(),
            Client::Upnp(_) => {}
        }
    }

    /// Gives back what is, or may be, granted; done when [`Event::Released`] comes. It may have been made before the host
    /// moved: the client of now does not know it.
    pub(super) fn give_back(&mut self, record: &Record, request: &Request, now: Instant) {
        let grant = record.grant();
        match (&mut self.client, &record.control) {
            (Client::Upnp(client), Control::Upnp(control)) => {
                client.recollect(control, None, record.external_port, &record.listing);
            }
            (Client::Upnp(client), Control::Pinhole { control, id }) => {
                client.recollect(control, Some(*id), record.external_port, &record.listing);
            }
            (Client::Upnp(_), Control::ControlPort { .. }) => {}
            (Client::Pcp(client, _), _) => client.resume(request, &grant),
            (Client::NatPmp(client, _), _) => client.resume(request, &grant),
        }
        self.undo(request, &grant, now);
    }

    /// As [`Self::give_back`], for what the open question may make.
    pub(super) fn undo(&mut self, request: &Request, grant: &Grant, now: Instant) {
        self.stand(Standing::Undoing);
        self.release(request, grant, now);
    }

    /// Gives up the request, but still hears the answer.
    pub(super) fn fall_silent(&mut self, until: Instant) {
        self.stand(Standing::Late { until });
        match &mut self.client {
            Client::Pcp(client, _) => client.fall_silent(),
            Client::NatPmp(client, _) => client.fall_silent(),
            Client::Upnp(_) => {}
        }
    }

    pub(super) fn request(&mut self, request: &Request, now: Instant) {
        match &mut self.client {
            Client::Pcp(client, _) => client.request(request, now),
            Client::NatPmp(client, _) => client.request(request, now),
            Client::Upnp(client) => client.request(request, now),
        }
    }

    /// Asks for more time where the protocol has a question for that, which repeats nonce, port and address.
    pub(super) fn renew(&mut self, request: &Request, now: Instant) {
        match &mut self.client {
            Client::Pcp(client, _) => client.renew(now),
            Client::NatPmp(client, _) => client.renew(now),
            Client::Upnp(client) => client.renew(request, now),
        }
    }

    /// Whether it is still there; made again where it is not. PCP and NAT-PMP have no such question but the request.
    pub(super) fn check(&mut self, request: &Request, now: Instant) {
        match &mut self.client {
            Client::Pcp(client, _) => client.renew(now),
            Client::NatPmp(client, _) => client.renew(now),
            Client::Upnp(client) => client.check(request, now),
        }
    }

    /// Of what serves or rests, as far as the protocol tells it: PCP does with a mapping alone, and whoever has one by
    /// NAT-PMP has asked before.
    pub(super) fn ask_for_address(&mut self, serves: bool, now: Instant) {
        let rests = matches!(self.standing, Standing::Resting | Standing::Available { .. });
        match &mut self.client {
            Client::Upnp(client) if serves => client.ask_for_address(now),
            Client::Upnp(_) if self.standing == Standing::Resting => self.probe(now),
            Client::NatPmp(..) if rests && !serves => self.probe(now),
            Client::Upnp(_) | Client::NatPmp(..) | Client::Pcp(..) => {}
        }
    }

    pub(super) fn release(&mut self, request: &Request, grant: &Grant, now: Instant) {
        match &mut self.client {
            Client::Pcp(client, _) => client.release(now),
            Client::NatPmp(client, _) => client.release(now),
            Client::Upnp(client) => client.release(grant, request.transport, now),
        }
    }

    /// As [`Self::release`], for what was made from this or another address of this host. Only UPnP has a question for what
    /// was made from another.
    pub(super) fn release_made(&mut self, made: &Made, now: Instant) {
        let Made { place, record, grant, .. } = made;
        match &mut self.client {
            Client::Upnp(client) => {
                let listing = Some(record.listing.clone());
                client.release_of(place.internal, grant, record.transport, listing, now);
            }
            Client::Pcp(..) | Client::NatPmp(..) => self.release(&made.request(), grant, now),
        }
    }

    /// What was made from this address is to be asked for again; no gateway is known yet.
    pub(super) fn recall(&mut self, made: &Made) {
        match (&mut self.client, &made.record.control) {
            (Client::Upnp(client), Control::Upnp(_)) => {
                client.take_mapping(made.record.external_port, made.record.listing.clone());
            }
            (Client::Upnp(_), Control::Pinhole { .. }) => {
                self.resume(&made.record, &made.request(), &made.grant);
            }
            (Client::Upnp(_) | Client::Pcp(..) | Client::NatPmp(..), _) => {}
        }
    }

    pub(super) fn handle_datagram(&mut self, socket: Socket, from: SocketAddr, payload: &[u8], now: Instant) {
        match (&mut self.client, socket) {
            (Client::Upnp(client), Socket::Discovery) => client.handle_datagram(from, payload, now),
            (Client::Upnp(client), Socket::Notifications) => client.handle_notification(from, payload, now),
            (Client::Pcp(client, _), Socket::Control) => client.handle_datagram(from, payload, now),
            (Client::NatPmp(client, _), Socket::Control) => client.handle_datagram(from, payload, now),
            (Client::Pcp(client, _), Socket::Announcements) => client.handle_announcement(from, payload, now),
            (Client::NatPmp(client, _), Socket::Announcements) => {
                client.handle_announcement(from, payload, now);
            }
            _ => {}
        }
    }

    pub(super) fn handle_unreachable(&mut self, now: Instant) {
        match &mut self.client {
            Client::Pcp(client, _) => client.handle_unreachable(now),
            Client::NatPmp(client, _) => client.handle_unreachable(now),
            Client::Upnp(_) => {}
        }
    }

    pub(super) fn handle_exchange(&mut self, id: ExchangeId, input: ExchangeInput<'_>, now: Instant) {
        if let Client::Upnp(client) = &mut self.client {
            client.handle_exchange(id, input, now);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.client {
            Client::Pcp(client, _) => client.handle_timeout(now),
            Client::NatPmp(client, _) => client.handle_timeout(now),
            Client::Upnp(client) => client.handle_timeout(now),
        }
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        let (payload, server) = match &mut self.client {
            Client::Upnp(client) => return client.poll_transmit(),
            Client::Pcp(client, server) => (client.poll_transmit()?, *server),
            Client::NatPmp(client, server) => (client.poll_transmit()?, *server),
        };
        Some(Transmit { socket: Socket::Control, destination: server, payload })
    }

    pub(super) fn poll_exchange(&mut self) -> Option<Exchange> {
        match &mut self.client {
            Client::Upnp(client) => client.poll_exchange(),
            Client::Pcp(..) | Client::NatPmp(..) => None,
        }
    }

    pub(super) fn poll_close(&mut self) -> Option<ExchangeId> {
        match &mut self.client {
            Client::Upnp(client) => client.poll_close(),
            Client::Pcp(..) | Client::NatPmp(..) => None,
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        match &mut self.client {
            Client::Pcp(client, _) => client.poll_event(),
            Client::NatPmp(client, _) => client.poll_event(),
            Client::Upnp(client) => client.poll_event(),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match &self.client {
            Client::Pcp(client, _) => client.poll_timeout(),
            Client::NatPmp(client, _) => client.poll_timeout(),
            Client::Upnp(client) => client.poll_timeout(),
        }
    }

    /// For how long the gateway knows its mappings, as far as the protocol tells.
    pub(super) fn epoch_seconds(&self) -> Option<u32> {
        match &self.client {
            Client::Pcp(client, _) => client.epoch_seconds(),
            Client::NatPmp(client, _) => client.epoch_seconds(),
            Client::Upnp(_) => None,
        }
    }

    /// Every gateway that showed itself, where the protocol looks for them.
    pub(super) fn found(&self) -> Vec<upnp::Found> {
        match &self.client {
            Client::Upnp(client) => client.found(),
            Client::Pcp(..) | Client::NatPmp(..) => Vec::new(),
        }
    }

    /// Who answers, and what is needed to ask again without looking for it.
    pub(super) fn control(&self) -> Option<Control> {
        match &self.client {
            Client::Upnp(client) => {
                let control = client.control().cloned()?;
                Some(match client.pinhole() {
                    Some(id) => Control::Pinhole { control, id },
                    None => Control::Upnp(control),
                })
            }
            Client::Pcp(client, server) => {
                Some(Control::ControlPort { gateway: server.ip(), nonce: Some(client.nonce()) })
            }
            Client::NatPmp(_, server) => Some(Control::ControlPort { gateway: server.ip(), nonce: None }),
        }
    }

    /// How the router's table lists the mapping, as far as the protocol has a table.
    pub(super) fn listing(&self) -> upnp::Listing {
        match &self.client {
            Client::Upnp(client) => client.listing(),
            Client::Pcp(..) | Client::NatPmp(..) => upnp::Listing::default(),
        }
    }

    pub(super) fn outside(&self) -> Option<IpAddr> {
        self.outside
    }

    pub(super) fn external_address(&self) -> Option<IpAddr> {
        match self.standing {
            Standing::Available { external_address } => external_address,
            Standing::Asked
            | Standing::Unusable(_)
            | Standing::Late { .. }
            | Standing::Resting
            | Standing::Undoing => None,
        }
    }
}
