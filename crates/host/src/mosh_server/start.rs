//! mosh-server is found and started, wherever it is and whatever its locale.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::fs::{Access, access};
use wire::places::places;

use super::locale::OtherLocale;
use super::reaper::Reaper;
use super::starting::{self, Ended, Outcome};

/// As [`starting::start`]; where a login shell would find the program, too, and once more with another locale where
/// mosh-server complains of the user's.
pub(crate) fn start(
    program: &Path,
    arguments: &[OsString],
    verbose: bool,
    reaper: Reaper,
) -> Result<Outcome> {
    let program = found(program);
    let ended = match starting::start(&program, arguments, verbose, reaper)? {
        Outcome::Ended(ended) => ended,
        started @ Outcome::Started(_) => return Ok(started),
    };
    let Some(other) = other_locale(&ended, &program, arguments) else { return Ok(Outcome::Ended(ended)) };
    report::note(wire::locale::told("this host", &other.name));
    starting::start(other.program, &other.arguments, verbose, ended.reaper)
}

fn other_locale(ended: &Ended, program: &Path, arguments: &[OsString]) -> Option<OtherLocale> {
    let complaint = [&ended.complaint.errors[..], &ended.complaint.output].concat();
    OtherLocale::after(&complaint, program, arguments)
}

/// A program that PATH has, or that nobody has, keeps its name.
fn found(program: &Path) -> PathBuf {
    let is_there = |directory: &PathBuf| access(directory.join(program), Access::EXEC_OK).is_ok();
    let path = env::var_os("PATH").unwrap_or_default();
    if program.components().count() != 1 || env::split_paths(&path).any(|directory| is_there(&directory)) {
        return program.to_owned();
    }
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let elsewhere = places(&home).find(is_there).map(|directory| directory.join(program));
    elsewhere.unwrap_or_else(|| program.to_owned())
}
