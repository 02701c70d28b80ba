//! `moshpunch --keeper`: detached from everything, keeps one session's mapping until the session ends.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};
use net::wait::wait;
use programs::own;
use report::log;
use rustix::event::{PollFd, PollFlags};
use rustix::process::Pid;

use crate::keeper::Keeper;
use crate::session::{Link, Name, ToKeeper};

/// By which this program is told to be a keeper.
pub const WORD: &str = "--keeper";

/// Starts a keeper, and gives the link to it. The session's name is for who reads ps(1).
pub(crate) fn spawn(name: &Name) -> Result<(Pid, Link)> {
    let (ours, theirs) = UnixStream::pair()?;
    let keeper = spawn_detached(&[WORD, &name.id], Stdio::from(OwnedFd::from(theirs)))?;
    Ok((keeper, Link::new(ours)?))
}

/// Starts this program again, holding neither terminal nor ssh's channel.
pub(crate) fn spawn_detached(words: &[&str], stdin: Stdio) -> Result<Pid> {
    own::command(own::path())
        .args(words)
        .current_dir("/")
        .stdin(stdin)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(|child| Pid::from_child(&child))
        .with_context(|| format!("starting moshpunch {}", words.join(" ")))
}

/// # Errors
///
/// Nobody tells this process what to keep.
pub fn run() -> Result<ExitCode> {
    leave_session()?;
    let mut link = Link::new(UnixStream::from(rustix::io::dup(rustix::stdio::stdin())?))?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let begin = first_message(&mut link)?;
    if let ToKeeper::Begin { log: Some(log), .. } = &begin {
        log::append_to(log);
    }
    Keeper::new(link, begin)?.run()?;
    Ok(ExitCode::SUCCESS)
}

/// A hang-up of the login must not reach us.
pub(crate) fn leave_session() -> Result<()> {
    rustix::process::setsid().context("setsid")?;
    Ok(())
}

fn first_message(link: &mut Link) -> Result<ToKeeper> {
    loop {
        if let Some(message) = link.receive()? {
            return Ok(message);
        }
        wait(&mut [PollFd::new(link, PollFlags::IN)], None)?;
    }
}
