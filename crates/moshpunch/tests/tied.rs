//! `--tied`, as a program that reads what comes of it.

use std::io::Read;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use net::wait::wait_for;
use rustix::event::{PollFd, PollFlags};

const PATIENCE: Duration = Duration::from_secs(20);

/// A shell that has started the script tied to itself, and waits.
fn with_tied(script: &str) -> (Child, ChildStdout) {
    let mut shell = Command::new("sh")
        .args(["-c", "\"$0\" --tied $$ sh -c \"$1\" & exec >&2; read -r end"])
        .args([env!("CARGO_BIN_EXE_moshpunch"), script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    let mut stdout = shell.stdout.take().expect("it is piped");
    stdout.read_exact(&mut [0; 6]).expect("ready");
    (shell, stdout)
}

fn has_news(stdout: &ChildStdout) -> bool {
    let mut descriptors = [PollFd::new(stdout, PollFlags::IN)];
    wait_for(&mut descriptors, Some(PATIENCE)).expect("an open descriptor");
    !descriptors[0].revents().is_empty()
}

#[test]
fn it_ends_when_its_parent_is_killed() {
    let (mut shell, mut stdout) =
        with_tied("trap 'echo told; kill $!; exit' TERM; sleep 60 & echo ready; wait");
    shell.kill().unwrap();
    shell.wait().unwrap();
    assert!(has_news(&stdout), "it goes on");
    let mut said = String::new();
    stdout.read_to_string(&mut said).unwrap();
    assert_eq!(said, "told\n");
}

#[test]
fn nothing_of_ours_keeps_its_output_open_when_it_has_ended() {
    let (mut shell, mut stdout) = with_tied("echo ready; echo done");
    let mut said = String::new();
    stdout.read_to_string(&mut said).unwrap();
    assert_eq!(said, "done\n");
    drop(shell.stdin.take());
    shell.wait().unwrap();
}
