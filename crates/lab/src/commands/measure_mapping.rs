//! `lab measure mapping`: the time to a usable mapping, cold, of whole processes that take turns.

mod contender;
mod network;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use lab::{Lab, Requirements};

use contender::{Contender, contenders};
use network::Network;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often each takes its turn
    #[arg(long, value_name = "N", default_value_t = 20)]
    runs: usize,
    /// The moshpunch to measure [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    moshpunch: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    let programs = ["miniupnpd", "mosh-server", "natpmpc", "upnpc"].map(str::to_owned).to_vec();
    let check = Requirements { programs }.check();
    check.map_err(|reason| anyhow!("this machine cannot measure mappings: {reason}"))?;
    ensure!(arguments.runs > 0, "--runs: at least one");
    let moshpunch = arguments.moshpunch.map_or_else(super::demo::beside_this_program, Ok)?;
    let lab = Lab::new("measure")?;
    lab.install(&moshpunch).context("build moshpunch, or say --moshpunch PATH")?;
    let network = Network::raise(&lab)?;
    let contenders = contenders(&network);
    let times = take_turns(&network, &contenders, arguments.runs)?;
    print!("{}", table(&contenders, &times));
    Ok(())
}

/// Each contender's times, sorted. Taking turns, all meet the same moods of the machine.
fn take_turns(network: &Network, contenders: &[Contender], runs: usize) -> Result<Vec<Vec<Duration>>> {
    let mut times = vec![Vec::with_capacity(runs); contenders.len()];
    for _ in 0..runs {
        for (contender, times) in contenders.iter().zip(&mut times) {
            times.push(contender.measure(network).with_context(|| contender.name.to_owned())?);
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    Ok(times)
}

fn table(contenders: &[Contender], times: &[Vec<Duration>]) -> String {
    let runs = times.first().map_or(0, Vec::len);
    let mut table = format!(
        "{:44}{:>10}{:>10}{:>10}{:>10}\n",
        format!("whole processes, {runs} runs each, in ms"),
        "min",
        "median",
        "max",
        "of peer's"
    );
    for (contender, own) in contenders.iter().zip(times) {
        let peer = contender.peer.and_then(|peer| contenders.iter().position(|other| other.name == peer));
        let ratio = peer.map(|peer| median(own).as_secs_f64() / median(&times[peer]).as_secs_f64());
        let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.3}"));
        let [minimum, median, maximum] = [own[0], median(own), own[own.len() - 1]].map(milliseconds);
        table += &format!("{:44}{minimum:>10.1}{median:>10.1}{maximum:>10.1}{ratio:>10}\n", contender.name);
    }
    table
}

/// Of times that are sorted.
fn median(times: &[Duration]) -> Duration {
    (times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_or_between_the_two_there() {
        let times = |numbers: &[u64]| numbers.iter().copied().map(Duration::from_millis).collect::<Vec<_>>();
        assert_eq!(median(&times(&[7])), Duration::from_millis(7));
        assert_eq!(median(&times(&[1, 2, 90])), Duration::from_millis(2));
        assert_eq!(median(&times(&[1, 2, 4, 90])), Duration::from_millis(3));
    }
}
