//! How ssh is called. The user's own configuration decides all that is not said here.

use std::ffi::OsString;
use std::path::Path;

use crate::arguments::RemoteIp;
use crate::configuration::{ConnectConfiguration, Families};

/// ssh_config(5). Ours must not become the master of other connections, which would end with it; a master that is
/// there serves. A command or forwards that the user has configured for logins are not for this one.
const OPTIONS: [&str; 6] =
    ["-o", "ControlMaster=no", "-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes"];

/// A login in the background: without questions, nor for long. Whatever the user's configuration adds to a login is done
/// once, by the one that began the session. ssh's last words are wanted, however quiet it is told to be.
const UNATTENDED: [&str; 10] = [
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=10",
    "-o",
    "PermitLocalCommand=no",
    "-o",
    "UpdateHostKeys=no",
    "-o",
    "LogLevel=INFO",
];

/// A master that has ended is not replaced by a new connection.
const NO_OTHER_WAY: [&str; 2] = ["-o", "ProxyCommand=false"];

/// The login that starts a session, or the shell that does so locally.
pub(crate) fn login(configuration: &ConnectConfiguration, host: &str, command: OsString) -> Vec<OsString> {
    if configuration.local {
        return vec!["sh".into(), "-c".into(), command];
    }
    let terminal = configuration.ssh_terminal.then_some("-tt");
    call(configuration, terminal.into_iter().collect(), host, command)
}

/// A login beside a session that runs, from which nobody expects to be asked anything: by a connection of its own, or by
/// that of the `master` with this path alone.
pub(crate) fn unattended(
    configuration: &ConnectConfiguration,
    master: Option<&str>,
    command: OsString,
) -> Vec<OsString> {
    if !speaks_openssh(configuration) {
        return call(configuration, vec!["-T"], &configuration.host, command);
    }
    // Of two values the first counts (ssh_config(5)), but of two paths the last (ssh(1), -S).
    let path = master.map_or_else(|| "none".to_owned(), |path| path.replace('%', "%%"));
    let words = call(configuration, vec!["-T", "-S", &path], &configuration.host, command);
    let only = master.map_or(&[][..], |_| &NO_OTHER_WAY);
    let ours = UNATTENDED.iter().chain(only).map(OsString::from);
    let (program, options) = words.split_at(words_of_the_program(configuration));
    program.iter().cloned().chain(ours).chain(options.iter().cloned()).collect()
}

/// Whether it takes OpenSSH's own options. Where mosh needs no OpenSSH, neither do we.
pub(crate) fn speaks_openssh(configuration: &ConnectConfiguration) -> bool {
    configuration.remote_ip == RemoteIp::Proxy
}

/// Behind which ssh's own options begin, the user's among them: only behind all of them, where the program is another that
/// starts ssh.
fn words_of_the_program(ConnectConfiguration { ssh, .. }: &ConnectConfiguration) -> usize {
    let is_ssh = ssh.first().is_some_and(|program| Path::new(program).ends_with("ssh"));
    if is_ssh { 1 } else { ssh.len() }
}

fn call(
    configuration: &ConnectConfiguration,
    options: Vec<&str>,
    host: &str,
    command: OsString,
) -> Vec<OsString> {
    let mut words = configuration.ssh.clone();
    words.push("-n".into());
    words.extend(options.into_iter().map(OsString::from));
    words.extend(family(configuration.families).map(OsString::from));
    if speaks_openssh(configuration) {
        words.extend(OPTIONS.map(OsString::from));
    }
    words.extend([host.into(), "--".into(), command]);
    words
}

fn family(families: Families) -> Option<&'static str> {
    match families {
        Families::All => None,
        Families::Only(path::Family::V4) => Some("-4"),
        Families::Only(path::Family::V6) => Some("-6"),
    }
}
