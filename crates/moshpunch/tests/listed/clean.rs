//! `moshpunch sessions clean`, with its question.

use anyhow::Result;
use lab::harness::Scenario;
use lab::{Lab, Terminal, USER, scenario, wait_until};

use crate::common::{PATIENCE, computes, mosh_to_server};
use crate::scene::{Scene, count, id};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(one_that_comes_back_while_the_question_stands_is_not_ended),
        scenario!(what_was_left_is_ended_once_the_user_says_so),
        scenario!(one_that_ends_while_the_question_stands_is_told_so),
        scenario!(a_session_in_which_it_runs_is_not_ended),
    ]
}

fn asking(scene: &Scene) -> Result<Terminal> {
    let words = ["sessions", "clean", "--older-than=1s"];
    let command = scene.server.command("moshpunch").args(words).as_user(USER);
    scene.server.terminal(&command, 24, 80)
}

fn one_that_comes_back_while_the_question_stands_is_not_ended(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    let mut terminal = mosh_to_server(&scene.laptop, "moshpunch server")?;
    scene.laptop.interface_down("eth0")?;
    scene.becomes("contact", "silent")?;
    let mut clean = asking(&scene)?;
    clean.wait_for("End this session? [y/N]", PATIENCE)?;
    scene.laptop.interface_up("eth0")?;
    computes(&mut terminal, 201)?;
    let back = scene.becomes("contact", "attached")?;
    clean.type_text("y\r")?;
    clean.wait_for(&format!("moshpunch: {} is left: it has been heard since", id(&back)), PATIENCE)?;
    assert_eq!(clean.wait_exit(PATIENCE)?.code(), Some(0));
    computes(&mut terminal, 202)
}

fn one_that_ends_while_the_question_stands_is_told_so(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    let _terminal = mosh_to_server(&scene.laptop, "moshpunch server")?;
    scene.detach(1)?;
    let left = scene.only()?;
    let mut clean = asking(&scene)?;
    clean.wait_for("End this session? [y/N]", PATIENCE)?;
    assert!(scene.says(&["close", id(&left)])?.status.success());
    clean.type_text("y\r")?;
    clean.wait_for(&format!("moshpunch: {} has ended", id(&left)), PATIENCE)?;
    assert_eq!(clean.wait_exit(PATIENCE)?.code(), Some(0));
    Ok(())
}

fn what_was_left_is_ended_once_the_user_says_so(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    let left = [mosh_to_server(&scene.laptop, "moshpunch server")?, scene.stock_with_client()?];
    scene.detach(2)?;
    drop(left);
    let mut attached = mosh_to_server(&scene.laptop, "moshpunch server")?;
    scene.wait_for(PATIENCE, "all", |listed| count(listed, "attached") == 1 && listed.len() == 3)?;
    let refused = scene.says(&["clean", "--older-than=1s"])?;
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(refused.stderr.contains("--yes"), "{refused:?}");
    let young = scene.says(&["clean", "--yes"])?;
    assert!(young.stderr.contains("no session has been silent for 7 d"), "{young:?}");

    let mut clean = asking(&scene)?;
    clean.wait_for("End these 2 sessions? [y/N]", PATIENCE)?;
    clean.type_text("\r")?;
    assert_eq!(clean.wait_exit(PATIENCE)?.code(), Some(3));
    assert_eq!(scene.listed()?.len(), 3);

    let mut clean = asking(&scene)?;
    clean.wait_for("End these 2 sessions? [y/N]", PATIENCE)?;
    clean.type_text("y\r")?;
    assert_eq!(clean.wait_exit(PATIENCE)?.code(), Some(0));
    let last = scene.only()?;
    assert_eq!(last["contact"], "attached");
    assert_eq!(scene.router.leases()?.len(), 2, "one is forwarded by hand");
    computes(&mut attached, 203)?;
    assert!(scene.says(&["close", id(&last)])?.status.success());
    assert_eq!(scene.listed()?.len(), 0);
    Ok(())
}

fn a_session_in_which_it_runs_is_not_ended(lab: &Lab) -> Result<()> {
    const SAID: &str = "/tmp/said";
    let scene = Scene::raise(lab)?;
    let mut terminal = mosh_to_server(&scene.laptop, "moshpunch server")?;
    let once_left = "until moshpunch sessions list --json | grep -q silent; do sleep 1; done";
    let clean = format!("moshpunch sessions clean --older-than=0s --yes 2> {SAID}; echo over >> {SAID}");
    terminal.type_text(&format!("trap '' HUP; {once_left}; {clean}\r"))?;
    scene.becomes("runs", "sleep")?;
    scene.detach(1)?;
    let said = wait_until("what clean says", PATIENCE, || {
        let said = scene.server.read_file(SAID).unwrap_or_default();
        Ok(said.ends_with("over\n").then_some(said))
    })?;
    let left = scene.only()?;
    assert_eq!(said, format!("moshpunch: {} is left: this command runs in it\nover\n", id(&left)));
    Ok(())
}
