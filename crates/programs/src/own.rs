//! This program, started once more by itself. ps(1) shows it by its name; left alone, it would be that of the link.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use system::process;

/// This very program, however it was called.
pub fn path() -> PathBuf {
    process::itself()
}

/// As [`Command::new`], which this is for every other program.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(&program);
    if program.as_ref() == path() {
        command.arg0("moshpunch");
    }
    command
}

/// Where others find it, for whom [`path`] may be their own. A session may outlive an upgrade: then it is the new one.
pub fn place() -> Option<PathBuf> {
    env::current_exe().ok().map(|path| undeleted(&path).to_owned())
}

/// proc_pid_exe(5).
fn undeleted(path: &Path) -> &Path {
    let place = path.as_os_str().as_bytes().strip_suffix(b" (deleted)");
    place.map_or(path, |place| Path::new(OsStr::from_bytes(place)))
}

/// For what shows no arguments.
pub fn take_name() {
    process::name_this_process(c"moshpunch");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_an_upgrade_its_place_is_that_of_the_new_one() {
        for (told, place) in [
            ("/usr/bin/moshpunch", "/usr/bin/moshpunch"),
            ("/usr/bin/moshpunch (deleted)", "/usr/bin/moshpunch"),
        ] {
            assert_eq!(undeleted(Path::new(told)), Path::new(place));
        }
    }
}
