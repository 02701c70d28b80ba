//! A host that nobody has tidied for years.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, USER, scenario};
use rustix::process::Signal;

use crate::common::{PATIENCE, signal};
use crate::scene::{Scene, now};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario!(three_hundred_sessions_are_shown_within_a_second)]
}

/// Those of stock mosh-server's, and our own, of whose keepers some are stopped.
const STOCK: usize = 275;
const OURS: usize = 20;
const STOPPED: usize = 10;
const LOGINS: usize = 5;
const LOG: &str = "/tmp/log";

fn three_hundred_sessions_are_shown_within_a_second(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    let alone = logins(&scene)?;
    let begun = format!(
        "i=0; while [ $i -lt {OURS} ]; do moshpunch server --offer new </dev/null >/dev/null 2>&1 & i=$((i + 1)); done; \
         i=0; while [ $i -lt {STOCK} ]; do mosh-server new -i 0.0.0.0 -p 60100:61000 </dev/null >/dev/null 2>&1 || exit; \
         i=$((i + 1)); done; wait"
    );
    let ssh = "20.0.0.9 50000 192.168.1.10 22";
    let shell = scene.server.command("sh").args(["-c", &begun]).env("SSH_CONNECTION", ssh).as_user(USER);
    shell.run(Duration::from_secs(60))?;
    let expected = STOCK + OURS + LOGINS;
    scene.wait_for(Duration::from_secs(20), "all", |listed| listed.len() == expected)?;
    let ours = scene.server.processes("moshpunch")?;
    let keepers = ours.iter().filter(|one| one.arguments.get(1).is_some_and(|first| first == "--keeper"));
    for keeper in keepers.take(STOPPED) {
        signal(keeper, Signal::STOP)?;
    }
    let (mut sessions, mut shortest) = (Vec::new(), Duration::MAX);
    for _ in 0..5 {
        let started = now();
        sessions = scene.listed()?;
        shortest = shortest.min(started.elapsed());
    }
    let stopped = sessions.iter().filter(|session| session["keeper"] == "stopped").count();
    assert_eq!((sessions.len(), stopped), (expected, STOPPED));
    ensure!(shortest < Duration::from_secs(1), "{shortest:?}");
    println!("{} sessions were listed in {shortest:?}", sessions.len());
    println!("a login began in {alone:?} beside none, in {:?} beside all", logins(&scene)?);
    let log = scene.server.read_file(LOG)?;
    log.lines().filter(|line| line.contains("looked for sessions")).for_each(|line| println!("{line}"));
    Ok(())
}

/// How long `moshpunch server` takes for a client that needs no mapping: the shortest of a few.
fn logins(scene: &Scene) -> Result<Duration> {
    let mut shortest = Duration::MAX;
    for _ in 0..LOGINS {
        let server = scene.server.command("moshpunch").args(["server", "--log", LOG, "new", "-i", "0.0.0.0"]);
        let output =
            server.env("SSH_CONNECTION", "192.168.1.20 5 192.168.1.10 22").as_user(USER).run(PATIENCE)?;
        ensure!(output.stdout.contains("MOSH CONNECT"), "{output:?}");
        shortest = shortest.min(output.took);
    }
    Ok(shortest)
}
