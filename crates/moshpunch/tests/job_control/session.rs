//! One session that somebody signals, and what its user sees.

use std::fs;

use anyhow::{Context, Result, ensure};
use lab::{Host, HostProcess, Lab, Signal, Terminal, USER, WriteUp, wait_until};

use crate::common::program;
use crate::common::{self, PATIENCE, computes, is_stopped, process, signal};

/// A login that goes on after the connect line. It has no configuration to tell of.
const LIVES_ON: &str = "#!/bin/sh
case \" $* \" in *' -G '*) exit 1 ;; esac
ssh \"$@\"
exec sleep 1000
";

/// What is started in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A terminal, as its own command: no shell waits for it.
    Terminal,
    /// bash, on a terminal.
    Shell,
    /// script(1), in such a shell: it tells the started process alone to go on.
    Script,
    /// su(1) with a terminal of its own, in root's shell: so does this.
    Su,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Awake,
    /// By mosh's own Ctrl-^ Ctrl-Z.
    Asleep,
}

/// Who gets the signals. With stock mosh the first two are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Nobody,
    /// What the user started, and a shell waits for.
    Started,
    Client,
    /// What holds the terminal open.
    Window,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Keys reach the host.
    GoesOn,
    /// The shell says so, takes keys, and brings it back.
    Stopped,
    /// Nothing is left. What a shell says then, where keys work; the program's own status, where there is none.
    Ended(&'static str),
    /// Nothing is left, not even a shell.
    Gone,
}

pub(crate) struct Scene {
    pub(crate) network: WriteUp,
}

impl Scene {
    /// moshpunch is on the laptop alone.
    pub(crate) fn raise(lab: &Lab) -> Result<Self> {
        let network = WriteUp::raise(lab)?;
        network.laptop.install(&program::path())?;
        network.laptop.write_script("/usr/local/bin/lives-on", LIVES_ON)?;
        Ok(Self { network })
    }

    /// A session that is used already.
    pub(crate) fn start(&self, program: &str, place: Place) -> Result<Session> {
        self.session(program, place, self.terminal(program, place)?)
    }

    /// The same, in a terminal where the program has been started.
    pub(crate) fn session(&self, program: &str, place: Place, mut terminal: Terminal) -> Result<Session> {
        let laptop = self.network.laptop.clone();
        terminal.wait_for("alice@router", PATIENCE)?;
        computes(&mut terminal, 7_101)?;
        let client = process(&laptop, "mosh-client")?;
        let started =
            if program.starts_with("moshpunch") { common::client(&laptop)? } else { client.clone() };
        Ok(Session { laptop, terminal, place, started, client })
    }

    pub(crate) fn terminal(&self, program: &str, place: Place) -> Result<Terminal> {
        let laptop = &self.network.laptop;
        let line = format!("{program} router");
        let shell = laptop.command("bash");
        let (command, typed) = match place {
            Place::Terminal => {
                return laptop.terminal(
                    &laptop.command("sh").args(["-c", &format!("exec {line}")]).as_user(USER),
                    24,
                    80,
                );
            }
            Place::Shell => (shell.as_user(USER), line),
            Place::Script => (shell.as_user(USER), format!("script -qec '{line}' /dev/null")),
            Place::Su => (shell, format!("su -P -c '{line}' {USER}")),
        };
        let mut terminal = laptop.terminal(&command, 24, 80)?;
        terminal.wait_for("@laptop:", PATIENCE)?;
        terminal.type_text(&format!("{typed}\r"))?;
        Ok(terminal)
    }
}

pub(crate) struct Session {
    laptop: Host,
    terminal: Terminal,
    place: Place,
    started: HostProcess,
    client: HostProcess,
}

impl Session {
    pub(crate) fn falls_asleep(&mut self) -> Result<()> {
        self.terminal.type_text("\x1e\x1a")?;
        is(&self.client, Stopped::Yes)?;
        is(&self.started, Stopped::Yes)?;
        self.attendant_has_seen_it()
    }

    /// Whoever is told to go on before it has, may be stopped once more. Stock mosh-client has none.
    fn attendant_has_seen_it(&self) -> Result<()> {
        if self.started == self.client { Ok(()) } else { rests(&common::attendant(&self.laptop)?) }
    }

