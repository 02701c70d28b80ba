//! A laptop outside, whose user logs in on the router itself; its second sshd is as a scenario wants it.

use anyhow::{Context, Result, ensure};
use lab::{Daemon, Host, Lab, Output, Sshd, Terminal, USER, WriteUp, wait_until};

use crate::common::program;
use crate::common::{PATIENCE, computes, is_stopped, raise};

pub(crate) const PORT: u16 = 2222;
pub(crate) const TO_PORT: &str = "--ssh=ssh -p 2222";
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const BASHRC: &str = "/home/alice/.bashrc";
pub(crate) const CONFIGURATION: &str = "/home/alice/.ssh/config";
/// mosh's escape: Ctrl-^ and a full stop.
pub(crate) const QUIT: &str = "\x1e.";
/// How a program in place of ssh begins: it has no configuration to tell of.
pub(crate) const NOT_ASKED: &str = "#!/bin/sh\ncase \" $* \" in *' -G '*) exit 1 ;; esac\n";
const PROMPT_HERE: &str = "alice@laptop:~$ ";

pub(crate) struct Place {
    pub(crate) network: WriteUp,
    pub(crate) sshd: Daemon,
}

impl Place {
    /// With moshpunch everywhere.
    pub(crate) fn raise(lab: &Lab, options: &[&str]) -> Result<Self> {
        Self::with(raise(lab)?, options)
    }

    /// With moshpunch on the laptop alone.
    pub(crate) fn raise_stock(lab: &Lab, options: &[&str]) -> Result<Self> {
        let network = WriteUp::raise(lab)?;
        network.laptop.install(&program::path())?;
        Self::with(network, options)
    }

    fn with(network: WriteUp, options: &[&str]) -> Result<Self> {
        let extra = options.iter().map(|&option| option.to_owned()).collect();
        let sshd = network.router.sshd(&Sshd { port: PORT, extra })?;
        Ok(Self { network, sshd })
    }

    pub(crate) fn laptop(&self) -> &Host {
        &self.network.laptop
    }

    /// The user's configuration of ssh.
    pub(crate) fn configure(&self, text: &str) -> Result<()> {
        self.laptop().write_user_file(CONFIGURATION, text)
    }

    /// Ctrl-Z. An ssh that asks drops what was typed when it stops, which may be after the shell has said so.
    pub(crate) fn stop(&self, shell: &mut Shell) -> Result<()> {
        shell.terminal.type_text("\x1a")?;
        wait_until("a stopped ssh", PATIENCE, || {
            let running = self.laptop().processes("ssh")?.iter().any(|ssh| !is_stopped(ssh));
            Ok((!running).then_some(()))
        })?;
        shell.says_of_its_job("Stopped")
    }

    pub(crate) fn set_password(&self) -> Result<()> {
        let change = self.network.router.command("chpasswd").args(["-c", "SHA512"]);
        change.input(format!("{USER}:{PASSWORD}\n")).run(PATIENCE).map(drop)
    }

    pub(crate) fn set_shell(&self, shell: &str) -> Result<()> {
        let change = self.network.router.command("usermod").args(["--shell", shell, USER]);
        change.run(PATIENCE).map(drop)
    }

    /// The user's own shell, to type commands into.
    pub(crate) fn shell(&self) -> Result<Shell> {
        let bash = self.laptop().command("bash").as_user(USER);
        let terminal = self.laptop().terminal(&bash, 24, 80)?;
        terminal.wait_for(PROMPT_HERE, PATIENCE)?;
        Ok(Shell { terminal })
    }

    /// Without a terminal, to the end.
    pub(crate) fn output(&self, words: &[&str]) -> Result<Output> {
        self.laptop().command("moshpunch").args(words).as_user(USER).output(PATIENCE)
    }
}

/// bash on the laptop.
pub(crate) struct Shell {
    pub(crate) terminal: Terminal,
}

impl Shell {
    pub(crate) fn run(&mut self, line: &str) -> Result<()> {
        self.terminal.type_text(&format!("{line}\r"))
    }

    /// Waits for what is asked, with the cursor behind it, and answers.
    pub(crate) fn answer(&mut self, question: &str, answer: &str) -> Result<()> {
        self.terminal.wait_for(question, PATIENCE)?;
        self.terminal.type_text(&format!("{answer}\r"))
    }

    pub(crate) fn sees(&self, text: &str) -> Result<()> {
        self.terminal.wait_for(text, PATIENCE)
    }

    /// The shell says so of its job, and reads again: what is typed before that, whoever reads last may take.
    pub(crate) fn says_of_its_job(&self, text: &str) -> Result<()> {
        self.terminal.wait_until(&format!("a prompt below {text:?}"), PATIENCE, |screen| {
            screen.contains(text) && screen.trim_end().ends_with(PROMPT_HERE.trim_end())
        })
    }

    /// A session is there; nothing of the login is on its screen. It is used, and left.
    pub(crate) fn uses_session(&mut self, host: &str) -> Result<()> {
        self.uses_session_quietly(host)?;
        let said = self.terminal.screen().matches("the session went over").count();
        ensure!(said == 1, "{}", self.terminal.screen());
        Ok(())
    }

    /// As above, where messages go elsewhere.
    pub(crate) fn uses_session_quietly(&mut self, host: &str) -> Result<()> {
        let prompt = format!("alice@{host}:");
        self.terminal.wait_until(&prompt, PATIENCE, |screen| screen.trim_start().starts_with(&prompt))?;
        ensure!(!self.terminal.screen().contains("moshpunch"), "{}", self.terminal.screen());
        computes(&mut self.terminal, 6301)?;
        self.terminal.type_text("exit\r")?;
        self.is_back("0")
    }

    /// moshpunch has ended with that code, and the terminal is as it was.
    pub(crate) fn is_back(&mut self, code: &str) -> Result<()> {
        self.terminal.wait_until("the shell's prompt", PATIENCE, |screen| {
            screen.trim_end().ends_with(PROMPT_HERE.trim_end())
        })?;
        self.run("echo code=$? $(stty -a | grep -ow -e '-\\?echo' -e '-\\?icanon' -e '-\\?isig')")?;
        let expected = format!("code={code} ");
        self.sees(&expected)?;
        let screen = self.terminal.screen();
        let line = screen.lines().find(|line| line.starts_with(&expected)).context("an answer")?;
        ensure!(line == format!("code={code} isig icanon echo"), "{screen}");
        Ok(())
    }

    /// From the command that was typed last on, without what stands on the last row.
    pub(crate) fn lines(&self) -> Vec<String> {
        let screen = self.terminal.screen();
        let lines: Vec<_> = screen.lines().map(|line| line.trim_end().to_owned()).collect();
        let typed = lines.iter().rposition(|line| line.starts_with("alice@laptop:~$ moshpunch")).unwrap_or(0);
        lines[typed + 1..].iter().filter(|line| !line.is_empty()).cloned().collect()
    }
}
