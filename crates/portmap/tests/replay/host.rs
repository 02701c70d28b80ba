//! A host that wants a mapping from the router of a case, holds it, and gives it back.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use portmap::address::Network;
use portmap::cause::Cause;
use portmap::effects::{ExchangeInput, Reservation, Socket};
use portmap::mapper::{Event, External, Mapper, Mapping, Protocol, Settings, Wanted};
use portmap::mapping::Transport;
use portmap::{pcp, upnp};

use super::case::Case;
use super::request::Request;
use super::router::Router;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 10));
const INTERNAL_PORT: NonZeroU16 = NonZeroU16::new(60001).expect("not zero");
const LAST_PORT: NonZeroU16 = NonZeroU16::new(60999).expect("not zero");
const LEASE: Duration = Duration::from_secs(3_600);

/// Streams come in pieces of so many bytes, so that no reader may count on whole replies.
const PIECE: usize = 97;
/// Everything that a router here can bring about has come about by then.
const STEPS_MAXIMUM: usize = 10_000;

struct Host<'a> {
    mapper: Mapper,
    router: Router<'a>,
    now: Instant,
    /// The ports of what may stay behind, as it is told.
    left: Vec<u16>,
}

/// What the router is asked for, what comes of it, and what is left of it after the release.
///
/// # Errors
///
/// Names the files that were never asked for, if they are others than those that should not be.
pub(super) fn live(case: &Case) -> Result<Vec<String>, String> {
    let mut host = Host::new(case);
    let first = host.next_event();
    let mut lines = host.router.take_calls();
    lines.extend(told(&first, case.facts.gateway));
    if matches!(first, Event::Mapped(_)) {
        host.mapper.release(host.now);
        let last = host.next_event();
        lines.extend(host.router.take_calls());
        lines.extend(told(&last, case.facts.gateway));
    }
    lines.extend(host.left.iter().map(|port| format!("may stay behind: port {port}")));
    let left = host.router.ports_of(HOST);
    lines.push(format!("left in the table: {left:?}"));
    match host.router.unsent() {
        unsent if unsent == case.facts.unasked => Ok(lines),
        unsent => Err(format!("never asked for: {}\n\n{}", unsent.join(", "), lines.join("\n"))),
    }
}

/// Allowed by one rule.
const MOSH_PORTS: RangeInclusive<u16> = 60000..=61000;

fn told(event: &Event, gateway: IpAddr) -> Vec<String> {
    let cause = |what: &str, cause: &Cause| {
        vec![format!("{what}: {cause}"), format!("cure: {}", cause.remedy(&MOSH_PORTS))]
    };
    match event {
        Event::Mapped(mapping) => {
            let above = Cause::of_external_address(gateway, mapping.external_address);
            let mut lines = vec![mapped(mapping)];
            lines.extend(above.iter().flat_map(|above| cause("but", above)));
            lines
        }
        Event::Failed(why) => cause("failed", why),
        Event::Released { confirmed } => vec![format!("released, confirmed: {confirmed}")],
        other => vec![format!("{other:?}")],
    }
}

fn mapped(mapping: &Mapping) -> String {
    let address = mapping.external_address.map_or("nobody knows where".into(), |address| address.to_string());
    let lease =
        mapping.lease.map_or("until it is deleted".into(), |lease| format!("for {} s", lease.as_secs()));
    format!("mapped: {address}, port {}, {lease}", mapping.external_port())
}

impl<'a> Host<'a> {
    #[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
    fn new(case: &'a Case) -> Self {
        let now = Instant::now();
        let settings = Settings {
            internal: HOST,
            gateway: Some(case.facts.gateway),
            protocols: Protocol::ALL.to_vec(),
            remembered: None,
            description: "moshpunch alice@server 1a2b3c4d".into(),
            lease: LEASE,
            only_this_lease: false,
            search_window: upnp::SEARCH_WINDOW,
            nonce: pcp::Nonce(*b"twelve bytes"),
            seed: 1,
        };
        let mut mapper = Mapper::new(settings, now);
        mapper.handle_networks(vec![Network { address: HOST, prefix_length: 24 }]);
        let external = External::Within(INTERNAL_PORT..=LAST_PORT);
        mapper.map(Wanted { transport: Transport::Udp, internal_port: INTERNAL_PORT, external }, now);
        Self { mapper, router: Router::new(case), now, left: Vec::new() }
    }

    fn next_event(&mut self) -> Event {
        for _ in 0..STEPS_MAXIMUM {
            match self.mapper.poll_event() {
                // Written down; what comes of it is told by another.
                Some(Event::Asked(_)) => continue,
                Some(Event::Left(record)) => {
                    self.left.push(record.external_port.get());
                    continue;
                }
                Some(event) => return event,
                None => {}
            }
            if !self.perform() {
                let at = self.mapper.poll_timeout().expect("a mapper that waits says until when");
                self.now = self.now.max(at);
                self.mapper.handle_timeout(self.now);
            }
        }
        panic!("no end after {STEPS_MAXIMUM} steps");
    }

    /// Performs one effect; whether there was one.
    fn perform(&mut self) -> bool {
        let now = self.now;
        if let Some(transmit) = self.mapper.poll_transmit() {
            match transmit.socket {
                Socket::Discovery => {
                    for (from, datagram) in self.router.search_replies(&transmit) {
                        self.mapper.handle_datagram(Socket::Discovery, from, datagram, now);
                    }
                }
                // Routers here speak UPnP alone: their port 5351 is closed.
                socket => self.mapper.handle_unreachable(socket, now),
            }
        } else if let Some(exchange) = self.mapper.poll_exchange() {
            let stream = self.router.answer(&Request::read(&exchange));
            for piece in stream.chunks(PIECE) {
                self.mapper.handle_exchange(exchange.id, ExchangeInput::Received(piece), now);
            }
            self.mapper.handle_exchange(exchange.id, ExchangeInput::Ended, now);
        } else if let Some(reservation) = self.mapper.poll_reservation() {
            if let Reservation::Take(port) = reservation {
                self.mapper.handle_reservation(port, true, now);
            }
        } else {
            return self.mapper.poll_close().is_some();
        }
        true
    }
}
