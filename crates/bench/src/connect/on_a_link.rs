//! Laptop and host are neighbours: what the start itself takes, by a login and by a master connection that is there already.

use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::{Daemon, Host, Impairment, Lab, Link, Sshd, USER};

use crate::Bench;
use crate::clock::{milliseconds_since, rest};
use crate::network::PATIENCE;
use crate::row::{Aim, Group, Row, Unit};
use crate::sample::Reading;
use crate::turns::{Contender, take_turns};

const TITLE: &str = "connect: enter to the first prompt, on one link";

const SSH: &str = "ssh";
const MOSH: &str = "mosh";
const MOSHPUNCH: &str = "moshpunch";

/// Of ssh's time, where a master connection is there already.
const TIMES_OF_SSH: f64 = 3.0;

/// In milliseconds, of the link.
const ROUND_TRIPS: [u32; 3] = [0, 50, 200];

/// In milliseconds, beside one round trip, where ssh has to log in.
const ABOVE_SSH: u32 = 40;

const MASTER: &str = "/tmp/master";

/// What the session before leaves is over by then.
const REST: Duration = Duration::from_secs(1);

struct Neighbours {
    link: Link,
    laptop: Host,
    host: Host,
    _sshd: Daemon,
}

impl Neighbours {
    fn raise(lab: &Lab) -> Result<Self> {
        let link = lab.link("home")?;
        let host = lab.host("host").attach("eth0", &link, &["192.168.1.10/24"]).start()?;
        let laptop = lab.host("laptop").attach("eth0", &link, &["192.168.1.20/24"]).start()?;
        let _sshd = host.sshd(&Sshd::default())?;
        Ok(Self { link, laptop, host, _sshd })
    }

    fn master(&self) -> Result<Daemon> {
        let command = self.laptop.command("ssh").args(["-v", "-M", "-N", "-S", MASTER, "host"]).as_user(USER);
        let master = self.laptop.spawn("master", &command)?;
        master.wait_for_log("Entering interactive session", PATIENCE)?;
        Ok(master)
    }

    fn connect(&self, client: &str, ssh: &str) -> Result<Reading> {
        rest(REST)?;
        let command = match client {
            SSH => self.laptop.command("sh").args(["-c", &format!("exec {ssh} host")]),
            client => self.laptop.command(client).args([&format!("--ssh={ssh}"), "host"]),
        };
        let prompt = format!("{USER}@{}", self.host.name());
        let start = net::clock::now();
        let mut terminal = self.laptop.terminal(&command.as_user(USER), 24, 80)?;
        terminal.wait_for(&prompt, PATIENCE)?;
        let took = milliseconds_since(start);
        terminal.type_text("exit\r")?;
        terminal.wait_exit(PATIENCE).context("leaving")?;
        Ok(Some(took))
    }

    /// Ours beside each of the two others.
    fn compare(&self, title: &str, ssh: &str, aim: Aim, runs: usize) -> Result<[Row; 2]> {
        let contenders = [MOSHPUNCH, SSH, MOSH];
        let contenders = contenders.map(|client| Contender::new(client, move || self.connect(client, ssh)));
        let samples = take_turns(title, contenders.into(), runs)?;
        let beside = |peer: &str| {
            let row = Row::new(title, Unit::Milliseconds, samples[MOSHPUNCH].clone());
            row.beside(peer, samples[peer].clone())
        };
        Ok([beside(SSH).aiming_at(aim), beside(MOSH)])
    }
}

pub(super) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let neighbours = Neighbours::raise(&lab)?;
    let master = neighbours.master()?;
    let by_master = format!("ssh -S {MASTER}");
    let mut rows = Vec::new();
    rows.extend(neighbours.compare("warm master", &by_master, Aim::RatioAtMost(TIMES_OF_SSH), bench.runs)?);
    master.stop()?;
    for round_trip in ROUND_TRIPS {
        let there = Duration::from_millis(round_trip.into()) / 2;
        neighbours.link.impair(Impairment::NONE.delay(there))?;
        let title = format!("a login, {round_trip} ms round trip");
        let aim = Aim::AbovePeer((ABOVE_SSH + round_trip).into());
        rows.extend(neighbours.compare(&title, "ssh", aim, bench.runs)?);
    }
    Ok(vec![Group { title: TITLE, rows }])
}
