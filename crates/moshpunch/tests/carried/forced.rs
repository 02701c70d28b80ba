//! A key, or an account, for which the host runs what its administrator says.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Signal, scenario, wait_until};

use crate::common::{PATIENCE, signal};
use crate::place::QUIT;
use crate::scene::{LINE, OVER_SSH, Scene, no_login_is_left, only_login};
use crate::set_ups::nothing_comes_back;
use crate::wall::Wall;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(behind_what_runs_the_line_that_was_asked_it_is_carried),
        scenario!(where_ssh_may_have_no_terminal_it_is_carried),
        scenario!(an_account_for_files_alone_is_told_so),
        scenario!(a_key_that_starts_the_server_is_carried_where_it_asks_for_a_channel),
        scenario!(a_key_that_starts_the_server_serves_as_before),
        scenario!(where_each_login_begins_a_session_one_is_begun_in_vain_and_no_more),
    ]
}

const BEGINS_A_SESSION: &str = "MOSHPUNCH_OFFER=1 MOSHPUNCH_CHANNEL=1 moshpunch server new -c 256";

/// As wrappers do that write down who comes, or look what they let through.
const RUNS_WHAT_WAS_ASKED: [&str; 4] = [
    "sh -c \"$SSH_ORIGINAL_COMMAND\"",
    "logger alice; echo hello; eval \"$SSH_ORIGINAL_COMMAND\"",
    "exec $SHELL -lc \"$SSH_ORIGINAL_COMMAND\"",
    "script -qec \"$SSH_ORIGINAL_COMMAND\" /dev/null",
];

fn behind_what_runs_the_line_that_was_asked_it_is_carried(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    let key = scene.host().read_file(KEYS)?;
    for command in RUNS_WHAT_WAS_ASKED {
        forces(&scene, "", command, &key)?;
        for options in ["", "--no-ssh-pty "] {
            scene.opens(&LINE.replace("moshpunch ", &format!("moshpunch {options}")))?;
            scene.leaves_having_gone_over_ssh()?;
        }
    }
    Ok(())
}

/// ssh -tt does nothing then.
fn where_ssh_may_have_no_terminal_it_is_carried(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    let key = scene.host().read_file(KEYS)?;
    forces(&scene, "restrict,", RUNS_WHAT_WAS_ASKED[0], &key)?;
    scene.run(LINE)?;
    scene.computes()?;
    let said = scene.leaves()?;
    let told = "moshpunch: router gives no terminal; logging in once more, without one (--no-ssh-pty)";
    ensure!(said.replace('\n', "").contains(told) && said.contains(OVER_SSH), "{said}");
    Ok(())
}

fn an_account_for_files_alone_is_told_so(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[], &["ForceCommand internal-sftp"])?;
    scene.run(LINE)?;
    scene.shell.sees("moshpunch: the account on router has no login shell")?;
    scene.shell.sees("cure: use an account that may run commands")?;
    no_login_is_left(scene.laptop(), PATIENCE)
}

const KEYS: &str = "/home/alice/.ssh/authorized_keys";

/// What her key is for; first, what holds beside.
fn with_forced_command(lab: &Lab, walls: &[Wall], command: &str) -> Result<Scene> {
    let scene = Scene::raise(lab, walls, &[])?;
    let key = scene.host().read_file(KEYS)?;
    forces(&scene, "", command, &key)?;
    Ok(scene)
}

fn forces(scene: &Scene, options: &str, command: &str, key: &str) -> Result<()> {
    let quoted = command.replace('"', "\\\"");
    scene.host().write_user_file(KEYS, &format!("{options}command=\"{quoted}\" {key}"))
}

fn a_key_that_starts_the_server_is_carried_where_it_asks_for_a_channel(lab: &Lab) -> Result<()> {
    let mut scene = with_forced_command(lab, &[Wall::AtLaptop], BEGINS_A_SESSION)?;
    scene.opens(LINE)?;
    scene.leaves_having_gone_over_ssh()
}

/// No channel was asked for.
fn a_key_that_starts_the_server_serves_as_before(lab: &Lab) -> Result<()> {
    let mut scene = with_forced_command(lab, &[], "moshpunch server new -c 256")?;
    scene.opens(LINE)?;
    no_login_is_left(scene.laptop(), PATIENCE)?;
    let said = scene.leaves()?;
    ensure!(!said.contains(OVER_SSH), "{said}");
    Wall::AtLaptop.raise(&scene.place.network)?;
    nothing_comes_back(&mut scene, LINE)
}

/// Nobody has the key of that one, which ends of itself.
fn where_each_login_begins_a_session_one_is_begun_in_vain_and_no_more(lab: &Lab) -> Result<()> {
    let mut scene = with_forced_command(lab, &[Wall::AtLaptop], BEGINS_A_SESSION)?;
    scene.opens(LINE)?;
    signal(&only_login(scene.laptop())?, Signal::KILL)?;
    let logged = |scene: &Scene, text: &str| scene.log().matches(text).count();
    wait_until("a third alarm", PATIENCE * 2, || Ok((logged(&scene, "event=Silent") >= 3).then_some(())))?;
    no_login_is_left(scene.laptop(), PATIENCE)?;
    assert_eq!(logged(&scene, "logging in again"), 1, "{}", scene.log());
    assert_eq!(scene.place.sshd.log().matches("Starting session: forced-command").count(), 2);
    let screen = scene.shell.terminal.screen();
    ensure!(!screen.contains("moshpunch") && !screen.contains("MOSH"), "{screen}");
    wait_until("the end of the server that nobody joins", PATIENCE * 5, || {
        Ok((scene.host().processes("mosh-server")?.len() == 1).then_some(()))
    })?;
    scene.shell.terminal.type_text(QUIT)?;
    scene.shell.sees(OVER_SSH)
}
