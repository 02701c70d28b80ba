//! How ssh is called. The user's own configuration decides all that is not said here.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::configuration::RemoteIp;
use crate::configuration::{Configuration, Families};
use crate::login::remote_command::RemoteCommand;

/// ssh(1): "or with 255 if an error occurred". Any other code is that of what ran on the host.
pub(crate) const FAILED: i32 = 255;

/// ssh_config(5). Ours must not become the master of other connections, which would end with it; a master that is
/// there serves. A command or forwards that the user has configured for logins are not for this one; nor is it one that reads
/// nothing, or goes into the background, where nobody ends it. Whoever is older than one of these takes it for nothing.
const OPTIONS: [&str; 6] = [
    "IgnoreUnknown=*",
    "ControlMaster=no",
    "RemoteCommand=none",
    "ClearAllForwardings=yes",
    "StdinNull=no",
    "ForkAfterAuthentication=no",
];

/// A login in the background: without questions, nor for long. Whatever the user's configuration adds to a login is done
/// once, by the one that began the session. How far it came is wanted, however quiet it is told to be.
const UNATTENDED: [&str; 5] =
    ["BatchMode=yes", "ConnectTimeout=10", "PermitLocalCommand=no", "UpdateHostKeys=no", "LogLevel=DEBUG1"];

/// A session's keys and screens may go by it. Without a terminal ssh marks it as what can wait; what the user's configuration
/// says counts before.
const MARKED_AS_TYPING: &str = "IPQoS lowdelay";

/// ssh(1) hands its -F on to the jump hosts' ssh, and nothing else; of two values the first counts.
const FILES: [&str; 2] = ["~/.ssh/config", "/etc/ssh/ssh_config"];

/// Of ssh_config(5).
pub(crate) const NO_MASTER: &str = "ControlPath=none";

/// A master that has ended is not replaced by a new connection.
const NO_OTHER_WAY: &str = "ProxyCommand=false";

/// Programs that log in by SSH and know no `-o` of OpenSSH's, by the name of their file.
const OTHERS: [&str; 4] = ["dbclient", "dropbear", "dropbearmulti", "plink"];

/// The login that starts a session, or the shell that does so locally.
pub(crate) fn login(configuration: &Configuration, host: &str, command: &RemoteCommand) -> Vec<OsString> {
    let RemoteCommand { line, is_written_to } = command.clone();
    if configuration.local {
        return vec!["sh".into(), "-c".into(), line];
    }
    // With a terminal there, ssh reads from one of ours.
    let option = if configuration.ssh_terminal { Some("-tt") } else { deaf(is_written_to) };
    call(configuration, option.into_iter().collect(), host, line)
}

/// A login that does one thing beside all sessions, with the user's terminal if it is to ask something there.
pub(crate) fn errand(configuration: &Configuration, command: &RemoteCommand, asks: bool) -> Vec<OsString> {
    let RemoteCommand { line, is_written_to } = command.clone();
    if configuration.local {
        return vec!["sh".into(), "-c".into(), line];
    }
    let options = if asks { vec!["-t"] } else { deaf(is_written_to).into_iter().chain(["-T"]).collect() };
    call(configuration, options, &configuration.host, line)
}

/// For an ssh that nothing is written to.
fn deaf(is_written_to: bool) -> Option<&'static str> {
    (!is_written_to).then_some("-n")
}

/// A login beside a session that runs, from which nobody expects to be asked anything: by a connection of its own, or by
/// that of the `master` with this path alone.
pub(crate) fn unattended(
    configuration: &Configuration,
    master: Option<&str>,
    command: RemoteCommand,
) -> Vec<OsString> {
    let RemoteCommand { line, is_written_to } = command;
    let mut options: Vec<_> = deaf(is_written_to).into_iter().chain(["-T"]).collect();
    if !speaks_openssh(configuration) {
        return call(configuration, options, &configuration.host, line);
    }
    // Of two values the first counts (ssh_config(5)), but of two paths the last (ssh(1), -S).
    let path = master.map_or_else(|| "none".to_owned(), |path| path.replace('%', "%%"));
    options.extend(["-S", &path]);
    let words = call(configuration, options, &configuration.host, line);
    let only = master.map(|_| NO_OTHER_WAY);
    let ours = UNATTENDED.into_iter().chain(only).flat_map(|option| ["-o", option]).map(OsString::from);
    let (program, options) = words.split_at(words_of_the_program(configuration));
    program.iter().cloned().chain(ours).chain(options.iter().cloned()).collect()
}

