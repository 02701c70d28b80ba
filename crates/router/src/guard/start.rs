//! `moshpunch router guard`. docs/guard.md is its manual.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use miniupnpd::configuration::{Configuration, Watched};
use miniupnpd::guard::Scope;
use miniupnpd::rule::PortRange;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::guard::{Guard, Plan};

/// What was said to `router guard`.
#[derive(Debug)]
pub struct Asked {
    /// Lead clients inside, too, from the outside address and a mapped port to the server.
    pub hairpin: bool,
    /// Those that this router's mosh-servers may take; none other is held.
    pub ports: PortRange,
    /// How miniupnpd is configured.
    pub miniupnpd_conf: PathBuf,
}

/// Until somebody wants it to end.
///
/// # Errors
///
/// There is no configuration or lease file to follow, or the loop cannot go on.
pub fn run(said: &Asked) -> Result<ExitCode> {
    allow_a_descriptor_for_each_port();
    Guard::new(plan(said)?)?.run()?;
    Ok(ExitCode::SUCCESS)
}

fn plan(said: &Asked) -> Result<Plan> {
    let path = said.miniupnpd_conf.display();
    let file = fs::read(&said.miniupnpd_conf)
        .with_context(|| format!("{path}, which another place is said for by --miniupnpd-conf"))?;
    let watched = Configuration::parse(&file).watched().with_context(|| path.to_string())?;
    let Watched { outside_interface, lease_file, told_address, chains, rules } = watched;
    let lease_file = lease_file.with_context(|| {
        format!(
            "{path} has no lease_file, which tells what is mapped; add lease_file=/var/lib/miniupnpd/upnp.leases, \
             make the directory, and restart miniupnpd"
        )
    })?;
    let scope = Scope { ports: said.ports, rules, hairpin: said.hairpin };
    Ok(Plan { lease_file, chains, outside_interface, told_address, scope })
}

/// Each port takes a socket. That fewer are allowed is told once one is missing.
fn allow_a_descriptor_for_each_port() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "no more files than usual");
    }
}
