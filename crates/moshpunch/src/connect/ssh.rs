//! How ssh is called. The user's own configuration decides all that is not said here.

use std::ffi::OsString;

use crate::arguments::RemoteIp;
use crate::configuration::{ConnectConfiguration, Families};

/// ssh_config(5). Ours must not become the master of other connections, which would end with it; a master that is
/// there serves. A command or forwards that the user has configured for logins are not for this one.
const OPTIONS: [&str; 6] =
    ["-o", "ControlMaster=no", "-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes"];

/// A login in the background: without questions, nor for long.
const UNATTENDED: [&str; 5] = ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"];

/// The login that starts a session, or the shell that does so locally.
pub(crate) fn login(configuration: &ConnectConfiguration, host: &str, command: OsString) -> Vec<OsString> {
    if configuration.local {
        return vec!["sh".into(), "-c".into(), command];
    }
    let terminal = configuration.ssh_terminal.then_some("-tt");
    call(configuration, terminal.into_iter().collect(), host, command)
}

/// A login beside a session that runs, from which nobody expects to be asked anything.
pub(crate) fn unattended(
    configuration: &ConnectConfiguration,
    host: &str,
    command: OsString,
) -> Vec<OsString> {
    call(configuration, UNATTENDED.to_vec(), host, command)
}

/// Whether it may be asked what only OpenSSH's own client answers.
pub(crate) fn speaks_openssh(configuration: &ConnectConfiguration) -> bool {
    configuration.remote_ip == RemoteIp::Proxy
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
    // Where mosh needs no OpenSSH, neither do we.
    if configuration.remote_ip == RemoteIp::Proxy {
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
