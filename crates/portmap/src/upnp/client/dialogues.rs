//! Leads the dialogues about what is held, or is to be, and keeps what they tell.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Instant;

use super::{Client, Question, arguments};
use crate::client::{Event, Grant, Refusal, Request};
use crate::mapping::Transport;
use crate::upnp::answer::{Failure, Next};
use crate::upnp::attempt::{self, Listing};
use crate::upnp::dialogue::{self, Dialogue, Step};
use crate::upnp::exchanges::NoReply;
use crate::upnp::http::Reply;
use crate::upnp::soap;

impl Client {
    /// Asks for the mapping, or for more time for the one that is held: looks who has the port, adds, and reads
    /// the entry back. Answered by [`Event::Granted`] or [`Event::Refused`].
    pub fn request(&mut self, request: &Request, now: Instant) {
        let (description, known) = (self.description.clone(), self.known(request.external_port));
        self.begin(Dialogue::to_obtain(request.clone(), self.internal, description, known), now);
    }

    /// Asks for more time for the mapping that is held, as a [`request`](Self::request) does. An external address other
    /// than before is told by [`Event::ExternalAddressChanged`].
    pub fn renew(&mut self, request: &Request, now: Instant) {
        self.request(request, now);
        self.address_is_due = true;
    }

    /// Looks whether the mapping is still there, and obtains it where it is not. Answered by [`Event::Confirmed`], or
    /// as a [`renewal`](Self::renew) is.
    pub fn check(&mut self, request: &Request, now: Instant) {
        let (description, known) = (self.description.clone(), self.known(request.external_port));
        let dialogue = Dialogue::to_check(self.check, request.clone(), self.internal, description, known);
        self.begin(dialogue, now);
        self.address_is_due = true;
    }

    /// Deletes the mapping if the router's table still says that it is ours; answered by [`Event::Released`]. What the
    /// open question may make is deleted, too; the deletion of another mapping is given up.
    pub fn release(&mut self, grant: &Grant, transport: Transport, now: Instant) {
        let listing = self.listing_of(grant.external_port);
        self.release_of(self.internal, grant, transport, listing, now);
    }

    /// As [`release`](Self::release), for a mapping that another client made, to this or another address, `internal`. A
    /// router in secure mode deletes none of another address.
    pub fn release_of(
        &mut self,
        internal: IpAddr,
        grant: &Grant,
        transport: Transport,
        listing: Option<Listing>,
        now: Instant,
    ) {
        let is_of_this = |dialogue: &&mut Dialogue| !dialogue.releases_another(internal, grant.external_port);
        if let Some(dialogue) = self.dialogue.as_mut().filter(is_of_this) {
            dialogue.turn_to_release();
            if let Some(Question::Step(step)) = self.exchanges.take_back(|it| matches!(it, Question::Step(_)))
            {
                self.now = now;
                self.withdraw(step);
            }
            return;
        }
        let (description, mut known) = (self.description.clone(), self.known(grant.external_port));
        known.mapping.listing = listing;
        self.begin(Dialogue::to_release(grant, transport, internal, description, known), now);
    }

    fn known(&self, external_port: NonZeroU16) -> dialogue::Known {
        let mapping = attempt::Known { listing: self.listing_of(external_port), leases: self.leases };
        dialogue::Known { pinhole: self.pinhole, mapping }
    }

    pub(super) fn listing_of(&self, external_port: NonZeroU16) -> Option<Listing> {
        let listed = self.listed.as_ref().filter(|(port, _)| *port == external_port);
        listed.map(|(_, listing)| listing.clone())
    }

    /// Asks for the external address of the service in use; another one than before is told by
    /// [`Event::ExternalAddressChanged`]. A pinhole leads to our own address.
    pub fn ask_for_address(&mut self, now: Instant) {
        self.now = now;
        if let Some(control) = self.control.clone().filter(|_| self.internal.is_ipv4()) {
            let call = soap::get_external_ip_address(&control.service_type);
            self.call(&control.url, &call, Question::CurrentAddress);
        }
    }

    pub(super) fn learn_current_address(&mut self, reply: Result<Reply, NoReply>) {
        let address = arguments(reply).ok().and_then(|reply| soap::external_ip_address(&reply).ok());
        // What cannot be read says nothing of the address.
        let (Some(address), Some(control)) = (address, &mut self.control) else { return };
        if control.external_address != address {
            control.external_address = address;
            self.events.push_back(Event::ExternalAddressChanged(address));
        }
    }

    /// What is asked beside it can wait, or be asked again.
    fn begin(&mut self, (dialogue, first): (Dialogue, Step), now: Instant) {
        self.now = now;
        self.abandon();
        self.address_is_due = false;
        self.dialogue = Some(dialogue);
        self.ask(first);
    }

    fn ask(&mut self, step: Step) {
        let Some(dialogue) = &self.dialogue else { return };
        let Some(control) = self.control.clone() else {
            return self.conclude_dialogue(match dialogue.is_releasing() {
                true => Event::Released { port: Some(dialogue.external_port()), confirmed: false },
                false => Event::Refused(Refusal::NoAnswer),
            });
        };
        let Some(call) = dialogue.call(step, &control.service_type) else { return };
        if step.adds() {
            self.events.push_back(Event::Making { external_port: dialogue.external_port() });
        }
        self.call(&control.url, &call, Question::Step(step));
    }

    /// What was never asked makes nothing.
    fn withdraw(&mut self, step: Step) {
        if let Some(next) = self.dialogue.as_mut().and_then(|dialogue| dialogue.withdraw(step)) {
            self.follow(next);
        }
    }

    pub(super) fn advance(&mut self, step: Step, reply: Result<soap::Reply, Failure>) {
        let Some(dialogue) = &mut self.dialogue else { return };
        let Some(next) = dialogue.advance(step, reply) else { return };
        self.follow(next);
    }

    fn follow(&mut self, next: Next<Step>) {
        let Some(dialogue) = &self.dialogue else { return };
        self.pinhole = dialogue.pinhole();
        self.leases = dialogue.known_leases();
        match next {
            Next::Ask(step) => self.ask(step),
            Next::Granted { port, lease } => {
                let grant = Grant {
                    external_address: self.control.as_ref().and_then(|control| control.external_address),
                    external_port: port,
                    internal_port: dialogue.internal_port(),
                    lease,
                };
                self.listed = Some((port, dialogue.listing()));
                self.conclude_dialogue(Event::Granted(grant));
            }
            Next::Confirmed => self.conclude_dialogue(Event::Confirmed),
            Next::Refused(refusal) => {
                if let Refusal::LeftBehind { port, .. } = refusal {
                    self.listed = Some((port, dialogue.listing()));
                }
                self.conclude_dialogue(Event::Refused(refusal));
            }
            Next::Released { confirmed } => {
                let port = dialogue.external_port();
                match confirmed {
                    true => self.listed.take_if(|(listed, _)| *listed == port),
                    // Whoever asks again for it has to know what was read of it.
                    false if dialogue.is_about(self.internal, port) => {
                        self.listed.replace((port, dialogue.listing()))
                    }
                    false => None,
                };
                self.conclude_dialogue(Event::Released { port: Some(port), confirmed });
            }
        }
    }

    fn conclude_dialogue(&mut self, event: Event) {
        self.dialogue = None;
        let is_kept = matches!(event, Event::Granted(_) | Event::Confirmed);
        self.events.push_back(event);
        if is_kept && std::mem::take(&mut self.address_is_due) {
            self.ask_for_address(self.now);
        }
    }
}
