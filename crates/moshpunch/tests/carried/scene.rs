//! A session of the router's, from the laptop's shell.

use anyhow::{Context, Result, ensure};
use lab::{Host, HostProcess, Lab, wait_until};

use crate::common::{PATIENCE, computes_within};
use crate::place::{Place, Shell, TO_PORT};
use crate::wall::Wall;

use std::time::Duration;

pub(crate) const LOG: &str = "/tmp/log";
pub(crate) const OVER_SSH: &str = "the session went over ssh";

/// How mosh and moshpunch are called here.
pub(crate) const WORDS: [&str; 2] = [TO_PORT, "router"];
pub(crate) const LINE: &str = "moshpunch --ssh='ssh -p 2222' router";

pub(crate) struct Scene {
    pub(crate) place: Place,
    pub(crate) shell: Shell,
    /// What was typed last.
    typed: u32,
}

impl Scene {
    /// A shell on the laptop; moshpunch is everywhere. sshd has `options`.
    pub(crate) fn raise(lab: &Lab, walls: &[Wall], options: &[&str]) -> Result<Self> {
        Self::in_place(Place::raise(lab, options)?, walls)
    }

    /// The host has stock mosh alone.
    pub(crate) fn raise_stock(lab: &Lab, walls: &[Wall]) -> Result<Self> {
        Self::in_place(Place::raise_stock(lab, &[])?, walls)
    }

    fn in_place(place: Place, walls: &[Wall]) -> Result<Self> {
        walls.iter().try_for_each(|wall| wall.raise(&place.network))?;
        let shell = place.shell()?;
        Ok(Self { place, shell, typed: 3_000 })
    }

    /// As by `raise`, in a session that is used already.
    pub(crate) fn in_session(lab: &Lab, walls: &[Wall], line: &str) -> Result<Self> {
        let mut scene = Self::raise(lab, walls, &[])?;
        scene.opens(line)?;
        Ok(scene)
    }

    pub(crate) fn laptop(&self) -> &Host {
        &self.place.network.laptop
    }

    pub(crate) fn host(&self) -> &Host {
        &self.place.network.router
    }

    /// With a log.
    pub(crate) fn run(&mut self, line: &str) -> Result<()> {
        let with_log = line.replacen("moshpunch", &format!("moshpunch --log={LOG}"), 1);
        self.shell.run(&format!("clear; {with_log}"))
    }

    pub(crate) fn opens(&mut self, line: &str) -> Result<()> {
        self.run(line)?;
        self.is_in()
    }

    /// There is a prompt of the host's, and it answers.
    pub(crate) fn is_in(&mut self) -> Result<()> {
        let prompts = |screen: &str| screen.trim_start().starts_with("alice@router:");
        let prompted = self.shell.terminal.wait_until("a prompt", PATIENCE * 2, prompts);
        self.explained(prompted)?;
        self.computes()
    }

    pub(crate) fn computes(&mut self) -> Result<()> {
        self.computes_within(PATIENCE)
    }

    pub(crate) fn computes_within(&mut self, within: Duration) -> Result<()> {
        self.typed += 1;
        let computed = computes_within(&mut self.shell.terminal, self.typed, within);
        self.explained(computed)
    }

    /// What it said of its paths.
    pub(crate) fn leaves(&mut self) -> Result<String> {
        self.shell.run("exit")?;
        let back = self.shell.is_back("0");
        self.explained(back)?;
        Ok(self.shell.terminal.screen())
    }

    pub(crate) fn leaves_having_gone_over_ssh(&mut self) -> Result<()> {
        let said = self.leaves()?;
        ensure!(said.contains(OVER_SSH), "{said}\n{}", self.log());
        Ok(())
    }

    pub(crate) fn log(&self) -> String {
        self.laptop().read_file(LOG).unwrap_or_default()
    }

    pub(crate) fn explained<T>(&self, result: Result<T>) -> Result<T> {
        result.with_context(|| format!("the client's log:\n{}", self.log()))
    }
}

/// The logins that are there, without what a login starts of itself.
pub(crate) fn logins(laptop: &Host) -> Result<Vec<HostProcess>> {
    let mut logins = laptop.processes("ssh")?;
    logins.retain(|login| !login.arguments.is_empty());
    Ok(logins)
}

pub(crate) fn only_login(laptop: &Host) -> Result<HostProcess> {
    let mut logins = logins(laptop)?;
    ensure!(logins.len() == 1, "one login expected: {logins:?}");
    Ok(logins.remove(0))
}

pub(crate) fn no_login_is_left(laptop: &Host, within: Duration) -> Result<()> {
    wait_until("the end of every ssh", within, || Ok(logins(laptop)?.is_empty().then_some(())))
        .with_context(|| format!("{:?}", logins(laptop)))
}
