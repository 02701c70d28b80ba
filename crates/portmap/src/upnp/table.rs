//! Reads what a gateway has mapped, for whomever.
//!
//! The table is asked for entry by entry. How it ends differs: with error 713 by the standard, with 714, 402 or 501 in
//! fact (docs/routers.md, quirk 47), and on some routers never, the last entry, or the first, being told again and again.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use super::control::Control;
use super::exchanges::{Exchanges, IfBroken, NoReply};
use super::http::{self, Reply};
use super::soap::{self, Fault, PortMappingEntry};
use crate::effects::{Exchange, ExchangeId, ExchangeInput, Socket, StateMachine, Transmit};
use crate::mapping::Transport;

/// Real tables end long before; at a few milliseconds each this is what a user waits for.
pub const ENTRIES_MAXIMUM: u16 = 2_000;

/// WANIPConnection:1 §2.4.14 and what else routers say after the last entry.
const END_OF_TABLE: [u16; 4] = [713, 714, 402, 501];

/// A lost connection is no reason to call a table unreadable.
const TRIES_PER_ENTRY: u8 = 2;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub entries: Vec<PortMappingEntry>,
    pub end: End,
}

/// Why the reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Complete,
    /// At [`ENTRIES_MAXIMUM`].
    TooLong,
    /// With this UPnP error or HTTP status.
    Refused {
        code: u16,
    },
    NoAnswer,
}

#[derive(Debug, Clone, Copy)]
enum Scope {
    Whole,
    Entry { external_port: NonZeroU16, transport: Transport },
}

/// Asks one service for its table, or for one entry of it.
#[derive(Debug)]
pub struct Reader {
    control: Control,
    scope: Scope,
    index: u16,
    tries: u8,
    entries: Vec<PortMappingEntry>,
    /// By what the standard tells entries apart: remote host, external port, protocol.
    seen: BTreeSet<[String; 3]>,
    exchanges: Exchanges<()>,
    events: VecDeque<Table>,
}

impl Reader {
    /// `internal` is this host's address on the gateway's link.
    #[must_use]
    pub fn of_table(control: Control, internal: IpAddr, now: Instant) -> Self {
        Self::new(control, internal, Scope::Whole, now)
    }

    /// Whoever has that port; no entry if nobody has.
    #[must_use]
    pub fn of_entry(
        control: Control,
        internal: IpAddr,
        external_port: NonZeroU16,
        transport: Transport,
        now: Instant,
    ) -> Self {
        Self::new(control, internal, Scope::Entry { external_port, transport }, now)
    }

    fn new(control: Control, internal: IpAddr, scope: Scope, now: Instant) -> Self {
        let mut reader = Self {
            control,
            scope,
            index: 0,
            tries: 0,
            entries: Vec::new(),
            seen: BTreeSet::new(),
            exchanges: Exchanges::new(internal),
            events: VecDeque::new(),
        };
        reader.ask(now);
        reader
    }

    /// What has been read so far, should nobody wait any longer.
    #[must_use]
    pub fn so_far(&self) -> Table {
        Table { entries: self.entries.clone(), end: End::NoAnswer }
    }

    fn ask(&mut self, now: Instant) {
        let service_type = &self.control.service_type;
        let call = match self.scope {
            Scope::Whole => soap::get_generic_port_mapping_entry(service_type, self.index),
            Scope::Entry { external_port, transport } => {
                soap::get_specific_port_mapping_entry(service_type, external_port, transport)
            }
        };
        let request = http::post(&self.control.url, &call.action_header, &call.body);
        self.tries += 1;
        self.exchanges.ask(&self.control.url, request, (), IfBroken::Tell, Duration::ZERO, now);
    }

    fn answer(&mut self, reply: Result<Reply, NoReply>, now: Instant) {
        let Ok(reply) = reply else {
            return if self.tries < TRIES_PER_ENTRY { self.ask(now) } else { self.conclude(End::NoAnswer) };
        };
        match soap::parse_reply(reply.status, &reply.body) {
            Ok(reply) => self.take(&reply, now),
            Err(Fault::Upnp { code, .. }) if END_OF_TABLE.contains(&code) => self.conclude(End::Complete),
            Err(Fault::Upnp { code, .. } | Fault::Http(code)) => self.conclude(End::Refused { code }),
            Err(Fault::Malformed { .. }) => self.conclude(End::NoAnswer),
        }
    }

    /// An entry that cannot be read does not hide those behind it.
    fn take(&mut self, reply: &soap::Reply, now: Instant) {
        let entry = soap::port_mapping_entry(reply);
        if let Scope::Entry { external_port, transport } = self.scope {
            let (external_port, transport) = (Some(external_port.get()), Some(transport));
            self.entries.extend(entry.ok().map(|it| PortMappingEntry { external_port, transport, ..it }));
            return self.conclude(End::Complete);
        }
        let key = ["NewRemoteHost", "NewExternalPort", "NewProtocol"];
        let key = key.map(|name| reply.argument(name).unwrap_or_default().to_owned());
        if !self.seen.insert(key) {
            return self.conclude(End::Complete);
        }
        match entry {
            Ok(entry) => self.entries.push(entry),
            Err(error) => tracing::debug!(index = self.index, %error, "an entry that cannot be read"),
        }
        self.index += 1;
        self.tries = 0;
        match self.index {
            ENTRIES_MAXIMUM => self.conclude(End::TooLong),
            _ => self.ask(now),
        }
    }

    fn conclude(&mut self, end: End) {
        self.events.push_back(Table { entries: std::mem::take(&mut self.entries), end });
    }
}

impl StateMachine for Reader {
    type Event = Table;

    fn handle_datagram(&mut self, _socket: Socket, _from: SocketAddr, _payload: &[u8], _now: Instant) {}

    fn handle_unreachable(&mut self, _socket: Socket, _now: Instant) {}

    fn handle_exchange(&mut self, id: ExchangeId, input: ExchangeInput<'_>, now: Instant) {
        if let Some(((), reply)) = self.exchanges.handle_input(id, input, now) {
            self.answer(reply, now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(((), reply)) = self.exchanges.next_ended(now) {
            self.answer(reply, now);
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        None
    }

    fn poll_exchange(&mut self) -> Option<Exchange> {
        self.exchanges.poll_start()
    }

    fn poll_close(&mut self) -> Option<ExchangeId> {
        self.exchanges.poll_close()
    }

    fn poll_event(&mut self) -> Option<Table> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.exchanges.poll_timeout()
    }
}

#[cfg(test)]
mod tests;
