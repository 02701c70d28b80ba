//! A host's view of the file system: the machine's own, with private copies of what a host changes.
//!
//! Everything private lies in one tmpfs, mounted on a directory of the lab in the host's mount namespace only. It
//! goes with the namespace, so there is nothing to unmount or remove.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::mount::{MsFlags, mount};

use crate::account::{USER, USER_HOME, USER_ID, runtime_directory, with_user};

/// What a host may change without the machine or another host seeing it.
const OVERLAID: [&str; 4] = ["/etc", "/usr/local", "/var/lib", "/var/log"];
/// What starts empty in each host.
const EMPTIED: [(&str, u32); 5] =
    [("/home", 0o755), ("/root", 0o700), ("/run", 0o755), ("/tmp", 0o1777), ("/dev/shm", 0o1777)];

const PROFILE: &str = "[ -n \"$BASH_VERSION\" ] && [ -f ~/.bashrc ] && . ~/.bashrc\n";
const BASHRC: &str = "PS1='\\u@\\h:\\w\\$ '\nunset PROMPT_COMMAND\n";

/// To be called in a new mount namespace. `private` is an empty directory.
pub(crate) fn lay_out(private: &Path) -> Result<()> {
    mount_at(None, Path::new("/"), None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, "")?;
    mount_at(Some("tmpfs"), private, Some("tmpfs"), MsFlags::empty(), "mode=0755")?;
    for place in OVERLAID {
        overlay(Path::new(place), private)?;
    }
    for (place, mode) in EMPTIED {
        empty(Path::new(place), mode, private)?;
    }
    mount_at(Some("sysfs"), Path::new("/sys"), Some("sysfs"), MsFlags::empty(), "")?;
    silence_console()?;
    add_user()
}

/// Without a syslog daemon, syslog(3) writes to the machine's console: a third of a millisecond a line where that is
/// a serial port, and miniupnpd logs dozens of lines a request.
fn silence_console() -> Result<()> {
    let console = Path::new("/dev/console");
    if !console.exists() {
        return Ok(());
    }
    mount_at(Some("/dev/null"), console, None, MsFlags::MS_BIND, "")
}

/// Whether overlays work here. To be called in a new mount namespace.
pub(crate) fn check_overlay() -> Result<()> {
    let private = Path::new("/tmp");
    mount_at(None, Path::new("/"), None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, "")?;
    mount_at(Some("tmpfs"), private, Some("tmpfs"), MsFlags::empty(), "")?;
    overlay(Path::new("/etc"), private)
}

/// Makes `program` appear in /usr/local/bin. To be called inside a host.
pub(crate) fn show_program(program: &Path) -> Result<()> {
    let name = program.file_name().context("a program to install has a file name")?;
    let place = Path::new("/usr/local/bin").join(name);
    // One that is shown already is the original: while it is open to write, nobody can run it.
    if !place.exists() {
        fs::write(&place, "")?;
    }
    let source = program.to_str().context("the lab's paths are UTF-8")?;
    mount_at(Some(source), &place, None, MsFlags::MS_BIND, "")
}

fn overlay(place: &Path, private: &Path) -> Result<()> {
    let upper = private_directory(place, private, "changes")?;
    let work = private_directory(place, private, "work")?;
    fs::set_permissions(&upper, fs::metadata(place)?.permissions())?;
    let options =
        format!("lowerdir={},upperdir={},workdir={}", place.display(), upper.display(), work.display());
    mount_at(Some("overlay"), place, Some("overlay"), MsFlags::empty(), &options)
}

fn empty(place: &Path, mode: u32, private: &Path) -> Result<()> {
    let own = private_directory(place, private, "own")?;
    fs::set_permissions(&own, Permissions::from_mode(mode))?;
    let source = own.to_str().context("the lab's paths are UTF-8")?;
    mount_at(Some(source), place, None, MsFlags::MS_BIND, "")
}

fn private_directory(place: &Path, private: &Path, purpose: &str) -> Result<PathBuf> {
    let name = place.display().to_string().trim_matches('/').replace('/', "-");
    let path = private.join(name).join(purpose);
    fs::create_dir_all(&path)?;
    Ok(path)
}

fn mount_at(
    source: Option<&str>,
    place: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    options: &str,
) -> Result<()> {
    mount(source, place, kind, flags, Some(options))
        .with_context(|| format!("mounting {} on {}", kind.unwrap_or("a part"), place.display()))
}

fn add_user() -> Result<()> {
    let entries = [
        ("/etc/passwd", format!("{USER}:x:{USER_ID}:{USER_ID}:{USER}:{USER_HOME}:/bin/bash")),
        ("/etc/group", format!("{USER}:x:{USER_ID}:")),
        ("/etc/shadow", format!("{USER}:*:20000:0:99999:7:::")),
    ];
    for (file, entry) in entries {
        let accounts = fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
        fs::write(file, with_user(&accounts, &entry))?;
    }
    owned_directory(Path::new(USER_HOME), 0o755)?;
    fs::create_dir_all("/run/user")?;
    fs::write("/run/utmp", "")?;
    owned_directory(Path::new(&runtime_directory(USER_ID)), 0o700)?;
    for (file, text) in [(".profile", PROFILE), (".bashrc", BASHRC), (".hushlogin", "")] {
        owned_file(&Path::new(USER_HOME).join(file), text, 0o644)?;
    }
    Ok(())
}

pub(crate) fn owned_directory(path: &Path, mode: u32) -> Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(chown(path, Some(USER_ID), Some(USER_ID))?)
}

pub(crate) fn owned_file(path: &Path, text: &str, mode: u32) -> Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(chown(path, Some(USER_ID), Some(USER_ID))?)
}
