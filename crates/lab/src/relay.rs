//! Delays and slows frames: a thread that carries them between two TAP interfaces, each way through a delay line.
//!
//! The kernel of a test machine need not have `tc netem`. A TAP rather than a packet socket, because the kernel
//! completes checksums and cuts what it had joined before it hands a frame to one.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use crate::delay_line::{DelayLine, Pace};
use crate::wait::now;

/// An Ethernet frame, with room to spare.
const LONGEST_FRAME: usize = 2048;

/// Ends, with its TAP interfaces, on drop.
#[derive(Debug)]
pub(crate) struct Relay {
    paces: Arc<Mutex<[Pace; 2]>>,
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Makes two TAP interfaces in the calling thread's network, which last as long as the relay.
    pub(crate) fn between(names: [&str; 2]) -> Result<Self> {
        let taps = [tap(names[0])?, tap(names[1])?];
        let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC)?;
        let paces = Arc::new(Mutex::new([Pace::AT_ONCE; 2]));
        let carrier = Carrier { taps, lines: Default::default(), paces: Arc::clone(&paces), stopped };
        let thread = thread::spawn(move || carrier.carry());
        Ok(Self { paces, stop: Some(stop), thread: Some(thread) })
    }

    /// How fast frames go that come from the first interface, and from the second. Holds for what comes from now on.
    pub(crate) fn keep_back(&self, paces: [Pace; 2]) {
        *self.paces.lock().unwrap_or_else(PoisonError::into_inner) = paces;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _its_panic_was_printed = thread.join();
        }
    }
}

fn tap(name: &str) -> Result<SyncDevice> {
    let making = || format!("making the TAP interface {name}");
    let tap = DeviceBuilder::new().name(name).layer(Layer::L2).build_sync().with_context(making)?;
    tap.set_nonblocking(true).with_context(making)?;
    Ok(tap)
}

struct Carrier {
    taps: [SyncDevice; 2],
    /// The first holds what came from the first interface.
    lines: [DelayLine; 2],
    paces: Arc<Mutex<[Pace; 2]>>,
    stopped: OwnedFd,
}

impl Carrier {
    fn carry(mut self) {
        while self.wait() {
            self.take_in();
            self.let_out();
        }
    }

    /// Whether to go on: until the next frame comes or is due, or the relay is dropped.
    fn wait(&self) -> bool {
        let due = self.lines.iter().filter_map(DelayLine::next_due).min();
        let timeout = due.and_then(|due| Timespec::try_from(due.saturating_duration_since(now())).ok());
        let mut sources = [
            PollFd::new(&self.stopped, PollFlags::IN),
            PollFd::new(&self.taps[0], PollFlags::IN),
            PollFd::new(&self.taps[1], PollFlags::IN),
        ];
        match poll(&mut sources, timeout.as_ref()) {
            Ok(_) => sources[0].revents().is_empty(),
            Err(error) => error == Errno::INTR,
        }
    }

    fn take_in(&mut self) {
        let mut frame = [0; LONGEST_FRAME];
        let paces = *self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        for (from, (line, pace)) in self.lines.iter_mut().zip(paces).enumerate() {
            while let Some(length) = received(self.taps[from].recv(&mut frame)) {
                line.push(now(), pace, frame[..length].to_vec());
            }
        }
    }

    fn let_out(&mut self) {
        for (from, line) in self.lines.iter_mut().enumerate() {
            while let Some(frame) = line.pop_due(now()) {
                let _lost_as_on_any_link = self.taps[1 - from].send(&frame);
            }
        }
    }
}

/// `None` when nothing waits; an interface that is gone says so to `poll`.
fn received(result: io::Result<usize>) -> Option<usize> {
    match result {
        Ok(length) => Some(length),
        Err(error) => {
            debug_assert!(error.kind() == ErrorKind::WouldBlock, "a TAP interface failed: {error}");
            None
        }
    }
}
