//! What stands between a stock client's login and its connect line, where no mapping is needed: mosh-server alone, and
//! started by `moshpunch server`.

use anyhow::{Context as _, Result};
use lab::{Host, Lab, USER};
use rustix::process::{Pid, Signal, kill_process};

use crate::Bench;
use crate::clock::milliseconds_since;
use crate::network::PATIENCE;
use crate::row::{Aim, Group, Row, Unit};
use crate::sample::Reading;
use crate::turns::{Contender, take_turns};

const TITLE: &str = "connect: the server command of a neighbour's login";

const STOCK: &str = "mosh-server new";
const OURS: &str = "moshpunch server new";

/// In milliseconds.
const ABOVE_MOSH_SERVER: f64 = 10.0;

/// One takes milliseconds.
const TIMES_AS_MANY_RUNS: usize = 5;

pub(super) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let link = lab.link("home")?;
    let host = lab.host("host").attach("eth0", &link, &["192.168.1.10/24"]).start()?;
    let contenders = [STOCK, OURS].map(|command| Contender::new(command, || run(&host, command)));
    let samples = take_turns(TITLE, contenders.into(), bench.runs * TIMES_AS_MANY_RUNS)?;
    let row = Row::new(OURS, Unit::Milliseconds, samples[OURS].clone());
    let row = row.beside(STOCK, samples[STOCK].clone()).aiming_at(Aim::AbovePeer(ABOVE_MOSH_SERVER));
    Ok(vec![Group { title: TITLE, rows: vec![row] }])
}

/// Until it has ended, which is when the client goes on.
fn run(host: &Host, command: &str) -> Result<Reading> {
    let mut words = command.split(' ');
    let program = words.next().context("a program")?;
    let neighbour = "192.168.1.20 40000 192.168.1.10 22";
    let command = host.command(program).args(words).env("SSH_CONNECTION", neighbour).env("LC_ALL", "C.UTF-8");
    let command = command.as_user(USER);
    let start = net::clock::now();
    let output = command.run(PATIENCE)?;
    let took = milliseconds_since(start);
    end_sessions(host)?;
    Ok(output.stdout.contains("MOSH CONNECT ").then_some(took))
}

fn end_sessions(host: &Host) -> Result<()> {
    for server in host.processes("mosh-server")? {
        let pid = Pid::from_raw(i32::try_from(server.pid)?).context("a process has a number")?;
        let _already_gone = kill_process(pid, Signal::KILL);
    }
    Ok(())
}
