//! The search, and what it finds: which gateways there are, what each of their services says of itself, and which is taken.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Client, Question, arguments};
use crate::client::{Absence, Event};
use crate::upnp::control::Control;
use crate::upnp::description::{self, ServiceKind};
use crate::upnp::exchanges::{EXCHANGE_TIMEOUT_ONCE_HEARD, IfBroken, NoReply};
use crate::upnp::gateway::{Connection, Found, Gateway};
use crate::upnp::http::{self, Reply};
use crate::upnp::search::Search;
use crate::upnp::soap;
use crate::upnp::ssdp::Message;
use crate::upnp::url::Url;

/// Answers from more locations than this are noise, or an attack. The default gateway's own are counted by themselves, so
/// that nobody else's can keep it out.
const GATEWAYS_MAXIMUM: usize = 8;

/// How long better gateways may still answer once a usable one has been assessed. A LAN's round trip is a few
/// milliseconds; a mesh node often answers before the router does.
const SETTLE: Duration = Duration::from_millis(100);

/// Who answers a search has had as long to answer what was asked beside it. That is given as long again, and this at least,
/// for a router may have a program for each.
const OTHERS_SPAN_AT_LEAST: Duration = Duration::from_millis(50);

impl Client {
    /// Searches for gateways; answered by [`Event::Available`] or [`Event::Absent`] within about
    /// [`SEARCH_WINDOW`](crate::upnp::SEARCH_WINDOW) and, where a gateway answers slowly, an
    /// [`EXCHANGE_TIMEOUT`](crate::upnp::EXCHANGE_TIMEOUT) for each of three questions.
    pub fn probe(&mut self, now: Instant) {
        self.now = now;
        self.abandon();
        self.control = None;
        if let Some(location) = self.moved_to.take() {
            self.search = Some(Search::without_a_question(self.internal, self.search_window, now));
            return self.discover(self.surroundings.is_default(location.host()), location, None);
        }
        let default_gateway = self.surroundings.default_gateway;
        self.search = Some(Search::new(self.internal, default_gateway, self.search_window, now));
        if let Some(control) = self.remembered.clone() {
            let is_default = self.surroundings.is_default(control.url.host());
            if let Some(gateway) = Gateway::remembered(control, self.internal, is_default) {
                self.gateways.push(gateway);
                self.assess_connection(0, 0);
            }
        }
    }

    /// As [`probe`](Self::probe), but every gateway is heard out before the best one is taken.
    pub fn survey(&mut self, now: Instant) {
        self.thorough = true;
        self.probe(now);
    }

    /// For so long a [`probe`](Self::probe) costs no gateway more than the answer to a search; not much longer than the
    /// default gateway takes for that.
    pub fn wait_for_others(&mut self, until: Instant) {
        self.waits = Some(until);
    }

    /// Waits for nobody any longer.
    pub fn go_ahead(&mut self, now: Instant) {
        self.now = now;
        if self.waits.take().is_some() {
            self.choose();
        }
    }

    /// What the last search has found so far, in the order of the answers.
    #[must_use]
    pub fn found(&self) -> Vec<Found> {
        self.gateways.iter().filter_map(Gateway::found).collect()
    }

    /// By `answer`, or by what was heard before.
    pub(super) fn discover(&mut self, is_default: bool, location: Url, answer: Option<Message>) {
        let is_named = answer.as_ref().is_none_or(Message::names_gateway);
        let Some(search) = &mut self.search else { return };
        if is_default && is_named && !self.thorough {
            search.answered();
        }
        let answered_after = search.age(self.now);
        if is_default {
            let others_end = self.now + answered_after.max(OTHERS_SPAN_AT_LEAST);
            self.waits = self.waits.map(|until| until.min(others_end));
        }
        if let Some(known) = self.gateways.iter_mut().find(|gateway| gateway.location == location) {
            known.is_named |= is_named;
            return;
        }
        let alike = self.gateways.iter().filter(|gateway| gateway.is_default == is_default);
        if alike.count() < GATEWAYS_MAXIMUM {
            let gateway = Gateway::new(location, is_default);
            self.gateways.push(Gateway { answered_after, answer, is_named, ..gateway });
            self.ask_for_descriptions();
        }
    }

    /// The default gateway at once. Others where every one is wanted; or where the default gateway has nothing to offer,
    /// or did not say so in its time.
    fn ask_for_descriptions(&mut self) {
        let Some(search) = self.search.as_ref().filter(|_| self.waits.is_none()) else { return };
        let mut default = self.gateways.iter().filter(|it| it.is_default && it.is_named && !it.remembered);
        let has_failed = default.clone().next().is_some() && default.all(Gateway::has_failed);
        let serves = self.gateways.iter().any(|gateway| gateway.is_default && gateway.serves());
        let is_late = has_failed || !search.is_default_gateway_first();
        let others_too = self.thorough || (is_late && !serves);
        // It has shown itself.
        let patience = self.patience().max(EXCHANGE_TIMEOUT_ONCE_HEARD);
        for (index, gateway) in self.gateways.iter_mut().enumerate() {
            if !gateway.is_asked && (gateway.is_default || others_too) {
                gateway.is_asked = true;
                let (request, question) =
                    (http::get(&gateway.location), Question::Description { gateway: index });
                let if_broken = IfBroken::AskOnceMore;
                self.exchanges.ask(&gateway.location, request, question, if_broken, patience, self.now);
            }
        }
    }

