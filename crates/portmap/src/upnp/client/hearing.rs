//! What gateways say of themselves: in answer to a search, and unasked.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::Client;
use crate::client::Event;
use crate::upnp::attempt::Check;
use crate::upnp::presence::Sign;
use crate::upnp::ssdp;
use crate::upnp::url::Url;

impl Client {
    pub fn handle_datagram(&mut self, from: SocketAddr, payload: &[u8], now: Instant) {
        self.now = now;
        let message = match ssdp::parse(payload) {
            Ok(message) => message,
            Err(error) => return tracing::debug!(%from, %error, "not an SSDP message"),
        };
        let location = message.location.as_deref().and_then(|text| Url::parse(text).ok());
        let Some(location) = location.and_then(|it| self.surroundings.located(from.ip(), it)) else {
            return tracing::debug!(%from, "no usable location");
        };
        if self.is_heeded(from.ip()) && message.names_gateway() {
            self.presence.hear(&message, Some(&location));
        }
        if lists_what_it_does_not_forward(&message) {
            self.check = Check::ByRemaking;
        }
        let is_default =
            self.surroundings.is_default(from.ip()) || self.surroundings.is_default(location.host());
        // Some gateways do not say so; the description will.
        if is_default || message.names_gateway() {
            self.discover(is_default, location, Some(message));
        }
    }

    /// What came to the group that gateways notify of themselves. Answered by [`Event::GatewayRestarted`] or
    /// [`Event::GatewayAlive`] if it is the gateway's that is in use. A gateway that takes its leave has not forgotten
    /// anything yet.
    pub fn handle_notification(&mut self, from: SocketAddr, payload: &[u8], now: Instant) {
        self.now = now;
        let message = match ssdp::parse(payload) {
            Ok(message) => message,
            Err(error) => return tracing::debug!(%from, %error, "not a notification"),
        };
        if !self.is_heeded(from.ip()) || !message.names_gateway() {
            return;
        }
        let location = message.location.as_deref().and_then(|text| Url::parse(text).ok());
        let location = location.and_then(|location| self.surroundings.located(from.ip(), location));
        match self.presence.hear(&message, location.as_ref()) {
            Some(Sign::Alive) => self.events.push_back(Event::GatewayAlive),
            Some(Sign::Restarted) => self.events.push_back(Event::GatewayRestarted),
            Some(Sign::Moved) => {
                self.moved_to = location;
                self.events.push_back(Event::GatewayRestarted);
            }
            None => {}
        }
    }

    /// A [`probe`](Self::probe) asks where the gateway was heard to be now, and searches for none.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        self.moved_to.is_some()
    }

    fn is_heeded(&self, from: IpAddr) -> bool {
        self.surroundings.is_default(from)
            || self.control.as_ref().is_some_and(|control| control.gateway == from)
    }
}

/// miniupnpd with nftables (2.3.1, measured) reads its rules anew only after it has changed one itself: once the
/// firewall was reloaded under it, it goes on to list and to renew what nobody forwards any more.
fn lists_what_it_does_not_forward(message: &ssdp::Message) -> bool {
    message.server.as_deref().is_some_and(|server| server.contains("MiniUPnPd"))
}
