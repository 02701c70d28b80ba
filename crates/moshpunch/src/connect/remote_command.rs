//! What ssh runs on the host: one line that every login shell takes, csh and fish included. It has no newline and no
//! `!`, and every word is in single quotes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::arguments::ConnectArguments;

/// Where programs are that a shell without a login does not find.
const PLACES: &str = "$HOME/.local/bin:$HOME/.cargo/bin:/usr/local/bin:/opt/homebrew/bin:/opt/local/bin";

/// Stock mosh-server listens where ssh came in, as mosh's script has it.
const STOCK: &str = "shift; exec mosh-server new";

const TELL_ADDRESS: &str =
    r#"if [ -n "$SSH_CONNECTION" ]; then printf "\nMOSH SSH_CONNECTION %s\n" "$SSH_CONNECTION"; fi"#;

/// Where the server is to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bind {
    /// The user did not say: ours finds what serves most, stock mosh's takes the address of ssh.
    Unsaid,
    Ssh,
    Any,
    Address(String),
}

impl Bind {
    pub(crate) fn said(arguments: &ConnectArguments) -> Self {
        match arguments.bind_server.as_deref() {
            None if arguments.local => Self::Address(arguments.host.clone()),
            None => Self::Unsaid,
            Some(text) if text.eq_ignore_ascii_case("ssh") => Self::Ssh,
            Some(text) if text.eq_ignore_ascii_case("any") => Self::Any,
            Some(text) => Self::Address(text.to_owned()),
        }
    }

    fn arguments(&self) -> Vec<OsString> {
        match self {
            Self::Unsaid | Self::Any => vec![],
            Self::Ssh => vec!["-s".into()],
            Self::Address(address) => vec!["-i".into(), address.into()],
        }
    }
}

/// What the server is asked for.
#[derive(Debug, Clone)]
pub(crate) struct ServerWords {
    pub(crate) bind: Bind,
    pub(crate) port: Option<String>,
    pub(crate) colours: String,
    /// `NAME=value`, for a host whose own locale will not do.
    pub(crate) locale: Vec<OsString>,
    pub(crate) command: Vec<OsString>,
}

impl ServerWords {
    fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["new".into(), "-c".into(), self.colours.clone().into()];
        words.extend(self.bind.arguments());
        words.extend(self.port.iter().flat_map(|port| ["-p".into(), port.into()]));
        words.extend(self.locale.iter().flat_map(|setting| ["-l".into(), setting.clone()]));
        if !self.command.is_empty() {
            words.push("--".into());
            words.extend(self.command.iter().cloned());
        }
        words
    }
}

/// Starts a session. `server` is the user's own way to start one: text for a shell, as mosh's script takes it.
pub(crate) fn start(server: Option<&str>, words: &ServerWords) -> OsString {
    match server {
        Some(server) if is_ours(server) => shell(&wanted_offer(server), &words.words()),
        Some(server) => {
            let bind = if words.bind == Bind::Unsaid { Bind::Ssh } else { words.bind.clone() };
            shell(&wanted_offer(server), &ServerWords { bind, ..words.clone() }.words())
        }
        None => shell(&whatever_is_there(&words.bind), &words.words()),
    }
}

/// Asks for the offer of a session that runs.
pub(crate) fn offer(port: u16) -> OsString {
    let script = format!("{}; exec moshpunch server offer \"$1\"", look_further("moshpunch"));
    shell(&script, &[port.to_string().into()])
}

/// A session of stock mosh shows it, too, if the user wants to know what runs there.
fn wanted_offer(server: &str) -> String {
    format!("{TELL_ADDRESS}; MOSHPUNCH_OFFER=1; export MOSHPUNCH_OFFER; {server} \"$@\"")
}

fn whatever_is_there(bind: &Bind) -> String {
    let look = look_further("mosh-server");
    let found = "command -v moshpunch >/dev/null 2>&1";
    let ours = r#"printf "\nMOSHPUNCH PRESENT\n"; exec env MOSHPUNCH_OFFER=1 moshpunch server "$@""#;
    let absent = r#"printf "\nMOSHPUNCH ABSENT\n""#;
    let here = if *bind == Bind::Unsaid { " -s" } else { "" };
    format!("{look}; if {found}; then {ours}; fi; {absent}; {TELL_ADDRESS}; {STOCK}{here} \"$@\"")
}

fn look_further(program: &str) -> String {
    format!(
        "command -v moshpunch >/dev/null 2>&1 && command -v {program} >/dev/null 2>&1 || PATH=\"$PATH:{PLACES}\""
    )
}

