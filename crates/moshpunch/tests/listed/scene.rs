//! The write-up's network, on whose server utmp is kept, and what `moshpunch sessions` says there.

use std::ops::Deref;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::{Daemon, Host, HostProcess, Lab, Output, Terminal, USER, WriteUp, wait_until};
use rustix::process::Signal;
use serde_json::Value;

use crate::common::{PATIENCE, raise, signal};

/// Half a minute of silence, and mosh-server has written it down.
const SILENCE: Duration = Duration::from_secs(70);

pub(crate) struct Scene {
    network: WriteUp,
    _miniupnpd: Option<Daemon>,
}

impl Deref for Scene {
    type Target = WriteUp;

    fn deref(&self) -> &WriteUp {
        &self.network
    }
}

impl Scene {
    /// With a router that maps ports.
    pub(crate) fn raise(lab: &Lab) -> Result<Self> {
        let mut scene = Self::raise_without_mappings(lab)?;
        scene._miniupnpd = Some(scene.network.router.miniupnpd(&WriteUp::miniupnpd())?);
        Ok(scene)
    }

    pub(crate) fn raise_without_mappings(lab: &Lab) -> Result<Self> {
        let network = raise(lab)?;
        let utmp = "touch /run/utmp && chgrp utmp /run/utmp && chmod 664 /run/utmp";
        network.server.command("sh").args(["-c", utmp]).run(PATIENCE)?;
        Ok(Self { network, _miniupnpd: None })
    }

    /// Our own client, to the server.
    pub(crate) fn own(&self, options: &[&str]) -> Result<Terminal> {
        let words = [options, &["--ssh=ssh -p 8022", "router"]].concat();
        crate::common::moshpunch(&self.laptop, &words, "server")
    }

    /// A session of stock mosh-server's, which no client joins.
    pub(crate) fn stock(&self) -> Result<()> {
        let words = ["-p", "8022", "router", "mosh-server new -i 0.0.0.0"];
        self.laptop.command("ssh").args(words).as_user(USER).run(PATIENCE).map(drop)
    }

    /// A whole session of stock mosh's, to a port that is forwarded by hand.
    pub(crate) fn stock_with_client(&self) -> Result<Terminal> {
        let forward = ["-e", "by hand", "-a", WriteUp::SERVER, "60020", "60020", "UDP", "600"];
        self.server.command("upnpc").args(forward).run(PATIENCE)?;
        let mosh = ["-p", "60020", "--ssh=ssh -p 8022", "router"];
        let terminal = self.laptop.terminal(&self.laptop.command("mosh").args(mosh).as_user(USER), 24, 80)?;
        terminal.wait_for("alice@server", PATIENCE)?;
        Ok(terminal)
    }

    /// The laptop's client dies without a goodbye, and mosh-server has noticed that.
    pub(crate) fn detach(&self, sessions: usize) -> Result<()> {
        for client in self.laptop.processes("mosh-client")? {
            signal(&client, Signal::KILL)?;
        }
        self.wait_for(SILENCE, "silent sessions", |listed| {
            count(listed, "silent") == sessions && count(listed, "attached") == 0
        })
        .map(drop)
    }

    /// As alice on the server.
    pub(crate) fn says(&self, words: &[&str]) -> Result<Output> {
        says(&self.server, USER, words)
    }

    pub(crate) fn listed(&self) -> Result<Vec<Value>> {
        listed(&self.server, USER, &[])
    }

    pub(crate) fn only(&self) -> Result<Value> {
        let mut sessions = self.listed()?;
        ensure!(sessions.len() == 1, "one session expected: {sessions:?}");
        Ok(sessions.remove(0))
    }

    /// The only one, once it is so.
    pub(crate) fn becomes(&self, field: &str, value: &str) -> Result<Value> {
        let what = format!("{field} {value}");
        let mut sessions =
            self.wait_for(SILENCE, &what, |listed| listed.len() == 1 && listed[0][field] == value)?;
        Ok(sessions.remove(0))
    }

    pub(crate) fn wait_for(
        &self,
        within: Duration,
        what: &str,
        is_so: impl Fn(&[Value]) -> bool,
    ) -> Result<Vec<Value>> {
        let mut last = Vec::new();
        let waited = wait_until(what, within, || {
            last = self.listed()?;
            Ok(is_so(&last).then_some(()))
        });
        waited.with_context(|| format!("{last:?}"))?;
        Ok(last)
    }

    /// Ends it, and tells how long its mosh-server and all mappings were there.
    pub(crate) fn closes(&self, session: &Value) -> Result<Duration> {
        let begun = now();
        let said = self.says(&["close", id(session)])?;
        ensure!(said.status.success() && said.stderr.contains("has ended"), "{said:?}");
        wait_until("an empty lease table", PATIENCE, || Ok(self.router.leases()?.is_empty().then_some(())))?;
        let took = begun.elapsed();
        println!("with its mapping it was gone after {took:?}");
        let left: Vec<HostProcess> = self.server.processes("mosh-server")?;
        ensure!(left.iter().all(|left| left.pid.to_string() != id(session)), "{left:?}");
        Ok(took)
    }
}

#[expect(clippy::disallowed_methods, reason = "what is promised of time is measured")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn says(host: &Host, user: &str, words: &[&str]) -> Result<Output> {
    host.command("moshpunch").arg("sessions").args(words).as_user(user).output(PATIENCE)
}

pub(crate) fn listed(host: &Host, user: &str, options: &[&str]) -> Result<Vec<Value>> {
    let output = says(host, user, &[&["list", "--json"], options].concat())?;
    let value: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))?;
    value["sessions"].as_array().cloned().context("sessions")
}

pub(crate) fn id(session: &Value) -> &str {
    session["id"].as_str().unwrap_or_default()
}

pub(crate) fn count(sessions: &[Value], contact: &str) -> usize {
    sessions.iter().filter(|session| session["contact"] == contact).count()
}
