//! One HTTP connection: a request is read, then its answer written as planned.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use crate::upnp::RawRequest;

const BUFFER_BYTES: usize = 64 * 1024;

/// What an endless answer goes on with.
const FILLER: [u8; 16 * 1024] = [b' '; 16 * 1024];

/// A client that takes everything at once must not keep the others waiting.
const WRITES_PER_TURN: usize = 64;

/// How an answer is written.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) bytes: Vec<u8>,
    pub(crate) delay: Duration,
    /// One byte in each such time.
    pub(crate) pace: Option<Duration>,
    pub(crate) endless: bool,
    pub(crate) end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Close,
    HoldOpen,
    Reset,
}

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Reading(RawRequest),
    Writing { plan: Plan, written: usize, next: Instant },
}

impl Connection {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, peer, phase: Phase::Reading(RawRequest::default()) })
    }

    /// Also hears the client leave.
    pub(super) fn descriptor(&self) -> PollFd<'_> {
        let writes = match &self.phase {
            Phase::Writing { plan, written, .. } => {
                plan.pace.is_none() && *written > 0 && (*written < plan.bytes.len() || plan.endless)
            }
            Phase::Reading(_) => false,
        };
        let interest = if writes { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        PollFd::new(&self.stream, interest)
    }

    /// When the next byte is to be written, where that is not as soon as possible.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Writing { plan, written, next } => {
                let waits = plan.pace.is_some() || *written == 0;
                (waits && *written < plan.bytes.len()).then_some(*next)
            }
            Phase::Reading(_) => None,
        }
    }

    /// Whether the connection goes on.
    pub(super) fn progress(
        &mut self,
        now: Instant,
        answer: impl FnOnce(SocketAddr, &RawRequest) -> Plan,
    ) -> bool {
        if self.read().is_err() {
            return false;
        }
        if let Phase::Reading(request) = &self.phase
            && request.is_complete()
        {
            let plan = answer(self.peer, request);
            let next = now + plan.delay;
            self.phase = Phase::Writing { plan, written: 0, next };
        }
        self.write(now).unwrap_or(false)
    }

    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; BUFFER_BYTES];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    if let Phase::Reading(request) = &mut self.phase {
                        request.push(&buffer[..length]);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn write(&mut self, now: Instant) -> io::Result<bool> {
        let Phase::Writing { plan, written, next } = &mut self.phase else { return Ok(true) };
        for _ in 0..WRITES_PER_TURN {
            if *written >= plan.bytes.len() && !plan.endless {
                return self.finish();
            }
            if now < *next {
                return Ok(true);
            }
            let rest = plan.bytes.get(*written..).filter(|rest| !rest.is_empty()).unwrap_or(&FILLER);
            let rest = if plan.pace.is_some() { &rest[..1] } else { rest };
            match self.stream.write(rest) {
                Ok(length) => *written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if let Some(pace) = plan.pace {
                *next = now + pace;
            }
        }
        Ok(true)
    }

    fn finish(&self) -> io::Result<bool> {
        let Phase::Writing { plan, .. } = &self.phase else { return Ok(true) };
        if plan.end == End::Reset {
            socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?;
        }
        Ok(plan.end == End::HoldOpen)
    }
}
