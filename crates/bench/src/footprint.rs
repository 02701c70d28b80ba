//! What sessions take of a host, a laptop and a router while nobody types: memory, wake-ups, packets, and the time to open
//! one more.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Command, HomeAndAway, Host, HostProcess, Lab, Spot, Terminal, USER, wait_until};

use crate::Bench;
use crate::client;
use crate::clock::{milliseconds, rest};
use crate::row::{Aim, Group, Row, Unit};
use crate::sample::{Reading, Sample};
use crate::turns::{Contender, progress, take_turns};

const PATIENCE: Duration = Duration::from_secs(30);
const COUNTS: [usize; 4] = [1, 10, 100, 300];
/// How often the next session is opened and ended again, at each count.
const OPENINGS: usize = 5;

/// In KiB: 2 MiB of a keeper's own share of memory (proc(5), `Pss` of smaps_rollup).
const KEEPER_AIM: Aim = Aim::AtMost(2_048.0);

/// Of the keeper's between two renewals: the interval in which it looks after its mapping. Nothing else wakes it.
const CHECK_INTERVAL: Duration = Duration::from_secs(120);

const OPEN_OURS: &str = "moshpunch server new";
const OPEN_STOCK: &str = "mosh-server new";

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let start_up = start_up(bench)?;
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let home = HomeAndAway::raise(&lab, Spot::Internet)?;
    count_questions(&home.router)?;
    let mut sessions = Sessions { home: &home, joined: Vec::new() };
    let mut scale = Vec::new();
    for count in COUNTS {
        sessions.grow(count).with_context(|| format!("{count} sessions"))?;
        scale.extend(sessions.next(count)?);
        scale.extend(sessions.memory(count)?);
    }
    let mut idle = sessions.keepers_while_idle()?;
    drop(lab);
    idle.extend(client_while_idle(bench)?);
    Ok(vec![
        Group { title: "start-up of a program", rows: start_up },
        Group { title: "many sessions on one host", rows: scale },
        Group { title: "while nobody types", rows: idle },
    ])
}

/// From exec to exit.
fn start_up(bench: &Bench) -> Result<Vec<Row>> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let host = lab.host("laptop").start()?;
    let run = |words: &'static [&'static str]| {
        let host = &host;
        Contender::new(words[0], move || {
            let output = host.command(words[0]).args(&words[1..]).as_user(USER).run(PATIENCE)?;
            Ok(Some(milliseconds(output.took)))
        })
    };
    let contenders = vec![run(&["moshpunch", "--version"]), run(&["mosh", "--version"])];
    let samples = take_turns("start-up", contenders, bench.runs * 4)?;
    let row = Row::new("moshpunch --version", Unit::Milliseconds, samples["moshpunch"].clone());
    Ok(vec![row.beside("mosh --version", samples["mosh"].clone())])
}

/// Sessions of one host, each with a stock client.
struct Sessions<'a> {
    home: &'a HomeAndAway,
    joined: Vec<Terminal>,
}

impl Sessions<'_> {
    fn grow(&mut self, count: usize) -> Result<()> {
        while self.joined.len() < count {
            progress(&format!("many sessions: {} of {count}", self.joined.len()));
            let line = connect_line(self.open(OPEN_OURS).run(PATIENCE)?.stdout)?;
            let client = self.home.laptop.command("mosh-client").args(["20.0.0.1", &line.port]);
            let client = client.env("MOSH_KEY", line.key).as_user(USER);
            let terminal = self.home.laptop.terminal(&client, 24, 80)?;
            terminal.wait_for("alice@server", PATIENCE)?;
            self.joined.push(terminal);
        }
        progress("");
        Ok(())
    }

    /// As ssh would run it for a client outside.
    fn open(&self, words: &str) -> Command {
        let mut words = words.split(' ');
        let program = words.next().unwrap_or_default();
        let command = self.home.server.command(program).args(words).arg("-s").as_user(USER);
        command.env("SSH_CONNECTION", "20.0.0.9 40000 192.168.1.10 22")
    }

    /// How long the next one takes to open.
    fn next(&self, count: usize) -> Result<Vec<Row>> {
        let contender = |words: &'static str| {
            Contender::new(words, move || {
                let before = self.mosh_servers()?;
                let output = self.open(words).run(PATIENCE)?;
                let new = |process: &HostProcess| before.iter().all(|known| known.pid != process.pid);
                self.mosh_servers()?.iter().filter(|process| new(process)).try_for_each(end)?;
                self.wait_for_leases(count)?;
                Ok(Some(milliseconds(output.took)))
            })
        };
        let contenders = vec![contender(OPEN_OURS), contender(OPEN_STOCK)];
        let samples = take_turns(&format!("beside {count} sessions"), contenders, OPENINGS)?;
        let row =
            Row::new(format!("the next, beside {count}"), Unit::Milliseconds, samples[OPEN_OURS].clone());
        Ok(vec![row.beside(OPEN_STOCK, samples[OPEN_STOCK].clone())])
    }

    fn wait_for_leases(&self, count: usize) -> Result<()> {
        wait_until(&format!("{count} leases"), PATIENCE, || {
            Ok((self.home.router.leases()?.len() == count).then_some(()))
        })
    }

    fn mosh_servers(&self) -> Result<Vec<HostProcess>> {
        self.home.server.processes("mosh-server")
    }

    fn keepers(&self) -> Result<Vec<HostProcess>> {
        let mut processes = self.home.server.processes("moshpunch")?;
        processes.retain(|process| process.arguments.iter().any(|word| word == "--keeper"));
        ensure!(processes.len() == self.joined.len(), "one keeper a session expected: {processes:?}");
        Ok(processes)
    }

    fn memory(&self, count: usize) -> Result<Vec<Row>> {
        let (ours, theirs) = (memory(&self.keepers()?)?, memory(&self.mosh_servers()?)?);
        let sum = |readings: &[f64]| readings.iter().sum::<f64>();
        let total = Row::new(format!("memory of {count} keepers"), Unit::Kibibytes, sum(&ours));
        let total = total.beside("their mosh-servers", sum(&theirs));
        let each = Row::new(format!("… of each, beside {}", count - 1), Unit::Kibibytes, readings(ours));
        Ok(vec![total, each.beside("mosh-server", readings(theirs)).aiming_at(KEEPER_AIM)])
    }

    fn keepers_while_idle(&self) -> Result<Vec<Row>> {
        progress("idle keepers, for two minutes");
        let (keepers, servers) = (self.keepers()?, self.mosh_servers()?);
        let before = (switches(&keepers)?, switches(&servers)?, questions(&self.home.router)?);
        rest(CHECK_INTERVAL)?;
        let after = (switches(&keepers)?, switches(&servers)?, questions(&self.home.router)?);
        progress("");
        let minutes = CHECK_INTERVAL.as_secs_f64() / 60.0;
        let a_minute = |before: &BTreeMap<u32, f64>, after: &BTreeMap<u32, f64>| {
            readings(after.iter().filter_map(|(pid, count)| Some((count - before.get(pid)?) / minutes)))
        };
        let wakeups = Row::new("wake-ups of a keeper", Unit::PerMinute, a_minute(&before.0, &after.0));
        let sessions = u32::try_from(self.joined.len()).map_or(f64::NAN, f64::from);
        let packets = (after.2 - before.2) / sessions * 60.0 / minutes;
        Ok(vec![
            wakeups.beside("mosh-server", a_minute(&before.1, &after.1)),
            Row::new("packets of a session to the router", Unit::PerHour, packets),
        ])
    }
}

