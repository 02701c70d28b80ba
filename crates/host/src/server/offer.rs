//! What our own client is told: the offer at once, and what the gateways open when they have.

use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use anyhow::Result;
use net::interfaces::Attachment;
use net::own_addresses::{self, OwnAddress};
use net::wait::wait;
use net::{bound, clock};
use rustix::event::{PollFd, PollFlags};
use wire::offer::{Candidate, Kind, MOST_CANDIDATES, Offer};

use super::{Begun, ask, broken};
use crate::cause::{Cause, Trouble};
use crate::mosh_server::{Printed, Reaper};
use crate::server::candidates::{self, Served};
use crate::session::{Answer, FromKeeper, Link, Mapped, Opening, ToKeeper};

/// How long the address of a mapping is waited for that came without: the keeper asks for it again within four seconds.
const PATIENCE_FOR_AN_ADDRESS: Duration = Duration::from_secs(6);

/// What gateways open comes behind these, and is not to be cut off.
const MOST_OWN: usize = MOST_CANDIDATES - 4;

/// Hands on what mosh-server printed, with an offer before the connect line, and then what the keeper brings.
pub(super) fn give(
    keeper: Result<Option<Begun>, Trouble>,
    request: Result<ToKeeper, Trouble>,
    printed: Printed,
    deadline: Instant,
    reaper: Reaper,
) -> Result<()> {
    let keeper = keeper.and_then(|keeper| {
        let Some(mut begun) = keeper else { return Ok(None) };
        ask(&mut begun.link, request).map(|()| Some(begun))
    });
    let (keeper, failure) = keeper.map_or_else(|failure| (None, Some(failure)), |keeper| (keeper, None));
    failure.iter().for_each(report::in_one_line);
    let told = tell_at_once(keeper.is_some(), printed).and_then(|()| match keeper {
        Some(Begun { link, openings }) => {
            Channel { link, openings, nowhere: None, deadline, reaper }.tell_the_rest()
        }
        None => Ok(()),
    });
    match told {
        // Who closes ssh's channel has heard enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        told => Ok(told?),
    }
}

fn tell_at_once(more: bool, printed: Printed) -> io::Result<()> {
    let port = printed.port();
    let offer = Offer { candidates: own_candidates(port).unwrap_or_default(), more };
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

/// This host's addresses that this user's sockets on `port` serve; `None` without any such socket.
pub(super) fn own_candidates(port: NonZeroU16) -> Option<Vec<Candidate>> {
    let bound = bound::addresses(port, rustix::process::getuid().as_raw());
    let own = OwnAddress::all().unwrap_or_default();
    let gateways = Attachment::read().unwrap_or_default().gateways;
    let dual_stack = own_addresses::is_dual_stack();
    let served = bound.iter().map(|&address| Served::by(address, dual_stack));
    let chosen = served.flat_map(|served| candidates::choose(served, &own, &gateways));
    let chosen = chosen.map(|address| Candidate { kind: Kind::Host, address, port });
    (!bound.is_empty()).then(|| chosen.take(MOST_OWN).collect())
}

/// Where a gateway says that it listens for us.
pub(super) fn opened(opening: Opening, address: Option<IpAddr>, port: NonZeroU16) -> Option<Candidate> {
    let kind = match opening {
        Opening::Mapping => Kind::Mapped,
        Opening::Pinhole => Kind::Pinhole,
    };
    let address = address.filter(|address| !address.is_unspecified())?;
    Some(Candidate { kind, address, port })
}

struct Channel {
    link: Link,
    /// Not yet answered.
    openings: Vec<Opening>,
    /// What to say of a mapping that is there, should its address not become known.
    nowhere: Option<Trouble>,
    deadline: Instant,
    reaper: Reaper,
}

impl Channel {
    fn tell_the_rest(mut self) -> io::Result<()> {
        while let Some(Answer { opening, outcome, more }) = self.answer()? {
            let candidate = match outcome {
                Ok(Mapped { external_address: None, caution, .. }) => {
                    self.nowhere = caution;
                    self.deadline = self.deadline.min(clock::now() + PATIENCE_FOR_AN_ADDRESS);
                    continue;
                }
                Ok(mapped) => self.caution(opening, mapped),
                Err(failure) => {
                    report_if_it_matters(opening, &failure);
                    None
                }
            };
            self.openings.retain(|open| *open != opening);
            if candidate.is_some() || !more {
                print(&Offer { candidates: candidate.into_iter().collect(), more })?;
            }
            if !more {
                return Ok(());
            }
        }
        print(&Offer::default())
    }

    fn caution(&self, opening: Opening, mapped: Mapped) -> Option<Candidate> {
        let Mapped { external_address, external_port, caution } = mapped;
        if let Some(caution) = caution {
            report_if_it_matters(opening, &caution);
        }
        opened(opening, external_address, external_port)
    }

    /// `None`: there will be none any more, and why has been said.
    fn answer(&mut self) -> io::Result<Option<Answer>> {
        loop {
            match self.link.receive() {
                Ok(Some(FromKeeper::Answer(answer))) => return Ok(Some(answer)),
                Ok(Some(FromKeeper::Hears)) => {}
                Ok(None) if clock::now() >= self.deadline => {
                    self.give_up(&Cause::TooSlow.trouble());
                    return Ok(None);
                }
                Ok(None) => self.wait()?,
                Err(error) => {
                    self.give_up(&broken(error));
                    return Ok(None);
                }
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
        wait(&mut sources, Some(self.deadline))?;
        let is_closed = !sources[0].revents().is_empty();
        self.reaper.reap();
        if is_closed { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }

    fn give_up(&mut self, failure: &Trouble) {
        let nowhere = self.nowhere.take();
        for opening in &self.openings {
            match (opening, &nowhere) {
                (Opening::Mapping, Some(nowhere)) => report::in_one_line(nowhere),
                _ => report_if_it_matters(*opening, failure),
            }
        }
    }
}

/// Many networks let IPv6 in without being asked, so that a pinhole that cannot be had says little.
fn report_if_it_matters(opening: Opening, failure: &Trouble) {
    match opening {
        Opening::Mapping => report::in_one_line(failure),
        Opening::Pinhole => tracing::debug!(?failure, "no pinhole"),
    }
}