    pub(crate) fn tell(&self, who: Who, signals: &[Signal]) -> Result<()> {
        for &told in signals {
            signal(&self.process(who)?, told)?;
            if told == Signal::STOP {
                is(&self.started, Stopped::Yes)?;
                self.attendant_has_seen_it()?;
            }
        }
        Ok(())
    }

    fn process(&self, who: Who) -> Result<HostProcess> {
        match (who, self.place) {
            (Who::Started, _) => Ok(self.started.clone()),
            (Who::Client, _) => Ok(self.client.clone()),
            (Who::Window, Place::Script) => process(&self.laptop, "script"),
            (Who::Window, Place::Su) => process(&self.laptop, "su"),
            (Who::Window, _) => process(&self.laptop, "bash"),
            (Who::Nobody, _) => anyhow::bail!("nobody is told nothing"),
        }
    }

    pub(crate) fn expect(mut self, after: After) -> Result<()> {
        match after {
            After::GoesOn => self.goes_on(),
            After::Stopped => {
                self.terminal.wait_for("Stopped", PATIENCE)?;
                self.shell_takes_keys()?;
                self.terminal.type_text("fg\r")?;
                self.goes_on()
            }
            After::Ended(says) => self.has_ended(says),
            After::Gone => self.nothing_is_left(),
        }
    }

    /// Whatever it does until its terminal is closed.
    pub(crate) fn leaves_nothing(mut self) -> Result<()> {
        self.terminal.type_text("exit\r")?;
        self.terminal.wait_exit(PATIENCE)?;
        self.nothing_is_left()
    }

    fn goes_on(mut self) -> Result<()> {
        is(&self.client, Stopped::No)?;
        is(&self.started, Stopped::No)?;
        computes(&mut self.terminal, 7_102)?;
        self.terminal.type_text("exit\r")?;
        if self.place == Place::Terminal {
            ensure!(self.terminal.wait_exit(PATIENCE)?.success(), "{}", self.terminal.screen());
        }
        self.nothing_is_left()
    }

    fn has_ended(&mut self, says: &str) -> Result<()> {
        if self.place == Place::Terminal {
            let status = self.terminal.wait_exit(PATIENCE)?;
            ensure!(status.to_string() == says, "{status}\n{}", self.terminal.screen());
            return self.nothing_is_left();
        }
        self.nothing_is_left()?;
        self.terminal.type_text("echo code=$?\r")?;
        self.terminal.wait_for(says, PATIENCE)?;
        self.shell_takes_keys()
    }

    /// As readline does, which sets the terminal's modes itself, and as all others do.
    fn shell_takes_keys(&mut self) -> Result<()> {
        self.terminal.type_text("clear; echo on=$HOSTNAME; read -r line; echo line=$line\r")?;
        self.terminal.wait_for("on=laptop", PATIENCE)?;
        self.terminal.type_text("some key\x7fs\r")?;
        self.terminal.wait_for("line=some kes", PATIENCE)
    }

    fn nothing_is_left(&self) -> Result<()> {
        nothing_is_left(&self.laptop).with_context(|| self.terminal.screen())
    }
}

pub(crate) fn nothing_is_left(laptop: &Host) -> Result<()> {
    for name in ["moshpunch", "mosh-client", "mosh", "ssh", "sleep", "script", "su"] {
        let left = || Ok(laptop.processes(name)?.is_empty().then_some(()));
        wait_until(&format!("the end of every {name}"), PATIENCE, left)?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    Yes,
    No,
}

/// It rests once it has looked.
fn rests(attendant: &HostProcess) -> Result<()> {
    wait_until("an attendant that rests", PATIENCE, || {
        let status = fs::read_to_string(format!("/proc/{}/status", attendant.pid))?;
        Ok(status.contains("State:\tS").then_some(()))
    })
}

fn is(process: &HostProcess, wanted: Stopped) -> Result<()> {
    wait_until(&format!("{wanted:?} of Stopped: {process:?}"), PATIENCE, || {
        let stopped = if is_stopped(process) { Stopped::Yes } else { Stopped::No };
        Ok((stopped == wanted).then_some(()))
    })
}
