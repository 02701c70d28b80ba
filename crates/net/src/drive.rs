//! Lets one state machine live until it tells something.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use portmap::effects::StateMachine;
use rustix::event::{PollFd, PollFlags};

use crate::clock;
use crate::{Alarm, MapperSockets};

/// Why the driving stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Driven<E> {
    Told(E),
    /// The deadline has passed.
    TimeIsOver,
    /// There is something to read from the other descriptor.
    Woken,
}

/// Drives `machine` until it tells an event, until `deadline`, or until `wake` can be read.
///
/// # Errors
///
/// The kernel does not let us wait.
pub fn drive<M: StateMachine>(
    machine: &mut M,
    sockets: &mut MapperSockets,
    deadline: Option<Instant>,
    wake: Option<BorrowedFd<'_>>,
) -> io::Result<Driven<M::Event>> {
    let alarm = Alarm::new()?;
    loop {
        // 1. Do what the machine asks for, which frees whatever it has done with.
        sockets.perform(machine, clock::now());
        // 2. Pass on what it tells.
        if let Some(event) = machine.poll_event() {
            return Ok(Driven::Told(event));
        }
        if deadline.is_some_and(|deadline| clock::now() >= deadline) {
            return Ok(Driven::TimeIsOver);
        }
        // 3. Wait, once everything that changes the deadline is done.
        let mut descriptors = sockets.descriptors();
        descriptors.extend(wake.map(|wake| PollFd::from_borrowed_fd(wake, PollFlags::IN)));
        alarm.wait(&mut descriptors, machine.poll_timeout().into_iter().chain(deadline).min())?;
        let woken = wake.is_some() && descriptors.last().is_some_and(|last| !last.revents().is_empty());
        // 4. Hand over what came in.
        sockets.receive(machine, clock::now());
        // 5. Fire the timers.
        machine.handle_timeout(clock::now());
        if woken {
            return Ok(Driven::Woken);
        }
    }
}
