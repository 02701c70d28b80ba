//! The stock mosh-client, which believes that its server is on this machine.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result};
use rustix::event::PollFd;
use rustix::process::Signal;

use super::child::{Running, tied};
use crate::configuration::ConnectConfiguration;

#[derive(Debug)]
pub(crate) struct MoshClient(Running);

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
        Ok(Self(Running::new(child)?))
    }

    /// It reads the size of its window again, finds that it must tell the server, and sends within 5 ms.
    pub(crate) fn nudge(&self) {
        self.0.signal(Signal::WINCH);
    }

    /// It says goodbye to the server, and puts the terminal in order.
    pub(crate) fn terminate(&self) {
        self.0.signal(Signal::TERM);
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.ended()
    }

    pub(crate) fn descriptor(&self) -> PollFd<'_> {
        self.0.end()
    }
}

fn shown_arguments() -> String {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    words.collect::<Vec<_>>().join(" ")
}
