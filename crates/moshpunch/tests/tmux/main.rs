//! `--tmux` with a real tmux, through a real mosh, in a terminal with a mouse.

#![allow(unused_crate_dependencies, reason = "each test target uses a part")]

#[path = "../common/mod.rs"]
mod common;
mod network;
mod plain;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use client::tmux;
use common::{PATIENCE, computes, signal};
use lab::{Lab, scenario, wait_until};
use rustix::process::Signal;

use crate::network::{Network, detach, has_line, is_login_shell};
use crate::plain::{
    a_tmux_that_starts_no_session_is_quoted_above_the_plain_shell,
    an_old_tmux_is_named_above_the_plain_shell, inside_tmux_nothing_is_nested,
    without_tmux_a_line_says_so_above_the_plain_shell,
};

fn the_wheel_scrolls_back_through_five_hundred_lines(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let mut terminal = network.open_tmux()?;
    terminal.type_text("clear; seq 1 500\r")?;
    terminal.wait_until("the last line", PATIENCE, |screen| has_line(screen, "500"))?;
    ensure!(!has_line(&terminal.screen(), "400"), "the screen is too high to scroll");
    for _ in 0..100 {
        terminal.wheel_up()?;
    }
    // tmux writes how far back this is into the same row.
    let is_first = |screen: &str| screen.split_whitespace().next() == Some("1");
    terminal.wait_until("the first line", PATIENCE, is_first)
}

fn text_selected_with_the_mouse_reaches_the_users_clipboard(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let mut terminal = network.open_tmux()?;
    terminal.type_text("clear; echo moshpunch; read\r")?;
    terminal.wait_until("the text alone", PATIENCE, |screen| screen.starts_with("moshpunch\n"))?;
    assert_eq!(terminal.clipboard(), None);
    terminal.drag(1, 1..=10)?;
    // tmux 3.3 says nothing to a terminal about the clipboard while it owes it a picture of the selection.
    terminal.wait_for_cursor(1, 10, PATIENCE)?;
    terminal.release(1, 10)?;
    terminal.wait_for_clipboard("bW9zaHB1bmNo", PATIENCE)?;
    assert_eq!(network.tmux(&["show-buffer"])?, "moshpunch");
    Ok(())
}

/// mosh keeps 16 KiB of what tmux says, base64 included.
fn twelve_thousand_bytes_fit_the_clipboard(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let terminal = network.open_tmux()?;
    network.tmux(&["set-buffer", "-w", &"aaa".repeat(4000)])?;
    terminal.wait_for_clipboard(&"YWFh".repeat(4000), PATIENCE)
}

fn a_second_connection_attaches_to_the_same_session(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let mut first = network.open_tmux()?;
    computes(&mut first, 31)?;
    let mut second = network.open_tmux()?;
    second.wait_for("=961=", PATIENCE)?;
    second.type_text("echo =$((32*32))=\r")?;
    first.wait_for("=1024=", PATIENCE)?;
    assert_eq!(network.tmux(&["list-sessions", "-F", "#{session_name}"])?, "mosh");
    detach(second)?;
    computes(&mut first, 33)
}

/// All that another session may notice.
fn what_the_user_has(network: &Network) -> Result<Vec<String>> {
    let questions = [
        "show-options -s",
        "show-options -g",
        "show-options -gw",
        "show-options -t =other:",
        "show-options -w -t =other:",
        "show-options -p -t =other:",
        "show-hooks -g",
        "show-hooks -t =other:",
        "show-environment -g",
        "show-environment -t =other:",
        "list-keys",
        "list-windows -t =other:",
        "capture-pane -p -t =other:",
    ];
    let ask = |question: &&str| network.tmux(&question.split(' ').collect::<Vec<_>>());
    let mut answers: Vec<_> = questions.iter().map(ask).collect::<Result<_>>()?;
    answers.push(network.host.read_file("/home/alice/.tmux.conf")?);
    let files = network.host.command("find").args(["/home/alice", "-type", "f"]).run(PATIENCE)?;
    answers.push(files.stdout);
    Ok(answers)
}

