//! While the host starts mosh-server, mosh-client's parents wait for the key.

use anyhow::{Context, Result, ensure};
use lab::{Host, HostProcess, Lab, Signal, Terminal, wait_until};

use crate::common::{PATIENCE, client, is_stopped, signal};
use crate::session::{After, Place, Scene, nothing_is_left};

/// It waits to be let go on, or to be told that it fails.
const SERVER: &str = "#!/bin/sh
until [ -e /tmp/go ]; do [ ! -e /tmp/fail ] || exit 3; sleep 0.05; done
exec /usr/bin/mosh-server \"$@\"
";

type End<'a> = dyn Fn(&mut Terminal) -> Result<()> + 'a;

fn raise(lab: &Lab) -> Result<Scene> {
    let scene = Scene::raise(lab)?;
    scene.network.router.write_script("/usr/local/bin/mosh-server", SERVER)?;
    Ok(scene)
}

/// What is to become mosh-client is there, and the session is not.
fn log_in(scene: &Scene) -> Result<Terminal> {
    let terminal = scene.terminal("moshpunch", Place::Shell)?;
    wait_until("what waits for the key", PATIENCE, || waiting(&scene.network.laptop))?;
    Ok(terminal)
}

fn waiting(laptop: &Host) -> Result<Option<HostProcess>> {
    let is_waiting = |process: &HostProcess| process.arguments.iter().any(|word| word == "--keyed");
    Ok(laptop.processes("moshpunch")?.into_iter().find(is_waiting))
}

fn write(host: &Host, name: &str) -> Result<()> {
    host.write_file(&format!("/tmp/{name}"), "")
}

pub(crate) fn what_waits_for_the_key_stops_and_goes_on_with_the_login(lab: &Lab) -> Result<()> {
    let scene = raise(lab)?;
    let mut terminal = log_in(&scene)?;
    for jobs in 1..=2 {
        terminal.type_text("\x1a")?;
        terminal.wait_for("Stopped", PATIENCE)?;
        terminal.type_text(&format!("clear; echo jobs=$((jobs + {jobs}))\r"))?;
        terminal.wait_for(&format!("jobs={jobs}"), PATIENCE)?;
        terminal.type_text("fg\r")?;
        // Ctrl-Z would take what is typed and not read yet away.
        let program = client(&scene.network.laptop)?;
        wait_until("the login to go on", PATIENCE, || Ok((!is_stopped(&program)).then_some(())))?;
    }
    write(&scene.network.router, "go")?;
    let mut session = scene.session("moshpunch", Place::Shell, terminal)?;
    session.falls_asleep()?;
    session.expect(After::Stopped)
}

pub(crate) fn what_waits_for_the_key_ends_with_the_login(lab: &Lab) -> Result<()> {
    let scene = raise(lab)?;
    let laptop = &scene.network.laptop;
    let ends: [(&str, &End<'_>); 4] = [
        ("code=130", &|terminal| terminal.type_text("\x03")),
        ("code=131", &|terminal| terminal.type_text("\x1c")),
        ("code=137", &|_| signal(&client(laptop)?, Signal::KILL)),
        ("code=3", &|_| write(&scene.network.router, "fail")),
    ];
    for (code, end) in ends {
        let mut terminal = log_in(&scene)?;
        end(&mut terminal).context(code)?;
        nothing_is_left(laptop).context(code)?;
        terminal.type_text("echo code=$?\r")?;
        terminal.wait_for(code, PATIENCE)?;
        let screen = terminal.screen();
        ensure!(!screen.contains("a terminal") && !screen.contains("a key"), "{screen}");
    }
    Ok(())
}