/// Whether this is `moshpunch server`, by whatever path.
fn is_ours(server: &str) -> bool {
    let mut words = server.split_whitespace();
    let program = words.next().and_then(|word| word.rsplit('/').next());
    program == Some("moshpunch") && words.next() == Some("server")
}

fn shell(script: &str, words: &[OsString]) -> OsString {
    let fixed = ["sh", "-c", script, "moshpunch"].map(OsString::from);
    let mut line = Vec::new();
    for word in fixed.iter().chain(words) {
        line.extend_from_slice(if line.is_empty() { b"" } else { b" " });
        line.extend(quoted(word));
    }
    OsString::from_vec(line)
}

fn quoted(word: &OsStr) -> Vec<u8> {
    let mut text = vec![b'\''];
    for &byte in word.as_bytes() {
        match byte {
            b'\'' => text.extend(br"'\''"),
            _ => text.push(byte),
        }
    }
    text.push(b'\'');
    text
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn words(bind: Bind, command: &[&str]) -> ServerWords {
        ServerWords {
            bind,
            port: Some("60005".into()),
            colours: "256".into(),
            locale: vec!["LANG=C.UTF-8".into()],
            command: command.iter().map(OsString::from).collect(),
        }
    }

    /// What a login shell makes of the command, where `moshpunch` and `mosh-server` print their words.
    fn run(line: &OsStr, programs: &[&str]) -> String {
        let directory = tempfile::tempdir().unwrap();
        let print = "#!/bin/sh\nprintf '%s|' \"${0##*/}\" \"$@\"; printf '%s' \"$MOSHPUNCH_OFFER\"\n";
        for program in programs {
            let path = directory.path().join(program);
            std::fs::write(&path, print).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(path, mode).unwrap();
        }
        let path = format!("{}:/bin:/usr/bin", directory.path().display());
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(line).env_clear().env("PATH", path).env("HOME", "/nowhere");
        let output = shell.env("SSH_CONNECTION", "a 1 192.168.1.10 22").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn ours_is_asked_for_an_offer_and_decides_itself_where_to_listen() {
        let line = start(None, &words(Bind::Unsaid, &["sh", "-c", "echo 'a b' \"$HOME\""]));
        let words = "moshpunch|server|new|-c|256|-p|60005|-l|LANG=C.UTF-8|--|sh|-c|echo 'a b' \"$HOME\"|1";
        let expected = format!("\nMOSHPUNCH PRESENT\n{words}");
        assert_eq!(run(&line, &["moshpunch", "mosh-server"]), expected);
    }

    #[test]
    fn without_ours_stock_mosh_is_started_as_its_own_script_does() {
        let line = start(None, &words(Bind::Unsaid, &[]));
        let told = "\nMOSHPUNCH ABSENT\n\nMOSH SSH_CONNECTION a 1 192.168.1.10 22\n";
        let stock = "mosh-server|new|-s|-c|256|-p|60005|-l|LANG=C.UTF-8|";
        assert_eq!(run(&line, &["mosh-server"]), format!("{told}{stock}"));
        let line = start(None, &words(Bind::Address("::".into()), &[]));
        assert!(run(&line, &["mosh-server"]).ends_with("|new|-c|256|-i|::|-p|60005|-l|LANG=C.UTF-8|"));
    }

    #[test]
    fn the_users_own_server_is_text_for_a_shell() {
        let line = start(Some("A=1 mosh-server --more"), &words(Bind::Unsaid, &[]));
        let told = "\nMOSH SSH_CONNECTION a 1 192.168.1.10 22\n";
        let expected = "mosh-server|--more|new|-c|256|-s|-p|60005|-l|LANG=C.UTF-8|1";
        assert_eq!(run(&line, &["mosh-server"]), format!("{told}{expected}"));
        let line = start(Some("moshpunch server --lease 9"), &words(Bind::Unsaid, &[]));
        assert!(
            run(&line, &["moshpunch"]).ends_with("|server|--lease|9|new|-c|256|-p|60005|-l|LANG=C.UTF-8|1")
        );
    }

    #[test]
    fn a_running_session_is_asked_by_its_port() {
        assert_eq!(run(&offer(60_005), &["moshpunch", "mosh-server"]), "moshpunch|server|offer|60005|");
    }

    #[test]
    fn every_login_shell_can_read_it() {
        let line = start(None, &words(Bind::Unsaid, &["it's"]));
        let text = line.to_str().unwrap();
        assert!(!text.contains(['\n', '!']) && text.ends_with(r"'it'\''s'"), "{text}");
    }
}