/// Whether the first login joins a master that is there.
pub(crate) fn may_share(configuration: &Configuration) -> bool {
    !configuration.local && !configuration.ssh.iter().any(|word| word == NO_MASTER)
}

/// What is to hold for jump hosts as well, before the user's own. A file that the user names comes later, and is taken
/// instead.
pub(crate) fn unattended_file(configuration: &Configuration) -> Option<String> {
    let lines = || {
        let options = UNATTENDED.into_iter().chain([NO_MASTER]).map(str::to_owned);
        let files = FILES.into_iter().filter(|file| may_be_read(file)).map(|file| format!("Include {file}"));
        options.chain(files).chain([MARKED_AS_TYPING.to_owned()]).map(|line| line + "\n").collect()
    };
    (speaks_openssh(configuration) && is_ssh(&configuration.ssh)).then(lines)
}

/// By itself ssh passes over a file that it may not read; one that is included is an error.
fn may_be_read(file: &str) -> bool {
    let of_the_user = file.strip_prefix("~/").and_then(|file| Some(env::home_dir()?.join(file)));
    let opened = File::open(of_the_user.unwrap_or_else(|| file.into()));
    !opened.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// Behind which ssh's own options begin, the user's among them: only behind all of them, where the program is another that
/// starts ssh.
fn words_of_the_program(configuration: &Configuration) -> usize {
    if is_ssh(&configuration.ssh) { 1 } else { configuration.ssh.len() }
}

fn is_ssh(ssh: &[OsString]) -> bool {
    ssh.first().is_some_and(|program| Path::new(program).ends_with("ssh"))
}

/// OpenSSH's ssh itself, as far as its file tells: no program that starts it, and none that only has its name.
pub(crate) fn is_openssh(ssh: &[OsString]) -> bool {
    is_ssh(ssh) && !ssh.first().is_some_and(|program| is_another(program))
}

fn call(configuration: &Configuration, options: Vec<&str>, host: &str, command: OsString) -> Vec<OsString> {
    let mut words = configuration.ssh.clone();
    words.extend(options.into_iter().map(OsString::from));
    words.extend(family(configuration.families).map(OsString::from));
    if speaks_openssh(configuration) {
        words.extend(OPTIONS.into_iter().flat_map(|option| ["-o", option]).map(OsString::from));
    }
    words.extend([host.into(), "--".into(), command]);
    words
}

/// Whether options of OpenSSH's own may be given. Where mosh needs no OpenSSH, neither do we; and some programs are known
/// to be another.
pub(crate) fn speaks_openssh(configuration: &Configuration) -> bool {
    let is_another = configuration.ssh.first().is_some_and(|program| is_another(program));
    configuration.remote_ip == RemoteIp::Proxy && !is_another
}

/// Whether its exit code is that of OpenSSH, and so tells who failed.
pub(crate) fn ends_as_openssh(configuration: &Configuration) -> bool {
    speaks_openssh(configuration) || is_openssh(&configuration.ssh)
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

    /// A login by this program.
    fn by(ssh: &str) -> Configuration {
        let ssh = ssh.split(' ').map(OsString::from).collect();
        Configuration { ssh, ..Configuration::of("host") }
    }

    /// The user says which address is to be told.
    fn telling_the_address(configuration: Configuration) -> Configuration {
        Configuration { remote_ip: RemoteIp::Remote, ..configuration }
    }

    fn unattended_words(configuration: &Configuration, master: Option<&str>) -> String {
        let command = RemoteCommand { line: "true".into(), is_written_to: false };
        let words = unattended(configuration, master, command);
        words.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn what_the_user_says_does_not_make_a_login_ask_or_join_a_master() {
        let words = unattended_words(&by("ssh -o BatchMode=no -S ~/master"), None);
        let at = |word: &str| words.find(word).unwrap();
        assert!(at("BatchMode=yes") < at("BatchMode=no"), "{words}");
        assert!(at("-S ~/master") < at("-S none"), "{words}");
        assert!(!words.contains("ProxyCommand"), "{words}");
    }

    #[test]
    fn a_master_is_the_only_way_where_it_is_one() {
        let words = unattended_words(&by("ssh -J gw"), Some("/tmp/100%"));
        assert!(words.starts_with("ssh -o BatchMode=yes "), "{words}");
        assert!(words.contains("-o ProxyCommand=false -J gw") && words.contains("-S /tmp/100%%"), "{words}");
    }

    #[test]
    fn a_program_that_starts_ssh_gets_its_own_words_first() {
        let configuration = by("env A=b ssh -p 7");
        let words = unattended_words(&configuration, None);
        assert!(words.starts_with("env A=b ssh -p 7 -o BatchMode=yes "), "{words}");
        assert_eq!(unattended_file(&configuration), None);
    }

    #[test]
    fn what_is_written_to_reads() {
        let configuration = Configuration { ssh_terminal: false, ..by("ssh") };
        let words = |is_written_to| {
            login(&configuration, "host", &RemoteCommand { line: "true".into(), is_written_to })
        };
        let has = |words: &[OsString], option: &str| words.iter().any(|word| word == option);
        assert!(has(&words(false), "-n") && !has(&words(true), "-n"));
        let channel = RemoteCommand { line: "true".into(), is_written_to: true };
        let words = unattended(&configuration, None, channel);
        assert!(has(&words, "-T") && !has(&words, "-n"), "{words:?}");
    }

    #[test]
    fn another_program_gets_no_options_of_openssh() {
        let configuration = telling_the_address(by("dbclient"));
        assert_eq!(unattended_words(&configuration, None), "dbclient -n -T host -- true");
        assert_eq!(unattended_file(&configuration), None);
    }

    #[test]
    fn however_the_address_is_learnt_openssh_ends_as_openssh() {
        assert!(ends_as_openssh(&by("through")));
        assert!(!ends_as_openssh(&telling_the_address(by("through"))));
        assert!(ends_as_openssh(&telling_the_address(by("ssh"))));
        assert!(!ends_as_openssh(&by("dbclient")));
    }

    #[test]
    fn what_holds_for_jump_hosts_stands_before_the_users_own() {
        let file = unattended_file(&by("ssh")).unwrap();
        assert!(
            file.starts_with("BatchMode=yes\n") && file.contains("\nControlPath=none\nInclude ~/"),
            "{file}"
        );
        assert!(file.ends_with("/ssh_config\nIPQoS lowdelay\n"), "the user's own counts: {file}");
    }

    #[test]
    fn a_program_is_known_by_its_file_whatever_it_is_called() {
        let directory = tempfile::tempdir().unwrap();
        let (dropbear, link) = (directory.path().join("dropbearmulti"), directory.path().join("ssh"));
        std::fs::write(&dropbear, "").unwrap();
        std::os::unix::fs::symlink(&dropbear, &link).unwrap();
        assert!(is_another(link.as_os_str()) && is_another(OsStr::new("dbclient")));
        assert!(!is_openssh(&[link.clone().into()]) && !is_openssh(&["my-ssh".into()]));
        std::fs::remove_file(&link).unwrap();
        std::fs::write(&link, "").unwrap();
        assert!(!is_another(link.as_os_str()) && !is_another(OsStr::new("no-such-program")));
        assert!(is_openssh(&[link.into(), "-p".into(), "22".into()]));
    }
}
