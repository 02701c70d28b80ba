//! Commands, and daemons beside a scenario.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Daemon, Host, Lab, Signal, USER, scenario};

const LIMIT: Duration = Duration::from_secs(30);
const LONG_ENOUGH_TO_PRINT: Duration = Duration::from_secs(5);

/// Says when it can be asked, and ends with 7 when asked politely.
const POLITE: &str = "trap 'echo asked; exit 7' TERM; echo ready; while :; do read -r -t 1 <> <(:); done";
const STUBBORN: &str = "trap 'echo no, thanks' TERM; echo ready; while :; do read -r -t 1 <> <(:); done";

fn alone(lab: &Lab) -> Result<Host> {
    lab.host("alone").start()
}

fn bash(host: &Host, script: &str) -> Result<Daemon> {
    let daemon = host.spawn("script", &host.command("bash").args(["-c", script]))?;
    daemon.wait_for_log("ready", LIMIT)?;
    Ok(daemon)
}

fn a_command_reads_its_input(lab: &Lab) -> Result<()> {
    let sorted = alone(lab)?.command("sort").input("two\none\n").run(LIMIT)?;
    assert_eq!(sorted.stdout, "one\ntwo\n");
    Ok(())
}

fn a_command_without_input_reads_nothing(lab: &Lab) -> Result<()> {
    assert_eq!(alone(lab)?.command("cat").run(LIMIT)?.stdout, "");
    Ok(())
}

fn a_command_runs_as_a_user_who_has_just_logged_in(lab: &Lab) -> Result<()> {
    let command = alone(lab)?.command("sh").args(["-c", "id -un; pwd; echo $HOME $COLOR"]);
    let output = command.as_user(USER).env("COLOR", "blue").run(LIMIT)?;
    assert_eq!(output.stdout, "alice\n/home/alice\n/home/alice blue\n");
    Ok(())
}

fn a_failed_command_shows_what_it_printed(lab: &Lab) -> Result<()> {
    let host = alone(lab)?;
    let failing = || host.command("sh").args(["-c", "echo $((6*7)); echo $((7*7)) >&2; exit 3"]);
    let error = failing().run(LIMIT).expect_err("the command fails").to_string();
    ensure!(
        ["alone: sh", "exit status: 3", "stdout: 42", "stderr: 49"].iter().all(|part| error.contains(part)),
        "{error}"
    );
    assert_eq!(failing().output(LIMIT)?.status.code(), Some(3));
    Ok(())
}

fn a_command_that_takes_too_long_is_killed_with_its_children_and_shows_what_it_printed(
    lab: &Lab,
) -> Result<()> {
    let host = alone(lab)?;
    let slow = host.command("sh").args(["-c", "echo $((6*7)); sleep 4711 & wait"]);
    let error = slow.run(LONG_ENOUGH_TO_PRINT).expect_err("the command takes too long").to_string();
    ensure!(error.contains("still running after 5s\n42\n"), "{error}");
    lab::wait_until("the command's child to be gone", LIMIT, || {
        Ok(host.processes("sleep")?.is_empty().then_some(()))
    })
}

/// Whether the script is gone once it was stopped; what it said is in the lab's report.
fn stop(daemon: Daemon) -> Result<bool> {
    let process = format!("/proc/{}", daemon.pid());
    ensure!(Path::new(&process).exists());
    daemon.stop()?;
    Ok(!Path::new(&process).exists())
}

fn a_daemon_ends_when_asked(lab: &Lab) -> Result<()> {
    ensure!(stop(bash(&alone(lab)?, POLITE)?)?);
    ensure!(lab.report().contains("asked"), "{}", lab.report());
    Ok(())
}

fn a_daemon_that_does_not_end_when_asked_is_killed(lab: &Lab) -> Result<()> {
    ensure!(stop(bash(&alone(lab)?, STUBBORN)?)?);
    ensure!(lab.report().contains("no, thanks"), "{}", lab.report());
    Ok(())
}

fn a_daemon_gets_signals_and_its_end_is_seen(lab: &Lab) -> Result<()> {
    let daemon = bash(&alone(lab)?, POLITE)?;
    let error = daemon.wait_exit(Duration::from_millis(100)).expect_err("it runs").to_string();
    ensure!(error.contains("still runs after 100ms") && error.contains("ready"), "{error}");
    daemon.signal(Signal::TERM)?;
    assert_eq!(daemon.wait_exit(LIMIT)?.code(), Some(7));
    ensure!(daemon.log().ends_with("asked\n"), "{}", daemon.log());
    ensure!(daemon.signal(Signal::TERM).is_err(), "an ended process took a signal");
    Ok(())
}

fn a_wait_for_a_log_ends_with_the_daemon_and_shows_what_it_said(lab: &Lab) -> Result<()> {
    let host = alone(lab)?;
    let daemon = host.spawn("script", &host.command("sh").args(["-c", "echo sorry $((6*7)); exit 1"]))?;
    let error = daemon.wait_for_log("ready", LIMIT).expect_err("it never says so").to_string();
    ensure!(error.contains("ended (exit status: 1)") && error.contains("sorry 42"), "{error}");
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run([
        scenario!(a_command_reads_its_input),
        scenario!(a_command_without_input_reads_nothing),
        scenario!(a_command_runs_as_a_user_who_has_just_logged_in),
        scenario!(a_failed_command_shows_what_it_printed),
        scenario!(a_command_that_takes_too_long_is_killed_with_its_children_and_shows_what_it_printed),
        scenario!(a_daemon_ends_when_asked),
        scenario!(a_daemon_that_does_not_end_when_asked_is_killed),
        scenario!(a_daemon_gets_signals_and_its_end_is_seen),
        scenario!(a_wait_for_a_log_ends_with_the_daemon_and_shows_what_it_said),
    ])
}
