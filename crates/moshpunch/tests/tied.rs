//! `--tied`, as a program that reads what comes of it.

#[path = "common/program.rs"]
mod program;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio, id};
use std::time::Duration;

use client::whole;
use net::wait::wait_for;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(20);

/// A shell that has started the script tied to itself, and waits.
fn with_tied(script: &str) -> (Child, ChildStdout) {
    started("\"$0\" --tied $$", script)
}

/// The same, with all that the script starts.
fn with_whole(script: &str) -> (Child, ChildStdout) {
    started("sh -c \"$2\" \"$0\"", script)
}

fn started(how: &str, script: &str) -> (Child, ChildStdout) {
    let mut shell = Command::new("sh")
        .args(["-c", &format!("{how} sh -c \"$1\" & exec >&2; read -r end")])
        .arg(program::path())
        .args([script, &whole::script("$PPID")])
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
        with_tied("trap 'echo told; kill $!; exit' TERM; sh -c 'echo ready; exec sleep 60' & wait");
    shell.kill().unwrap();
    shell.wait().unwrap();
    assert!(has_news(&stdout), "it goes on");
    let mut said = String::new();
    stdout.read_to_string(&mut said).unwrap();
    assert_eq!(said, "told\n");
}

/// Stops whatever of ours is beside it, so that only what that keeps open tells, not when it looks.
const ENDS_BESIDE_STOPPED: &str = "echo ready; children=/proc/$$/task/$$/children; [ -r $children ] || exit; \
    read -r ours <$children; [ -z \"$ours\" ] || kill -STOP $ours; echo stopped $ours";

#[test]
fn nothing_of_ours_keeps_its_output_open_when_it_has_ended() {
    let (mut shell, stdout) = with_tied(ENDS_BESIDE_STOPPED);
    let mut stdout = BufReader::new(stdout);
    let mut said = String::new();
    stdout.read_line(&mut said).unwrap();
    let is_closed = has_news(stdout.get_ref());
    let mut words = said.split_whitespace();
    assert_eq!(words.next(), Some("stopped"));
    for pid in words.filter_map(|word| Pid::from_raw(word.parse().ok()?)) {
        kill_process(pid, Signal::KILL).unwrap();
    }
    assert!(is_closed, "{said}");
    assert_eq!(stdout.read_line(&mut said).unwrap(), 0);
    drop(shell.stdin.take());
    shell.wait().unwrap();
}

fn kill(shell: &mut Child) {
    shell.kill().expect("it is a child");
    shell.wait().expect("it is a child");
}

/// Its output is at its end only once nobody has it.
#[test]
fn all_that_it_starts_ends_with_its_parent() {
    for script in [
        "sleep 60 & echo ready; wait",
        "sh -c 'sleep 60; echo more' & echo ready; wait",
        "trap '' TERM; echo ready; while :; do sleep 60; done",
        "sleep 60 & echo ready; kill -STOP $!; kill -STOP $$; echo more",
    ] {
        let (mut shell, mut stdout) = with_whole(script);
        kill(&mut shell);
        assert!(has_news(&stdout), "{script}: it goes on");
        let mut said = String::new();
        stdout.read_to_string(&mut said).unwrap();
        assert_eq!(said, "", "{script}");
    }
}

/// Found by the program, which ends at once and is told together with it.
#[test]
fn what_a_secluded_one_has_started_in_another_session_ends_with_it() {
    let script = "setsid sh -c 'trap \"\" TERM HUP; echo ready; sleep 60' & wait";
    let (mut shell, mut stdout) = started("\"$0\" --tied --secluded $$", script);
    kill(&mut shell);
    assert!(has_news(&stdout), "it goes on");
    let mut said = String::new();
    stdout.read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn a_terminal_that_hangs_up_does_not_end_it() {
    let deaf = "echo ready; kill -HUP $PPID; kill -HUP $$; sh -c 'kill -HUP $$; echo goodbye'; exit 3";
    let (mut shell, mut stdout) = with_whole(deaf);
    let mut said = String::new();
    stdout.read_to_string(&mut said).unwrap();
    assert_eq!(said, "goodbye\n");
    drop(shell.stdin.take());
    shell.wait().unwrap();
}

/// The program, started as the client does, by this process or by one that has ended.
fn of_a_client(parent: u32, words: &[&str]) -> Child {
    let mut shell = Command::new("sh");
    shell.args(["-c", &whole::script(&parent.to_string())]).arg(program::path()).args(words);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a shell")
}

#[test]
fn it_reads_says_and_ends_as_if_it_was_alone() {
    let mut program =
        of_a_client(id(), &["sh", "-c", "read -r line; echo \"$line\"; echo trouble >&2; exit 3"]);
    program.stdin.take().unwrap().write_all(b"a line\n").unwrap();
    let ended = program.wait_with_output().unwrap();
    assert_eq!((&*ended.stdout, &*ended.stderr), (&b"a line\n"[..], &b"trouble\n"[..]));
    assert_eq!(ended.status.code(), Some(3));
    let killed = of_a_client(id(), &["sh", "-c", "kill -KILL $$"]).wait_with_output().unwrap();
    assert_eq!(killed.status.signal(), Some(Signal::KILL.as_raw()));
    let missing = of_a_client(id(), &["/nowhere/ssh"]).wait_with_output().unwrap();
    assert_eq!(missing.status.code(), Some(127));
    let said = String::from_utf8(missing.stderr).unwrap();
    assert!(said.starts_with("moshpunch: /nowhere/ssh: "), "{said}");
}

#[test]
fn the_keys_of_the_terminal_reach_it() {
    for signal in ["INT", "QUIT"] {
        let script = format!("trap 'echo heard; exit' {signal}; kill -{signal} $PPID $$; echo more");
        let ended = of_a_client(id(), &["sh", "-c", &script]).wait_with_output().unwrap();
        assert_eq!((&*ended.stdout, ended.status.code()), (&b"heard\n"[..], Some(0)), "{signal}");
    }
}

/// Its parent has begun only then.
#[test]
fn all_that_it_starts_ends_where_the_client_has_ended_before() {
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let mut program = of_a_client(ended.id(), &["sh", "-c", "(sleep 60; echo more) & echo ready; wait"]);
    let mut stdout = program.stdout.take().unwrap();
    let mut said = String::new();
    stdout.read_to_string(&mut said).unwrap();
    assert!(!said.contains("more"), "{said}");
    assert_eq!(program.wait().unwrap().code(), Some(1));
}
