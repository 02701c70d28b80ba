//! What `moshpunch router guard` takes on a router with many mappings, and how soon it holds one more.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Daemon, Host, Lab, Miniupnpd, Nat, wait_until};

use crate::Bench;
use crate::clock::{milliseconds, milliseconds_since};
use crate::row::{Group, Row, Unit};
use crate::sample::Sample;
use crate::turns::progress;

const PATIENCE: Duration = Duration::from_secs(60);
const LEASE_FILE: &str = "/var/lib/miniupnpd/upnp.leases";
const CONFIGURATION: &str = "/etc/miniupnpd/lab.conf";
const NAT_PMP_PORT: u16 = 5351;
const MAPPINGS: u16 = 1_000;
const FIRST_PORT: u16 = 10_000;
/// All of these.
const PORTS: &str = "10000-60999";
/// Above all that are mapped before.
const FIRST_PORT_OF_RUNS: u16 = 60_001;
const LEASE_SECONDS: u64 = 3_600;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let runs = u16::try_from(bench.runs)?;
    let mut rows = Vec::new();
    for (name, options) in [("guard", &[][..]), ("guard --hairpin", &["--hairpin"])] {
        progress(name);
        let network = Network::raise(&lab, options.len())?;
        let Figures { ready, memory, reactions, processor } = network.measure(options, runs).context(name)?;
        rows.extend([
            Row::new(format!("{name}: ready"), Unit::Milliseconds, ready),
            Row::new(format!("{name}: memory"), Unit::Kibibytes, memory),
            Row::new(format!("{name}: one more held after"), Unit::Milliseconds, reactions),
            Row::new(format!("{name}: processor time for {runs} more"), Unit::Milliseconds, processor),
        ]);
    }
    progress("");
    Ok(vec![Group { title: "router guard, 1000 mappings", rows }])
}

struct Network {
    router: Host,
    server: Host,
}

impl Network {
    /// miniupnpd begins with what its lease file tells. It runs without its debugging log, which grows with the square of
    /// the mappings.
    fn raise(lab: &Lab, number: usize) -> Result<Self> {
        let name = |name: &str| format!("{name}{number}");
        let (internet, home) = (lab.link(&name("internet"))?, lab.link(&name("home"))?);
        let router = lab.host(&name("router")).attach("wan0", &internet, &["20.0.0.1/24"]);
        let router = router.attach("lan0", &home, &["192.168.1.1/24"]).start()?;
        router.nat(&Nat::home("wan0"))?;
        let server = lab.host(&name("server")).attach("eth0", &home, &["192.168.1.10/24"]);
        let server = server.default_route("192.168.1.1").start()?;
        router.miniupnpd(&Miniupnpd::new("wan0", "lan0"))?.stop()?;
        router.write_file(LEASE_FILE, &lease_file()?)?;
        router.command("/usr/sbin/miniupnpd").args(["-f", CONFIGURATION]).run(PATIENCE)?;
        wait_until("miniupnpd to answer with all mapped", PATIENCE, || {
            let all = router.leases()?.len() == usize::from(MAPPINGS);
            Ok((all && router.udp_ports()?.contains(&NAT_PMP_PORT)).then_some(()))
        })?;
        Ok(Self { router, server })
    }

    fn measure(&self, options: &[&str], runs: u16) -> Result<Figures> {
        let command =
            self.router.command("moshpunch").args(["router", "guard", "--ports", PORTS]).args(options);
        let start = net::clock::now();
        let guard = self.router.spawn("guard", &command.args(["--miniupnpd-conf", CONFIGURATION]))?;
        guard.wait_for_log("guarding:", PATIENCE)?;
        let ready = milliseconds_since(start);
        let all_held = format!("{MAPPINGS} of {MAPPINGS} mapped UDP ports held");
        ensure!(guard.log().contains(&all_held), "{}", guard.log());
        let memory = memory_kilobytes(&guard)?;
        let mut reactions = Vec::new();
        for run in 0..runs {
            reactions.extend(self.reaction(FIRST_PORT_OF_RUNS + run)?);
        }
        ensure!(!reactions.is_empty(), "miniupnpd refused every mapping");
        let reactions = reactions.into_iter().map(Some).collect();
        Ok(Figures { ready, memory, reactions, processor: milliseconds(processor_time(&guard)?) })
    }

    /// From the line in the lease file to the socket in the kernel's table, with both looked at without a pause.
    /// `None`: miniupnpd did not map it. (2.3.1 fails where somebody changes other rules just then.)
    fn reaction(&self, port: u16) -> Result<Option<f64>> {
        let add = self.server.command("natpmpc").args(["-g", "192.168.1.1", "-a"]);
        let add = add.args([port.to_string(), port.to_string(), "udp".to_owned(), LEASE_SECONDS.to_string()]);
        let file = PathBuf::from(format!("/proc/{}/root{LEASE_FILE}", self.router.holder_pid()));
        let table = format!("/proc/{}/net/udp6", self.router.holder_pid());
        let (line, socket) = (format!("UDP:{port}:"), format!(":{port:04X} "));
        thread::scope(|scope| {
            let asked = scope.spawn(|| add.run(PATIENCE));
            let deadline = net::clock::now() + PATIENCE;
            let mut mapped = None;
            loop {
                if mapped.is_none() && fs::read_to_string(&file)?.contains(&line) {
                    mapped = Some(net::clock::now());
                }
                if fs::read_to_string(&table)?.contains(&socket) {
                    return Ok(Some(mapped.map_or(0.0, milliseconds_since)));
                }
                if asked.is_finished() && mapped.is_none() && !fs::read_to_string(&file)?.contains(&line) {
                    return Ok(None);
                }
                ensure!(net::clock::now() < deadline, "port {port} is not held");
            }
        })
    }
}

struct Figures {
    /// In milliseconds, as all times here.
    ready: f64,
    /// In KiB.
    memory: f64,
    reactions: Sample,
    processor: f64,
}

fn lease_file() -> Result<String> {
    let now = std::time::UNIX_EPOCH.elapsed()?.as_secs();
    let line = |port| format!("UDP:{port}:192.168.1.10:{port}:{}:measured\n", now + LEASE_SECONDS);
    Ok((FIRST_PORT..FIRST_PORT + MAPPINGS).map(line).collect())
}

/// What is in memory now (proc(5), `VmRSS`).
fn memory_kilobytes(guard: &Daemon) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", guard.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Its own and that of the nfts that it waited for, from its start (proc(5), `utime` to `cstime` of stat).
fn processor_time(guard: &Daemon) -> Result<Duration> {
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string(format!("/proc/{}/stat", guard.pid()))?;
    let fields = stat.rsplit_once(") ").context("no stat")?.1.split(' ');
    let ticks: u32 = fields.skip(11).take(4).map(str::parse::<u32>).sum::<Result<_, _>>()?;
    Ok(TICK * ticks)
}
