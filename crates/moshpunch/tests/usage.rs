//! What is told of a command line, of a wrong one too.

#[path = "common/program.rs"]
mod program;

use std::process::{Command, Output};

use wire::presence;

fn told(words: &[&str]) -> (Output, String) {
    let output = Command::new(program::path()).args(words).output().expect("moshpunch");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, told)
}

#[test]
fn what_was_said_drives_no_terminal() {
    let evil = "ho\u{1b}]0;x\u{7}st\u{9b}2J\u{202e}\r";
    for words in [
        &["-G", evil][..],
        &["--port", evil, "host"],
        &["--family", evil, "host"],
        &["--tmux", &format!("--{evil}"), "host"],
        &[evil, "-G", "--", evil],
        &["map", "add", evil],
        &["map", "--help", evil, "--x"],
        &["sessions", "close", "7", evil],
        &["sessions", "clean", "--older-than", evil],
        &["router", "check", &format!("--{evil}")],
    ] {
        let (output, told) = told(words);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned() + &told;
        let drives = shown.chars().find(|character| {
            *character != '\n' && report::sanitized(&character.to_string()) != character.to_string()
        });
        assert_eq!(drives, None, "{words:?}: {shown:?}");
        assert_eq!(output.status.code(), Some(i32::from(!told.is_empty())), "{words:?}: {shown}");
    }
}

#[test]
fn all_else_is_told_as_clap_does() {
    let (output, told) = told(&["-G", "host", "--no-such-option"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told.starts_with("error: unexpected argument '--no-such-option' found\n"), "{told}");
}

#[test]
fn a_login_that_looks_for_it_is_answered_by_its_exit_status() {
    let asked = |asks: bool| {
        let mut command = Command::new(program::path());
        command.arg("--version").env_remove(presence::VARIABLE);
        command.envs(asks.then_some((presence::VARIABLE, "1"))).output().expect("moshpunch")
    };
    let (looked_for, read) = (asked(true), asked(false));
    assert_eq!((looked_for.status.code(), looked_for.stdout), (Some(presence::STATUS.into()), vec![]));
    assert!(read.status.success() && read.stdout.starts_with(b"moshpunch "), "{read:?}");
}
