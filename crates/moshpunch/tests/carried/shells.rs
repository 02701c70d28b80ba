//! Login shells of every kind carry alike.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, USER, scenario};

use crate::common::PATIENCE;
use crate::scene::{LINE, OVER_SSH, Scene};
use crate::wall::Wall;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(behind_dash_it_is_carried).needs(&["dash"]),
        scenario!(behind_ksh_it_is_carried).needs(&["ksh"]),
        scenario!(behind_zsh_it_is_carried).needs(&["zsh"]),
        scenario!(behind_fish_it_is_carried).needs(&["fish"]),
        scenario!(behind_tcsh_it_is_carried).needs(&["tcsh"]),
        scenario!(behind_xonsh_it_is_carried).needs(&["xonsh"]),
    ]
}

/// What they read whatever they are to run, and of zsh what it would ask for.
const START_UP_FILES: [&str; 4] = [".zshenv", ".zshrc", ".tcshrc", ".config/fish/config.fish"];

const CHATTER: &str = "printf 'Welcome!\\r\\n\\tMOSHPUNCH CHANNEL 1\\nMOSHPUNCH BYE\\nno end'\n";

/// By words that each shell takes as they are.
fn is_carried(lab: &Lab, shell: &str) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    let fish = ["-p", "/home/alice/.config/fish"];
    scene.host().command("mkdir").args(fish).as_user(USER).run(PATIENCE)?;
    for file in START_UP_FILES {
        scene.host().write_user_file(&format!("/home/alice/{file}"), CHATTER)?;
    }
    scene.place.set_shell(shell)?;
    for options in ["", "--no-ssh-pty "] {
        scene.run(&LINE.replace("moshpunch ", &format!("moshpunch {options}")))?;
        scene.shell.run("expr 1000000 + 79")?;
        let computed = scene.shell.terminal.wait_for("1000079", PATIENCE * 2);
        scene.explained(computed)?;
        let said = scene.leaves()?;
        ensure!(said.contains(OVER_SSH), "{said}");
    }
    Ok(())
}

fn behind_dash_it_is_carried(lab: &Lab) -> Result<()> {
    is_carried(lab, "/bin/dash")
}

fn behind_ksh_it_is_carried(lab: &Lab) -> Result<()> {
    is_carried(lab, "/usr/bin/ksh")
}

fn behind_zsh_it_is_carried(lab: &Lab) -> Result<()> {
    is_carried(lab, "/usr/bin/zsh")
}

fn behind_fish_it_is_carried(lab: &Lab) -> Result<()> {
    is_carried(lab, "/usr/bin/fish")
}

fn behind_tcsh_it_is_carried(lab: &Lab) -> Result<()> {
    is_carried(lab, "/usr/bin/tcsh")
}

fn behind_xonsh_it_is_carried(lab: &Lab) -> Result<()> {
    is_carried(lab, "/usr/bin/xonsh")
}
