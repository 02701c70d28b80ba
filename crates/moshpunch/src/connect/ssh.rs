//! How ssh is called. The user's own configuration decides all that is not said here.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::arguments::RemoteIp;
use crate::configuration::{ConnectConfiguration, Families};

/// ssh_config(5). Ours must not become the master of other connections, which would end with it; a master that is
/// there serves. A command or forwards that the user has configured for logins are not for this one.
const OPTIONS: [&str; 6] =
    ["-o", "ControlMaster=no", "-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes"];

/// A login in the background: without questions, nor for long.
const UNATTENDED: [&str; 6] = ["-n", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"];

/// Programs that log in by SSH and know no `-o` of OpenSSH's, by the name of their file.
const OTHERS: [&str; 4] = ["dbclient", "dropbear", "dropbearmulti", "plink"];

/// The login that starts a session, or the shell that does so locally.
pub(crate) fn login(configuration: &ConnectConfiguration, host: &str, command: OsString) -> Vec<OsString> {
    if configuration.local {
        return vec!["sh".into(), "-c".into(), command];
    }
    // With a terminal there, ssh reads from one of ours.
    let options = vec![if configuration.ssh_terminal { "-tt" } else { "-n" }];
    call(configuration, options, host, command)
}

/// A login beside a session that runs, from which nobody expects to be asked anything.
pub(crate) fn unattended(
    configuration: &ConnectConfiguration,
    host: &str,
    command: OsString,
) -> Vec<OsString> {
    call(configuration, UNATTENDED.to_vec(), host, command)
}

fn call(
    configuration: &ConnectConfiguration,
    options: Vec<&str>,
    host: &str,
    command: OsString,
) -> Vec<OsString> {
    let mut words = configuration.ssh.clone();
    words.extend(options.into_iter().map(OsString::from));
    words.extend(family(configuration.families).map(OsString::from));
    if speaks_openssh(configuration) {
        words.extend(OPTIONS.map(OsString::from));
    }
    words.extend([host.into(), "--".into(), command]);
    words
}

/// Whether options of OpenSSH's own may be given. Where mosh needs no OpenSSH, neither do we; and some programs are known
/// to be another.
pub(crate) fn speaks_openssh(configuration: &ConnectConfiguration) -> bool {
    let is_another = configuration.ssh.first().is_some_and(|program| is_another(program));
    configuration.remote_ip == RemoteIp::Proxy && !is_another
}

/// As on OpenWrt, where ssh is a link to dropbear.
fn is_another(program: &OsStr) -> bool {
    let found = found(program).and_then(|path| path.canonicalize().ok());
    let names = [Path::new(program).file_name(), found.as_deref().and_then(Path::file_name)];
    names.into_iter().flatten().any(|name| OTHERS.iter().any(|other| name == *other))
}

fn found(program: &OsStr) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.components().count() > 1 {
        return Some(path.to_owned());
    }
    env::split_paths(&env::var_os("PATH")?).map(|place| place.join(path)).find(|path| path.is_file())
}

fn family(families: Families) -> Option<&'static str> {
    match families {
        Families::All => None,
        Families::Only(path::Family::V4) => Some("-4"),
        Families::Only(path::Family::V6) => Some("-6"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_its_file_whatever_it_is_called() {
        let directory = tempfile::tempdir().unwrap();
        let (dropbear, link) = (directory.path().join("dropbearmulti"), directory.path().join("ssh"));
        std::fs::write(&dropbear, "").unwrap();
        std::os::unix::fs::symlink(&dropbear, &link).unwrap();
        assert!(is_another(link.as_os_str()) && is_another(OsStr::new("dbclient")));
        std::fs::remove_file(&link).unwrap();
        std::fs::write(&link, "").unwrap();
        assert!(!is_another(link.as_os_str()) && !is_another(OsStr::new("no-such-program")));
    }
}
