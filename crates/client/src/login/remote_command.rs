//! What ssh runs on the host.

mod line;
mod server;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use wire::channel::{self, SessionId};
use wire::shell::{quoted, without_comments};
use wire::{Bind, locale};

use self::server::Server;

const PROGRAMS: &str = include_str!("remote_command/programs.sh");
const START: &str = include_str!("remote_command/start.sh");
const OWN: &str = include_str!("remote_command/own.sh");
const OFFER: &str = include_str!("remote_command/offer.sh");
const INSTALLED: &str = include_str!("remote_command/installed.sh");
const INSTALL: &str = include_str!("remote_command/install.sh");
const UNINSTALL: &str = include_str!("remote_command/uninstall.sh");
const SESSIONS: &str = include_str!("remote_command/sessions.sh");

/// As mosh's script asks for the address of ssh.
const STOCK_ADDRESS: &str =
    r#"[ -n "$SSH_CONNECTION" ] && printf "\nMOSH SSH_CONNECTION %s\n" "$SSH_CONNECTION""#;

/// What the server is asked for.
#[derive(Debug, Clone)]
pub(crate) struct ServerWords {
    pub(crate) bind: Option<Bind>,
    pub(crate) port: Option<String>,
    pub(crate) colours: String,
    /// `NAME=value`, for a host whose own locale will not do.
    pub(crate) locale: Vec<OsString>,
    pub(crate) command: Vec<OsString>,
    /// The user wants to know by which address ssh came in.
    pub(crate) tell_address: bool,
    /// A host that knows channels is asked for one.
    pub(crate) channel: bool,
}

/// A line for a login shell there.
#[derive(Debug, Clone)]
pub(crate) struct RemoteCommand {
    pub(crate) line: OsString,
    /// What runs there reads what we say.
    pub(crate) is_written_to: bool,
}

impl ServerWords {
    fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["new".into(), "-c".into(), self.colours.clone().into()];
        words.extend(self.bind.iter().flat_map(Bind::arguments));
        words.extend(self.port.iter().flat_map(|port| ["-p".into(), port.into()]));
        words.extend(self.locale.iter().flat_map(|setting| ["-l".into(), setting.clone()]));
        if !self.command.is_empty() {
            words.push("--".into());
            words.extend(self.command.iter().cloned());
        }
        words
    }

    fn bound_as_mosh_does(&self) -> Self {
        Self { bind: Some(self.bind.clone().unwrap_or(Bind::Ssh)), ..self.clone() }
    }
}

/// Starts a session. `server` is the user's own way to start one: text for a shell, as mosh's script takes it.
pub(crate) fn start(server: Option<&str>, words: &ServerWords) -> RemoteCommand {
    let line = match server.map(|text| (text, Server::of(text))) {
        None => whatever_is_there(words),
        Some((text, Server::Ours)) => own(&format!("{text} --offer"), words),
        Some((text, Server::Unknown)) => own(text, &words.bound_as_mosh_does()),
        Some((text, Server::Stock)) => return stock(text, words),
    };
    RemoteCommand { line, is_written_to: words.channel }
}

/// What mosh's script sends, byte for byte.
pub(crate) fn stock(server: &str, words: &ServerWords) -> RemoteCommand {
    let mut line = Vec::new();
    if words.tell_address {
        line.extend_from_slice(b"sh -c ");
        line.extend(quoted(STOCK_ADDRESS.as_bytes()));
        line.extend_from_slice(b" ; ");
    }
    line.extend_from_slice(server.as_bytes());
    line.push(b' ');
    let words = words.bound_as_mosh_does().words();
    line.extend(words.iter().map(|word| quoted(word.as_bytes())).collect::<Vec<_>>().join(&b' '));
    RemoteCommand { line: OsString::from_vec(line), is_written_to: false }
}

/// Asks for the offer of a session that runs, and for a channel, if its id is known. A `server` of the user's that is not
/// ours may take that for something else: it is left aside.
pub(crate) fn offer(server: Option<&str>, port: u16, session: Option<SessionId>) -> RemoteCommand {
    let channel = session.map(|id| id.to_string());
    let script = [&asked(channel.as_deref()), PROGRAMS, OFFER].concat();
    let ours = server.filter(|text| Server::of(text) == Server::Ours).map(OsString::from);
    let words: Vec<_> = [port.to_string().into()].into_iter().chain(ours).collect();
    let line = line::running(&without_comments(&script), &words);
    RemoteCommand { line, is_written_to: session.is_some() }
}

/// Puts what is written to it into the user's own directory for programs.
pub(crate) fn install() -> RemoteCommand {
    let line = line::running(&without_comments(&[PROGRAMS, INSTALLED, INSTALL].concat()), &[]);
    RemoteCommand { line, is_written_to: true }
}

/// Takes that away.
pub(crate) fn uninstall() -> RemoteCommand {
    let line = line::running(&without_comments(&[PROGRAMS, INSTALLED, UNINSTALL].concat()), &[]);
    RemoteCommand { line, is_written_to: false }
}

/// Asks with these words for the sessions there, by the moshpunch that starts them.
pub(crate) fn sessions(server: Option<&str>, words: &[OsString]) -> RemoteCommand {
    let ours = server.and_then(server::before_its_word).unwrap_or_default();
    let words: Vec<_> = [ours.into()].into_iter().chain(words.iter().cloned()).collect();
    let line = line::running(&without_comments(&[PROGRAMS, SESSIONS].concat()), &words);
    RemoteCommand { line, is_written_to: false }
}

fn own(server: &str, words: &ServerWords) -> OsString {
    let script = [&asked(words.channel.then_some(channel::NEW)), PROGRAMS, OWN].concat();
    let words: Vec<_> = [server.into()].into_iter().chain(words.words()).collect();
    line::running(&without_comments(&script), &words)
}

/// A setting of the scripts: what [`channel::VARIABLE`] is to be for ours.
fn asked(channel: Option<&str>) -> String {
    format!("moshpunch_channel={}\n", channel.unwrap_or_default())
}

fn whatever_is_there(words: &ServerWords) -> OsString {
    let session = String::from_utf8(quoted(locale::session().as_bytes())).expect("quotes are text");
    let stock_bind = if words.bind.is_none() { "-s" } else { "" };
    let address = if words.tell_address { "yes" } else { "" };
    let settings =
        format!("moshpunch_bind={stock_bind} moshpunch_remote={address} moshpunch_session={session}\n");
    let channel = asked(words.channel.then_some(channel::NEW));
    let script = [&settings, &channel, PROGRAMS, &locale::needed(), START].concat();
    line::running(&without_comments(&script), &words.words())
}

#[cfg(test)]
mod tests;
