//! What is left of a carried session: nothing.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Blocked, Host, Lab, Signal, scenario, wait_until};

use crate::common::world::{FROM_OUTSIDE, Spot, World};
use crate::common::{PATIENCE, client, signal, wait_for_empty_table};

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenarios = vec![
        scenario!(after_a_carried_session_nothing_is_left),
        scenario!(after_a_client_that_was_killed_the_session_alone_is_left),
    ];
    scenarios.into_iter().map(|scenario| scenario.needs(&["miniupnpd"])).collect()
}

const OF_THE_LAPTOP: [&str; 4] = ["moshpunch", "ssh", "mosh", "mosh-client"];

fn have_ended(host: &Host, names: &[&str]) -> Result<()> {
    names.iter().try_for_each(|name| {
        let what = format!("the end of every {name} on the {}", host.name());
        wait_until(&what, PATIENCE, || Ok(host.processes(name)?.is_empty().then_some(())))
            .with_context(|| format!("{:?}", host.processes(name)))
    })
}

/// Of alice's sessions.
fn files(host: &Host) -> Result<Vec<String>> {
    let find = ["/run/user/1000", "-mindepth", "1", "-not", "-type", "d"];
    let found = host.command("find").args(find).run(PATIENCE)?.stdout;
    Ok(found.lines().map(str::to_owned).collect())
}

/// The router maps the port, in vain.
fn carried(lab: &Lab) -> Result<(World, crate::common::world::Walker)> {
    let world = World::raise(lab, Spot::CafeA)?;
    world.laptop.block_udp(Blocked::BothWays)?;
    let session = world.connect_by_any_way(&FROM_OUTSIDE)?;
    wait_until("a mapping", PATIENCE, || world.mapped().map(Some))?;
    ensure!(!files(&world.server)?.is_empty(), "a session has files");
    Ok((world, session))
}

fn after_a_carried_session_nothing_is_left(lab: &Lab) -> Result<()> {
    let (world, session) = carried(lab)?;
    assert_eq!(session.leave()?, ["ssh"]);
    have_ended(&world.laptop, &OF_THE_LAPTOP)?;
    have_ended(&world.server, &["mosh-server", "moshpunch"])?;
    wait_for_empty_table(&world.router, PATIENCE)?;
    no_login_is_served(&world.server)?;
    assert_eq!(files(&world.server)?, [""; 0]);
    Ok(())
}

fn no_login_is_served(host: &Host) -> Result<()> {
    wait_until("the end of sshd's sessions", PATIENCE, || {
        Ok((host.processes("sshd")?.len() == 1).then_some(()))
    })
}

/// mosh-server waits for another client, as with mosh, and the keeper with it.
fn after_a_client_that_was_killed_the_session_alone_is_left(lab: &Lab) -> Result<()> {
    let (world, session) = carried(lab)?;
    signal(&client(&world.laptop)?, Signal::KILL)?;
    session.terminal.wait_exit(PATIENCE)?;
    have_ended(&world.laptop, &OF_THE_LAPTOP)?;
    no_login_is_served(&world.server)?;
    wait_until("the end of what served the channel", PATIENCE, || {
        let ours = world.server.processes("moshpunch")?;
        Ok(ours.iter().all(|it| it.arguments.get(1).is_none_or(|word| word != "server")).then_some(()))
    })?;
    ensure!(!world.server.processes("mosh-server")?.is_empty(), "the session is left to mosh's own time-out");
    world.mapped().map(drop)
}
