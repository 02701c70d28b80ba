//! `lab measure guard`: what the guard of a router with many mappings takes, and how soon it holds one more.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use lab::{Daemon, Host, Lab, Miniupnpd, Nat, Requirements, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);
const LEASE_FILE: &str = "/var/lib/miniupnpd/upnp.leases";
const CONFIGURATION: &str = "/etc/miniupnpd/lab.conf";
const NAT_PMP_PORT: u16 = 5351;
const FIRST_PORT: u16 = 10_000;
/// Above all that are mapped before.
const FIRST_PORT_OF_RUNS: u16 = 60_001;
const LEASE_SECONDS: u64 = 3_600;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many ports are mapped
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(..=40_000))]
    mappings: u16,
    /// How many more are mapped then, one after the other
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=900))]
    runs: u16,
    /// The moshpunch to measure [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    moshpunch: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    let programs = ["miniupnpd", "natpmpc", "nft"].map(str::to_owned).to_vec();
    let check = Requirements { programs }.check();
    check.map_err(|reason| anyhow!("this machine cannot measure the guard: {reason}"))?;
    let moshpunch = arguments.moshpunch.map_or_else(super::demo::beside_this_program, Ok)?;
    let lab = Lab::new("measure")?;
    lab.install(&moshpunch).context("build moshpunch, or say --moshpunch PATH")?;
    println!(
        "{:24}{:>12}{:>12}{:>16}{:>14}{:>15}{:>10}",
        format!("{} mappings", arguments.mappings),
        "ready, ms",
        "memory, kB",
        "held after, ms",
        "(the longest)",
        "processor, ms",
        "refused"
    );
    for (name, options) in [("guard", &[][..]), ("guard --hairpin", &["--hairpin"])] {
        let network = Network::raise(&lab, arguments.mappings, options.len())?;
        let figures = network.measure(options, arguments.runs).context(name)?;
        println!("{name:24}{figures}");
    }
    Ok(())
}

struct Network {
    router: Host,
    server: Host,
    mappings: u16,
}

impl Network {
    /// miniupnpd begins with what its lease file tells. It runs without its debugging log, which grows with the square of
    /// the mappings.
    fn raise(lab: &Lab, mappings: u16, number: usize) -> Result<Self> {
        let name = |name: &str| format!("{name}{number}");
        let (internet, home) = (lab.link(&name("internet"))?, lab.link(&name("home"))?);
        let router = lab.host(&name("router")).attach("wan0", &internet, &["20.0.0.1/24"]);
        let router = router.attach("lan0", &home, &["192.168.1.1/24"]).start()?;
        router.nat(&Nat::home("wan0"))?;
        let server = lab.host(&name("server")).attach("eth0", &home, &["192.168.1.10/24"]);
        let server = server.default_route("192.168.1.1").start()?;
        router.miniupnpd(&Miniupnpd::new("wan0", "lan0"))?.stop()?;
        router.write_file(LEASE_FILE, &lease_file(mappings)?)?;
        router.command("/usr/sbin/miniupnpd").args(["-f", CONFIGURATION]).run(PATIENCE)?;
        wait_until("miniupnpd to answer with all mapped", PATIENCE, || {
            let all = router.leases()?.len() == usize::from(mappings);
            Ok((all && router.udp_ports()?.contains(&NAT_PMP_PORT)).then_some(()))
        })?;
        Ok(Self { router, server, mappings })
    }

    fn measure(&self, options: &[&str], runs: u16) -> Result<Figures> {
        let command = self.router.command("moshpunch").args(["router", "guard"]).args(options);
        let start = now();
        let guard = self.router.spawn("guard", &command.args(["--miniupnpd-conf", CONFIGURATION]))?;
        guard.wait_for_log("guarding:", PATIENCE)?;
        let ready = start.elapsed();
        let all_held = format!("{0} of {0} mapped UDP ports held", self.mappings);
        ensure!(guard.log().contains(&all_held), "{}", guard.log());
        let memory = memory_kilobytes(&guard)?;
        let mut reactions = Vec::new();
        for run in 0..runs {
            reactions.extend(self.reaction(FIRST_PORT_OF_RUNS + run)?);
        }
        reactions.sort_unstable();
        ensure!(!reactions.is_empty(), "miniupnpd refused every mapping");
        let processor = processor_time(&guard)?;
        Ok(Figures { ready, memory, refused: usize::from(runs) - reactions.len(), reactions, processor })
    }

    /// From the line in the lease file to the socket in the kernel's table, with both looked at without a pause.
    /// `None`: miniupnpd did not map it. (2.3.1 fails where somebody changes other rules just then.)
    fn reaction(&self, port: u16) -> Result<Option<Duration>> {
        let add = self.server.command("natpmpc").args(["-g", "192.168.1.1", "-a"]);
        let add = add.args([port.to_string(), port.to_string(), "udp".to_owned(), LEASE_SECONDS.to_string()]);
        let file = PathBuf::from(format!("/proc/{}/root{LEASE_FILE}", self.router.holder_pid()));
        let table = format!("/proc/{}/net/udp6", self.router.holder_pid());
        let (line, socket) = (format!("UDP:{port}:"), format!(":{port:04X} "));
        thread::scope(|scope| {
            let asked = scope.spawn(|| add.run(PATIENCE));
            let deadline = now() + PATIENCE;
            let mut mapped = None;
            loop {
                if mapped.is_none() && fs::read_to_string(&file)?.contains(&line) {
                    mapped = Some(now());
                }
                if fs::read_to_string(&table)?.contains(&socket) {
                    return Ok(Some(mapped.map_or(Duration::ZERO, |mapped| mapped.elapsed())));
                }
                if asked.is_finished() && mapped.is_none() && !fs::read_to_string(&file)?.contains(&line) {
                    return Ok(None);
                }
                ensure!(now() < deadline, "port {port} is not held");
            }
        })
    }
}

struct Figures {
    ready: Duration,
    memory: u64,
    /// Sorted.
    reactions: Vec<Duration>,
    refused: usize,
    processor: Duration,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let (median, longest) = (self.reactions[self.reactions.len() / 2], self.reactions.last());
        write!(
            f,
            "{:>12.0}{:>12}{:>16.1}{:>14.1}{:>15.0}{:>10}",
            milliseconds(self.ready),
            self.memory,
            milliseconds(median),
            milliseconds(*longest.expect("there is at least one run")),
            milliseconds(self.processor),
            self.refused
        )
    }
}

fn lease_file(mappings: u16) -> Result<String> {
    let now = std::time::UNIX_EPOCH.elapsed()?.as_secs();
    let line = |port| format!("UDP:{port}:192.168.1.10:{port}:{}:measured\n", now + LEASE_SECONDS);
    Ok((FIRST_PORT..FIRST_PORT + mappings).map(line).collect())
}

/// What is in memory now (proc(5), `VmRSS`).
fn memory_kilobytes(guard: &Daemon) -> Result<u64> {
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

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn now() -> Instant {
    Instant::now()
}
