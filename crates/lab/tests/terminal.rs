//! Interactive programs in terminals.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Lab, Terminal, USER, scenario};

const LIMIT: Duration = Duration::from_secs(5);

fn shell(lab: &Lab, program: &str) -> Result<Terminal> {
    let host = lab.host("alone").start()?;
    host.terminal(&host.command(program).as_user(USER), 24, 80)
}

fn a_program_sees_the_terminals_size_and_its_change(lab: &Lab) -> Result<()> {
    let mut terminal = shell(lab, "bash")?;
    terminal.wait_for("$", LIMIT)?;
    terminal.type_text("trap 'stty size' WINCH; stty size\r")?;
    terminal.wait_for("\n24 80\n", LIMIT)?;
    terminal.resize(30, 100)?;
    terminal.type_text("\r")?;
    terminal.wait_for("30 100\n", LIMIT)
}

fn a_screen_that_never_comes_is_an_error_that_shows_the_screen(lab: &Lab) -> Result<()> {
    let mut terminal = shell(lab, "bash")?;
    terminal.wait_for("$", LIMIT)?;
    let error = terminal.wait_for("the moon", Duration::from_millis(100)).expect_err("no moon").to_string();
    ensure!(error.contains("the moon") && error.contains("alice@alone:~$"), "{error}");
    terminal.type_text("exit 3\r")?;
    let error = terminal.wait_for("the moon", LIMIT).expect_err("no moon").to_string();
    ensure!(error.contains("ended without showing"), "{error}");
    assert_eq!(terminal.wait_exit(LIMIT)?.code(), Some(3));
    Ok(())
}

fn tmux_shows_its_panes_and_is_reattached(lab: &Lab) -> Result<()> {
    let host = lab.host("alone").start()?;
    let mut terminal =
        host.terminal(&host.command("tmux").args(["new", "-s", "work"]).as_user(USER), 24, 80)?;
    terminal.wait_for("[work]", LIMIT)?;
    terminal.type_text("echo $((6*7))\r")?;
    terminal.wait_for("\n42\n", LIMIT)?;
    drop(terminal);
    let again = host.terminal(&host.command("tmux").arg("attach").as_user(USER), 24, 80)?;
    again.wait_for("\n42\n", LIMIT)
}

fn a_closed_terminal_takes_its_program_along(lab: &Lab) -> Result<()> {
    let host = lab.host("alone").start()?;
    let terminal = host.terminal(&host.command("bash").as_user(USER), 24, 80)?;
    terminal.wait_for("$", LIMIT)?;
    assert_eq!(host.processes("bash")?.len(), 1);
    drop(terminal);
    assert_eq!(host.processes("bash")?, []);
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run([
        scenario!(a_program_sees_the_terminals_size_and_its_change),
        scenario!(a_screen_that_never_comes_is_an_error_that_shows_the_screen),
        scenario!(tmux_shows_its_panes_and_is_reattached).needs(&["tmux"]),
        scenario!(a_closed_terminal_takes_its_program_along),
    ])
}
