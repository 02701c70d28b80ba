//! Deletes a mapping that another process made.

use std::time::{Duration, Instant};

use anyhow::Result;
use net::{Driven, MapperSockets, clock, drive};
use portmap::mapper::{Event, Mapper, Record, Settings};
use portmap::upnp::SEARCH_WINDOW;

use crate::state::saved_mapping::SavedMapping;

/// Whether the gateway confirmed it. What has become somebody else's is left alone.
pub(crate) fn release(mapping: &SavedMapping, description: &str, deadline: Option<Instant>) -> Result<bool> {
    let settings = Settings {
        internal: mapping.internal,
        gateway: Some(mapping.gateway),
        protocols: Vec::new(),
        remembered: None,
        description: description.into(),
        lease: Duration::ZERO,
        only_this_lease: false,
        search_window: SEARCH_WINDOW,
        nonce: mapping.nonce(),
        seed: 0,
    };
    let mut sockets = MapperSockets::open(mapping.internal, Some(mapping.gateway))?;
    let mut mapper = Mapper::resume(settings, mapping.record()?, clock::now());
    mapper.release(clock::now());
    Ok(released(&mut mapper, &mut sockets, deadline)?.confirmed)
}

/// How a release has ended.
pub(crate) struct Released {
    /// By the gateway.
    pub(crate) confirmed: bool,
    /// What may still be there.
    pub(crate) left: Vec<Record>,
}

impl Released {
    fn note(&mut self, event: Event) {
        match event {
            Event::Left(record) => self.left.push(record),
            Event::Released { confirmed } => self.confirmed = confirmed,
            _ => {}
        }
    }
}

/// Waits until nothing more is given back, by a mapper that was released or has failed.
pub(crate) fn released(
    mapper: &mut Mapper,
    sockets: &mut MapperSockets,
    deadline: Option<Instant>,
) -> Result<Released> {
    let mut released = Released { confirmed: false, left: Vec::new() };
    loop {
        while let Some(event) = mapper.poll_event() {
            released.note(event);
        }
        if mapper.has_ended() {
            return Ok(released);
        }
        match drive(mapper, sockets, deadline, None)? {
            Driven::Told(event) => released.note(event),
            Driven::TimeIsOver | Driven::Woken => {
                released.left.extend(mapper.unresolved().cloned());
                return Ok(released);
            }
        }
    }
}
