//! Interactive programs in terminals.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Lab, Terminal, USER, scenario};

const LIMIT: Duration = Duration::from_secs(30);

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

fn what_a_program_copies_is_in_the_clipboard(lab: &Lab) -> Result<()> {
    let mut terminal = shell(lab, "bash")?;
    terminal.type_text("printf '\\033]52;;bm8=\\a\\033]52;c;eWVz\\a\\033]52;p;bm8=\\a'\r")?;
    terminal.wait_for_clipboard("eWVz", LIMIT)?;
    terminal.type_text("echo all is read\r")?;
    terminal.wait_for("\nall is read\n", LIMIT)?;
    assert_eq!(terminal.clipboard().as_deref(), Some("eWVz"), "only the selection c is the clipboard");
    Ok(())
}

fn text_has_the_colour_that_a_program_gave_it(lab: &Lab) -> Result<()> {
    let mut terminal = shell(lab, "bash")?;
    terminal.type_text("clear; printf 'ééééé \\033[38;2;1;2;3mtrue \\033[31mown\\033[m%s\n' .\r")?;
    terminal.wait_for("own.", LIMIT)?;
    assert_eq!(terminal.colour_of("true"), Some((1, 2, 3)));
    assert_eq!(terminal.colour_of("own"), None);
    assert_eq!(terminal.colour_of("nothing of that kind"), None);
    Ok(())
}

fn a_program_that_asks_for_the_mouse_is_told_of_wheel_and_button(lab: &Lab) -> Result<()> {
    let mut terminal = shell(lab, "bash")?;
    terminal.type_text("stty -echo -icanon min 1; clear; echo ready; exec cat -v\r")?;
    terminal.wait_until("ready alone", LIMIT, |screen| screen.trim_end() == "ready")?;
    terminal.wheel_up()?;
    terminal.drag(2, 3..=4)?;
    terminal.release(2, 4)?;
    terminal.wait_for("^[[<64;10;10M^[[<0;3;2M^[[<32;3;2M^[[<32;4;2M^[[<0;4;2m", LIMIT)
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
        scenario!(what_a_program_copies_is_in_the_clipboard),
        scenario!(text_has_the_colour_that_a_program_gave_it),
        scenario!(a_program_that_asks_for_the_mouse_is_told_of_wheel_and_button),
        scenario!(tmux_shows_its_panes_and_is_reattached).needs(&["tmux"]),
        scenario!(a_closed_terminal_takes_its_program_along),
    ])
}
