//! What this machine does beside the login: one thing after the other, so that ssh has a processor for itself.

use anyhow::Result;
use net::wait::wait;
use programs::signals::Signals;
use rustix::event::{PollFd, PollFlags};

use crate::addresses::look_up::LookUp;
use crate::configuration::{Configuration, RemoteIp};
use crate::session::mosh_client::Prepared;
use crate::terminal::colours::{Colours, Count};

#[derive(Debug)]
pub(super) struct Beside {
    /// Of colours, as the host is told.
    number: String,
    count: Option<Count>,
    pub(super) look_up: Option<LookUp>,
    /// Once the host has let us in.
    client: Option<Prepared>,
}

impl Beside {
    pub(super) fn new(colours: Colours) -> Self {
        Self { number: colours.number, count: colours.count, look_up: None, client: None }
    }

    pub(super) fn keep_up(&mut self, configuration: &Configuration) -> Result<()> {
        if self.count.is_none() && self.look_up.is_none() && is_looked_up(configuration) {
            self.look_up = Some(LookUp::start(configuration)?);
        }
        self.look_up.iter_mut().for_each(LookUp::keep_up);
        Ok(())
    }

    /// What mosh-client says of the colours, if it has said so, and not what the host is told.
    pub(super) fn miscount(&mut self) -> Option<Result<String>> {
        let counted = self.count.take_if(Count::has_ended)?.finish();
        Some(counted).filter(|counted| !matches!(counted, Ok(number) if *number == self.number))
    }

    /// Until it has counted, or a signal has come.
    pub(super) fn wait_for_count(&self, signals: &Signals) -> Result<()> {
        let Some(count) = &self.count else { return Ok(()) };
        Ok(wait(&mut [count.descriptor(), PollFd::new(signals, PollFlags::IN)], None)?)
    }

    pub(super) fn is_counting(&self) -> bool {
        self.count.is_some()
    }

    /// While the host starts mosh-server.
    pub(super) fn prepare_client(&mut self, configuration: &Configuration) -> Result<()> {
        if self.client.is_none() {
            self.client = Some(Prepared::start(configuration)?);
        }
        Ok(())
    }

    /// What the session goes on with, once the count is settled.
    pub(super) fn finish(mut self, configuration: &Configuration) -> Result<(Prepared, Option<LookUp>)> {
        let client = self.client.take().map_or_else(|| Prepared::start(configuration), Ok)?;
        // It has not begun where the count has only now ended.
        self.keep_up(configuration)?;
        Ok((client, self.look_up))
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        let of_count = self.count.iter().map(Count::descriptor);
        of_count.chain(self.look_up.iter().flat_map(LookUp::descriptors))
    }
}

/// With `remote`, too: this machine and the scopes of its links are known by the name alone.
fn is_looked_up(configuration: &Configuration) -> bool {
    configuration.remote_ip != RemoteIp::Local || configuration.local
}
