//! What finds candidates while the session runs: the login that began it, look-ups of the name, further logins.

use std::ffi::OsString;
use std::num::NonZeroU16;

use path::Candidate;
use rustix::event::PollFd;

use super::login::Login;
use super::look_up::LookUp;
use super::transcript::Line;
use super::{candidates, remote_command, ssh};
use crate::configuration::ConnectConfiguration;

/// The host's own lines about what failed; more than this is noise.
const NOTES_MAXIMUM: usize = 4;

/// How a line of the host's moshpunch begins.
pub(crate) const OURS: &[u8] = b"moshpunch: ";

#[derive(Debug)]
pub(crate) struct Scout {
    configuration: ConnectConfiguration,
    port: NonZeroU16,
    /// The host has moshpunch, which can be asked again.
    offers: bool,
    login: Option<Login>,
    look_up: Option<LookUp>,
    notes: Vec<String>,
}

impl Scout {
    pub(crate) fn new(
        configuration: ConnectConfiguration,
        port: NonZeroU16,
        offers: bool,
        login: Login,
        look_up: Option<LookUp>,
    ) -> Self {
        Self { configuration, port, offers, login: Some(login), look_up, notes: Vec::new() }
    }

    /// What the login has told already; the candidates in it.
    pub(crate) fn read_all(&mut self, lines: Vec<Line>) -> Vec<Candidate> {
        lines.into_iter().flat_map(|line| self.read(line)).collect()
    }

    /// What has been found since the last call.
    pub(crate) fn found(&mut self) -> Vec<Candidate> {
        let mut found = self.looked_up();
        let Some(login) = &mut self.login else { return found };
        let ended = login.ended().is_some();
        let lines = login.lines(ended);
        login.messages(ended);
        if ended {
            self.login = None;
        }
        found.extend(self.read_all(lines));
        found
    }

    /// Every path is silent: the host may have moved. What still runs since the last time is stuck in a network that is
    /// gone, and gives way.
    pub(crate) fn search_again(&mut self) {
        if self.configuration.local {
            return;
        }
        let host = &self.configuration.host;
        self.look_up = LookUp::start(&self.configuration.ssh, host).inspect_err(log).ok();
        if self.offers {
            let command = remote_command::offer(self.port.get());
            let words: Vec<OsString> = ssh::unattended(&self.configuration, host, command);
            self.login = Login::start(&words, |_| {}).inspect_err(log).ok();
        }
    }

    /// What failed on the host, in its own words.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        let login = self.login.iter().flat_map(Login::descriptors);
        login.chain(self.look_up.iter().flat_map(LookUp::descriptors))
    }

    fn looked_up(&mut self) -> Vec<Candidate> {
        let Some(addresses) = self.look_up.as_mut().and_then(LookUp::finished) else { return Vec::new() };
        self.look_up = None;
        let families = self.configuration.families;
        addresses
            .into_iter()
            .filter_map(|address| candidates::resolved(address, self.port, families))
            .collect()
    }

    fn read(&mut self, line: Line) -> Vec<Candidate> {
        tracing::debug!(?line);
        match line {
            Line::Offer(offer) => return candidates::offered(&offer, self.configuration.families),
            Line::Text(text) if text.starts_with(OURS) && self.notes.len() < NOTES_MAXIMUM => {
                self.notes.push(String::from_utf8_lossy(&text[OURS.len()..]).into_owned());
            }
            _ => {}
        }
        Vec::new()
    }
}

fn log(error: &anyhow::Error) {
    tracing::debug!(%error, "not asked again");
}
