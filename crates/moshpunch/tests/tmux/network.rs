//! A laptop whose user says `--tmux`, and a host.

use std::ffi::OsString;

use anyhow::{Result, ensure};
use lab::{Daemon, Host, Lab, Sshd, Terminal};

use crate::common::PATIENCE;
use crate::tmux::{self, Colours, SessionName};

pub(crate) const PREFIX: &str = "\x02";

/// A host and a laptop on one Ethernet.
pub(crate) struct Network {
    pub(crate) host: Host,
    laptop: Host,
    _sshd: Daemon,
}

impl Network {
    pub(crate) fn raise(lab: &Lab) -> Result<Self> {
        let lan = lab.link("lan")?;
        let host = lab.host("server").attach("eth0", &lan, &["192.168.1.10/24"]).start()?;
        let laptop = lab.host("laptop").attach("eth0", &lan, &["192.168.1.20/24"]).start()?;
        let sshd = host.sshd(&Sshd::default())?;
        Ok(Self { host, laptop, _sshd: sshd })
    }

    pub(crate) fn connect(&self, words: &[OsString]) -> Result<Terminal> {
        let mosh = self.laptop.command("mosh").args(["server", "--"]).args(words).as_user(lab::USER);
        self.laptop.terminal(&mosh, 24, 80)
    }

    /// `moshpunch --tmux server command…`
    pub(crate) fn run_in_tmux(&self, command: &[&str]) -> Result<Terminal> {
        self.connect(&words(command))
    }

    pub(crate) fn open_tmux(&self) -> Result<Terminal> {
        let terminal = self.run_in_tmux(&[])?;
        terminal.wait_for("[mosh]", PATIENCE)?;
        terminal.wait_for("alice@server", PATIENCE)?;
        Ok(terminal)
    }

    /// Runs tmux on the host, beside any connection.
    pub(crate) fn tmux(&self, arguments: &[&str]) -> Result<String> {
        let tmux = self.host.command("tmux").args(arguments).as_user(lab::USER);
        Ok(tmux.run(PATIENCE)?.stdout.trim_end().to_owned())
    }

    pub(crate) fn configure(&self, text: &str) -> Result<()> {
        self.host.write_file("/home/alice/.tmux.conf", text)
    }

    pub(crate) fn root(&self, script: &str) -> Result<()> {
        self.host.command("sh").args(["-c", script]).run(PATIENCE).map(drop)
    }
}

pub(crate) fn words(command: &[&str]) -> Vec<OsString> {
    let command: Vec<OsString> = command.iter().map(OsString::from).collect();
    tmux::command(&SessionName::default(), Colours::TrueColour, &command)
}

pub(crate) fn detach(mut terminal: Terminal) -> Result<()> {
    terminal.type_text(PREFIX)?;
    terminal.type_text("d")?;
    let status = terminal.wait_exit(PATIENCE)?;
    ensure!(status.success(), "mosh ended with {status}; its screen:\n{}", terminal.screen());
    Ok(())
}

/// As bash answers `shopt login_shell`.
pub(crate) fn is_login_shell(screen: &str) -> bool {
    screen.lines().any(|line| line.starts_with("login_shell") && line.ends_with("on"))
}

pub(crate) fn has_line(screen: &str, line: &str) -> bool {
    screen.lines().any(|shown| shown == line)
}
