//! Sessions through a hole, where no router maps a port and each lets in answers alone; beside ssh and what goes over it.

mod echo;
mod found;
mod log;
mod moves;
mod network;

use std::time::Duration;

use anyhow::Result;

use crate::Bench;
use crate::row::Group;

const PATIENCE: Duration = Duration::from_secs(30);

const OURS: &str = "moshpunch";
const PROMPT: &str = "alice@server:~$";

/// By which the server is reached from outside.
const SSH: [&str; 4] = ["ssh", "-p", "8022", "router"];
const BY_SSH: [&str; 3] = ["--predict=never", "--ssh=ssh -p 8022", "router"];

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let mut rows = found::measure(bench)?;
    rows.extend(echo::measure(bench)?);
    rows.extend(moves::measure(bench)?);
    Ok(vec![Group { title: "through a hole, where nothing is mapped", rows }])
}
