//! Runs a real mapper against the gateway.

use std::time::Duration;

use net::{Driven, MapperSockets, clock};
use portmap::mapper::{Event, Mapper};

/// Lets `mapper` live until it tells an event that `until` is content with, and returns every event up to that one.
///
/// # Errors
/// The events that came instead, when the time is over.
///
/// # Panics
/// The kernel does not let us wait.
pub fn drive(
    mapper: &mut Mapper,
    sockets: &mut MapperSockets,
    within: Duration,
    mut until: impl FnMut(&Event) -> bool,
) -> Result<Vec<Event>, Vec<Event>> {
    let end = clock::now() + within;
    let mut events = Vec::new();
    loop {
        match net::drive(mapper, sockets, Some(end), None).expect("every descriptor is open") {
            Driven::Told(event) => {
                let wanted = until(&event);
                events.push(event);
                if wanted {
                    return Ok(events);
                }
            }
            Driven::TimeIsOver | Driven::Woken => return Err(events),
        }
    }
}
