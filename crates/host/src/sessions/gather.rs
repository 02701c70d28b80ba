//! What of the system and of our state files is read. Other users' processes are not looked into, unless root asks for all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::iter;
use std::num::NonZeroU16;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process;
use std::time::Duration;

use net::bound;
use net::clock;
use net::interfaces::Attachment;
use system::linux::utmp;

use super::facts::{Facts, KeeperProcess, Server};
use super::seen::{self, Keeper, Session};
use crate::keeper;
use crate::mosh_server::{ProcessIdentity, Stat};
use crate::session::{FromKeeper, Link, Name, Socket, State, StateFile};
use crate::ssh_connection::SshConnection;
use crate::state::runtime_directory;

/// How programs that are mosh-server are called, with a version perhaps.
const MOSH_SERVER: &str = "mosh-server";

/// Kernels name processes by fewer letters than the path of our program may have.
const MOSHPUNCH: &str = "moshpunch";

/// Of UNIX 98 terminals, Documentation/admin-guide/devices.txt.
const FIRST_TERMINAL: u32 = 136;
const LAST_TERMINAL: u32 = 143;

/// An environment or an argument list may be as long as the user likes.
const BYTES_MAXIMUM: u64 = 256 * 1024;

/// All keepers that are asked are asked at once.
const PATIENCE_WITH_KEEPERS: Duration = Duration::from_millis(300);

type Processes = BTreeMap<i32, Stat>;

pub(super) fn facts(all: bool) -> Facts {
    let user = rustix::process::getuid().as_raw();
    let processes = processes();
    let mut keepers = keepers(&processes, user);
    let told = ask(&mut keepers);
    let mut states = states();
    let is_unwritten = |told: &State| states.iter().all(|state| state.name.id != told.name.id);
    let unwritten: Vec<_> = told.into_iter().filter(is_unwritten).collect();
    states.extend(unwritten);
    Facts {
        now: clock::unix_seconds(),
        servers: Looking::new(&processes, &states, (!all).then_some(user)).servers(),
        utmp: utmp(),
        states,
        keepers,
        host: Attachment::read().unwrap_or_default(),
    }
}

/// As [`facts`], of what utmp says to have been left, the oldest first, and no more of it: a login is waiting. `None`: no
/// mosh-server writes there.
pub(super) fn facts_of_the_left(at_most: usize) -> Option<Facts> {
    let mut utmp = utmp().filter(|utmp| utmp.iter().any(|entry| entry.host.contains("mosh [")))?;
    utmp.sort_by_key(|entry| entry.since);
    let user = rustix::process::getuid().as_raw();
    let here = namespace("self");
    let server = |entry: &utmp::Entry| {
        let pid = entry.host.strip_prefix("mosh [")?.strip_suffix(']')?.parse().ok()?;
        let is_own = fs::metadata(format!("/dev/{}", entry.line)).ok()?.uid() == user;
        let stat = is_own.then(|| Stat::of(pid).ok())?;
        let stat = stat.filter(|stat| !stat.is_dead && stat.name.starts_with(MOSH_SERVER))?;
        let is_here = user_of(pid) == Some(user) && namespace(&pid.to_string()) == here;
        is_here.then(|| Server {
            process: ProcessIdentity { pid, started: stat.started },
            user,
            user_name: None,
            started_at: started_at(&stat, clock::booted_at()),
            is_stopped: stat.is_stopped,
            port: None,
            ssh: None,
            terminal: Some(entry.line.clone()),
            runs: None,
        })
    };
    let servers = utmp.iter().filter_map(server).take(at_most).collect();
    Some(Facts { now: clock::unix_seconds(), servers, utmp: Some(utmp), ..Facts::default() })
}

/// The keepers of sessions that run, which will say when there was traffic.
pub(super) fn asked_keepers(at_most: usize) -> Vec<Link> {
    let alive = states().into_iter().filter(|state| state.process.is_alive()).take(at_most);
    alive.filter_map(|state| Socket::connect(&state.name.id).ok()).collect()
}

fn utmp() -> Option<Vec<utmp::Entry>> {
    utmp::read()
}

fn processes() -> Processes {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let alive = numbers.filter_map(|pid| Some((pid, Stat::of(pid).ok()?)));
    alive.filter(|(_, stat)| !stat.is_dead).collect()
}

