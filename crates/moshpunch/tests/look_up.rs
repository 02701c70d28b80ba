//! `--look-up`, as a program that reads what comes of it. In place of ssh a shell says what `ssh -G` would.

#[path = "common/program.rs"]
mod program;

use std::io::Read;
use std::process::{Child, ChildStdout, Command, Stdio, id};
use std::time::Duration;

use net::wait::wait_for;
use rustix::event::{PollFd, PollFlags};

const PATIENCE: Duration = Duration::from_secs(20);

fn told(host: &str, ssh: &str) -> String {
    let mut look_up = Command::new(program::path());
    look_up.args(["--look-up", &id().to_string(), host, "sh", "-c", ssh]);
    String::from_utf8(look_up.output().expect("it is started").stdout).expect("addresses")
}

#[test]
fn what_ssh_makes_of_the_name_is_told() {
    let ssh = "echo hostname 127.0.0.7; echo controlpath /run/master; echo port 8022";
    assert_eq!(told("nowhere.invalid", ssh), "controlpath /run/master\n127.0.0.7:22\n");
}

#[test]
fn without_ssh_the_name_is_what_the_user_said() {
    assert_eq!(told("alice@127.0.0.8", "exit 255"), "127.0.0.8:22\n");
}

#[test]
fn what_prints_without_end_is_no_ssh_and_ends() {
    assert_eq!(told("127.0.0.9", "while :; do echo more; done"), "127.0.0.9:22\n");
}

/// A shell that has the name looked up, and waits. All that is started has the shell's output as its third.
fn by_a_shell(ssh: &str) -> (Child, ChildStdout) {
    let script = "\"$0\" --look-up $$ 127.0.0.1 sh -c \"$1\" 3>&1 >/dev/null & exec >&2; read -r end";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(program::path()).arg(ssh);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut shell = shell.spawn().expect("a shell");
    let mut stdout = shell.stdout.take().expect("it is piped");
    stdout.read_exact(&mut [0; 6]).expect("ready");
    (shell, stdout)
}

/// Once nobody has it.
fn rest(mut stdout: ChildStdout) -> String {
    let mut end = [PollFd::new(&stdout, PollFlags::IN)];
    wait_for(&mut end, Some(PATIENCE)).expect("an open descriptor");
    assert!(!end[0].revents().is_empty(), "it goes on");
    let mut said = String::new();
    stdout.read_to_string(&mut said).expect("text");
    said
}

#[test]
fn nothing_of_what_ssh_started_is_left() {
    for more in ["sleep 60", "trap '' TERM; sleep 60"] {
        let (mut shell, stdout) = by_a_shell(&format!("({more}; echo more >&3) >&- & echo ready >&3"));
        assert_eq!(rest(stdout), "", "{more}");
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}

#[test]
fn all_of_it_ends_with_its_parent() {
    for ssh in ["echo ready >&3; sleep 60", "trap '' TERM; echo ready >&3; while :; do sleep 60; done"] {
        let (mut shell, stdout) = by_a_shell(ssh);
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert_eq!(rest(stdout), "", "{ssh}");
    }
}
