//! Who may use a password alone has one login, and is told when it is gone.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Signal, scenario, wait_until};

use crate::common::{PATIENCE, signal};
use crate::place::{PASSWORD, QUIT};
use crate::scene::{LINE, OVER_SSH, Scene, only_login};
use crate::wall::Wall;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(who_may_use_a_password_alone_is_carried_while_the_login_lives),
        scenario!(a_connection_that_answers_again_is_used_though_another_was_refused),
        scenario!(who_has_lost_the_connection_is_told_at_the_end),
        scenario!(who_went_by_udp_and_is_refused_over_ssh_is_told_at_the_end),
    ]
}

const BY_PASSWORD: [&str; 2] = ["PasswordAuthentication yes", "PubkeyAuthentication no"];
const REFUSED: &str = "another login was refused";

fn by_password(lab: &Lab, walls: &[Wall]) -> Result<Scene> {
    let mut scene = Scene::raise(lab, walls, &BY_PASSWORD)?;
    scene.place.set_password()?;
    scene.run(LINE)?;
    scene.shell.answer("alice@router's password:", PASSWORD)?;
    scene.is_in()?;
    Ok(scene)
}

fn waits_for_refusal(scene: &Scene) -> Result<()> {
    let refused = || Ok(scene.log().contains("the login has ended how=Refused").then_some(()));
    wait_until("a login that is refused", PATIENCE * 2, refused).with_context(|| scene.log())
}

/// Beside mosh's own words.
fn is_told(scene: &mut Scene, told: &[&str]) -> Result<()> {
    scene.shell.terminal.type_text(QUIT)?;
    told.iter().try_for_each(|words| scene.shell.sees(words))
}

fn who_may_use_a_password_alone_is_carried_while_the_login_lives(lab: &Lab) -> Result<()> {
    by_password(lab, &[Wall::AtLaptop])?.leaves_having_gone_over_ssh()
}

fn a_connection_that_answers_again_is_used_though_another_was_refused(lab: &Lab) -> Result<()> {
    let mut scene = by_password(lab, &[Wall::AtLaptop])?;
    let ssh = only_login(scene.laptop())?;
    signal(&ssh, Signal::STOP)?;
    waits_for_refusal(&scene)?;
    signal(&ssh, Signal::CONT)?;
    scene.computes()?;
    let said = scene.leaves()?;
    ensure!(said.contains(OVER_SSH) && !said.contains(REFUSED), "{said}");
    Ok(())
}

fn who_has_lost_the_connection_is_told_at_the_end(lab: &Lab) -> Result<()> {
    let mut scene = by_password(lab, &[Wall::AtLaptop])?;
    signal(&only_login(scene.laptop())?, Signal::KILL)?;
    waits_for_refusal(&scene)?;
    is_told(
        &mut scene,
        &[OVER_SSH, "the ssh connection that carried the session has ended", "key in an agent"],
    )
}

/// As in a network that lets no UDP through.
fn who_went_by_udp_and_is_refused_over_ssh_is_told_at_the_end(lab: &Lab) -> Result<()> {
    let mut scene = by_password(lab, &[])?;
    signal(&only_login(scene.laptop())?, Signal::KILL)?;
    scene.computes()?;
    Wall::AtLaptop.raise(&scene.place.network)?;
    waits_for_refusal(&scene)?;
    is_told(&mut scene, &["no datagram comes back from the host any more, and another login"])
}
