//! Processes by wait(2), kill(2) and ps(1).

mod handle;
mod other;
mod text_file;
mod tie;

use std::env;
use std::ffi::CStr;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, setrlimit};

pub use handle::Handle;
pub use other::Other;
pub use text_file::TextFile;
pub use tie::{errand, tie_to_parent};

/// Memory is in no core dump, of this process and of what it becomes. Other programs of this user may read it.
///
/// # Errors
///
/// The kernel refuses.
pub fn keep_memory_private() -> io::Result<()> {
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}

/// This program, or what has taken its place meanwhile.
#[must_use]
pub fn itself() -> PathBuf {
    env::current_exe().unwrap_or_else(|_| env::args_os().next().unwrap_or_default().into())
}

/// Its file's name has to do.
pub fn name_this_process(_name: &CStr) {}

/// Who loses its parent becomes init's child: it is not waited for.
///
/// # Errors
///
/// None here.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(())
}

#[must_use]
pub fn children(of: Pid) -> Vec<Pid> {
    let listed = Command::new("ps").args(["-A", "-o", "pid=", "-o", "ppid="]).stderr(Stdio::null()).output();
    let listed = listed.map(|output| output.stdout).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed);
    listed
        .lines()
        .filter_map(child_and_parent)
        .filter(|(_, parent)| *parent == of)
        .map(|(child, _)| child)
        .collect()
}

fn child_and_parent(line: &str) -> Option<(Pid, Pid)> {
    let mut words = line.split_whitespace().map(|word| word.parse().ok().and_then(Pid::from_raw));
    Some((words.next()??, words.next()??))
}