fn another_session_and_the_users_configuration_are_untouched(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    network.configure("set -g status-right MINE\nset -g destroy-unattached on\nset -g mouse off\n")?;
    network.tmux(&["new-session", "-d", "-s", "other", "cat", ";", "set", "destroy-unattached", "off"])?;
    let before = what_the_user_has(&network)?;

    let terminal = network.open_tmux()?;
    terminal.wait_for("MINE", PATIENCE)?;
    assert_eq!(network.tmux(&["show-options", "-v", "-t", "=mosh:", "mouse"])?, "on");
    assert_eq!(what_the_user_has(&network)?, before);
    detach(terminal)?;
    assert_eq!(what_the_user_has(&network)?, before);
    assert_eq!(network.tmux(&["list-sessions", "-F", "#{session_name}"])?, "mosh\nother");
    Ok(())
}

/// The user's later sessions get what the first of that server brought along.
fn a_server_that_it_starts_has_nothing_of_ours(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let plain = network.connect(&["tmux", "new-session", "-s", "mosh"].map(OsString::from))?;
    plain.wait_for("[mosh]", PATIENCE)?;
    let state = ["show-options -s", "show-options -g", "show-options -gw", "show-hooks -g", "list-keys"];
    let ask = || -> Result<Vec<String>> {
        let environment = network.tmux(&["show-environment", "-g"])?;
        let varies = |line: &&str| !line.starts_with("SSH_") && !line.starts_with("MOSH_");
        let environment = environment.lines().filter(varies).collect::<Vec<_>>().join("\n");
        let answers = state.iter().map(|question| network.tmux(&question.split(' ').collect::<Vec<_>>()));
        answers.chain([Ok(environment)]).collect()
    };
    let expected = ask()?;
    network.tmux(&["kill-server"])?;
    ensure!(plain.wait_exit(PATIENCE)?.success());

    let _terminal = network.open_tmux()?;
    assert_eq!(ask()?, expected);
    Ok(())
}

fn detaching_ends_mosh_with_success_and_keeps_the_session(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let mut terminal = network.open_tmux()?;
    computes(&mut terminal, 41)?;
    detach(terminal)?;
    wait_until("the end of mosh-server", PATIENCE, || {
        Ok(network.host.processes("mosh-server")?.is_empty().then_some(()))
    })?;
    network.root("! ls -d /tmp/tmp.*")?;
    let mut again = network.open_tmux()?;
    again.wait_for("=1681=", PATIENCE)?;
    again.type_text("exit\r")?;
    ensure!(again.wait_exit(PATIENCE)?.success());
    Ok(())
}

fn a_killed_mosh_server_leaves_the_session_and_nothing_else(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let _terminal = network.open_tmux()?;
    network.root("ls -d /tmp/tmp.*")?;
    for server in network.host.processes("mosh-server")? {
        signal(&server, Signal::KILL)?;
    }
    wait_until("the end of the script and its directory", PATIENCE, || {
        Ok(network.root("! ls -d /tmp/tmp.*").is_ok().then_some(()))
    })?;
    assert_eq!(network.tmux(&["list-sessions", "-F", "#{session_attached}"])?, "0");
    Ok(())
}

fn programs_see_a_terminal_with_all_its_colours(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let mut terminal = network.open_tmux()?;
    terminal.type_text("clear; echo =$TERM= =$(tput colors)= =$COLORTERM=\r")?;
    terminal.wait_for("=tmux-256color= =256= =truecolor=", PATIENCE)?;
    terminal.type_text("printf '\\033[38;2;1;22;133mdeep\\040blue\\033[m\\n'\r")?;
    terminal.wait_for("deep blue", PATIENCE)?;
    assert_eq!(terminal.colour_of("deep blue"), Some((1, 22, 133)));
    Ok(())
}

