//! What our own client is told: the offer at once, and what the gateways open when they have.

use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::os::fd::AsFd;
use std::time::Instant;

use anyhow::Result;
use net::clock;
use net::wait::wait;
use rustix::event::{PollFd, PollFlags};
use wire::offer::{Candidate, Offer};

use super::{Begun, ask};
use crate::cause::{Cause, Trouble};
use crate::channel::{self, Login, Said, Session, Telling};
use crate::configuration::Configuration;
use crate::mosh_server::{Printed, ProcessIdentity, Reaper};
use crate::own_candidates::{self, OwnCandidates};
use crate::punch;
use crate::session::{FromKeeper, Link, Opening, ToKeeper};

/// A session that has begun, and what is known of the keeper that is to look after it.
pub(super) struct Beginning {
    pub(super) keeper: Result<Option<Begun>, Trouble>,
    pub(super) request: Result<ToKeeper, Trouble>,
    pub(super) printed: Printed,
    /// Until when the keeper's answers are waited for.
    pub(super) deadline: Instant,
    pub(super) reaper: Reaper,
}

/// Hands on what mosh-server printed, with an offer before the connect line, and then what the keeper brings.
pub(super) fn give(beginning: Beginning) -> Result<()> {
    let Beginning { keeper, request, printed, deadline, reaper } = beginning;
    let (keeper, failure) = asked(keeper, request);
    failure.iter().for_each(report::in_one_line);
    let telling = Telling::of(openings(keeper.as_ref()), deadline);
    let own = own_candidates::of(printed.port()).unwrap_or_default();
    let told = tell_at_once(&own, !telling.is_complete(), printed).and_then(|()| match keeper {
        Some(Begun { link, .. }) => OneWay { link, telling, reaper }.tell_the_rest(),
        None => Ok(()),
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
    session: Session,
    seen: Option<IpAddr>,
    configuration: Configuration,
) -> Result<()> {
    let Beginning { keeper, request, printed, deadline, reaper } = beginning;
    let (mut keeper, failure) = asked(keeper, request);
    let mut telling = Telling::of(openings(keeper.as_ref()), deadline);
    let failure = failure.as_ref().map(Trouble::put_into_words);
    configuration.left_out.into_iter().chain(failure).for_each(|trouble| telling.trouble(trouble));
    let own = OwnCandidates::read(printed.port());
    match tell_at_once(own.present(), !telling.is_complete(), printed) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
        told => told?,
    }
    // A filter of system calls may end who borrows. By now there is a session.
    let lent = keeper
        .as_mut()
        .zip(session.process)
        .map(|(Begun { link, .. }, process)| lend(link, process, session.port, configuration.punch));
    let punches = lent.unwrap_or(Ok(false)).unwrap_or_else(|trouble| {
        telling.trouble(trouble.put_into_words());
        false
    });
    let keeper = keeper.map(|Begun { link, .. }| link);
    let carry = configuration.carry;
    channel::serve(session, Login { seen, telling, own, keeper, reaper: Some(reaper), carry, punches })
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

fn asked(
    keeper: Result<Option<Begun>, Trouble>,
    request: Result<ToKeeper, Trouble>,
) -> (Option<Begun>, Option<Trouble>) {
    let keeper = keeper.and_then(|keeper| {
        let Some(mut begun) = keeper else { return Ok(None) };
        ask(&mut begun.link, request).map(|()| Some(begun))
    });
    keeper.map_or_else(|failure| (None, Some(failure)), |keeper| (keeper, None))
}

fn openings(keeper: Option<&Begun>) -> Vec<Opening> {
    keeper.map(|keeper| keeper.openings.clone()).unwrap_or_default()
}

fn tell_at_once(own: &[Candidate], more: bool, printed: Printed) -> io::Result<()> {
    let port = printed.port();
    let offer = Offer { candidates: own.to_vec(), more };
    let mut stdout = io::stdout().lock();
    // As mosh-server does: whatever a login shell has printed, this is a line of its own.
    write!(stdout, "\r\n{}\n", offer.encode())?;
    stdout.flush()?;
    printed.pass_on(port)
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
            while let Some(said) = self.telling.poll() {
                match said {
                    Said::Offer(offer) => print(&offer)?,
                    Said::Trouble(trouble) => report::in_one_line(&trouble),
                }
            }
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
