//! A mapper and its sockets on a host of the lab, with a clock that can be put forward.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use lab::Host;
use net::interfaces::Attachment;
use net::{MapperSockets, clock, wait};
use portmap::mapper::{Event, External, Mapper, Mapping, Protocol, Record, Settings, Wanted};
use portmap::mapping::Transport;
use portmap::pcp::Nonce;
use portmap::upnp::SEARCH_WINDOW;

use crate::LIMIT;
use crate::home::{PORT, SERVER};

pub(crate) const LEASE: Duration = Duration::from_secs(600);
pub(crate) const NONCE: Nonce = Nonce(*b"twelve bytes");

pub(crate) struct Keeper {
    host: Host,
    mapper: Mapper,
    sockets: MapperSockets,
    skipped: Duration,
}

impl Keeper {
    /// Asks for the pinhole.
    pub(crate) fn start(host: &Host, protocol: Protocol) -> Result<Self> {
        let (sockets, settings) = prepare(host, protocol)?;
        let mut mapper = Mapper::new(settings, clock::now());
        let internal_port = NonZeroU16::new(PORT).context("a port")?;
        let external = External::Near(internal_port..=internal_port);
        mapper.map(Wanted { transport: Transport::Udp, internal_port, external }, clock::now());
        Ok(Self { host: host.clone(), mapper, sockets, skipped: Duration::ZERO })
    }

    /// Knows of the pinhole what was written down.
    pub(crate) fn resume(host: &Host, record: Record) -> Result<Self> {
        let (sockets, settings) = prepare(host, record.protocol)?;
        let mapper = Mapper::resume(settings, record, clock::now());
        Ok(Self { host: host.clone(), mapper, sockets, skipped: Duration::ZERO })
    }

    pub(crate) fn mapped(&mut self) -> Result<Mapping> {
        match self.next_event()? {
            Event::Mapped(mapping) => Ok(mapping),
            other => bail!("expected to be mapped, got {other:?}"),
        }
    }

    pub(crate) fn renewed(&mut self) -> Result<Mapping> {
        match self.next_event()? {
            Event::Renewed(mapping) => Ok(mapping),
            other => bail!("expected to be renewed, got {other:?}"),
        }
    }

    /// Whether the router confirms it.
    pub(crate) fn release(&mut self) -> Result<bool> {
        let now = self.now();
        self.mapper.release(now);
        match self.next_event()? {
            Event::Released { confirmed } => Ok(confirmed),
            other => bail!("expected to be released, got {other:?}"),
        }
    }

    /// As if that time had passed, for the mapper alone.
    pub(crate) fn skip(&mut self, time: Duration) {
        self.skipped += time;
    }

    fn now(&self) -> Instant {
        clock::now() + self.skipped
    }

    fn next_event(&mut self) -> Result<Event> {
        let host = self.host.clone();
        host.inside(|| {
            let end = self.now() + LIMIT;
            loop {
                self.sockets.perform(&mut self.mapper, clock::now() + self.skipped);
                match self.mapper.poll_event() {
                    // Nobody writes anything down here.
                    Some(Event::Asked(_) | Event::Left(_)) => continue,
                    Some(event) => return Ok(event),
                    None => {}
                }
                ensure!(self.now() < end, "nothing happened in {LIMIT:?}");
                let deadline = self.mapper.poll_timeout().map_or(end, |timeout| end.min(timeout));
                wait::wait(&mut self.sockets.descriptors(), Some(deadline - self.skipped))?;
                let now = self.now();
                self.sockets.receive(&mut self.mapper, now);
                self.mapper.handle_timeout(now);
            }
        })
    }
}

fn prepare(host: &Host, protocol: Protocol) -> Result<(MapperSockets, Settings)> {
    let internal: IpAddr = SERVER.parse()?;
    let attachment = host.inside(|| Ok(Attachment::read()?))?;
    let gateway = attachment.gateway_v6().context("no gateway")?;
    ensure!(attachment.faces(internal, gateway.address), "{attachment:?}");
    let gateway = Some(gateway.address);
    let settings = Settings {
        internal,
        gateway,
        protocols: vec![protocol],
        remembered: None,
        description: "moshpunch alice@server 1a2b3c4d".into(),
        lease: LEASE,
        only_this_lease: false,
        search_window: SEARCH_WINDOW,
        nonce: NONCE,
        seed: 1,
    };
    Ok((host.inside(|| Ok(MapperSockets::open(internal, gateway)?))?, settings))
}
