//! `moshpunch --attend PARENT PROGRAM …`: mosh-client's parent, which sees to it that it and the process that the user
//! started stop, go on and end together. Its stdin is for what becomes mosh-client, which waits there for the session's key;
//! the other end is closed behind that. Before, whoever stops or goes on does so with the whole login.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::ExitCode;

use anyhow::{Context, Result};
use net::clock;
use net::wait::wait;
use programs::exit_code;
use programs::secrets;
use programs::signals::Signals;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, getpgrp, getppid, kill_process, kill_process_group, setsid};
use rustix::stdio::{dup2_stdin, stdin};

use super::tied::Tied;
use crate::children::attendance::{Action, Attendance, Event, PASSED_ON, heard};
use crate::children::child::{Running, keyed};
use crate::children::tied::tie_to;

/// # Errors
///
/// mosh-client cannot be started.
pub fn run(arguments: &Tied) -> Result<ExitCode> {
    secrets::keep();
    let mut signals = Signals::of(&[&PASSED_ON[..], &[Signal::CHILD]].concat())?;
    if !tie_to(arguments.parent)? {
        return Ok(ExitCode::FAILURE);
    }
    let (group, client) = (getpgrp(), start(arguments)?);
    // mosh-client is in the user's session by now.
    setsid().context("a session without a terminal")?;
    let attendance = Attendance::default();
    let mut attendant = Attendant { started: arguments.parent, group, client, attendance, has_begun: false };
    loop {
        attendant.wait(&signals)?;
        attendant.look()?;
        let told = signals.pending().filter(|&signal| signal != Signal::CHILD).collect();
        let is_orphaned = getppid() != Pid::from_raw(arguments.parent);
        for event in heard(told, is_orphaned) {
            attendant.handle(event);
        }
        if let Some(status) = attendant.client.ended() {
            attendant.handle(Event::Ended);
            return Ok(exit_code::end_as(status));
        }
    }
}

fn start(arguments: &Tied) -> Result<Running> {
    let (program, words) = arguments.command.split_first().context("a program is required")?;
    let child = keyed(program).args(words).spawn();
    Running::new(child.with_context(|| format!("starting {}", program.display()))?)
}

#[derive(Debug)]
struct Attendant {
    started: i32,
    /// There as long as mosh-client is.
    group: Pid,
    client: Running,
    attendance: Attendance,
    /// The key has been given.
    has_begun: bool,
}

impl Attendant {
    fn wait(&self, signals: &Signals) -> Result<()> {
        let key = stdin();
        let mut sources = vec![PollFd::new(signals, PollFlags::IN), self.client.end()];
        // What comes there stays unread here.
        sources.extend((!self.has_begun).then(|| PollFd::new(&key, PollFlags::empty())));
        Ok(wait(&mut sources, None)?)
    }

    fn look(&mut self) -> Result<()> {
        if !self.has_begun && is_closed(stdin())? {
            dup2_stdin(File::open("/dev/null")?)?;
            self.has_begun = true;
        }
        while self.has_begun
            && let Some(event) = self.client.stopped_or_continued()
        {
            self.handle(event);
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) {
        for action in self.attendance.handle(event) {
            let done = match action {
                Action::Client(signal) => {
                    self.client.signal(signal);
                    Ok(())
                }
                Action::Started(signal) => {
                    Pid::from_raw(self.started).map_or(Ok(()), |pid| kill_process(pid, signal))
                }
                Action::Wake => kill_process_group(self.group, Signal::CONT),
            };
            if let Err(error) = done {
                tracing::debug!(?action, %error);
            }
        }
    }
}

/// Whether nobody has the other end any more.
fn is_closed(socket: impl AsFd) -> Result<bool> {
    let mut closed = [PollFd::new(&socket, PollFlags::empty())];
    wait(&mut closed, Some(clock::now()))?;
    Ok(closed[0].revents().contains(PollFlags::HUP))
}