fn keepers(processes: &Processes, user: u32) -> Vec<KeeperProcess> {
    let ours = processes.iter().filter(|(_, stat)| stat.name.starts_with(MOSHPUNCH));
    ours.filter(|(pid, _)| user_of(**pid) == Some(user))
        .filter_map(|(&pid, stat)| keeper(pid, stat))
        .collect()
}

fn keeper(pid: i32, stat: &Stat) -> Option<KeeperProcess> {
    let words = read(pid, "cmdline")?;
    let mut words = words.split(|byte| *byte == 0).skip(1);
    (words.next()? == keeper::WORD.as_bytes()).then_some(())?;
    let id = String::from_utf8_lossy(words.next()?).into_owned();
    let process = ProcessIdentity { pid, started: stat.started };
    Some(KeeperProcess { process, is_stopped: stat.is_stopped, id, last_traffic: None })
}

/// What keepers tell of themselves: all that is known of a session whose file somebody has deleted, until its keeper, which is
/// awake now, has written it again. One that does not answer is not waited for beyond the others.
fn ask(keepers: &mut [KeeperProcess]) -> Vec<State> {
    let able = keepers.iter_mut().filter(|keeper| !keeper.is_stopped);
    let asked = able.filter_map(|keeper| Some((Socket::connect(&keeper.id).ok()?, keeper)));
    let asked: Vec<_> = asked.collect();
    let deadline = clock::now() + PATIENCE_WITH_KEEPERS;
    let mut told = Vec::new();
    for (mut link, keeper) in asked {
        let left = deadline.saturating_duration_since(clock::now());
        match link.receive_within(left) {
            Ok(Some(FromKeeper::Session { process, port, punches, last_traffic })) => {
                keeper.last_traffic = last_traffic;
                let name = Name { id: keeper.id.clone(), description: String::new() };
                let (mappings, elsewhere) = (Vec::new(), Vec::new());
                told.push(State { name, process, port: Some(port), punches, mappings, elsewhere });
            }
            answer => tracing::debug!(?answer, keeper.id, "a keeper that does not tell"),
        }
    }
    told
}

/// What has changed of a session that was seen before.
pub(super) fn again(session: &Session) -> Session {
    let mut keeper: Vec<_> = match &session.keeper {
        Keeper::Process(process) => vec![process.clone()],
        Keeper::None | Keeper::Gone => Vec::new(),
    };
    ask(&mut keeper);
    seen::again(session, utmp().as_deref(), keeper.pop(), clock::unix_seconds())
}

/// This process, and those within which it runs.
pub(super) fn around() -> BTreeSet<i32> {
    let parent = |pid: &i32| Stat::of(*pid).ok().map(|stat| stat.parent);
    iter::successors(i32::try_from(process::id()).ok(), parent).collect()
}

fn states() -> Vec<State> {
    let states = runtime_directory::open().and_then(|directory| StateFile::all(&directory));
    states.inspect_err(|error| tracing::debug!(%error)).unwrap_or_default()
}

