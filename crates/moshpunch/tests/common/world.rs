//! A home with a server, and the places that its owner goes to with a laptop; moshpunch is everywhere.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{HomeAndAway, Host, Lab, Terminal};

pub(crate) use lab::Spot;

use super::{PATIENCE, be_patient, computes, computes_within, leave_and_read, program};

pub(crate) struct World(HomeAndAway);

impl Deref for World {
    type Target = HomeAndAway;

    fn deref(&self) -> &HomeAndAway {
        &self.0
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut HomeAndAway {
        &mut self.0
    }
}

/// ssh comes in by the router's forward.
pub(crate) const FROM_OUTSIDE: [&str; 2] = ["--ssh=ssh -p 8022", "router"];

/// ssh comes in by way of the router's own sshd, which can be reached by IPv6, too.
pub(crate) const BY_JUMP: [&str; 2] = ["--ssh=ssh -J router", "server"];

pub(crate) const LAN_ADDRESS: &str = "192.168.1.10:60001 (its own private address)";
pub(crate) const IPV6_ADDRESS: &str = "[2a00:7::10]:60001 (its own public address)";

impl World {
    pub(crate) fn raise(lab: &Lab, spot: Spot) -> Result<Self> {
        lab.install(&program::path())?;
        let places = HomeAndAway::raise(lab, spot)?;
        be_patient(&places.server)?;
        Ok(Self(places))
    }

    /// By UDP: which of several ways that work a session goes in the end is not to depend on when ssh ends.
    pub(crate) fn connect(&self, words: &[&str]) -> Result<Walker> {
        self.connect_by_any_way(&[&["--no-carry", "--no-punch"], words].concat())
    }

    pub(crate) fn connect_by_any_way(&self, words: &[&str]) -> Result<Walker> {
        let log = "--log=/tmp/moshpunch.log";
        let command = self.laptop.command("moshpunch").args(["-v", log]).args(words).as_user(lab::USER);
        let mut terminal = self.laptop.terminal(&command, 50, 160)?;
        terminal.wait_for("alice@server", PATIENCE)?;
        computes(&mut terminal, 7000)?;
        Ok(Walker { laptop: self.laptop.clone(), terminal, typed: 7000 })
    }

    /// What the router maps to the server.
    pub(crate) fn mapped(&self) -> Result<String> {
        let leases = self.router.leases()?;
        let lease = leases
            .iter()
            .find(|lease| lease.internal_address.to_string() == "192.168.1.10")
            .context("a lease")?;
        Ok(format!("20.0.0.1:{} (mapped by its router)", lease.external_port))
    }
}

/// Who uses a session while the laptop moves.
pub(crate) struct Walker {
    laptop: Host,
    pub(crate) terminal: Terminal,
    typed: u32,
}

impl Walker {
    pub(crate) fn computes_within(&mut self, within: Duration) -> Result<()> {
        self.typed += 1;
        let computed = computes_within(&mut self.terminal, self.typed, within);
        self.explained(computed)
    }

    pub(crate) fn sees_within(&mut self, text: &str, within: Duration) -> Result<()> {
        self.explained(self.terminal.wait_for(text, within))
    }

    fn explained(&self, result: Result<()>) -> Result<()> {
        result.with_context(|| self.laptop.read_file("/tmp/moshpunch.log").unwrap_or_default())
    }

    /// Ends the session; the moves that it made, by address and kind. From one socket of ours to another is none: where the
    /// router maps the port while the first datagram is under way, a new one is tried beside it, and both may answer.
    pub(crate) fn leave(self) -> Result<Vec<String>> {
        let screen = leave_and_read(self.terminal)?;
        let paths = screen.lines().filter_map(|line| line.split_once(" s: ")?.1.split_once(", because "));
        let mut paths: Vec<_> = paths.map(|(path, _)| path.to_owned()).collect();
        ensure!(!paths.is_empty(), "no paths told:\n{screen}");
        paths.dedup();
        Ok(paths)
    }
}
