//! A session from its beginning to its end.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Blocked, Lab, scenario};
use rustix::process::Signal;

use crate::common::{
    AT_ONCE, PATIENCE, computes, leave, leave_and_read, mosh_to_server, no_moshpunch_is_left,
    server_over_ssh, signal, wait_for_empty_table,
};
use crate::scene::{Scene, count, id};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_session_is_seen_to_come_to_move_to_be_left_and_to_be_found_again),
        scenario!(a_session_over_ssh_and_one_through_a_hole_are_told_apart),
        scenario!(of_a_host_that_was_booted_anew_nothing_is_shown),
        scenario!(without_utmp_it_is_not_known_who_was_heard),
        scenario!(without_utmp_a_keeper_tells_whether_its_session_was_left),
    ]
}

fn a_session_is_seen_to_come_to_move_to_be_left_and_to_be_found_again(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    assert_eq!(scene.says(&["list"])?.stdout, "no mosh session of yours runs here\n");
    let mut terminal = mosh_to_server(&scene.laptop, "moshpunch server")?;
    let session = scene.becomes("contact", "attached")?;
    assert_eq!((&session["from"], &session["login_from"]), (&"20.0.0.9".into(), &"20.0.0.9".into()));
    assert_eq!((&session["way"], &session["keeper"]), (&"mapped".into(), &"running".into()));
    assert_eq!((&session["user"], &session["runs"]), (&"alice".into(), &"bash".into()));
    let (mapping, lease) = (&session["mappings"][0], &scene.router.leases()?[0]);
    assert_eq!((&mapping["kind"], &mapping["address"]), (&"mapping".into(), &"20.0.0.1".into()));
    assert_eq!(mapping["port"], lease.external_port);

    scene.laptop.readdress("eth0", &["20.0.0.77/24"], &[])?;
    computes(&mut terminal, 101)?;
    scene.becomes("from", "20.0.0.77")?;
    terminal.type_text("sleep 1000\r")?;
    scene.becomes("runs", "sleep")?;
    let table = scene.says(&["list"])?.stdout;
    assert!(table.contains("now") && table.contains("20.0.0.77") && table.contains("sleep"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");

    scene.detach(1)?;
    let left = scene.only()?;
    assert_eq!((id(&left), &left["from"]), (id(&session), &serde_json::Value::Null));
    ensure!(left["last_heard"].as_u64() >= left["started"].as_u64(), "{left}");

    let said = server_over_ssh(&scene.laptop, "moshpunch server new -s")?;
    let told = said.stderr.lines().filter(|line| line.contains("detached session")).collect::<Vec<_>>();
    assert!(
        told.len() == 1 && told[0].starts_with("moshpunch: a detached session of yours is here, "),
        "{said:?}"
    );
    let youngest =
        scene.wait_for(PATIENCE, "both", |listed| listed.len() == 2 && count(listed, "never") == 1)?;
    assert!(scene.says(&["close", id(&youngest[1])])?.status.success());
    let next = scene.own(&["--no-carry", "--no-punch"])?;
    let sessions = scene.wait_for(PATIENCE, "both", |listed| count(listed, "attached") == 1)?;
    assert_eq!(
        (sessions.len(), id(&sessions[1])),
        (2, id(&session)),
        "the one that was heard last is the first"
    );
    let said = scene.says(&["close", id(&session)])?;
    assert!(said.status.success(), "{said:?}");
    let last = scene.only()?;
    assert_eq!(scene.router.leases()?.len(), 1);
    let screen = leave_and_read(next)?;
    assert!(screen.contains("moshpunch: a detached session of yours is here, silent for "), "{screen}");
    wait_for_empty_table(&scene.router, AT_ONCE)?;
    let none = scene.says(&["close", id(&last)])?;
    assert_eq!(none.status.code(), Some(2), "{none:?}");
    assert_eq!(scene.listed()?.len(), 0);
    no_moshpunch_is_left(&scene.server)
}

fn a_session_over_ssh_and_one_through_a_hole_are_told_apart(lab: &Lab) -> Result<()> {
    let scene = Scene::raise_without_mappings(lab)?;
    scene.laptop.block_udp(Blocked::BothWays)?;
    let mut terminal = scene.own(&[])?;
    let carried = scene.becomes("way", "carried")?;
    assert_eq!((&carried["contact"], &carried["login_from"]), (&"attached".into(), &"20.0.0.9".into()));
    let table = scene.says(&["list"])?.stdout;
    assert!(table.contains("20.0.0.9  carried"), "{table}");
    scene.laptop.let_udp_through()?;
    let punched = scene.becomes("way", "punched")?;
    assert_eq!((id(&punched), &punched["from"]), (id(&carried), &"20.0.0.9".into()));
    computes(&mut terminal, 102)?;
    ensure!(scene.closes(&punched)? < Duration::from_secs(4));
    terminal.wait_for("session went", PATIENCE)?;
    assert_eq!(scene.listed()?.len(), 0);
    no_moshpunch_is_left(&scene.server)
}

fn of_a_host_that_was_booted_anew_nothing_is_shown(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    let _terminal = scene.own(&["--no-carry"])?;
    scene.stock()?;
    scene.wait_for(PATIENCE, "both", |listed| listed.len() == 2)?;
    for name in ["moshpunch", "mosh-server"] {
        for process in scene.server.processes(name)? {
            let _it_may_have_gone_with_another = signal(&process, Signal::KILL);
        }
    }
    let emptied = ["-rf", "/run/user/1000/moshpunch"];
    scene.server.command("rm").args(emptied).run(PATIENCE)?;
    scene.wait_for(PATIENCE, "none", <[serde_json::Value]>::is_empty)?;
    assert_eq!(scene.says(&["list"])?.stdout, "no mosh session of yours runs here\n");
    assert_eq!(scene.says(&["clean", "--yes"])?.status.code(), Some(0));
    Ok(())
}

fn without_utmp_it_is_not_known_who_was_heard(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    scene.server.command("rm").arg("/run/utmp").run(PATIENCE)?;
    let terminal = mosh_to_server(&scene.laptop, "moshpunch server")?;
    let session = scene.only()?;
    assert_eq!((&session["contact"], &session["last_heard"]), (&"unknown".into(), &serde_json::Value::Null));
    let said = scene.says(&["clean", "--older-than=0s", "--yes"])?;
    assert_eq!((said.status.code(), scene.listed()?.len()), (Some(0), 1), "{said:?}");
    leave(terminal)
}

/// By the traffic of mosh-server's socket, which ends 40 s after the client; it is told half a minute late, and a minute
/// without any is a silence.
fn without_utmp_a_keeper_tells_whether_its_session_was_left(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    scene.server.command("rm").arg("/run/utmp").run(PATIENCE)?;
    let _terminal = scene.own(&["--no-carry"])?;
    let attached = scene.becomes("contact", "attached")?;
    assert_eq!((&attached["from"], &attached["way"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    for client in scene.laptop.processes("mosh-client")? {
        signal(&client, Signal::KILL)?;
    }
    let left = scene
        .wait_for(Duration::from_secs(170), "a silent session", |listed| count(listed, "silent") == 1)?;
    ensure!(left[0]["last_heard"].as_u64() > attached["started"].as_u64(), "{left:?}");
    let said = scene.says(&["clean", "--older-than=1s", "--yes"])?;
    assert_eq!((said.status.code(), scene.listed()?.len()), (Some(0), 0), "{said:?}");
    Ok(())
}
