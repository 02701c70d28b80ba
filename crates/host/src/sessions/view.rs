//! What the user reads, and its JSON (docs/sessions.md). A view is fit for a terminal: names of programs are escaped.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use report::sanitized;
use serde::Serialize;

use super::seen::{Contact, Keeper, Session, Way};
use super::table;
use crate::session::Kept;

/// Of the JSON: raised when a field goes or means something else.
const VERSION: u32 = 1;

/// The kernel cuts a command's name to fewer.
const NAME_CHARACTERS_MAXIMUM: usize = 32;

#[derive(Debug, Serialize)]
pub(super) struct ListView {
    version: u32,
    /// In seconds since 1970.
    time: u64,
    sessions: Vec<SessionView>,
    #[serde(skip)]
    with_users: bool,
}

#[derive(Debug, Serialize)]
struct SessionView {
    id: String,
    pid: i32,
    name: Option<String>,
    user: String,
    port: Option<u16>,
    started: u64,
    contact: &'static str,
    last_heard: Option<u64>,
    from: Option<IpAddr>,
    login_from: Option<IpAddr>,
    way: Option<&'static str>,
    keeper: &'static str,
    keeper_pid: Option<i32>,
    mappings: Vec<OpeningView>,
    runs: Option<String>,
    stopped: bool,
}

#[derive(Debug, Serialize)]
struct OpeningView {
    kind: &'static str,
    address: Option<IpAddr>,
    port: u16,
    expires: Option<u64>,
}

impl ListView {
    pub(super) fn new(sessions: &[Session], with_users: bool, time: u64) -> Self {
        let sessions = sessions.iter().map(|session| SessionView::new(session, time)).collect();
        Self { version: VERSION, time, sessions, with_users }
    }

    pub(super) fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("names are text");
        report::sanitized_json(&text) + "\n"
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let headings = ["ID", "USER", "HEARD", "AGE", "FROM", "WAY", "MAPPING", "RUNS"];
        let headings = headings.map(str::to_owned).to_vec();
        let rows = self.sessions.iter().map(|session| session.cells(self.time));
        let without_users = |mut row: Vec<String>| {
            if !self.with_users {
                row.remove(1);
            }
            row
        };
        [headings].into_iter().chain(rows).map(without_users).collect()
    }
}

impl SessionView {
    fn new(session: &Session, now: u64) -> Self {
        let server = &session.server;
        let (keeper, keeper_pid) = keeper(&session.keeper);
        let (contact, last_heard) = contact(session.contact, now);
        let name = |text: &String| sanitized(text).chars().take(NAME_CHARACTERS_MAXIMUM).collect();
        Self {
            id: session.id(),
            pid: server.process.pid,
            name: session.name.as_ref().map(name),
            user: server.user_name.as_ref().map_or_else(|| server.user.to_string(), name),
            port: server.port,
            started: server.started_at,
            contact,
            last_heard,
            from: session.client,
            login_from: server.ssh.map(|ssh| ssh.client),
            way: session.way.map(way),
            keeper,
            keeper_pid,
            mappings: session.openings.iter().map(OpeningView::new).collect(),
            runs: server.runs.as_ref().map(name),
            stopped: server.is_stopped,
        }
    }

    fn cells(&self, now: u64) -> Vec<String> {
        let ago = |since: u64| table::span(now.saturating_sub(since));
        let none = || "-".to_owned();
        let heard = match (self.contact, self.last_heard) {
            ("attached", _) => "now".to_owned(),
            (_, Some(since)) => format!("{} ago", ago(since)),
            (contact, None) if !self.stopped => contact.to_owned(),
            _ => "stopped".to_owned(),
        };
        // As long as ssh carries it, mosh-server hears this host itself.
        let client = self.from.filter(|_| self.way != Some("carried"));
        vec![
            self.id.clone(),
            self.user.clone(),
            heard,
            ago(self.started),
            client.or(self.login_from).map_or_else(none, |address| address.to_string()),
            self.way.map_or_else(none, str::to_owned),
            self.mappings.first().map_or_else(none, |opening| opening.cell(now)),
            self.runs.clone().unwrap_or_else(none),
        ]
    }

    fn remark(&self) -> Option<String> {
        let consequence = if self.mappings.is_empty() { "" } else { "; nobody renews its mapping" };
        let remark = match (self.keeper, self.keeper_pid) {
            ("stopped", Some(pid)) => format!("its keeper, process {pid}, is stopped{consequence}"),
            ("gone", _) => format!("its keeper was killed{consequence}"),
            _ if self.stopped => "mosh-server itself is stopped".to_owned(),
            _ => return None,
        };
        Some(format!("{}: {remark}", self.id))
    }
}

impl OpeningView {
    fn new(Kept { mapping, external_address, expires }: &Kept) -> Self {
        let kind = if mapping.internal.is_ipv6() { "pinhole" } else { "mapping" };
        let (address, port) = (*external_address, mapping.external_port.get());
        Self { kind, address, port, expires: *expires }
    }

    fn cell(&self, now: u64) -> String {
        let left = match self.expires {
            Some(expires) if expires <= now => ", over".to_owned(),
            Some(expires) => format!(", {}", table::span(expires - now)),
            None => String::new(),
        };
        format!("{}{left}", self.port)
    }
}

impl Display for ListView {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        if self.sessions.is_empty() {
            let whose = if self.with_users { "" } else { " of yours" };
            return writeln!(formatter, "no mosh session{whose} runs here");
        }
        // What runs, and then from where: the JSON has all.
        let may_be_cut = if self.with_users { [7, 4, 1].as_slice() } else { &[6, 3] };
        formatter.write_str(&table::columns(&self.rows(), may_be_cut))?;
        self.sessions.iter().filter_map(SessionView::remark).try_for_each(|it| writeln!(formatter, "{it}"))
    }
}

fn contact(contact: Contact, now: u64) -> (&'static str, Option<u64>) {
    match contact {
        Contact::Attached => ("attached", None),
        Contact::Silent { since } => ("silent", Some(since.min(now))),
        Contact::Never => ("never", None),
        Contact::Unknown => ("unknown", None),
    }
}

fn keeper(keeper: &Keeper) -> (&'static str, Option<i32>) {
    match keeper {
        Keeper::None => ("none", None),
        Keeper::Process(keeper) => {
            (if keeper.is_stopped { "stopped" } else { "running" }, Some(keeper.process.pid))
        }
        Keeper::Gone => ("gone", None),
    }
}

fn way(way: Way) -> &'static str {
    match way {
        Way::Carried => "carried",
        Way::Direct => "direct",
        Way::Mapped => "mapped",
        Way::Punched => "punched",
        Way::Forwarded => "forwarded",
    }
}

#[cfg(test)]
mod tests;
