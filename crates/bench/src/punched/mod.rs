//! Sessions through a hole, where no router maps a port and each lets in answers alone; beside ssh and what goes over it.

mod echo;
mod found;
pub(crate) mod log;
pub(crate) mod moves;
pub(crate) mod network;

use std::time::Duration;

use anyhow::Result;

use crate::Bench;
use crate::row::Group;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const OURS: &str = "moshpunch";
pub(crate) const PROMPT: &str = "alice@server:~$";

/// By which the server is reached from outside.
pub(crate) const SSH: [&str; 4] = ["ssh", "-p", "8022", "router"];
pub(crate) const BY_SSH: [&str; 3] = ["--predict=never", "--ssh=ssh -p 8022", "router"];

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let mut rows = found::measure(bench)?;
    rows.extend(echo::measure(bench)?);
    rows.extend(moves::measure(bench)?);
    Ok(vec![Group { title: "through a hole, where nothing is mapped", rows }])
}
