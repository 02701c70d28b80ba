//! Stopped, told to go on, ended or hung up, in whatever order and whoever gets the signal: what the user's shell says,
//! and whether keys work afterwards, is as with stock mosh. Each row is tried with both.

#[path = "../common/mod.rs"]
mod common;
mod login;
mod session;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use lab::{Lab, Signal, USER, scenario, wait_until};

use crate::common::PATIENCE;
use crate::session::{After, Came, Place, Scene, Who};

/// Where it runs, whether it sleeps, who is told what, and what comes of it.
type Row = (Place, Came, Who, &'static [Signal], After);

const TOLD_TO_END: [&[Signal]; 4] = [
    &[Signal::TERM, Signal::CONT],
    &[Signal::HUP, Signal::CONT],
    &[Signal::INT, Signal::CONT],
    &[Signal::PIPE, Signal::CONT],
];

fn each(lab: &Lab, rows: &[Row]) -> Result<()> {
    let scene = Scene::raise(lab)?;
    for program in ["mosh", "moshpunch"] {
        for row in rows {
            try_row(&scene, program, row).with_context(|| format!("{program}: {row:?}"))?;
        }
    }
    Ok(())
}

fn try_row(scene: &Scene, program: &str, (place, came, who, signals, after): &Row) -> Result<()> {
    let mut session = scene.start(program, *place)?;
    if *came == Came::Asleep {
        session.falls_asleep()?;
    }
    session.tell(*who, signals)?;
    session.expect(*after)
}

fn asleep_it_goes_on_whoever_is_told_so(lab: &Lab) -> Result<()> {
    let told = |place, who| -> Row { (place, Came::Asleep, who, &[Signal::CONT], After::GoesOn) };
    let brought_back = |place| -> Row { (place, Came::Asleep, Who::Nobody, &[], After::Stopped) };
    each(
        lab,
        &[
            told(Place::Terminal, Who::Started),
            told(Place::Terminal, Who::Client),
            brought_back(Place::Shell),
            brought_back(Place::Script),
            brought_back(Place::Su),
        ],
    )
}

fn asleep_it_ends_whoever_is_told_so(lab: &Lab) -> Result<()> {
    let told = |who| {
        move |signals| -> Row {
            (Place::Terminal, Came::Asleep, who, signals, After::Ended("exit status: 0"))
        }
    };
    let rows = TOLD_TO_END.map(told(Who::Started)).into_iter().chain(TOLD_TO_END.map(told(Who::Client)));
    each(lab, &rows.collect::<Vec<_>>())
}

fn awake_it_ends_as_mosh_does(lab: &Lab) -> Result<()> {
    let told = |who, signals, says| -> Row { (Place::Shell, Came::Awake, who, signals, After::Ended(says)) };
    let mut rows = Vec::new();
    for who in [Who::Started, Who::Client] {
        for signals in TOLD_TO_END {
            rows.push(told(who, &signals[..1], "code=0"));
        }
        rows.push(told(who, &[Signal::QUIT], "code=131"));
        rows.push(told(who, &[Signal::KILL], "code=137"));
    }
    each(lab, &rows)
}

fn killed_nothing_is_left(lab: &Lab) -> Result<()> {
    let killed = |place, came, who, says| -> Row { (place, came, who, &[Signal::KILL], After::Ended(says)) };
    let by_signal = "signal: 9 (SIGKILL)";
    each(
        lab,
        &[
            killed(Place::Terminal, Came::Asleep, Who::Started, by_signal),
            killed(Place::Terminal, Came::Asleep, Who::Client, by_signal),
            killed(Place::Terminal, Came::Awake, Who::Started, by_signal),
            killed(Place::Terminal, Came::Awake, Who::Client, by_signal),
            killed(Place::Shell, Came::Asleep, Who::Started, "Killed"),
            killed(Place::Shell, Came::Asleep, Who::Client, "Killed"),
            killed(Place::Script, Came::Awake, Who::Started, "code=137"),
            killed(Place::Script, Came::Awake, Who::Client, "code=137"),
        ],
    )
}

/// As mosh's own end-to-end tests do it, to see that the server's time-outs hold.
fn what_runs_in_a_session_knows_the_client_by_its_number(lab: &Lab) -> Result<()> {
    let laptop = Scene::raise(lab)?.network.laptop;
    for program in ["mosh", "moshpunch"] {
        let kills = "kill -KILL $MOSH_CLIENT_PID && sleep 1000";
        let command = laptop.command(program).args(["--local", "127.0.0.1", "--", "sh", "-c", kills]);
        let patient = command.env("MOSH_SERVER_NETWORK_TMOUT", "2").as_user(USER);
        let status = laptop.terminal(&patient, 24, 80)?.wait_exit(PATIENCE)?;
        ensure!(status.to_string() == "signal: 9 (SIGKILL)", "{program}: {status}");
        for name in ["mosh-client", "moshpunch", "mosh-server", "sleep"] {
            let left = || Ok(laptop.processes(name)?.is_empty().then_some(()));
            wait_until(&format!("the end of every {name}"), PATIENCE, left).context(program)?;
        }
    }
    Ok(())
}

/// Stock mosh waits for the login's end before it shows anything.
fn what_is_left_of_the_login_goes_on_and_ends_with_it(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    for signals in [&[Signal::CONT][..], &[Signal::TERM, Signal::CONT], &[Signal::KILL]] {
        let mut session = scene.start("moshpunch --ssh=lives-on", Place::Terminal)?;
        session.falls_asleep()?;
        session.tell(Who::Started, signals)?;
        session.leaves_nothing().with_context(|| format!("{signals:?}"))?;
    }
    Ok(())
}

fn whoever_is_stopped_the_shell_says_so_and_brings_it_back(lab: &Lab) -> Result<()> {
    let stopped = |place, who, signals| -> Row { (place, Came::Awake, who, signals, After::Stopped) };
    let mut rows = Vec::new();
    for signals in [&[Signal::STOP], &[Signal::TSTP], &[Signal::TTIN], &[Signal::TTOU]] {
        rows.push(stopped(Place::Shell, Who::Started, &signals[..]));
        rows.push(stopped(Place::Shell, Who::Client, &signals[..]));
    }
    rows.push(stopped(Place::Script, Who::Started, &[Signal::STOP]));
    rows.push(stopped(Place::Script, Who::Client, &[Signal::STOP]));
    each(lab, &rows)
}

fn stopped_where_nobody_brings_it_back_it_goes_on_whoever_is_told_so(lab: &Lab) -> Result<()> {
    let told = |who, signals, after| -> Row { (Place::Terminal, Came::Awake, who, signals, after) };
    each(
        lab,
        &[
            told(Who::Started, &[Signal::STOP, Signal::CONT], After::GoesOn),
            told(Who::Client, &[Signal::STOP, Signal::CONT], After::GoesOn),
            // A terminal's own command is stopped by nothing else.
            told(Who::Started, &[Signal::TSTP], After::GoesOn),
            told(Who::Client, &[Signal::TSTP], After::GoesOn),
            told(Who::Client, &[Signal::STOP, Signal::TERM, Signal::CONT], After::Ended("exit status: 0")),
            told(Who::Started, &[Signal::STOP, Signal::TERM, Signal::CONT], After::Ended("exit status: 0")),
        ],
    )
}

fn a_terminal_that_is_closed_ends_it_asleep_or_awake(lab: &Lab) -> Result<()> {
    let closed = |place, came| -> Row { (place, came, Who::Window, &[Signal::KILL], After::Gone) };
    each(
        lab,
        &[
            closed(Place::Script, Came::Awake),
            closed(Place::Script, Came::Asleep),
            closed(Place::Shell, Came::Awake),
            closed(Place::Shell, Came::Asleep),
            closed(Place::Su, Came::Asleep),
        ],
    )
}

fn main() -> ExitCode {
    let scenarios = [
        scenario!(asleep_it_goes_on_whoever_is_told_so),
        scenario!(asleep_it_ends_whoever_is_told_so),
        scenario!(awake_it_ends_as_mosh_does),
        scenario!(killed_nothing_is_left),
        scenario!(whoever_is_stopped_the_shell_says_so_and_brings_it_back),
        scenario!(stopped_where_nobody_brings_it_back_it_goes_on_whoever_is_told_so),
        scenario!(what_runs_in_a_session_knows_the_client_by_its_number),
        scenario!(what_is_left_of_the_login_goes_on_and_ends_with_it),
        scenario!(a_terminal_that_is_closed_ends_it_asleep_or_awake),
        scenario!(login::what_waits_for_the_key_stops_and_goes_on_with_the_login),
        scenario!(login::what_waits_for_the_key_ends_with_the_login),
    ];
    let needs = ["mosh", "mosh-server", "sshd", "script", "su"];
    lab::harness::run(scenarios.map(|scenario| scenario.needs(&needs)))
}
