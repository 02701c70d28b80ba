//! A set of kernel namespaces, kept alive by one *holder* process.
//!
//! The holder is a `cat` that reads a pipe whose only writer is the lab. When the lab's process ends, by whatever
//! means, the pipe closes and the holder ends; where it is process 1 of a pid namespace, the kernel then kills
//! every process of that namespace, and with the last process the namespaces and all their interfaces go.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, bail};
use nix::sched::{CloneFlags, setns, unshare};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Names the lab's directory in every holder's environment, for `clean`.
pub(crate) const HOLDER_VARIABLE: &str = "MOSHPUNCH_LAB";

/// Detached daemons become children of the holder. It ignores SIGCHLD, so that the kernel reaps them.
const HOLD: &str = "echo ready; exec env --ignore-signal=CHLD cat >/dev/null";
const MOUNT_PROC: &str = "mount -t proc proc /proc || exit; ";

#[derive(Debug)]
pub(crate) struct Namespaces {
    holder: Mutex<Child>,
    holder_pid: u32,
    pidfd: OwnedFd,
    kinds: CloneFlags,
}

impl Namespaces {
    /// A network namespace alone, for the wires between hosts.
    pub(crate) fn network(lab: &Path) -> Result<Self> {
        Self::create(lab, CloneFlags::CLONE_NEWNET, HOLD, || Ok(()))
    }

    /// All that makes a host. `prepare` runs inside before anything else does, and lays out its mounts.
    pub(crate) fn host(lab: &Path, prepare: impl FnOnce() -> Result<()> + Send) -> Result<Self> {
        let kinds = CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWPID;
        Self::create(lab, kinds, &format!("{MOUNT_PROC}{HOLD}"), prepare)
    }

    fn create(
        lab: &Path,
        kinds: CloneFlags,
        script: &str,
        prepare: impl FnOnce() -> Result<()> + Send,
    ) -> Result<Self> {
        let holder = on_own_thread(|| {
            unshare(kinds | CloneFlags::CLONE_FS).context("making new namespaces")?;
            prepare()?;
            start_holder(lab, script)
        })?;
        let pidfd = pidfd_open(Pid::from_child(&holder), PidfdFlags::empty())?;
        Ok(Self { holder_pid: holder.id(), holder: Mutex::new(holder), pidfd, kinds })
    }

    /// The holder's pid, as seen from outside.
    pub(crate) fn holder_pid(&self) -> u32 {
        self.holder_pid
    }

    /// Runs `work` on a thread inside these namespaces. Sockets and files that it opens stay what they are when
    /// they are handed out, and a process that it spawns lives inside.
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.enter_some(self.kinds, work)
    }

    /// As [`Self::enter`], but its processes live outside, which is what allows `work` to start threads: the kernel
    /// refuses them where children belong to another pid namespace.
    pub(crate) fn visit<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.enter_some(self.kinds - CloneFlags::CLONE_NEWPID, work)
    }

    fn enter_some<T: Send>(&self, kinds: CloneFlags, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        on_own_thread(|| {
            unshare(CloneFlags::CLONE_FS).context("giving the thread its own file system view")?;
            setns(&self.pidfd, kinds).context("entering the namespaces of a host that has ended")?;
            work()
        })
    }

    /// Ends the holder and with it, in a pid namespace, every process.
    pub(crate) fn kill(&self) {
        let _already_gone = self.holder().kill();
    }

    /// Waits for the end of the holder; every process that the lab spawned inside must have been reaped before.
    pub(crate) fn reap(&self) {
        let _already_reaped = self.holder().wait();
    }

    fn holder(&self) -> MutexGuard<'_, Child> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `work` on a thread with a network and mounts that last no longer than it.
pub(crate) fn in_new_namespaces<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    on_own_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS)
            .context("no namespaces")?;
        work()
    })
}

fn start_holder(lab: &Path, script: &str) -> Result<Child> {
    let mut holder = Command::new("sh")
        .args(["-c", script])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env(HOLDER_VARIABLE, lab)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("starting a namespace's holder")?;
    let mut first_line = String::new();
    BufReader::new(holder.stdout.take().expect("stdout is piped")).read_line(&mut first_line)?;
    if first_line != "ready\n" {
        let mut complaint = String::new();
        holder.stderr.take().expect("stderr is piped").read_to_string(&mut complaint)?;
        holder.wait()?;
        bail!("a namespace's holder did not start: {}", complaint.trim());
    }
    Ok(holder)
}

/// Namespaces belong to threads: what enters one must not run on a thread that others use.
fn on_own_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
