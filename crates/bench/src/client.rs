//! Our client on a laptop.

use std::time::Duration;

use anyhow::Result;
use lab::{Host, HostProcess, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

/// Once its login and the look-up of the name have ended. What is left beside it is mosh-client and its parent, which is of
/// the same program.
pub(crate) fn on_its_own(host: &Host) -> Result<HostProcess> {
    wait_until("the client to be on its own", PATIENCE, || {
        let mut ours = host.processes("moshpunch")?;
        ours.retain(|process| process.arguments.get(1).is_none_or(|word| word != "--attend"));
        let is_alone = ours.len() == 1 && host.processes("ssh")?.is_empty();
        Ok(ours.pop().filter(|_| is_alone))
    })
}
