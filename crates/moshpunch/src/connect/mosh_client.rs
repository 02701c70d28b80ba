//! The stock mosh-client, which believes that its server is on this machine.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus, Stdio};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;

use super::child::{self, tied};
use crate::configuration::ConnectConfiguration;

#[derive(Debug)]
pub(crate) struct MoshClient {
    child: Child,
    end: OwnedFd,
}

impl MoshClient {
    /// In our terminal. `front` is where it sends to.
    pub(crate) fn start(configuration: &ConnectConfiguration, key: &str, front: SocketAddr) -> Result<Self> {
        let mut command = tied(&configuration.client);
        // What mosh's script gives: shown by ps(1), and not read otherwise.
        command.arg(format!("-# {} |", shown_arguments()));
        command.args([front.ip().to_string(), front.port().to_string()]);
        command.env("MOSH_KEY", key).env("MOSH_PREDICTION_DISPLAY", configuration.predict.name());
        if configuration.predict_overwrite {
            command.env("MOSH_PREDICTION_OVERWRITE", "yes");
        }
        if !configuration.terminal_init {
            command.env("MOSH_NO_TERM_INIT", "1");
        }
        let child = command.stdin(Stdio::inherit()).spawn();
        let child = child.with_context(|| format!("starting {}", configuration.client.display()))?;
        let end = child::end_of(&child)?;
        Ok(Self { child, end })
    }

    /// It reads the size of its window again, finds that it must tell the server, and sends within 5 ms.
    pub(crate) fn nudge(&self) {
        child::signal(&self.child, Signal::WINCH);
    }

    /// It says goodbye to the server, and puts the terminal in order.
    pub(crate) fn terminate(&self) {
        child::signal(&self.child, Signal::TERM);
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub(crate) fn descriptor(&self) -> PollFd<'_> {
        PollFd::new(&self.end, PollFlags::IN)
    }
}

fn shown_arguments() -> String {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    words.collect::<Vec<_>>().join(" ")
}
