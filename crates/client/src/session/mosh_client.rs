//! The stock mosh-client, which believes that its server is on this machine. Its parents are there before the key is.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio, id};

use anyhow::{Context, Result};
use programs::signals::Signals;
use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;

use crate::children::child::{Running, attended};
use crate::children::handover;
use crate::configuration::Configuration;
use crate::session::front::Front;
use crate::terminal::terminal_modes::TerminalModes;

/// What is passed on to it, beside what the session's beginning has asked for already: see [`crate::children::attendance`].
const PASSED_ON: [Signal; 4] = [Signal::PIPE, Signal::QUIT, Signal::TSTP, Signal::CONT];

/// Its parents, who wait for the key; nobody is attended until then. Dropped, they end.
#[derive(Debug)]
pub(crate) struct Prepared {
    attendant: Running,
    handover: UnixStream,
    front: Front,
}

#[derive(Debug)]
pub(crate) struct MoshClient {
    attendant: Running,
    terminal: TerminalModes,
    told: Signals,
}

impl Prepared {
    pub(crate) fn start(configuration: &Configuration) -> Result<Self> {
        let front = Front::open()?;
        let mut command = attended(&configuration.client);
        // What mosh's script gives: shown by ps(1), and not read otherwise.
        command.arg(format!("-# {} |", shown_arguments()));
        command.args([front.address().ip().to_string(), front.address().port().to_string()]);
        command.env("MOSH_CLIENT_PID", id().to_string());
        command.env("MOSH_PREDICTION_DISPLAY", configuration.predict.name());
        said(&mut command, "MOSH_PREDICTION_OVERWRITE", configuration.predict_overwrite.then_some("yes"));
        said(&mut command, "MOSH_NO_TERM_INIT", (!configuration.terminal_init).then_some("1"));
        let (handover, there) = UnixStream::pair()?;
        let child = command.stdin(Stdio::from(OwnedFd::from(there))).spawn();
        let child = child.with_context(|| format!("starting {}", configuration.client.display()))?;
        Ok(Self { attendant: Running::new(child)?, handover, front })
    }

    /// In our terminal; and where mosh-client sends to.
    pub(crate) fn begin(self, key: &str) -> Result<(MoshClient, Front)> {
        let told = Signals::of(&PASSED_ON)?;
        let terminal = TerminalModes::read();
        let given = handover::give(&self.handover, key, io::stdin().as_fd());
        given.context("what was to become mosh-client has ended")?;
        Ok((MoshClient { attendant: self.attendant, terminal, told }, self.front))
    }
}

impl MoshClient {
    /// It reads the size of its window again, finds that it must tell the server, and sends within 5 ms.
    pub(crate) fn nudge(&self) {
        self.attendant.signal(Signal::WINCH);
    }

    /// It says goodbye to the server, and puts the terminal in order.
    pub(crate) fn terminate(&self) {
        self.attendant.signal(Signal::TERM);
    }

    /// What has been told to this process, but is meant for the session.
    pub(crate) fn handle_signals(&mut self) {
        self.told.pending().for_each(|signal| self.attendant.signal(signal));
    }

    /// Where it was killed, the terminal is as it was before.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.attendant.ended()?;
        if status.signal().is_some() {
            self.terminal.restore();
        }
        Some(status)
    }

    pub(crate) fn descriptors(&self) -> [PollFd<'_>; 2] {
        [self.attendant.end(), PollFd::new(&self.told, PollFlags::IN)]
    }
}

/// Whatever the user's environment has: that is heard already.
fn said(command: &mut Command, variable: &str, value: Option<&str>) {
    match value {
        Some(value) => command.env(variable, value),
        None => command.env_remove(variable),
    };
}

/// Where this process ends first, mosh-client has no time to put the terminal in order.
impl Drop for MoshClient {
    fn drop(&mut self) {
        if self.attendant.ended().is_none() {
            self.terminal.restore();
        }
    }
}

fn shown_arguments() -> String {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    words.collect::<Vec<_>>().join(" ")
}
