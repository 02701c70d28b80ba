//! A host of the lab: how it is described, and what can be done with it once it has started.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::command::Command;
use crate::configure::{ip, write_sysctl};
use crate::daemon::Daemon;
use crate::filesystem;
use crate::keys;
use crate::lab::Shared;
use crate::link::Link;
use crate::namespace::Namespaces;
use crate::place::{Attachment, Place, Route};
use crate::terminal::Terminal;

const TIME_TO_WRITE: Duration = Duration::from_secs(20);

/// What the kernel gives to sockets that name no port. Of Linux's 32768 to 60999 some are mosh's: whoever has one of them by
/// chance would be taken for a session.
const OTHER_PORTS_THAN_MOSHS: &str = "32768 59999";

/// A host to be.
#[derive(Debug)]
#[must_use = "a host does not exist before it is started"]
pub struct HostBuilder {
    lab: Arc<Shared>,
    place: Place,
    links: Vec<Link>,
}

impl HostBuilder {
    pub(crate) fn new(lab: Arc<Shared>, name: &str) -> Self {
        let place = Place { name: name.to_owned(), ..Place::default() };
        Self { lab, place, links: Vec::new() }
    }

    /// Adds an interface. Addresses, IPv4 or IPv6, are written with their prefix length.
    pub fn attach(mut self, interface: &str, link: &Link, addresses: &[&str]) -> Self {
        self.place.attachments.push(Attachment {
            interface: interface.to_owned(),
            link: link.name().to_owned(),
            addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
        });
        self.links.push(link.clone());
        self
    }

    /// The gateway for all else, IPv4 or IPv6; may be said once for each.
    pub fn default_route(self, gateway: &str) -> Self {
        self.route("default", gateway)
    }

    pub fn route(mut self, destination: &str, gateway: &str) -> Self {
        let route = Route { destination: destination.to_owned(), gateway: gateway.to_owned() };
        self.place.routes.push(route);
        self
    }

    /// Teaches this host a name beside those of the lab's hosts, which it knows anyway.
    pub fn know(mut self, name: &str, address: &str) -> Self {
        self.place.known.push((name.to_owned(), address.to_owned()));
        self
    }

    /// # Errors
    /// When an address, route or interface name is not one, naming it.
    pub fn start(self) -> Result<Host> {
        let name = self.place.name.clone();
        self.build().with_context(|| format!("starting the host {name}"))
    }

    fn build(self) -> Result<Host> {
        let private = self.lab.directory().join("hosts").join(&self.place.name);
        fs::create_dir(&private)?;
        let namespaces = Namespaces::host(self.lab.directory(), || {
            nix::unistd::sethostname(&self.place.name)?;
            filesystem::lay_out(&private)
        })?;
        namespaces.enter(prepare_network)?;
        for (attachment, link) in self.place.attachments.iter().zip(&self.links) {
            self.lab.fabric.wire(link.name(), &attachment.interface, namespaces.holder_pid())?;
        }
        let shared_files = self.lab.directory().join("shared");
        namespaces.enter(|| {
            ip(&self.place.addressing())?;
            keys::hand_out(&shared_files)
        })?;
        let host = HostState { name: self.place.name.clone(), place: Mutex::new(self.place), namespaces };
        for program in self.lab.programs() {
            host.show_program(&program)?;
        }
        self.lab.join(host)
    }
}

/// IPv6 addresses serve at once: in the lab nobody else can have them.
fn prepare_network() -> Result<()> {
    write_sysctl("net.ipv4.ip_local_port_range", OTHER_PORTS_THAN_MOSHS)?;
    write_sysctl("net.ipv6.conf.all.accept_dad", "0")?;
    write_sysctl("net.ipv6.conf.default.accept_dad", "0")?;
    fs::remove_file("/etc/resolv.conf").ok();
    fs::write("/etc/resolv.conf", "").context("emptying /etc/resolv.conf")
}

