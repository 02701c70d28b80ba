//! mosh-server is found and started, wherever it is and whatever its locale.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::fs::{Access, access};
use wire::places::places;

use super::locale::OtherLocale;
use super::reaper::Reaper;
use super::starting::{Ended, Outcome, Starting};

/// A mosh-server that starts.
pub(crate) struct Start<'a> {
    starting: Starting,
    program: PathBuf,
    arguments: &'a [OsString],
    verbose: bool,
}

/// Where a login shell would find the program, too.
pub(crate) fn start<'a>(
    program: &Path,
    arguments: &'a [OsString],
    verbose: bool,
    reaper: Reaper,
) -> Result<Start<'a>> {
    let program = found(program);
    let starting = Starting::new(&program, arguments, verbose, reaper)?;
    Ok(Start { starting, program, arguments, verbose })
}

impl Start<'_> {
    /// Passes on what it prints, up to the connect line; once more with another locale where mosh-server complains of the
    /// user's.
    pub(crate) fn wait(self) -> Result<Outcome> {
        let Self { starting, program, arguments, verbose } = self;
        let ended = match starting.run()? {
            Outcome::Ended(ended) => ended,
            started @ Outcome::Started(_) => return Ok(started),
        };
        let Some(other) = other_locale(&ended, &program, arguments) else { return Ok(Outcome::Ended(ended)) };
        report::note(wire::locale::told("this host", &other.name));
        Starting::new(other.program, &other.arguments, verbose, ended.reaper)?.run()
    }
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
