//! `moshpunch router guard`. docs/guard.md is its manual.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use miniupnpd::configuration::{Configuration, Watched};
use miniupnpd::guard::Scope;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::arguments::GuardArguments;
use crate::guard::{Guard, Plan};

pub(crate) fn run(arguments: &GuardArguments) -> Result<ExitCode> {
    allow_a_descriptor_for_each_port();
    Guard::new(plan(arguments)?)?.run()?;
    Ok(ExitCode::SUCCESS)
}

fn plan(arguments: &GuardArguments) -> Result<Plan> {
    let path = arguments.miniupnpd_conf.display();
    let file = fs::read(&arguments.miniupnpd_conf)
        .with_context(|| format!("{path}, which another place is said for by --miniupnpd-conf"))?;
    let watched = Configuration::parse(&file).watched().with_context(|| path.to_string())?;
    let Watched { outside_interface, lease_file, told_address, chains, rules } = watched;
    let lease_file = lease_file.with_context(|| {
        format!(
            "{path} has no lease_file, which tells what is mapped; add lease_file=/var/lib/miniupnpd/upnp.leases, \
             make the directory, and restart miniupnpd"
        )
    })?;
    let scope = Scope { ports: arguments.ports, rules, hairpin: arguments.hairpin };
    Ok(Plan { lease_file, chains, outside_interface, told_address, scope })
}

/// Each port takes a socket. That fewer are allowed is told once one is missing.
fn allow_a_descriptor_for_each_port() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "no more files than usual");
    }
}
