//! How the harness shows scenarios that fail, hang, or cannot run. The scenarios of this file's *child* are run by
//! this same program, as a process of its own whose output is read.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use lab::harness::Scenario;
use lab::{Lab, scenario};

const CHILD: &str = "LAB_TEST_HARNESS_CHILD";
const LONG: Duration = Duration::from_secs(60);
const LONG_ENOUGH_TO_START: Duration = Duration::from_secs(10);

fn passes(_: &Lab) -> Result<()> {
    Ok(())
}

fn fails(lab: &Lab) -> Result<()> {
    let host = lab.host("alone").start()?;
    host.command("echo").arg("a program's last words").run(LONG)?;
    bail!("it did not work");
}

fn panics(_: &Lab) -> Result<()> {
    panic!("the ground opened");
}

fn hangs(lab: &Lab) -> Result<()> {
    lab.host("alone").start()?.command("sleep").arg("4711").run(LONG).map(drop)
}

fn needs_what_is_missing(_: &Lab) -> Result<()> {
    bail!("it must not run");
}

fn child() -> [Scenario; 5] {
    [
        scenario!(passes),
        scenario!(fails),
        scenario!(panics),
        scenario!(hangs).within(LONG_ENOUGH_TO_START),
        scenario!(needs_what_is_missing).needs(&["no-such-program"]),
    ]
}

/// Runs one of the child's scenarios: whether the run succeeds, and what it prints.
fn run_child(name: &str) -> Result<(bool, String)> {
    let mut program = Command::new(std::env::current_exe()?);
    let output = program.args(["--exact", name]).env(CHILD, "yes").output()?;
    Ok((output.status.success(), String::from_utf8(output.stdout)?))
}

fn result_line(output: &str, name: &str) -> Result<String> {
    let mut lines =
        output.lines().filter(|line| line.starts_with("test ") && !line.starts_with("test result"));
    Ok(lines.next().with_context(|| format!("no line for {name}:\n{output}"))?.to_owned())
}

fn expect_failure(name: &str, shown: &[&str]) -> Result<()> {
    let (success, output) = run_child(name)?;
    ensure!(!success, "the run succeeded:\n{output}");
    assert_eq!(result_line(&output, name)?, format!("test {name} ... FAILED"));
    for part in shown {
        ensure!(output.contains(part), "{part:?} is not in:\n{output}");
    }
    Ok(())
}

fn a_success_is_shown_as_ok(_: &Lab) -> Result<()> {
    let (success, output) = run_child("passes")?;
    ensure!(success, "{output}");
    assert_eq!(result_line(&output, "passes")?, "test passes ... ok");
    Ok(())
}

fn a_failure_is_shown_with_every_programs_log(_: &Lab) -> Result<()> {
    expect_failure("fails", &["it did not work", "---- alone: echo", "a program's last words"])
}

fn a_panic_is_shown_as_a_failure(_: &Lab) -> Result<()> {
    expect_failure("panics", &["panicked: the ground opened"])
}

fn a_scenario_that_hangs_is_ended_and_shown_as_a_failure(_: &Lab) -> Result<()> {
    expect_failure(
        "hangs",
        &["still running after 10s; its lab was torn down", "alone: sleep 4711: signal: 9"],
    )
}

fn a_scenario_without_its_program_is_shown_as_ignored(_: &Lab) -> Result<()> {
    let (success, output) = run_child("needs_what_is_missing")?;
    ensure!(success, "{output}");
    let line = result_line(&output, "needs_what_is_missing")?;
    ensure!(line.starts_with("test [not installed: no-such-program] needs_what_is_missing"), "{line}");
    ensure!(line.ends_with("... ignored") && output.contains("0 passed; 0 failed; 1 ignored"), "{output}");
    Ok(())
}

fn main() -> ExitCode {
    if std::env::var_os(CHILD).is_some() {
        return lab::harness::run(child());
    }
    lab::harness::run([
        scenario!(a_success_is_shown_as_ok),
        scenario!(a_failure_is_shown_with_every_programs_log),
        scenario!(a_panic_is_shown_as_a_failure),
        scenario!(a_scenario_that_hangs_is_ended_and_shown_as_a_failure),
        scenario!(a_scenario_without_its_program_is_shown_as_ignored),
    ])
}