fn user_of(pid: i32) -> Option<u32> {
    let status = read(pid, "status")?;
    let status = String::from_utf8_lossy(&status);
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn read(pid: i32, file: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(format!("/proc/{pid}/{file}")).ok()?;
    file.take(BYTES_MAXIMUM).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// For mosh-servers among the processes.
struct Looking<'a> {
    processes: &'a Processes,
    states: &'a [State],
    /// `None`: those of everybody.
    user: Option<u32>,
    /// Of this network namespace, in which a session's port, mapping and keeper are.
    ports: BTreeMap<PathBuf, u16>,
    namespace: Option<PathBuf>,
    children: BTreeMap<i32, i32>,
    booted_at: u64,
    names: BTreeMap<u32, String>,
}

impl<'a> Looking<'a> {
    fn new(processes: &'a Processes, states: &'a [State], user: Option<u32>) -> Self {
        let sockets = bound::all().into_iter();
        let name = |inode: u64| PathBuf::from(format!("socket:[{inode}]"));
        // Of several, the eldest: later ones are not mosh-server's.
        let with_terminals = processes.iter().rev().filter(|(_, stat)| stat.terminal != 0);
        Self {
            processes,
            states,
            user,
            ports: sockets.map(|socket| (name(socket.inode), socket.port)).collect(),
            namespace: namespace("self"),
            children: with_terminals.map(|(pid, stat)| (stat.parent, *pid)).collect(),
            booted_at: clock::booted_at(),
            names: user_names(),
        }
    }

    fn servers(&self) -> Vec<Server> {
        let written: BTreeMap<_, _> = self.states.iter().map(|state| (state.process, state.port)).collect();
        let candidates = self.processes.iter().filter_map(|(&pid, stat)| {
            let process = ProcessIdentity { pid, started: stat.started };
            let is_ours = written.contains_key(&process);
            (is_ours || stat.name.starts_with(MOSH_SERVER)).then_some((process, stat, is_ours))
        });
        let pids: BTreeSet<_> = candidates.clone().map(|(process, ..)| process.pid).collect();
        // Before a client has come, what is to run in it is called mosh-server, too.
        let servers = candidates.filter(|(_, stat, _)| !pids.contains(&stat.parent));
        let servers = servers.filter_map(|(process, stat, is_ours)| {
            let user = user_of(process.pid).filter(|user| self.user.is_none_or(|own| own == *user))?;
            let port = match Open::of(process.pid, &self.ports, self.namespace.as_ref()) {
                Open::Port(port) => Some(port),
                Open::Unknown if is_ours => written[&process].map(NonZeroU16::get),
                Open::Unknown => None,
                Open::Nothing => return None,
            };
            Some(self.server(process, stat, user, port))
        });
        servers.collect()
    }

    fn server(&self, process: ProcessIdentity, stat: &Stat, user: u32, port: Option<u16>) -> Server {
        let child = self.children.get(&process.pid).and_then(|child| self.processes.get(child));
        Server {
            process,
            user,
            user_name: self.names.get(&user).cloned(),
            started_at: started_at(stat, self.booted_at),
            is_stopped: stat.is_stopped,
            port,
            ssh: ssh_connection(process.pid),
            terminal: child.and_then(|child| terminal(child.terminal)),
            runs: child.and_then(|child| self.foreground(child)),
        }
    }

    /// The first of its group, while that runs.
    fn foreground(&self, child: &Stat) -> Option<String> {
        let leader = self.processes.get(&child.foreground).unwrap_or(child);
        Some(leader.name.clone()).filter(|name| !name.starts_with(MOSH_SERVER))
    }
}

fn started_at(stat: &Stat, booted_at: u64) -> u64 {
    booted_at + stat.started / rustix::param::clock_ticks_per_second().max(1)
}

/// What a process has open.
enum Open {
    Port(u16),
    /// No UDP socket of this network namespace.
    Nothing,
    /// Nobody may look into it.
    Unknown,
}

impl Open {
    fn of(pid: i32, ports: &BTreeMap<PathBuf, u16>, here: Option<&PathBuf>) -> Self {
        let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Self::Unknown };
        if namespace(&pid.to_string()).as_ref() != here {
            return Self::Nothing;
        }
        let targets = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        targets
            .into_iter()
            .find_map(|target| ports.get(&target))
            .map_or(Self::Nothing, |port| Self::Port(*port))
    }
}

fn namespace(process: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/ns/net")).ok()
}

/// By its device number, as the kernel writes it.
fn terminal(device: u32) -> Option<String> {
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xf_ff00));
    (FIRST_TERMINAL..=LAST_TERMINAL)
        .contains(&major)
        .then(|| format!("pts/{}", (major - FIRST_TERMINAL) * 256 + minor))
}

fn ssh_connection(pid: i32) -> Option<SshConnection> {
    let environment = read(pid, "environ")?;
    let value = environment.split(|byte| *byte == 0).find_map(|it| it.strip_prefix(b"SSH_CONNECTION="))?;
    SshConnection::parse(std::str::from_utf8(value).ok()?)
}

/// Those of passwd(5); others are known by their numbers.
fn user_names() -> BTreeMap<u32, String> {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        Some((fields.nth(1)?.parse().ok()?, name))
    };
    text.lines().rev().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_known_by_its_device() {
        assert_eq!(terminal(34_816).as_deref(), Some("pts/0"));
        assert_eq!(terminal(34_823).as_deref(), Some("pts/7"));
        assert_eq!(terminal(0x0010_8800).as_deref(), Some("pts/256"));
        assert_eq!(terminal(0x401), None, "a console");
        assert_eq!(terminal(0), None);
    }

    #[test]
    fn this_process_is_this_users() {
        let own = i32::try_from(process::id()).unwrap();
        assert_eq!(user_of(own), Some(rustix::process::getuid().as_raw()));
    }
}
