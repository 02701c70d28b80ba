//! A host behind the gateway that runs the real mapper.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;
use std::time::Duration;

use fake_gateway::{FakeGateway, drive};
use net::{MapperSockets, clock};
use portmap::mapper::{Event, External, Mapper, Protocol, Settings, Wanted};
use portmap::mapping::Transport;
use portmap::pcp::Nonce;
use portmap::upnp::{EXCHANGE_TIMEOUT_ONCE_HEARD, SEARCH_WINDOW};

/// A search that finds nothing, two exchanges that are cut, and as much again for a busy machine.
pub(crate) const WITHIN: Duration = SEARCH_WINDOW
    .saturating_add(EXCHANGE_TIMEOUT_ONCE_HEARD)
    .saturating_add(EXCHANGE_TIMEOUT_ONCE_HEARD)
    .saturating_add(Duration::from_secs(20));

pub(crate) struct Host {
    pub(crate) address: Ipv4Addr,
    pub(crate) mapper: Mapper,
    sockets: MapperSockets,
}

impl Host {
    pub(crate) fn behind(gateway: &FakeGateway, number: u8) -> Self {
        Self::with_lease(gateway, number, Duration::from_secs(3_600))
    }

    pub(crate) fn with_lease(gateway: &FakeGateway, number: u8, lease: Duration) -> Self {
        Self::start(Settings { lease, ..settings(gateway, number) })
    }

    pub(crate) fn speaking(gateway: &FakeGateway, number: u8, protocols: &[Protocol]) -> Self {
        Self::start(Settings { protocols: protocols.to_vec(), ..settings(gateway, number) })
    }

    pub(crate) fn speaking_with_lease(
        gateway: &FakeGateway,
        number: u8,
        protocols: &[Protocol],
        lease: Duration,
    ) -> Self {
        Self::start(Settings { lease, protocols: protocols.to_vec(), ..settings(gateway, number) })
    }

    fn start(settings: Settings) -> Self {
        let sockets = MapperSockets::open(settings.internal, settings.gateway).expect("127/8 is this host's");
        let IpAddr::V4(address) = settings.internal else { panic!("127/8 is IPv4") };
        Self { address, sockets, mapper: Mapper::new(settings, clock::now()) }
    }

    /// Asks for that port or another one of mosh's, and tells how it ended.
    pub(crate) fn map(&mut self, internal: u16) -> Vec<String> {
        let range = port(60001)..=port(60999);
        let wanted = Wanted {
            transport: Transport::Udp,
            internal_port: port(internal),
            external: External::Near(range),
        };
        self.mapper.map(wanted, clock::now());
        self.told(|event| matches!(event, Event::Mapped(_) | Event::Failed(_)))
    }

    /// Waits until the mapping has been renewed, or made again.
    pub(crate) fn renew(&mut self) -> Vec<String> {
        self.told(|event| matches!(event, Event::Renewed(_) | Event::Changed(_)))
    }

    pub(crate) fn release(&mut self) -> Vec<String> {
        self.mapper.release(clock::now());
        self.told(|event| matches!(event, Event::Released { .. }))
    }

    /// Everything up to that event, which has to come in time.
    fn told(&mut self, until: impl FnMut(&Event) -> bool) -> Vec<String> {
        let events = drive(&mut self.mapper, &mut self.sockets, WITHIN, until);
        let events = events.expect("an end within the time-outs");
        events.iter().filter(|event| !matches!(event, Event::Asked(_))).map(text).collect()
    }
}

/// UPnP alone, unless said otherwise.
fn settings(gateway: &FakeGateway, number: u8) -> Settings {
    Settings {
        internal: gateway.host(number).into(),
        gateway: Some(gateway.address().into()),
        protocols: vec![Protocol::Upnp],
        remembered: None,
        description: format!("moshpunch alice@host{number} 1a2b3c4d"),
        lease: Duration::from_secs(3_600),
        only_this_lease: false,
        search_window: SEARCH_WINDOW,
        nonce: Nonce([number; 12]),
        seed: number.into(),
    }
}

pub(crate) fn port(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("not 0")
}

fn text(event: &Event) -> String {
    match event {
        Event::Asked(record) => format!("asked {}", record.external_port),
        Event::Left(record) => format!("left {}", record.external_port),
        Event::Mapped(mapping) => match mapping.external_address {
            Some(address) => format!("mapped {address}:{}", mapping.external_port()),
            None => format!("mapped ?:{}", mapping.external_port()),
        },
        Event::Renewed(mapping) => format!("renewed {}", mapping.external_port()),
        Event::Changed(mapping) => format!("changed {}", mapping.external_port()),
        Event::Lost(cause) => format!("lost: {cause}"),
        Event::Failed(cause) => format!("failed: {cause}"),
        Event::Released { confirmed } => format!("released, confirmed {confirmed}"),
    }
}
