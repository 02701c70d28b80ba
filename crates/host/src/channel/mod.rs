//! The host's end of the channel, in the process that ssh runs: see [`wire::channel`].
//!
//! It carries datagrams between the laptop and mosh-server, and tells what the keeper finds and which addresses this host gets, for as long as the session lives
//! or until the laptop comes by another login. A keeper that is gone leaves a channel as it is.

mod host_end;
mod line;
mod mosh_socket;
mod telling;

use std::net::IpAddr;
use std::num::NonZeroU16;

use anyhow::{Context, Result};
use net::clock;
use net::wait::wait;
use rustix::event::{PollFd, PollFlags};
use wire::channel::credit::WINDOW;
use wire::channel::{Carrying, Hello, SessionId};
use wire::datagram;

use self::host_end::{Act, HostEnd};
use self::line::{Line, Read};
use self::mosh_socket::MoshSocket;
use crate::cause::{Cause, Trouble};
use crate::mosh_server::{self, ProcessIdentity, Reaper, Watched};
use crate::own_candidates::OwnCandidates;
use crate::punch::NoRound;
use crate::session::{FromKeeper, Link, ToKeeper};

pub(crate) use self::host_end::Reason;
pub(crate) use self::telling::{Said, Telling, opened};

/// Of each source in one turn, so that a flood of one leaves the others their turns.
const AT_ONCE: usize = 32;

/// The session that a channel is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) port: NonZeroU16,
    /// mosh-server, where it is known.
    pub(crate) process: Option<ProcessIdentity>,
}

/// What a login brings to its channel.
pub(crate) struct Login {
    /// From where ssh came.
    pub(crate) seen: Option<IpAddr>,
    pub(crate) telling: Telling,
    /// What of this host's own has been told.
    pub(crate) own: OwnCandidates,
    pub(crate) keeper: Option<Link>,
    /// Where this process is mosh-server's parent.
    pub(crate) reaper: Option<Reaper>,
    /// Whether the configuration lets datagrams go over ssh.
    pub(crate) carry: bool,
    /// Whether the keeper has mosh-server's socket, and the configuration lets openers go out there.
    pub(crate) punches: bool,
}

/// Serves it until it ends.
///
/// # Errors
///
/// There is no channel to be had.
pub(crate) fn serve(session: Session, mut login: Login) -> Result<()> {
    let line = Line::open().context("ssh's channel")?;
    let socket = match mosh_socket(session, login.carry) {
        Ok(socket) => Some(socket),
        Err(trouble) => {
            login.telling.trouble(trouble.put_into_words());
            None
        }
    };
    let hello = Hello {
        session: session.id,
        window: WINDOW,
        seen: login.seen,
        carrying: if socket.is_some() { Carrying::Offered } else { Carrying::Refused },
        punches: login.punches && login.keeper.is_some(),
    };
    let mut channel = Channel {
        end: HostEnd::new(hello, login.telling, clock::now()),
        line,
        socket,
        own: login.own,
        keeper: login.keeper,
        reaper: login.reaper,
        mosh_server: None,
    };
    channel.watch(session.process);
    channel.run()
}

fn mosh_socket(session: Session, carry: bool) -> Result<MoshSocket, Trouble> {
    if !carry {
        return Err(Cause::NotCarried.trouble());
    }
    let unreachable = |what: String| Cause::Uncarried(what).trouble();
    let Session { port, process, .. } = session;
    let address = mosh_server::address(process, port);
    let address = address.ok_or_else(|| unreachable(format!("nobody listens on its UDP port {port}")))?;
    MoshSocket::open(address, port).map_err(|error| unreachable(format!("{address}: {error}")))
}

struct Channel {
    end: HostEnd,
    line: Line,
    socket: Option<MoshSocket>,
    own: OwnCandidates,
    keeper: Option<Link>,
    reaper: Option<Reaper>,
    mosh_server: Option<Watched>,
}

/// What there is to look after.
#[derive(Debug, Default)]
struct Ready {
    input: bool,
    output: bool,
    nobody_reads: bool,
}

impl Channel {
    fn watch(&mut self, process: Option<ProcessIdentity>) {
        let Some(process) = process else { return };
        self.mosh_server = Watched::new(process);
        if self.mosh_server.is_none() {
            self.end.close(Reason::Ended, clock::now());
        }
    }