/// A host that has started. Clones are the same host.
#[derive(Clone, Debug)]
pub struct Host {
    lab: Arc<Shared>,
    state: Arc<HostState>,
}

#[derive(Debug)]
pub(crate) struct HostState {
    name: String,
    place: Mutex<Place>,
    pub(crate) namespaces: Namespaces,
}

impl HostState {
    pub(crate) fn place(&self) -> Place {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn show_program(&self, program: &Path) -> Result<()> {
        self.namespaces.enter(|| filesystem::show_program(program))
    }
}

impl Host {
    pub(crate) fn new(lab: Arc<Shared>, state: Arc<HostState>) -> Self {
        Self { lab, state }
    }

    pub fn name(&self) -> &str {
        &self.state.name
    }

    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        Command::new(self.clone(), program.as_ref().to_owned())
    }

    /// Starts a program that runs beside the scenario; `name` heads its log.
    ///
    /// # Errors
    /// When it cannot start.
    pub fn spawn(&self, name: &str, command: &Command) -> Result<Daemon> {
        Daemon::start(name, command)
    }

    /// Starts a program in a terminal window.
    ///
    /// # Errors
    /// When it cannot start.
    pub fn terminal(&self, command: &Command, rows: u16, columns: u16) -> Result<Terminal> {
        Terminal::open(command, rows, columns)
    }

    /// Puts a program into this host's /usr/local/bin.
    ///
    /// # Errors
    /// When the file is not there.
    pub fn install(&self, program: &Path) -> Result<()> {
        self.state.show_program(&self.lab.keep_program(program)?)
    }

    /// Runs `work` on a thread inside this host: what it reads and writes are the host's files, and the sockets
    /// that it makes are, and stay, in the host's network.
    ///
    /// # Errors
    /// Those of `work`, and when the host has ended.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.state.namespaces.visit(work)
    }

    /// As [`Self::inside`], for work that starts a process of this host.
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.state.namespaces.enter(work)
    }

    /// # Errors
    /// When the file cannot be read, naming it.
    pub fn read_file(&self, path: &str) -> Result<String> {
        self.inside(|| fs::read_to_string(path).with_context(|| format!("reading {path} of {}", self.name())))
    }

    /// Writes a file of root's that everybody may read.
    ///
    /// # Errors
    /// When the file cannot be written, naming it.
    pub fn write_file(&self, path: &str, text: &str) -> Result<()> {
        self.inside(|| fs::write(path, text).with_context(|| format!("writing {path} of {}", self.name())))
    }

    /// Writes a file of alice's that only she may read.
    ///
    /// # Errors
    /// When the file cannot be written, naming it.
    pub fn write_user_file(&self, path: &str, text: &str) -> Result<()> {
        let write = || filesystem::owned_file(Path::new(path), text, 0o600);
        self.inside(|| write().with_context(|| format!("writing {path} of {}", self.name())))
    }

    /// As [`Self::write_program`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_script(&self, path: &str, text: &str) -> Result<()> {
        self.write_program(path, text)
    }

    /// Writes what everybody may run, by a process of its own: what a fork of this one has open to write cannot be run.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_program(&self, path: &str, program: impl Into<Vec<u8>>) -> Result<()> {
        let write = self.command("sh").args(["-c", "cat >\"$0\" && chmod 755 \"$0\"", path]);
        write.input(program).run(TIME_TO_WRITE).map(drop)
    }

    pub(crate) fn place(&self) -> Place {
        self.state.place()
    }

    pub(crate) fn change_place(&self, change: impl FnOnce(&mut Place)) {
        change(&mut self.state.place.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A process that lives as long as this host, as seen from outside; `nsenter -t` takes it.
    pub fn holder_pid(&self) -> u32 {
        self.state.namespaces.holder_pid()
    }

    pub(crate) fn lab(&self) -> &Shared {
        &self.lab
    }
}
