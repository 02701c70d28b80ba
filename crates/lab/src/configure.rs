//! Configures the network of the namespace that the calling thread is in.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::command::PATH;

/// Runs a batch of `ip` commands in the calling thread's network.
pub(crate) fn ip(batch: &str) -> Result<()> {
    feed("ip", &["-batch", "-"], batch)
}

/// As [`ip`], for what IPv6 alone is meant by.
pub(crate) fn ip6(batch: &str) -> Result<()> {
    feed("ip", &["-6", "-batch", "-"], batch)
}

/// Loads a set of nftables rules into the calling thread's network.
pub(crate) fn nft(rules: &str) -> Result<()> {
    feed("nft", &["-f", "-"], rules)
}

/// What `nft list` says of the calling thread's network.
pub(crate) fn nft_list(what: &[&str]) -> Result<String> {
    let output =
        Command::new("nft").arg("list").args(what).env("PATH", PATH).output().context("starting nft")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "nft list {}: {}", what.join(" "), complaint.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn feed(program: &str, arguments: &[&str], input: &str) -> Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .env("PATH", PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let _shown_by_its_output = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {}\n{input}", output.status, complaint.trim());
    }
    Ok(())
}

/// Sets a kernel parameter of the calling thread's network.
pub(crate) fn write_sysctl(name: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    fs::write(&path, value).with_context(|| format!("setting {name} to {value}"))
}
