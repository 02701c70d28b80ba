//! A mosh-server that finds no locale of UTF-8, neither its host's nor its client's, is started with another one; the
//! user's own still reaches the shell.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use wire::locale::{needed, session};

/// In mosh-server's words.
const REFUSAL: &str = "needs a UTF-8 native locale";

/// How mosh-server is to be started once more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OtherLocale {
    pub(crate) name: String,
    pub(crate) program: &'static Path,
    pub(crate) arguments: Vec<OsString>,
}

impl OtherLocale {
    /// `None`: what the failed one printed is about something else, or this host has no other locale.
    pub(crate) fn after(printed: &[u8], program: &Path, arguments: &[OsString]) -> Option<Self> {
        let is_refused = String::from_utf8_lossy(printed).contains(REFUSAL);
        let name = is_refused.then(|| of_this_host(arguments))??;
        Some(Self::named(name, program, arguments))
    }

    fn named(name: String, program: &Path, arguments: &[OsString]) -> Self {
        let end = arguments.iter().position(|word| word == "--").unwrap_or(arguments.len());
        let mut words = vec![format!("LC_ALL={name}").into(), program.as_os_str().to_owned()];
        words.extend_from_slice(&arguments[..end]);
        words.extend(["--", "sh", "-c", &session(), "moshpunch"].map(OsString::from));
        words.extend_from_slice(arguments);
        Self { name, program: Path::new("env"), arguments: words }
    }
}

fn of_this_host(arguments: &[OsString]) -> Option<String> {
    let script = format!("{}moshpunch_needed_locale \"$@\"", needed());
    let mut shell = Command::new("sh");
    let shell = shell.arg("-c").arg(script).arg("moshpunch").args(arguments).stdin(Stdio::null());
    let output = shell.stderr(Stdio::null()).output().ok()?;
    let name = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn its_options_stay_and_the_session_gets_all_arguments() {
        let arguments = words("new -s -l LANG=de_DE.UTF-8 -- top -d 1");
        let other = OtherLocale::named("C.UTF-8".into(), Path::new("/opt/mosh-server"), &arguments);
        let before = words("LC_ALL=C.UTF-8 /opt/mosh-server new -s -l LANG=de_DE.UTF-8 -- sh -c");
        assert_eq!(other.arguments[..9], before);
        assert_eq!(other.arguments[11..], arguments);
    }

    #[test]
    fn the_command_runs_in_the_users_own_locale() {
        let session = |line: &str| {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(session()).arg("moshpunch").args(words(line));
            let output = shell.env("LC_ALL", "C.UTF-8").env("LC_TIME", "C").output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let print = "-- env";
        let own = session(&format!("new -s -p 60001 -l LANG=xx_XX.UTF-8 -l LC_PAPER=yy_YY {print}"));
        let mut own: Vec<_> =
            own.lines().filter(|line| line.starts_with("LANG") || line.starts_with("LC_")).collect();
        own.sort_unstable();
        assert_eq!(own, ["LANG=xx_XX.UTF-8", "LC_PAPER=yy_YY"]);
        assert!(session("new -l PATH=/nowhere -l LC_1;x=2 -- env").contains("PATH=/"));
    }

    #[test]
    fn only_its_refusal_of_the_locale_is_answered() {
        let refused = b"mosh-server needs a UTF-8 native locale to run.";
        let arguments = words("new -l LC_ALL=xx_XX.UTF-8");
        assert_eq!(OtherLocale::after(b"Bad UDP port", Path::new("mosh-server"), &arguments), None);
        let of_ours = words("new -l LC_ALL=C.UTF-8");
        assert_eq!(OtherLocale::after(refused, Path::new("mosh-server"), &of_ours), None);
    }
}
