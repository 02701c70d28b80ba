//! What came of it.

use std::process::ExitStatus;

use anyhow::Result;
use net::clock;

use super::{Connected, Connecting, Outcome};
use crate::addresses::whereabouts::Offers;
use crate::login::diagnosis::{self, Blamed, Cause};
use crate::login::pasted::installation;
use crate::login::transcript::{Connect, Line};

/// Of a host that stock mosh is as good for.
const WITHOUT_OURS: &str =
    "has no moshpunch, so its router maps no port; as with mosh, its UDP port must be reachable";

impl Connecting {
    pub(super) fn connected(mut self, connect: Connect, unread: Vec<Line>) -> Result<Outcome> {
        let port = connect.port;
        let progress = self.console.leave()?;
        if self.has_none_of_ours {
            let install = installation(&self.configuration);
            report::note(format_args!(
                "{} {WITHOUT_OURS}; `{install}` puts one there",
                self.configuration.host
            ));
        }
        let mapping = match self.whereabouts.offers {
            Offers::Unfinished => ", not mapped yet",
            Offers::Complete | Offers::None => "",
        };
        let (client, look_up) = self.beside.finish(&self.configuration)?;
        progress.detail(&format!("mosh-server waits on UDP port {port}{mapping}; looking for a path …"));
        Ok(Outcome::Connected(Box::new(Connected {
            configuration: self.configuration,
            connect,
            unread,
            candidates: self.whereabouts.candidates(port, clock::now()),
            intake: self.whereabouts.intake,
            offers: self.whereabouts.offers,
            login: self.login,
            look_up,
            client,
            progress,
        })))
    }

    pub(super) fn failed(self, status: ExitStatus) -> Result<Outcome> {
        let attempt = self.attempt();
        let (cause, blamed) = match self.evidence.cause(&attempt, status) {
            (Cause::SilentShell, blamed) if self.as_mosh.is_some() => (Cause::OtherCommands, blamed),
            judged => judged,
        };
        let trouble = diagnosis::explained(&cause, &blamed, &attempt);
        self.console.leave()?.clear();
        Ok(Outcome::Failed(trouble, status.code()))
    }

    pub(super) fn flooded(self) -> Result<Outcome> {
        let trouble = diagnosis::explained(&Cause::Flood, &Blamed::Host, &self.attempt());
        self.console.leave()?.clear();
        self.login.end();
        Ok(Outcome::Failed(trouble, None))
    }

    pub(super) fn interrupted(self) -> Result<Outcome> {
        self.console.leave()?.clear();
        self.login.end();
        Ok(Outcome::Interrupted)
    }

    /// By what mosh-client has counted, if it could.
    pub(super) fn miscounted(self, counted: Result<String>) -> Result<Outcome> {
        self.console.leave()?.clear();
        self.login.end();
        counted.map(Outcome::Miscounted)
    }
}
