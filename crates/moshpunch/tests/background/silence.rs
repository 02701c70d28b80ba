//! A session whose datagrams the router drops, and what its user sees meanwhile.

use anyhow::{Context, Result, ensure};
use lab::{Daemon, Lab, WriteUp, wait_until};

use crate::common::PATIENCE;
use crate::common::home::nft;
use crate::place::{Place, Shell};

/// As [`path::Event`] is logged.
const ALARM: &str = "event=Silent";

pub(crate) const LOG: &str = "/tmp/log";
const PROMPT: &str = "alice@";

pub(crate) struct Session {
    pub(crate) place: Place,
    pub(crate) shell: Shell,
    _miniupnpd: Daemon,
}

impl Session {
    /// A shell on the laptop, from which moshpunch is to be run; the router maps ports, and its second sshd has `options`.
    pub(crate) fn prepare(lab: &Lab, options: &[&str], configuration: &str) -> Result<Self> {
        let place = Place::raise(lab, options)?;
        place.set_password()?;
        place.configure(configuration)?;
        let miniupnpd = place.network.router.miniupnpd(&WriteUp::miniupnpd())?;
        let shell = place.shell()?;
        Ok(Self { place, shell, _miniupnpd: miniupnpd })
    }

    /// Without a channel, which would end the silence.
    pub(crate) fn run(&mut self, command: &str) -> Result<()> {
        self.shell.run(&command.replace("moshpunch", &format!("moshpunch --no-carry --log={LOG}")))
    }

    /// The first login has told all that it had to tell, and is over.
    pub(crate) fn begins_on(&self, host: &str) -> Result<()> {
        self.shell.terminal.wait_until("a session", PATIENCE, |screen| {
            screen.trim_start().starts_with(&format!("{PROMPT}{host}:"))
        })?;
        wait_until("the end of the first login", PATIENCE, || {
            let logins = self.place.laptop().processes("ssh")?;
            let is_master = |words: &[String]| words.first().is_some_and(|word| word.contains("[mux]"));
            Ok(logins.iter().all(|login| is_master(&login.arguments)).then_some(()))
        })
    }

    /// No datagram of a session passes the router, whichever host has it.
    pub(crate) fn falls_silent(&self) -> Result<()> {
        let chain = |hook: &str| {
            let ports = "udp dport 60000-60999 drop; udp sport 60000-60999 drop;";
            format!("chain {hook} {{ type filter hook {hook} priority -10; {ports} }};")
        };
        let chains = ["forward", "input", "output"].map(chain).join(" ");
        nft(&self.place.network.router, &format!("table inet dead {{ {chains} }}\n"))
    }

    pub(crate) fn is_heard_again(&self) -> Result<()> {
        nft(&self.place.network.router, "delete table inet dead\n")
    }

    pub(crate) fn waits_for_alarm(&self, number: usize) -> Result<()> {
        (self.alarms()..number).try_for_each(|heard| {
            let logged = || Ok((self.alarms() > heard).then_some(()));
            wait_until(&format!("alarm {}", heard + 1), PATIENCE * 2, logged).with_context(|| self.log())
        })
    }

    pub(crate) fn alarms(&self) -> usize {
        self.log().matches(ALARM).count()
    }

    pub(crate) fn log(&self) -> String {
        self.place.laptop().read_file(LOG).unwrap_or_default()
    }

    /// Until the third login in the background is due, everything that is typed comes to the session, and nothing is seen
    /// but that and mosh's own line at the top.
    pub(crate) fn is_not_disturbed(&mut self) -> Result<()> {
        self.shell.run("clear; echo; cat; echo")?;
        self.shell.terminal.wait_until("an empty screen", PATIENCE, |screen| screen.trim().is_empty())?;
        self.falls_silent()?;
        let mut typed = String::new();
        for (number, word) in (1..).zip(["one ", "two ", "three "]) {
            self.waits_for_alarm(number)?;
            self.shell.terminal.type_text(word)?;
            typed.push_str(word);
            self.shows_nothing_but(&typed)?;
        }
        self.is_heard_again()?;
        self.shell.terminal.type_text("four\r")?;
        typed.push_str("four");
        let both = |screen: &str| screen.matches(&typed).count() == 2;
        self.shell.terminal.wait_until("what was typed, and that cat has it", PATIENCE, both)?;
        self.shows_nothing_but(&typed)
    }

    pub(crate) fn shows_nothing_but(&self, typed: &str) -> Result<()> {
        let screen = self.shell.terminal.screen();
        let mut rows = screen.lines().enumerate();
        let expected = |(row, text): (usize, &str)| {
            typed.trim_end().starts_with(text.trim()) || row == 0 && text.starts_with("mosh: ")
        };
        ensure!(rows.all(expected), "beside {typed:?}:\n{screen}\n{}", self.log());
        Ok(())
    }

    /// After [`Self::is_not_disturbed`].
    pub(crate) fn ends(mut self) -> Result<()> {
        self.shell.terminal.type_text("\x04exit\r")?;
        self.shell.is_back("0")?;
        nothing_is_left(&self.place)
    }
}

pub(crate) fn nothing_is_left(place: &Place) -> Result<()> {
    let names = ["ssh", "moshpunch", "sleep", "yes"];
    wait_until("the end of everything", PATIENCE, || {
        for name in names {
            if !place.laptop().processes(name)?.is_empty() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
}
