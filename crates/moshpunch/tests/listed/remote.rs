//! From the laptop, by ssh.

use anyhow::Result;
use lab::harness::Scenario;
use lab::{Lab, USER, scenario};

use crate::common::{PATIENCE, mosh_to_server};
use crate::scene::{Scene, id};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_laptop_lists_closes_and_cleans_the_sessions_of_a_host),
        scenario!(a_host_without_moshpunch_is_told),
    ]
}

const TO_SERVER: [&str; 2] = ["--ssh=ssh -p 8022", "router"];

fn a_laptop_lists_closes_and_cleans_the_sessions_of_a_host(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    let asks = |words: &[&str]| {
        let command = scene.laptop.command("moshpunch").arg("sessions").args(words).args(TO_SERVER);
        command.as_user(USER).output(PATIENCE)
    };
    let _left = [mosh_to_server(&scene.laptop, "moshpunch server")?, scene.stock_with_client()?];
    scene.detach(2)?;
    let listed = asks(&["list"])?;
    assert_eq!((listed.stdout.lines().count(), listed.stderr.as_str()), (3, ""), "{listed:?}");
    assert!(listed.stdout.starts_with("ID "), "{listed:?}");
    let here = scene.listed()?;
    let closed = asks(&["close", id(&here[0])])?;
    assert_eq!(closed.status.code(), Some(0), "{closed:?}");
    let again = asks(&["close", id(&here[0])])?;
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    let refused = asks(&["clean", "--older-than=1s", "--json"])?;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");

    let words = ["sessions", "clean", "--older-than=1s"];
    let command = scene.laptop.command("moshpunch").args(words).args(TO_SERVER).as_user(USER);
    let mut clean = scene.laptop.terminal(&command, 24, 80)?;
    clean.wait_for("End this session? [y/N]", PATIENCE)?;
    clean.type_text("y\r")?;
    assert_eq!(clean.wait_exit(PATIENCE)?.code(), Some(0));
    assert_eq!(scene.listed()?.len(), 0);
    Ok(())
}

fn a_host_without_moshpunch_is_told(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    scene.server.command("umount").arg("/usr/local/bin/moshpunch").run(PATIENCE)?;
    let asks = || {
        let command = scene.laptop.command("moshpunch").args(["sessions", "list"]).args(TO_SERVER);
        command.as_user(USER).output(PATIENCE)
    };
    // What was installed on lies beneath.
    let told = asks()?;
    assert_eq!(told.status.code(), Some(127), "{told:?}");
    let none = "moshpunch: no moshpunch runs on router to tell of its sessions; moshpunch --install '--ssh=ssh -p 8022' \
                router puts \
                it there, and ps(1) shows mosh-server\n";
    assert_eq!(told.stderr, format!("moshpunch: /usr/local/bin/moshpunch: may not be executed\n{none}"));
    scene.server.command("rm").arg("/usr/local/bin/moshpunch").run(PATIENCE)?;
    assert_eq!(asks()?.stderr, none);
    Ok(())
}
