//! Another login in place of one that leads nowhere.

use std::ffi::OsString;
use std::mem::replace;
use std::process::ExitStatus;

use anyhow::Result;
use net::clock;

use super::{Connecting, log_in};
use crate::addresses::look_up::LookUp;
use crate::login::diagnosis::Evidence;
use crate::login::fallback::Ended;
use crate::login::remote_command::RemoteCommand;
use crate::login::ssh;
use crate::terminal::silence::Silence;

/// Of a host whose moshpunch answered, and then started nothing.
const WITH_ONE_OF_NO_USE: &str = "has a moshpunch that starts no session; logging in once more, with what mosh itself sends (--server=mosh-server)";

/// Of an account that did not run our line.
const WITHOUT_OUR_COMMAND: &str = "did not run what starts a session; logging in once more, with what mosh itself sends (--server=mosh-server)";

/// Of a host where ssh may have no terminal.
const WITHOUT_TERMINAL: &str = "gives no terminal; logging in once more, without one (--no-ssh-pty)";

impl Connecting {
    /// Whether another login is worth trying, and begun.
    pub(super) fn log_in_otherwise(&mut self, status: ExitStatus) -> Result<bool> {
        Ok(self.log_in_without_terminal(status)? || self.log_in_as_mosh(status)?)
    }

    fn log_in_without_terminal(&mut self, status: ExitStatus) -> Result<bool> {
        let may_be_without = self.configuration.ssh_terminal && !self.configuration.local;
        let is_missing = status.code() == Some(ssh::FAILED) && self.evidence.misses_terminal();
        if !may_be_without || !is_missing || self.login.is_given_up() {
            return Ok(false);
        }
        self.configuration.ssh_terminal = false;
        self.log_in_again(WITHOUT_TERMINAL, self.command.clone())?;
        Ok(true)
    }

    fn log_in_again(&mut self, why: &str, command: RemoteCommand) -> Result<()> {
        self.console.note(&format!("{} {why}", self.configuration.host));
        self.evidence = Evidence::default();
        self.silence = Silence::new(clock::now());
        self.login = log_in(&self.configuration, &self.destination, &command, &self.console)?;
        self.command = command;
        Ok(())
    }

    fn log_in_as_mosh(&mut self, status: ExitStatus) -> Result<bool> {
        let is_openssh = ssh::is_openssh(&self.configuration.ssh);
        let (cause, _) = &self.evidence.cause(&self.attempt(), status);
        let ended = Ended {
            is_openssh,
            code: status.code(),
            cause,
            ran: self.evidence.has_begun,
            answered: self.login.is_answered(),
            had_ours: self.has_ours,
        };
        let why = if ended.is_failure_of_ours() { WITH_ONE_OF_NO_USE } else { WITHOUT_OUR_COMMAND };
        let is_worth_it = ended.is_failure_of_ours() || ended.is_refused_command();
        let Some(command) = self.as_mosh.take_if(|_| is_worth_it && !self.login.is_given_up()) else {
            return Ok(false);
        };
        self.log_in_again(why, command)?;
        Ok(true)
    }

    /// ssh would join a connection that exists, and nothing comes over it: its network may be gone.
    pub(super) fn leave_dead_master(&mut self) -> Result<()> {
        let master = self.beside.look_up.as_mut().and_then(LookUp::master);
        let Some(master) = master.filter(|_| !self.configuration.local) else { return Ok(()) };
        let call = self.attempt().exit_of_master();
        self.console.note(&format!(
            "the connection that ssh shares at {master} does not answer, and is left aside; `{call}` ends it"
        ));
        self.configuration.ssh.extend(["-o", ssh::NO_MASTER].map(OsString::from));
        let another = log_in(&self.configuration, &self.destination, &self.command, &self.console)?;
        replace(&mut self.login, another).end();
        Ok(())
    }
}
