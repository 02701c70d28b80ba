//! The lab itself: what it owns, and how it ends.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use anyhow::{Context as _, Result, ensure};

use crate::directory::LabDirectory;
use crate::fabric::Fabric;
use crate::host::{Host, HostBuilder, HostState};
use crate::journal::Journal;
use crate::keys;
use crate::link::Link;
use crate::names;
use crate::namespace::Namespaces;
use crate::process::Process;
use crate::signals;

/// A network of hosts. Torn down on drop.
#[derive(Debug)]
pub struct Lab {
    shared: Arc<Shared>,
}

impl Lab {
    /// An empty lab. The name only serves the reader of `lab list`; it need not be unique.
    ///
    /// # Errors
    /// Where [`Requirements`](crate::Requirements) are not met.
    pub fn new(name: &str) -> Result<Self> {
        signals::leave_to_programs()?;
        let directory = LabDirectory::create(name)?;
        let fabric = Arc::new(Fabric::new(Namespaces::network(directory.path())?)?);
        keys::make_user_key(&directory.path().join("shared"))?;
        let journal = Journal::new(directory.path().join("logs"));
        let shared = Shared {
            fabric,
            journal,
            hosts: Mutex::default(),
            processes: Mutex::default(),
            programs: Mutex::default(),
            directory,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Adds an Ethernet.
    ///
    /// # Errors
    /// When the name is taken, or longer than an interface's may be.
    pub fn link(&self, name: &str) -> Result<Link> {
        Link::add(&self.shared.fabric, name)
    }

    /// Describes a host; [`HostBuilder::start`] makes it.
    pub fn host(&self, name: &str) -> HostBuilder {
        HostBuilder::new(Arc::clone(&self.shared), name)
    }

    /// Puts a program into /usr/local/bin of every host, those that are yet to start included.
    ///
    /// # Errors
    /// When the file is not there.
    pub fn install(&self, program: &Path) -> Result<()> {
        let installed = self.shared.keep_program(program)?;
        for host in self.shared.hosts().iter() {
            host.show_program(&installed)?;
        }
        self.shared.programs.lock().unwrap_or_else(PoisonError::into_inner).push(installed);
        Ok(())
    }

    /// The lab's directory, gone when the lab and every handle of a part of it are dropped.
    pub fn directory(&self) -> &Path {
        self.shared.directory.path()
    }

    /// What every program printed, and the last screen of every terminal that was closed.
    pub fn report(&self) -> String {
        self.shared.journal.report()
    }

    /// Ends every host at once; whoever waits for something in the lab sees it fail.
    pub fn tear_down(&self) {
        self.shared.tear_down();
    }

    /// For a second owner, such as a watchdog.
    pub(crate) fn tear_down_handle(&self) -> impl Fn() + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.tear_down()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.tear_down();
    }
}

/// What the hosts of one lab share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) fabric: Arc<Fabric>,
    pub(crate) journal: Journal,
    hosts: Mutex<Vec<Arc<HostState>>>,
    processes: Mutex<Vec<Weak<Process>>>,
    programs: Mutex<Vec<PathBuf>>,
    directory: LabDirectory,
}

impl Shared {
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn programs(&self) -> Vec<PathBuf> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Links or copies a program to where every host can see it.
    pub(crate) fn keep_program(&self, program: &Path) -> Result<PathBuf> {
        let name = program.file_name().context("a program to install has a file name")?;
        let kept = self.directory().join("bin").join(name);
        if !kept.exists() && std::fs::hard_link(program, &kept).is_err() {
            copy(program, &kept).with_context(|| format!("installing {}", program.display()))?;
        }
        Ok(kept)
    }

    /// Adds a host that has started, and tells every host its name.
    pub(crate) fn join(self: &Arc<Self>, host: HostState) -> Result<Host> {
        let host = Arc::new(host);
        self.hosts().push(Arc::clone(&host));
        self.tell_names()?;
        Ok(Host::new(Arc::clone(self), host))
    }

    /// Writes every host's /etc/hosts.
    pub(crate) fn tell_names(&self) -> Result<()> {
        let hosts = self.hosts();
        let places: Vec<_> = hosts.iter().map(|host| host.place()).collect();
        for (viewer, place) in hosts.iter().zip(&places) {
            let known = names::hosts_file(place, &places);
            viewer.namespaces.enter(|| Ok(std::fs::write("/etc/hosts", &known)?))?;
        }
        Ok(())
    }

    /// Takes over a process, so that it is reaped when the lab ends before its handle does.
    pub(crate) fn adopt(&self, process: Process) -> Result<Arc<Process>> {
        let process = Arc::new(process);
        let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        processes.retain(|process| process.strong_count() > 0);
        processes.push(Arc::downgrade(&process));
        Ok(process)
    }

    fn tear_down(&self) {
        let hosts = std::mem::take(&mut *self.hosts());
        hosts.iter().for_each(|host| host.namespaces.kill());
        self.fabric.stop();
        self.fabric.namespaces.kill();
        let processes = std::mem::take(&mut *self.processes.lock().unwrap_or_else(PoisonError::into_inner));
        processes.iter().filter_map(Weak::upgrade).for_each(|process| process.kill());
        hosts.iter().for_each(|host| host.namespaces.reap());
        self.fabric.namespaces.reap();
    }

    fn hosts(&self) -> MutexGuard<'_, Vec<Arc<HostState>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By a process of its own: what a fork of this one has open to write cannot be run.
fn copy(program: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").args([program, to]).output()?;
    ensure!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    Ok(())
}
