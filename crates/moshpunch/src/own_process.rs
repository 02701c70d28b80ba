//! This program, started once more by itself. ps(1) shows it by its name; left alone, it would be that of the link.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::thread::set_name;

/// This very file, even if another has taken its place meanwhile.
pub(crate) const PATH: &str = "/proc/self/exe";

/// As [`Command::new`], which this is for every other program.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(&program);
    if program.as_ref() == PATH {
        command.arg0("moshpunch");
    }
    command
}

/// For what shows no arguments.
pub(crate) fn take_name() {
    let _kept = set_name(c"moshpunch");
}
