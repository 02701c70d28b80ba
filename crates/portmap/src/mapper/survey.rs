//! What answers here, and how well: every protocol asked, nothing mapped.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::speaker::Speaker;
use super::{Control, Protocol, Settings};
use crate::address::Network;
use crate::cause::Cause;
use crate::client::{self, Absence, Refusal};
use crate::effects::{Exchange, ExchangeId, ExchangeInput, Socket, StateMachine, Transmit};
use crate::upnp;

/// When a survey is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// As soon as there is a UPnP service, whose table can be read, or every protocol has failed.
    UntilTable,
    /// When everybody has been heard out.
    Everybody,
}

/// Nothing more will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concluded;

/// What came of one protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub protocol: Protocol,
    pub outcome: Outcome,
    /// How long after the survey began; `None` while there is no outcome.
    pub after: Option<Duration>,
    /// For how long the gateway knows its mappings; UPnP does not tell.
    pub epoch_seconds: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Pending,
    Answered {
        /// PCP tells none before it maps.
        external_address: Option<IpAddr>,
    },
    /// The protocol is spoken there, but not for us.
    Refused(Refusal),
    Absent(Absence),
}

#[derive(Debug)]
pub struct Survey {
    extent: Extent,
    started: Instant,
    speakers: Vec<(Speaker, Outcome, Option<Duration>)>,
    events: VecDeque<Concluded>,
    over: bool,
}

impl Survey {
    /// Asks by every protocol of the settings that can be asked here.
    #[must_use]
    pub fn new(settings: &Settings, extent: Extent, now: Instant) -> Self {
        let speakers = settings.protocols.iter().filter_map(|&it| Speaker::new(it, settings, now));
        let mut speakers: Vec<_> = speakers.map(|speaker| (speaker, Outcome::Pending, None)).collect();
        for (speaker, ..) in &mut speakers {
            match extent {
                Extent::UntilTable => speaker.probe(now),
                Extent::Everybody => speaker.survey(now),
            }
        }
        let mut survey = Self { extent, started: now, speakers, events: VecDeque::new(), over: false };
        survey.collect(now);
        survey
    }

    /// What came of each protocol, in the order of the settings.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let finding = |(speaker, outcome, after): &(Speaker, Outcome, Option<Duration>)| Finding {
            protocol: speaker.protocol,
            outcome: outcome.clone(),
            after: *after,
            epoch_seconds: speaker.epoch_seconds(),
        };
        self.speakers.iter().map(finding).collect()
    }

    /// Every UPnP gateway that showed itself.
    #[must_use]
    pub fn found(&self) -> Vec<upnp::Found> {
        self.speakers.iter().flat_map(|(speaker, ..)| speaker.found()).collect()
    }

    /// The UPnP service that a mapper would take.
    #[must_use]
    pub fn control(&self) -> Option<upnp::Control> {
        self.speakers.iter().find_map(|(speaker, outcome, _)| match (outcome, speaker.control()) {
            (Outcome::Answered { .. }, Some(Control::Upnp(control))) => Some(control),
            _ => None,
        })
    }

    /// Whether anybody maps ports here.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.speakers.iter().any(|(_, outcome, _)| matches!(outcome, Outcome::Answered { .. }))
    }

    /// What stands against mappings that the world can reach; `gateway` is the one that was asked.
    #[must_use]
    pub fn cause(&self, gateway: IpAddr) -> Option<Cause> {
        if !self.answers() {
            return Some(self.most_telling_cause(gateway));
        }
        let told = self.speakers.iter().map(|(speaker, outcome, _)| match outcome {
            // It tells none before it maps.
            Outcome::Answered { .. } if speaker.protocol == Protocol::Pcp => None,
            Outcome::Answered { external_address } => Some(*external_address),
            Outcome::Pending | Outcome::Refused(_) | Outcome::Absent(_) => None,
        });
        let causes = told.flatten().map(|address| Cause::of_external_address(gateway, address));
        // One public address is enough.
        causes.min_by_key(Option::is_some).flatten()
    }

    fn most_telling_cause(&self, gateway: IpAddr) -> Cause {
        let causes = self.speakers.iter().filter_map(|(_, outcome, _)| match outcome {
            Outcome::Absent(absence) => Some(Cause::of_absence(absence)),
            Outcome::Refused(refusal) => Some(Cause::of_refused_protocol(refusal, gateway)),
            Outcome::Pending | Outcome::Answered { .. } => None,
        });
        causes.min_by_key(Cause::tells_less).unwrap_or(Cause::NoGateway)
    }

    fn collect(&mut self, now: Instant) {
        for (speaker, outcome, after) in &mut self.speakers {
            while let Some(event) = speaker.poll_event() {
                if let Some(told) = told(event) {
                    *outcome = told;
                    *after = Some(now.saturating_duration_since(self.started));
                }
            }
        }
        let pending = self.speakers.iter().any(|(_, outcome, _)| *outcome == Outcome::Pending);
        let enough = self.extent == Extent::UntilTable && self.control().is_some();
        if !self.over && (enough || !pending) {
            self.over = true;
            self.events.push_back(Concluded);
        }
    }
}

fn told(event: client::Event) -> Option<Outcome> {
    match event {
        client::Event::Available { external_address } => Some(Outcome::Answered { external_address }),
        client::Event::Absent(absence) => Some(Outcome::Absent(absence)),
        client::Event::Refused(refusal) => Some(Outcome::Refused(refusal)),
        client::Event::Making { .. }
        | client::Event::Granted(_)
        | client::Event::Confirmed
        | client::Event::Released { .. }
        | client::Event::GatewayRestarted
        | client::Event::GatewayAlive
        | client::Event::ExternalAddressChanged(_) => None,
    }
}

impl StateMachine for Survey {
    type Event = Concluded;

    fn handle_datagram(&mut self, socket: Socket, from: SocketAddr, payload: &[u8], now: Instant) {
        self.speakers
            .iter_mut()
            .for_each(|(speaker, ..)| speaker.handle_datagram(socket, from, payload, now));
        self.collect(now);
    }

    fn handle_unreachable(&mut self, socket: Socket, now: Instant) {
        if socket == Socket::Control {
            self.speakers.iter_mut().for_each(|(speaker, ..)| speaker.handle_unreachable(now));
        }
        self.collect(now);
    }

    fn handle_exchange(&mut self, id: ExchangeId, input: ExchangeInput<'_>, now: Instant) {
        self.speakers.iter_mut().for_each(|(speaker, ..)| speaker.handle_exchange(id, input, now));
        self.collect(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.speakers.iter_mut().for_each(|(speaker, ..)| speaker.handle_timeout(now));
        self.collect(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.speakers.iter_mut().find_map(|(speaker, ..)| speaker.poll_transmit())
    }

    fn poll_exchange(&mut self) -> Option<Exchange> {
        self.speakers.iter_mut().find_map(|(speaker, ..)| speaker.poll_exchange())
    }

    fn poll_close(&mut self) -> Option<ExchangeId> {
        self.speakers.iter_mut().find_map(|(speaker, ..)| speaker.poll_close())
    }

    fn poll_event(&mut self) -> Option<Concluded> {
        self.events.pop_front()
    }

    fn handle_networks(&mut self, networks: Vec<Network>) {
        self.speakers.iter_mut().for_each(|(speaker, ..)| speaker.handle_networks(&networks));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.speakers.iter().filter(|_| !self.over).filter_map(|(speaker, ..)| speaker.poll_timeout()).min()
    }
}

#[cfg(test)]
mod tests;
