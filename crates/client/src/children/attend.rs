//! `moshpunch --attend PARENT PROGRAM …`: mosh-client's parent, which sees to it that it and the process that the user
//! started stop, go on and end together. Its stdin is for mosh-client, which finds
//! the session's key there.

use std::fs::File;
use std::process::ExitCode;

use anyhow::{Context, Result};
use net::wait::wait;
use programs::exit_code;
use programs::secrets;
use programs::signals::Signals;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, getpgrp, getppid, kill_process, kill_process_group, setsid};
use rustix::stdio::dup2_stdin;

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
    let mut attendant = Attendant { started: arguments.parent, group, client, attendance };
    loop {
        wait(&mut [PollFd::new(&signals, PollFlags::IN), attendant.client.end()], None)?;
        attendant.look();
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

/// What it is given stays unread here.
fn start(arguments: &Tied) -> Result<Running> {
    let (program, words) = arguments.command.split_first().context("a program is required")?;
    let child = keyed(program).args(words).spawn();
    let child = Running::new(child.with_context(|| format!("starting {}", program.display()))?)?;
    dup2_stdin(File::open("/dev/null")?)?;
    Ok(child)
}

#[derive(Debug)]
struct Attendant {
    started: i32,
    /// There as long as mosh-client is.
    group: Pid,
    client: Running,
    attendance: Attendance,
}

impl Attendant {
    fn look(&mut self) {
        while let Some(event) = self.client.stopped_or_continued() {
            self.handle(event);
        }
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
