//! What our own client is told: the offer at once, and what the gateways open when they have.

use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::os::fd::AsFd;

use anyhow::Result;
use net::clock;
use net::wait::wait;
use rustix::event::{PollFd, PollFlags};
use system::signal::HangUpPutOff;
use wire::channel::SessionId;
use wire::offer::{Candidate, Offer};

use super::{Beginning, Begun, ask, request};
use crate::cause::{Cause, Trouble};
use crate::channel::{self, Login, Said, Session, Telling};
use crate::configuration::Configuration;
use crate::mosh_server::{ConnectLine, Detached, ProcessIdentity, Reaper, Started};
use crate::own_candidates::{OwnAddresses, OwnCandidates};
use crate::punch;
use crate::session::{FromKeeper, Link, ToKeeper};

/// What follows once offer and connect line are told, mosh-server has detached, and the keeper was asked to map its port.
struct Told {
    /// Whether anybody reads it.
    told: io::Result<()>,
    keeper: Result<Option<Link>, Trouble>,
    telling: Telling,
    own: OwnCandidates,
    process: Option<ProcessIdentity>,
    reaper: Reaper,
}

/// Hands on what mosh-server printed, with an offer before the connect line, and then what the keeper brings.
pub(super) fn give(beginning: Beginning, own: OwnAddresses) -> Result<()> {
    let early = beginning.keeper.as_ref().err().cloned();
    early.iter().for_each(report::in_one_line);
    let Told { told, keeper, mut telling, reaper, .. } = tell_at_once(beginning, own)?;
    let told = told.and_then(|()| match keeper {
        Ok(Some(link)) => OneWay { link, telling, reaper }.tell_the_rest(),
        Err(failure) if early.is_none() => {
            telling.abandon(&failure);
            tell_what_is_said(&mut telling)
        }
        Ok(None) | Err(_) => Ok(()),
    });
    match told {
        // Who closes ssh's channel has heard enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        told => Ok(told?),
    }
}

/// As [`give`], and then serves the channel. What is to be told beside is told there.
pub(super) fn give_and_serve(
    beginning: Beginning,
    own: OwnAddresses,
    id: SessionId,
    seen: Option<IpAddr>,
    configuration: Configuration,
) -> Result<()> {
    let port = beginning.started.line.port;
    let Told { told, keeper, mut telling, own, process, reaper } = tell_at_once(beginning, own)?;
    match told {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
        told => told?,
    }
    configuration.left_out.into_iter().for_each(|trouble| telling.trouble(trouble));
    let mut keeper = keeper.unwrap_or_else(|failure| {
        telling.abandon(&failure);
        None
    });
    // A filter of system calls may end who borrows. By now there is a session.
    let lent =
        keeper.as_mut().zip(process).map(|(link, process)| lend(link, process, port, configuration.punch));
    let punches = lent.unwrap_or(Ok(false)).unwrap_or_else(|trouble| {
        telling.trouble(trouble.put_into_words());
        false
    });
    let session = Session { id, port, process };
    let carry = configuration.carry;
    channel::serve(session, Login { seen, telling, own, keeper, reaper: Some(reaper), carry, punches })
}

fn tell_at_once(beginning: Beginning, own: OwnAddresses) -> Result<Told> {
    let Beginning { keeper, started: Started { line, detaching }, beside, listening, budget } = beginning;
    let port = line.port;
    let own = own.serving(port);
    let openings = match &keeper {
        Ok(Some(keeper)) => keeper.openings.clone(),
        Ok(None) | Err(_) => Vec::new(),
    };
    // Who has read the line may hang up, and the keeper does not know yet what it has to keep.
    let _until_it_does = HangUpPutOff::begin();
    let told = tell(own.present(), !openings.is_empty(), &line);
    drop(line);
    let Detached { process, behind, reaper } = detaching.wait(&beside)?;
    let identity = process.as_ref().ok().copied();
    let telling = Telling::of(openings, clock::now() + budget);
    let keeper = keeper.and_then(|keeper| asked(keeper, request(process, port, &listening)));
    let told = told.and_then(|()| behind.pass_on());
    Ok(Told { told, keeper, telling, own, process: identity, reaper })
}

fn tell(own: &[Candidate], more: bool, line: &ConnectLine) -> io::Result<()> {
    let offer = Offer { candidates: own.to_vec(), more };
    // As mosh-server does: whatever a login shell has printed, this is a line of its own.
    line.tell_behind(&format!("\r\n{}\n", offer.encode()), line.port)
}

/// Gives the keeper mosh-server's socket, and keeps no copy: whoever lives as long as the laptop likes would keep the port taken.
/// Not to a keeper that is gone, which is told elsewhere.
fn lend(keeper: &mut Link, process: ProcessIdentity, port: NonZeroU16, punch: bool) -> Result<bool, Trouble> {
    if !punch {
        return Err(Cause::NotPunched.trouble());
    }
    let socket = punch::borrow(process, port).map_err(|obstacle| Cause::NotBorrowed(obstacle).trouble())?;
    Ok(keeper.send_with(&ToKeeper::Lend, socket.as_fd()).is_ok())
}

fn asked(keeper: Option<Begun>, request: Result<ToKeeper, Trouble>) -> Result<Option<Link>, Trouble> {
    let Some(Begun { mut link, .. }) = keeper else { return Ok(None) };
    ask(&mut link, request)?;
    Ok(Some(link))
}

fn tell_what_is_said(telling: &mut Telling) -> io::Result<()> {
    while let Some(said) = telling.poll() {
        match said {
            Said::Offer(offer) => print(&offer)?,
            Said::Trouble(trouble) => report::in_one_line(&trouble),
        }
    }
    Ok(())
}

pub(super) fn print(offer: &Offer) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", offer.encode())?;
    stdout.flush()
}

struct OneWay {
    link: Link,
    telling: Telling,
    reaper: Reaper,
}

impl OneWay {
    fn tell_the_rest(mut self) -> io::Result<()> {
        loop {
            tell_what_is_said(&mut self.telling)?;
            if self.telling.is_complete() {
                return Ok(());
            }
            match self.link.receive() {
                Ok(Some(FromKeeper::Answer(answer))) => self.telling.handle_answer(answer, clock::now()),
                Ok(Some(_)) => {}
                Ok(None) => self.wait()?,
                Err(error) => self.telling.handle_end_of_keeper(&error),
            }
        }
    }

    fn wait(&mut self) -> io::Result<()> {
        let stdout = io::stdout();
        let mut sources = [
            // Of this one only errors are heard: the other end is closed.
            PollFd::new(&stdout, PollFlags::empty()),
            PollFd::new(&self.link, PollFlags::IN),
            PollFd::new(&self.reaper, PollFlags::IN),
        ];
        wait(&mut sources, self.telling.poll_timeout())?;
        let is_closed = !sources[0].revents().is_empty();
        self.reaper.reap();
        self.telling.handle_timeout(clock::now());
        if is_closed { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}