fn a_terminal_without_colours_is_replaced_in_this_session_only(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    network.configure("set -g default-terminal screen\n")?;
    let mut terminal = network.open_tmux()?;
    terminal.type_text("clear; echo =$TERM= $0=; shopt login_shell\r")?;
    terminal.wait_for("=tmux-256color= /bin/bash=", PATIENCE)?;
    terminal.wait_until("a login shell", PATIENCE, is_login_shell)?;
    let _with_command = network.run_in_tmux(&["sh", "-c", "echo =$TERM= in sh; exec cat;"])?;
    terminal.wait_for("=tmux-256color= in sh", PATIENCE)?;
    assert_eq!(network.tmux(&["show-options", "-sv", "default-terminal"])?, "screen");
    Ok(())
}

fn a_command_gets_a_window_of_its_own(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let windows = || network.tmux(&["list-windows", "-t", "=mosh:", "-F", "#{pane_current_command}"]);
    let show_words = "echo \"<$0>\" \"<$1>\" \"<$2>\"; exec cat;";
    let alone = network.run_in_tmux(&["sh", "-c", show_words, "two words", "$(a)", "\\;"])?;
    alone.wait_for("<two words> <$(a)> <\\;>", PATIENCE)?;
    assert_eq!(windows()?, "cat");
    network.tmux(&["new-window", "-t", "=mosh:"])?;

    network.root("printf '#!/bin/sh\\necho it runs; exec cat\\n' >'/usr/local/bin/a program'")?;
    network.root("chmod +x '/usr/local/bin/a program'")?;
    let mut beside = network.run_in_tmux(&["/usr/local/bin/a program"])?;
    beside.wait_for("it runs", PATIENCE)?;
    assert_eq!(windows()?, "cat\nbash\ncat");
    beside.type_text("\x04")?;
    wait_until("the window to close", PATIENCE, || Ok((windows()? == "cat\nbash").then_some(())))
}

fn an_existing_session_of_the_user_is_attached_to(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    network.tmux(&["new-session", "-d", "-s", "mosh2", "cat"])?;
    network.tmux(&["new-session", "-d", "-s", "mosh", "echo made before; cat"])?;
    let terminal = network.run_in_tmux(&[])?;
    terminal.wait_for("made before", PATIENCE)?;
    assert_eq!(network.tmux(&["list-panes", "-a"])?.lines().count(), 2);
    Ok(())
}

/// Only the clipboard is lost.
fn without_a_working_tic_the_session_is_attached_to_all_the_same(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    for status in [1, 0] {
        network.host.write_script("/usr/local/bin/tic", &format!("#!/bin/sh\nexit {status}\n"))?;
        detach(network.open_tmux()?)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run(
        [
            scenario!(the_wheel_scrolls_back_through_five_hundred_lines),
            scenario!(text_selected_with_the_mouse_reaches_the_users_clipboard),
            scenario!(twelve_thousand_bytes_fit_the_clipboard),
            scenario!(a_second_connection_attaches_to_the_same_session),
            scenario!(another_session_and_the_users_configuration_are_untouched),
            scenario!(a_server_that_it_starts_has_nothing_of_ours),
            scenario!(detaching_ends_mosh_with_success_and_keeps_the_session),
            scenario!(a_killed_mosh_server_leaves_the_session_and_nothing_else),
            scenario!(programs_see_a_terminal_with_all_its_colours),
            scenario!(a_terminal_without_colours_is_replaced_in_this_session_only),
            scenario!(a_command_gets_a_window_of_its_own),
            scenario!(an_existing_session_of_the_user_is_attached_to),
            scenario!(without_a_working_tic_the_session_is_attached_to_all_the_same),
            scenario!(without_tmux_a_line_says_so_above_the_plain_shell),
            scenario!(an_old_tmux_is_named_above_the_plain_shell),
            scenario!(a_tmux_that_starts_no_session_is_quoted_above_the_plain_shell),
            scenario!(inside_tmux_nothing_is_nested),
        ]
        .map(|scenario| scenario.needs(&["mosh", "sshd", "tmux"])),
    )
}