    fn run(mut self) -> Result<()> {
        loop {
            // 1. Say what there is to say, a line after the other.
            if self.line.is_written()
                && let Some(line) = self.end.poll_line(clock::now())
            {
                self.line.say(line);
            }
            if self.end.is_over(self.line.is_written(), clock::now()) {
                return Ok(());
            }
            // 2. Wait, once everything that changes the deadline is done.
            let ready = self.wait()?;
            if ready.nobody_reads || (ready.output && self.line.write().is_err()) {
                self.end.handle_end_of_output();
            }
            // 3. Hand over what came in.
            if ready.input {
                self.handle_input();
            }
            self.receive();
            self.handle_keeper();
            self.end.handle_own_candidates(self.own.new_ones(clock::now()));
            self.handle_end_of_mosh_server();
            // 4. Fire the timers.
            self.end.handle_timeout(clock::now());
        }
    }

    fn wait(&self) -> Result<Ready> {
        let input = self.end.listens().then(|| self.line.input());
        let socket = self.socket.as_ref().map(MoshSocket::descriptor);
        let keeper = self.keeper.as_ref().map(|keeper| PollFd::new(keeper, PollFlags::IN));
        let reaper = self.reaper.as_ref().map(|reaper| PollFd::new(reaper, PollFlags::IN));
        let mosh_server = self.mosh_server.as_ref().map(Watched::descriptor);
        let mut descriptors = vec![self.line.output()];
        descriptors.extend(input);
        let others = descriptors.len();
        descriptors
            .extend([socket, keeper, reaper, mosh_server, self.own.descriptor()].into_iter().flatten());
        let deadline = self.end.poll_timeout().into_iter().chain(self.own.poll_timeout()).min();
        wait(&mut descriptors, deadline)?;
        let output = descriptors[0].revents();
        Ok(Ready {
            input: descriptors[1..others].iter().any(|input| !input.revents().is_empty()),
            output: output.contains(PollFlags::OUT),
            nobody_reads: output.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL),
        })
    }

    fn handle_input(&mut self) {
        match self.line.read() {
            Read::Bytes(bytes) => {
                let acts = self.end.handle_input(&bytes, clock::now());
                acts.into_iter().for_each(|act| self.perform(act));
            }
            Read::Nothing => {}
            Read::End => self.end.handle_end_of_input(),
        }
    }

    fn perform(&mut self, act: Act) {
        match act {
            Act::Deliver { tos, datagram } => {
                self.socket.iter().for_each(|socket| socket.send(tos, &datagram));
            }
            // A keeper that is gone knows no older channels.
            Act::Supersede => drop(self.tell_keeper(&ToKeeper::Delivered)),
            Act::Punch { round, cookie, to, stun } => {
                if self.tell_keeper(&ToKeeper::Punch { round, cookie, to, stun }).is_err() {
                    self.end.handle_punched(round, Err(NoRound::Unable));
                }
            }
        }
    }

    fn tell_keeper(&mut self, message: &ToKeeper) -> Result<()> {
        self.keeper.as_mut().context("no keeper any more")?.send(message)
    }

    fn receive(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        let mut buffer = [0; datagram::LONGEST];
        for _ in 0..AT_ONCE {
            let Some(received) = socket.receive(&mut buffer) else { return };
            self.end.handle_datagram(received.tos, &buffer[..received.length], clock::now());
        }
    }

    fn handle_keeper(&mut self) {
        for _ in 0..AT_ONCE {
            let Some(keeper) = &mut self.keeper else { return };
            match keeper.receive() {
                Ok(Some(FromKeeper::Answer(answer))) => self.end.handle_answer(answer, clock::now()),
                Ok(Some(FromKeeper::Trouble(trouble))) => self.end.handle_trouble(trouble.put_into_words()),
                Ok(Some(FromKeeper::Punched { round, outcome })) => self.end.handle_punched(round, outcome),
                Ok(Some(FromKeeper::Superseded)) => self.end.close(Reason::Superseded, clock::now()),
                Ok(Some(FromKeeper::Hears | FromKeeper::Session { .. })) => {}
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, "no keeper any more");
                    self.end.handle_end_of_keeper(&error);
                    self.keeper = None;
                }
            }
        }
    }

    fn handle_end_of_mosh_server(&mut self) {
        self.reaper.iter_mut().for_each(|reaper| drop(reaper.reap()));
        if self.mosh_server.as_ref().is_some_and(Watched::has_ended) {
            self.mosh_server = None;
            self.end.close(Reason::Ended, clock::now());
        }
    }
}