    pub(super) fn describe(&mut self, index: usize, reply: Result<Reply, NoReply>) {
        let internal = self.internal;
        let gateway = &mut self.gateways[index];
        let page = reply.ok().filter(|reply| reply.status == 200);
        gateway.description = page.and_then(|page| description::parse(&page.body, &gateway.location).ok());
        let mut services = gateway.description.as_ref().map(|it| it.services.clone()).unwrap_or_default();
        services.retain(|service| service.kind.serves(internal));
        gateway.describe(services);
        // Security: as for the location, so for what it leads to.
        let address = gateway.location.host();
        gateway.connections.retain(|connection| connection.service.control_url.served_by(address));
        for connection in 0..self.gateways[index].connections.len() {
            self.assess_connection(index, connection);
        }
        self.choose();
    }

    /// The address is read before anything is added, so that a router which cannot tell it is not left with a mapping
    /// (tailscale#20781); and before the status, without which a connection can be taken.
    pub(super) fn assess_connection(&mut self, gateway: usize, connection: usize) {
        let Connection { service, .. } = &self.gateways[gateway].connections[connection];
        let url = service.control_url.clone();
        if let ServiceKind::WanIpv6FirewallControl { .. } = service.kind {
            let status = soap::get_firewall_status(&service.service_type);
            return self.call(&url, &status, Question::Firewall { gateway, connection });
        }
        let address = soap::get_external_ip_address(&service.service_type);
        self.call(&url, &address, Question::ExternalAddress { gateway, connection });
    }

    fn ask_for_status(&mut self, gateway: usize, connection: usize) {
        let Connection { service, .. } = &self.gateways[gateway].connections[connection];
        let (url, status) = (service.control_url.clone(), soap::get_status_info(&service.service_type));
        self.call(&url, &status, Question::Status { gateway, connection });
    }

    /// Some routers mean a relative control URL from the root, wherever their description is.
    pub(super) fn moves_to_the_root(&mut self, gateway: usize, connection: usize) -> bool {
        let service = &mut self.gateways[gateway].connections[connection].service;
        let Some(url) = service.control_url_at_root.take() else { return false };
        service.control_url = url;
        true
    }

    pub(super) fn learn_address(&mut self, gateway: usize, connection: usize, reply: Result<Reply, NoReply>) {
        let address =
            arguments(reply).ok().and_then(|reply| soap::external_ip_address(&reply).ok()).flatten();
        self.learn(gateway, connection, |connection| connection.external_address = address);
        self.ask_for_status(gateway, connection);
        self.choose();
    }

    pub(super) fn learn_status(&mut self, gateway: usize, connection: usize, reply: Result<Reply, NoReply>) {
        let reply = arguments(reply).ok();
        let status = reply.as_ref().and_then(|reply| soap::connection_status(reply).ok());
        self.learn(gateway, connection, |connection| {
            connection.connected = status.map(|status| status == soap::ConnectionStatus::Connected);
            connection.uptime_seconds = reply.as_ref().and_then(soap::uptime_seconds);
        });
        self.choose();
    }

    /// Of a firewall that lets nothing in there is no address.
    pub(super) fn learn_firewall(
        &mut self,
        gateway: usize,
        connection: usize,
        reply: Result<Reply, NoReply>,
    ) {
        let status = arguments(reply).ok().and_then(|reply| soap::firewall_status(&reply).ok());
        let opens = status.map(|status| !status.enabled || status.inbound_pinhole_allowed);
        let address = opens.filter(|&opens| opens).map(|_| self.internal);
        self.learn(gateway, connection, |connection| {
            (connection.connected, connection.external_address) = (opens, address);
        });
        self.choose();
    }

    fn learn(&mut self, gateway: usize, connection: usize, learn: impl FnOnce(&mut Connection)) {
        let connection = &mut self.gateways[gateway].connections[connection];
        connection.unanswered -= 1;
        connection.assessed_after = self.search.as_ref().map(|search| search.age(self.now));
        learn(connection);
    }

    /// Takes the best service as soon as nothing better can come, or nothing better came in time.
    pub(super) fn choose(&mut self) {
        self.ask_for_descriptions();
        let Some(search) = &self.search else { return };
        let searching = !search.is_over();
        let assessing = !self.gateways.iter().all(Gateway::is_assessed);
        if self.thorough && (searching || assessing) {
            return;
        }
        let ranked = self.gateways.iter().flat_map(|gateway| {
            gateway.usable().map(move |connection| (connection.rank(gateway.is_default), gateway, connection))
        });
        let Some((rank, gateway, connection)) = ranked.min_by_key(|(rank, ..)| *rank) else {
            if !searching && !assessing {
                self.conclude_search_without_gateway();
            }
            return;
        };
        let settles = *self.settles.get_or_insert(self.now + SETTLE);
        let settled = self.now >= settles || (!searching && !assessing);
        let unsurpassable = rank.is_best() && connection.is_assessed();
        if !unsurpassable && !settled {
            return;
        }
        let control = Control {
            gateway: gateway.address(),
            url: connection.service.control_url.clone(),
            service_type: connection.service.service_type.clone(),
            external_address: match self.internal {
                IpAddr::V4(_) => connection.external_address,
                IpAddr::V6(_) => Some(self.internal),
            },
        };
        if let Some(answer) = &gateway.answer {
            self.presence.hear(answer, Some(&gateway.location));
        }
        self.conclude_search(Event::Available { external_address: control.external_address });
        self.control = Some(control);
    }

    fn conclude_search_without_gateway(&mut self) {
        let absence = match self.gateways.iter().find(|gateway| gateway.is_named && !gateway.remembered) {
            Some(gateway) => Absence::NoService(gateway.location.socket_address()),
            None => Absence::NoAnswer,
        };
        self.conclude_search(Event::Absent(absence));
    }

    fn conclude_search(&mut self, event: Event) {
        self.search = None;
        self.settles = None;
        self.exchanges.abandon();
        self.events.push_back(event);
    }
}
