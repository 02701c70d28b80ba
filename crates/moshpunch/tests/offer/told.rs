//! Reading what the server command prints, and using it.

use anyhow::{Context, Result};
use lab::{Host, Output, Terminal};

use crate::common::PATIENCE;

/// The offers' fields and the connect line's port, in the order in which they came.
pub(crate) fn told(output: &str) -> Vec<String> {
    let lines = output.lines().filter_map(|line| match line.strip_prefix("MOSH CONNECT ") {
        Some(rest) => rest.split(' ').next().map(|port| format!("connect {port}")),
        None => line.strip_prefix("MOSHPUNCH OFFER 1").map(|fields| fields.trim_start().to_owned()),
    });
    lines.collect()
}

pub(crate) fn key(output: &Output) -> Result<String> {
    let line = output.stdout.lines().find(|line| line.starts_with("MOSH CONNECT "));
    let key = line.and_then(|line| line.split_whitespace().nth(3)).context("a connect line")?;
    Ok(key.to_owned())
}

/// Starts a session from a host that shares the server's link: the server itself.
pub(crate) fn on_lan(server: &Host, command: &str) -> Result<Output> {
    server.command("ssh").args(["server", command]).as_user(lab::USER).run(PATIENCE)
}

/// The stock client at one of the places that were told.
pub(crate) fn join(host: &Host, address: &str, port: u16, output: &Output) -> Result<Terminal> {
    let client = host.command("mosh-client").args([address, &port.to_string()]).as_user(lab::USER);
    let client = client.env("MOSH_KEY", key(output)?).env("LC_ALL", "C.UTF-8");
    let terminal = host.terminal(&client, 24, 80)?;
    terminal.wait_for("alice@server", PATIENCE)?;
    Ok(terminal)
}
