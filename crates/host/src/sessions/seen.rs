//! Sessions, by what the system tells of them.

use std::cmp::Reverse;
use std::net::IpAddr;

use portmap::address::{Reach, reach};
use system::linux::utmp;

use super::facts::{Facts, KeeperProcess, Server};
use crate::session::{Kept, State};

/// How long mosh-server hears nothing of its client before it writes down that this is so, in seconds.
const SILENCE: u64 = 30;

/// How long a client that sends every three seconds may leave no trace with a keeper that looks every half a minute.
const WITHOUT_TRAFFIC: u64 = 60;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) server: Server,
    /// What ours is called in its state file and in the router's table.
    pub(super) name: Option<String>,
    pub(super) contact: Contact,
    /// Where its client is, while it is attached.
    pub(super) client: Option<IpAddr>,
    pub(super) way: Option<Way>,
    pub(super) keeper: Keeper,
    /// What gateways opened for it.
    pub(super) openings: Vec<Kept>,
}

/// In seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contact {
    /// Within the last half a minute, or a minute where only the keeper tells.
    Attached,
    Silent {
        since: u64,
    },
    /// No client has come yet; mosh-server waits for a minute.
    Never,
    Unknown,
}

/// How the client's datagrams come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Over ssh.
    Carried,
    /// From a network of this host's own, or to a public address of it.
    Direct,
    /// Through a mapping of ours.
    Mapped,
    /// Through a hole that this host may punch: nothing else is known to let them in.
    Punched,
    /// From elsewhere: the router lets them in by itself.
    Forwarded,
}

/// Who looks after the mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Keeper {
    /// There is none, and none is needed.
    None,
    Process(KeeperProcess),
    /// It was killed.
    Gone,
}

impl Session {
    /// What `close` takes.
    pub(super) fn id(&self) -> String {
        self.server.process.pid.to_string()
    }
}

/// The one that was heard last comes first; of those of which it is not known, the one that began last.
pub(super) fn sessions(facts: Facts) -> Vec<Session> {
    let mut sessions: Vec<_> = facts.servers.iter().map(|server| session(server, &facts)).collect();
    sessions.sort_by_key(|session| {
        let Server { started_at, process, .. } = session.server;
        let (rank, heard) = match session.contact {
            Contact::Attached => (0, 0),
            Contact::Silent { since } => (1, since),
            Contact::Never => (2, 0),
            Contact::Unknown => (3, 0),
        };
        (rank, Reverse(heard), Reverse(started_at), process.pid)
    });
    sessions
}

/// The same session, by what is told later.
pub(super) fn again(
    session: &Session,
    utmp: Option<&[utmp::Entry]>,
    keeper: Option<KeeperProcess>,
    now: u64,
) -> Session {
    let (contact, client) = contact(&session.server, utmp, keeper.as_ref(), now);
    Session { contact, client, ..session.clone() }
}

fn session(server: &Server, facts: &Facts) -> Session {
    let state = facts.states.iter().find(|state| state.process == server.process);
    let name = state.map(|state| &state.name.id);
    let keeper_process = facts.keepers.iter().find(|keeper| Some(&keeper.id) == name);
    let (contact, client) = contact(server, facts.utmp.as_deref(), keeper_process, facts.now);
    Session {
        server: server.clone(),
        name: name.cloned(),
        contact,
        client,
        way: client.map(|client| way(client, state, facts)),
        keeper: match (keeper_process, state) {
            (Some(process), _) => Keeper::Process(process.clone()),
            (None, Some(_)) => Keeper::Gone,
            (None, None) => Keeper::None,
        },
        openings: state.map(|state| state.mappings.clone()).unwrap_or_default(),
    }
}

/// By mosh-server itself, and where its client is; else by what its keeper sees.
fn contact(
    server: &Server,
    utmp: Option<&[utmp::Entry]>,
    keeper: Option<&KeeperProcess>,
    now: u64,
) -> (Contact, Option<IpAddr>) {
    match written_down(server, utmp) {
        (Contact::Unknown, _) if !server.is_stopped => {
            (by_traffic(keeper.and_then(|keeper| keeper.last_traffic), now), None)
        }
        written => written,
    }
}

/// As a keeper tells it.
pub(super) fn by_traffic(last: Option<u64>, now: u64) -> Contact {
    match last {
        None => Contact::Unknown,
        Some(last) if now.saturating_sub(last) <= WITHOUT_TRAFFIC => Contact::Attached,
        Some(last) => Contact::Silent { since: last },
    }
}

/// What does not run writes nothing down.
fn written_down(server: &Server, utmp: Option<&[utmp::Entry]>) -> (Contact, Option<IpAddr>) {
    let on_its_terminal = |entry: &&utmp::Entry| server.terminal.as_ref() == Some(&entry.line);
    let entry = utmp.into_iter().flatten().find(on_its_terminal).filter(|_| !server.is_stopped);
    let Some(entry) = entry else { return (Contact::Unknown, None) };
    let own = format!("mosh [{}]", server.process.pid);
    match entry.host.strip_suffix(&own) {
        // Of an earlier process with this number, or from before the clock was set.
        Some("") if entry.since + SILENCE < server.started_at => (Contact::Unknown, None),
        Some("") if entry.since < server.started_at + SILENCE => (Contact::Never, None),
        Some("") => (Contact::Silent { since: entry.since - SILENCE }, None),
        Some(client) => (Contact::Attached, client.strip_suffix(" via ").and_then(address)),
        None => (Contact::Unknown, None),
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let without_interface = text.split('%').next()?;
    without_interface.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// What this host can tell: which of a mapping and a hole lets datagrams in, only the router knows.
fn way(client: IpAddr, state: Option<&State>, facts: &Facts) -> Way {
    let is_alike = |own: IpAddr| own.is_ipv4() == client.is_ipv4();
    let mut own = facts.host.addresses.iter().filter(|own| is_alike(own.address));
    let is_reached = own.any(|own| reach(own.address) == Reach::Public);
    // A gateway may stand for anybody.
    let is_beside = facts.host.is_on_link(client) && !facts.host.is_gateway(client);
    let is_mapped = state.is_some_and(|state| state.mappings.iter().any(|kept| leads_in(kept, client)));
    match state {
        Some(_) if facts.is_own(client) => Way::Carried,
        _ if facts.is_own(client) => Way::Direct,
        _ if is_beside || is_reached => Way::Direct,
        _ if is_mapped => Way::Mapped,
        Some(state) if state.punches => Way::Punched,
        _ => Way::Forwarded,
    }
}

/// One whose address is behind another NAT lets nobody in from outside.
fn leads_in(kept: &Kept, client: IpAddr) -> bool {
    kept.mapping.internal.is_ipv4() == client.is_ipv4()
        && kept.external_address.is_some_and(|address| reach(address) == Reach::Public)
}

#[cfg(test)]
pub(super) mod tests;
