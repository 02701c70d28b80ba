//! A session that loses its only way, and what its user sees meanwhile.

use anyhow::{Context, Result, ensure};
use lab::{Daemon, HostProcess, Lab, Signal, WriteUp, wait_until};

use crate::common::home::nft;
use crate::common::{PATIENCE, signal};
use crate::place::{Place, Shell};

/// As [`path::Event`] is logged.
const ALARM: &str = "event=Silent";

pub(crate) const LOG: &str = "/tmp/log";
const PROMPT: &str = "alice@";

/// Of the session's datagrams, until it falls silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Without a channel, which would end the silence. The router drops them then.
    Udp,
    /// The router drops all others from the beginning. Their login is killed then, and each that has taken its place.
    Ssh,
}

/// A scenario of each way, of a function that takes it.
macro_rules! by_each_way {
    ($function:ident) => {
        [
            lab::harness::Scenario::new(stringify!($function), |lab| $function(lab, Way::Udp)),
            lab::harness::Scenario::new(concat!(stringify!($function), "_where_ssh_carries"), |lab| {
                $function(lab, Way::Ssh)
            }),
        ]
    };
}
pub(crate) use by_each_way;

pub(crate) struct Session {
    pub(crate) place: Place,
    pub(crate) shell: Shell,
    way: Way,
    _miniupnpd: Daemon,
}

impl Session {
    /// A shell on the laptop, from which moshpunch is to be run; the router maps ports, and its second sshd has `options`.
    pub(crate) fn prepare(lab: &Lab, way: Way, options: &[&str], configuration: &str) -> Result<Self> {
        let place = Place::raise(lab, options)?;
        place.set_password()?;
        place.configure(configuration)?;
        let miniupnpd = place.network.router.miniupnpd(&WriteUp::miniupnpd())?;
        let shell = place.shell()?;
        if way == Way::Ssh {
            drop_datagrams(&place)?;
        }
        Ok(Self { place, shell, way, _miniupnpd: miniupnpd })
    }

    pub(crate) fn run(&mut self, command: &str) -> Result<()> {
        let carry = if self.way == Way::Udp { " --no-carry --no-punch" } else { "" };
        self.shell.run(&command.replace("moshpunch", &format!("moshpunch{carry} --log={LOG}")))
    }

    /// The first login has told all that it had to tell, and is over, unless it carries.
    pub(crate) fn begins_on(&self, host: &str) -> Result<()> {
        let prompts = |screen: &str| screen.trim_start().starts_with(&format!("{PROMPT}{host}:"));
        self.shell.terminal.wait_until("a session", PATIENCE, prompts).with_context(|| self.log())?;
        match self.way {
            Way::Udp => {
                let ended = || Ok(self.logins()?.is_empty().then_some(()));
                wait_until("the end of the first login", PATIENCE, ended)
            }
            // Of itself, the router tells all before it begins.
            Way::Ssh if host == "router" => Ok(()),
            Way::Ssh => {
                let told = || Ok((self.logged("more: false") > 0).then_some(()));
                wait_until("all that the host has to tell", PATIENCE, told).with_context(|| self.log())
            }
        }
    }

    fn logins(&self) -> Result<Vec<HostProcess>> {
        let laptop = self.place.laptop();
        let mut logins = [laptop.processes("ssh")?, laptop.processes("dbclient")?].concat();
        logins.retain(|login| login.arguments.first().is_some_and(|word| !word.contains("[mux]")));
        Ok(logins)
    }

    pub(crate) fn falls_silent(&self) -> Result<()> {
        match self.way {
            Way::Udp => drop_datagrams(&self.place),
            Way::Ssh => self.logins()?.iter().try_for_each(|login| {
                let _has_ended = signal(login, Signal::KILL);
                Ok(())
            }),
        }
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
        self.logged(ALARM)
    }

    fn logged(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    pub(crate) fn log(&self) -> String {
        self.place.laptop().read_file(LOG).unwrap_or_default()
    }

    /// That often, an alarm has come, or where ssh carries, a login has begun without one, and has ended or carries.
    fn waits_for_occasion(&self, number: usize) -> Result<()> {
        if self.way == Way::Udp {
            return self.waits_for_alarm(number);
        }
        let come = || {
            let begun = self.logged("logging in again");
            let ends = ["there is a channel", "the login has ended", "the login is told to end"];
            let settled: usize = ends.iter().map(|end| self.logged(end)).sum();
            Ok((self.alarms().max(begun) >= number && settled > begun).then_some(()))
        };
        wait_until(&format!("occasion {number}"), PATIENCE * 2, come).with_context(|| self.log())
    }

    /// Until the third login in the background is due, everything that is typed comes to the session, and nothing is seen
    /// but that and mosh's own line at the top.
    pub(crate) fn is_not_disturbed(&mut self) -> Result<()> {
        self.shell.run("clear; echo; cat; echo")?;
        self.shell.terminal.wait_until("an empty screen", PATIENCE, |screen| screen.trim().is_empty())?;
        self.falls_silent()?;
        let mut typed = String::new();
        for (number, word) in (1..).zip(["one ", "two ", "three "]) {
            self.waits_for_occasion(number)?;
            if self.way == Way::Ssh {
                self.falls_silent()?;
            }
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

/// None of a session passes the router, whichever host has it.
fn drop_datagrams(place: &Place) -> Result<()> {
    let chain = |(hook, elsewhere): (&str, &str)| {
        let ports = ["dport", "sport"].map(|port| format!("{elsewhere} udp {port} 60000-60999 drop;"));
        format!("chain {hook} {{ type filter hook {hook} priority -10; {} }};", ports.concat())
    };
    let hooks = [("forward", ""), ("input", "iifname != \"lo\""), ("output", "oifname != \"lo\"")];
    nft(&place.network.router, &format!("table inet dead {{ {} }}\n", hooks.map(chain).join(" ")))
}

pub(crate) fn nothing_is_left(place: &Place) -> Result<()> {
    let laptop = place.laptop();
    ["ssh", "moshpunch", "sleep", "yes"].into_iter().try_for_each(|name| {
        let left = || Ok(laptop.processes(name)?.is_empty().then_some(()));
        wait_until(&format!("the end of every {name}"), PATIENCE, left)
            .with_context(|| format!("{:?}", laptop.processes(name)))
    })
}
