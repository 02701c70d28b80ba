//! Runs a real mapper against the gateway.

use std::time::Duration;

use net::{MapperSockets, clock, wait};
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
        sockets.perform(mapper, clock::now());
        while let Some(event) = mapper.poll_event() {
            let wanted = until(&event);
            events.push(event);
            if wanted {
                return Ok(events);
            }
        }
        if clock::now() >= end {
            return Err(events);
        }
        let deadline = mapper.poll_timeout().map_or(end, |timeout| timeout.min(end));
        wait::wait(&mut sockets.descriptors(), Some(deadline)).expect("every descriptor is open");
        let now = clock::now();
        sockets.receive(mapper, now);
        if mapper.poll_timeout().is_some_and(|timeout| timeout <= now) {
            mapper.handle_timeout(now);
        }
    }
}