/// Our client, on its own, beside mosh-client.
fn client_while_idle(bench: &Bench) -> Result<Vec<Row>> {
    const WATCHED: Duration = Duration::from_secs(60);
    progress("an idle client, for a minute");
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let home = HomeAndAway::raise(&lab, Spot::Internet)?;
    let command = home.laptop.command("moshpunch").args(["--ssh=ssh -p 8022", "router"]).as_user(USER);
    let terminal = home.laptop.terminal(&command, 24, 80)?;
    terminal.wait_for("alice@server", PATIENCE)?;
    let ours = [client::on_its_own(&home.laptop)?];
    let theirs = home.laptop.processes("mosh-client")?;
    let before = (switches(&ours)?, switches(&theirs)?);
    rest(WATCHED)?;
    let after = (switches(&ours)?, switches(&theirs)?);
    progress("");
    let difference = |before: &BTreeMap<u32, f64>, after: &BTreeMap<u32, f64>| {
        readings(after.iter().filter_map(|(pid, count)| Some(count - before.get(pid)?)))
    };
    let wakeups = Row::new("wake-ups of the client", Unit::PerMinute, difference(&before.0, &after.0));
    let kept = Row::new("memory of the client", Unit::Kibibytes, readings(memory(&ours)?));
    Ok(vec![
        wakeups.beside("mosh-client", difference(&before.1, &after.1)),
        kept.beside("mosh-client", readings(memory(&theirs)?)),
    ])
}

struct ConnectLine {
    port: String,
    key: String,
}

fn connect_line(output: String) -> Result<ConnectLine> {
    let line = output.lines().find_map(|line| line.strip_prefix("MOSH CONNECT "));
    let (port, key) = line.and_then(|line| line.split_once(' ')).context("no connect line")?;
    Ok(ConnectLine { port: port.to_owned(), key: key.to_owned() })
}

fn end(process: &HostProcess) -> Result<()> {
    let pid =
        rustix::process::Pid::from_raw(i32::try_from(process.pid)?).context("a process has a number")?;
    let _already_gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    Ok(())
}

/// In KiB: its own, and of what it shares with others its part.
fn memory(processes: &[HostProcess]) -> Result<Vec<f64>> {
    let of = |process: &HostProcess| {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    };
    processes.iter().map(of).collect()
}

/// How often each has gone to sleep so far (proc(5), status): as often as it was woken.
fn switches(processes: &[HostProcess]) -> Result<BTreeMap<u32, f64>> {
    let of = |process: &HostProcess| {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        Ok((process.pid, line.context("no switches")?.trim().parse()?))
    };
    processes.iter().map(of).collect()
}

const COUNTER: &str = "table inet bench { counter questions { }; chain input { type filter hook input priority filter; \
                       iifname \"lan0\" counter name \"questions\"; }; }\n";

fn count_questions(router: &Host) -> Result<()> {
    router.command("nft").args(["-f", "-"]).input(COUNTER).run(PATIENCE).map(drop)
}

/// Packets to the router itself, so far.
fn questions(router: &Host) -> Result<f64> {
    let counter =
        router.command("nft").args(["list", "counter", "inet", "bench", "questions"]).run(PATIENCE)?;
    let mut words = counter.stdout.split_whitespace().skip_while(|&word| word != "packets");
    Ok(words.nth(1).context("no counter")?.parse()?)
}

fn readings(values: impl IntoIterator<Item = f64>) -> Sample {
    values.into_iter().map(|value| -> Reading { Some(value) }).collect()
}
