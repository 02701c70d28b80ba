//! Who wants nothing carried is served as before, and told why there is no session.

use anyhow::Result;
use lab::harness::Scenario;
use lab::{Lab, scenario};

use crate::common::PATIENCE;
use crate::place::QUIT;
use crate::scene::{LINE, Scene, no_login_is_left};
use crate::wall::Wall;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_user_may_say_that_nothing_is_to_be_carried),
        scenario!(a_host_may_say_that_nothing_is_to_be_carried),
    ]
}

const NOTHING: &str = "moshpunch: no datagram came back from the host";

fn nothing_comes_back(scene: &mut Scene, line: &str, told: &[&str]) -> Result<()> {
    scene.run(line)?;
    scene.shell.sees("mosh: ")?;
    scene.shell.terminal.type_text(QUIT)?;
    scene.shell.sees(NOTHING)?;
    told.iter().try_for_each(|words| {
        let seen = scene.shell.sees(words);
        scene.explained(seen)
    })?;
    no_login_is_left(scene.laptop(), PATIENCE)
}

fn a_user_may_say_that_nothing_is_to_be_carried(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    nothing_comes_back(&mut scene, &LINE.replace("moshpunch", "moshpunch --no-carry"), &[])?;
    let line = format!("MOSHPUNCH_CARRY=no {LINE}");
    nothing_comes_back(&mut scene, &line, &[])?;
    Wall::AtLaptop.fall(&scene.place.network)?;
    scene.opens(&LINE.replace("moshpunch", "moshpunch --no-carry"))?;
    scene.leaves().map(drop)
}

fn a_host_may_say_that_nothing_is_to_be_carried(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    let host = scene.host().clone();
    host.command("mkdir").args(["-p", "/etc/moshpunch"]).run(PATIENCE)?;
    host.write_file("/etc/moshpunch/config.toml", "[server]\ncarry = false\n")?;
    nothing_comes_back(&mut scene, LINE, &["carry"])?;
    Wall::AtLaptop.fall(&scene.place.network)?;
    scene.opens(LINE)?;
    scene.leaves().map(drop)
}
