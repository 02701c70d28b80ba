//! A lab ends with its owner, however that ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Impairment, Lab, WriteUp, find_labs, holders, scenario, wait_until};

/// The kernel takes its time to remove a network, more so when it has many to remove.
const LIMIT: Duration = Duration::from_secs(30);
const LAB: &str = env!("CARGO_BIN_EXE_lab");

/// Knows when the networks of another lab are gone: it has a virtual Ethernet into each, and the kernel removes
/// both ends with either's namespace.
struct Watch {
    lab: PathBuf,
    own_network: String,
    wires: Vec<String>,
}

impl Watch {
    fn over(lab: &Path, watcher: &Lab) -> Result<Self> {
        let own = holders(watcher.directory())?;
        let own_network = format!("--net=/proc/{}/ns/net", own.first().context("the watcher has a fabric")?);
        let mut watch = Self { lab: lab.to_owned(), own_network, wires: Vec::new() };
        for pid in holders(lab)? {
            let (wire, pid) = (format!("watch{pid}"), pid.to_string());
            let add = ["link", "add", &wire, "type", "veth", "peer", "name", "watched", "netns", &pid];
            ensure!(watch.ip(&add)?, "no wire into the network of process {pid}");
            watch.wires.push(wire);
        }
        assert_eq!(watch.wires.len(), 4, "three hosts and the fabric");
        Ok(watch)
    }

    fn ip(&self, arguments: &[&str]) -> Result<bool> {
        let ip = Command::new("nsenter").arg(&self.own_network).arg("ip").args(arguments).output()?;
        Ok(ip.status.success())
    }

    fn networks_left(&self) -> Result<usize> {
        let left = self.wires.iter().map(|wire| self.ip(&["link", "show", wire]));
        Ok(left.collect::<Result<Vec<_>>>()?.into_iter().filter(|shown| *shown).count())
    }

    fn expect_all_gone(&self) -> Result<()> {
        wait_until("every process of the lab to end", LIMIT, || {
            Ok(processes_of(&self.lab)?.is_empty().then_some(()))
        })?;
        wait_until("every network of the lab to go", LIMIT, || Ok((self.networks_left()? == 0).then_some(())))
    }
}

/// Whatever sees one of the lab's private directories, or holds a namespace of it. A zombie, which only waits for
/// its parent to look at it, sees nothing and holds nothing.
fn processes_of(lab: &Path) -> Result<Vec<u32>> {
    let mut found = holders(lab)?;
    let directory = format!("{}/", lab.display());
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let mounts = fs::read_to_string(entry.path().join("mountinfo")).unwrap_or_default();
        if mounts.contains(&directory) {
            found.push(pid);
        }
    }
    Ok(found)
}

fn busy_network(lab: &Lab) -> Result<WriteUp> {
    let network = WriteUp::raise(lab)?;
    let detached = network.server.command("setsid").args(["--fork", "sleep", "4711"]);
    detached.run(LIMIT)?;
    let delay = Impairment::NONE.delay(Duration::from_millis(1));
    network.server.impair("eth0", lab::Direction::FromHost, delay)?;
    Ok(network)
}

fn nothing_is_left_of_a_lab_that_was_dropped(lab: &Lab) -> Result<()> {
    let other = Lab::new("dropped")?;
    let directory = other.directory().to_owned();
    let network = busy_network(&other)?;
    let watch = Watch::over(&directory, lab)?;
    ensure!(processes_of(&directory)?.len() > 4, "too few processes seen");
    assert_eq!(watch.networks_left()?, 4);
    drop(other);
    watch.expect_all_gone()?;
    drop(network);
    ensure!(!directory.exists(), "the directory is left");
    Ok(())
}

fn nothing_is_left_of_a_lab_whose_scenario_panicked(lab: &Lab) -> Result<()> {
    let other = Lab::new("panicked")?;
    let directory = other.directory().to_owned();
    let network = busy_network(&other)?;
    let watch = Watch::over(&directory, lab)?;
    let panicking = std::thread::Builder::new().name("this panic is wanted".to_owned()).spawn(move || {
        let _owned = (network, other);
        panic!("a scenario fails");
    })?;
    ensure!(panicking.join().is_err());
    watch.expect_all_gone()?;
    ensure!(!directory.exists(), "the directory is left");
    Ok(())
}

/// One scenario, because `clean` of another would take the directory before this one has seen it.
fn clean_removes_what_is_left_of_a_killed_owners_lab_and_leaves_one_in_use_alone(lab: &Lab) -> Result<()> {
    let host = lab.host("alone").start()?;
    let mut owner = Command::new(LAB).arg("raise").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    // Read from to the end of the scenario: an owner that cannot print ends by itself.
    let mut output = BufReader::new(owner.stdout.take().context("stdout is piped")?).lines();
    let lines: Vec<String> = output.by_ref().take(4).collect::<Result<_, _>>()?;
    let directory = PathBuf::from(lines.first().context("the owner ended early")?);
    let watch = Watch::over(&directory, lab)?;
    ensure!(processes_of(&directory)?.len() > 4, "too few processes seen");
    owner.kill()?;
    owner.wait()?;
    watch.expect_all_gone()?;
    let left = find_labs()?.into_iter().find(|left| left.path == directory);
    ensure!(left.is_some_and(|left| !left.alive), "clean would not see the directory");
    let cleaned = Command::new(LAB).arg("clean").output()?;
    ensure!(cleaned.status.success(), "{}", String::from_utf8_lossy(&cleaned.stderr));
    ensure!(!directory.exists(), "the directory is left");
    let in_use = find_labs()?.into_iter().find(|found| found.path == lab.directory());
    ensure!(in_use.is_some_and(|found| found.alive && found.owner == Some(std::process::id())));
    host.command("true").run(LIMIT)?;
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run([
        scenario!(nothing_is_left_of_a_lab_that_was_dropped).needs(&["nsenter", "sshd"]).needs_delays(),
        scenario!(nothing_is_left_of_a_lab_whose_scenario_panicked)
            .needs(&["nsenter", "sshd"])
            .needs_delays(),
        scenario!(clean_removes_what_is_left_of_a_killed_owners_lab_and_leaves_one_in_use_alone).needs(&[
            "miniupnpd",
            "nsenter",
            "sshd",
        ]),
    ])
}
