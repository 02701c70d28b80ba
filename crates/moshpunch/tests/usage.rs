//! What is told of a wrong command line.

#[path = "common/program.rs"]
mod program;

use std::process::{Command, Output};

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
