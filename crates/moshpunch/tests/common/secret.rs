//! Looking for a session's key where it must not be, with something planted to show that it would be found.

use anyhow::{Context, Result, ensure};
use lab::{Host, HostProcess, USER};

use super::PATIENCE;

const FILES: &str = "/tmp /run /home /root /etc /var/log /var/lib /dev/shm /usr/local";

/// In no file of the host, no argument list, and no environment but mosh-client's own.
pub(crate) fn is_nowhere(host: &Host, key: &str) -> Result<()> {
    ensure!(key.len() == 22, "not a key: {} characters", key.len());
    is_nowhere_but(host, key, None)
}

/// As [`is_nowhere`]; that file is where it has to be.
pub(crate) fn is_nowhere_but(host: &Host, key: &str, file: Option<&str>) -> Result<()> {
    let found = places(host, key)?;
    ensure!(found.lines().eq(file), "{}: it is in {found}", host.name());
    host.write_file("/var/log/planted", key)?;
    host.command("mkfifo").arg("/tmp/end").run(PATIENCE)?;
    let waits = host.command("sh").args(["-c", "echo ready; read -r end </tmp/end", key]);
    let waiting = host.spawn("planted", &waits.env("PLANTED", key))?;
    waiting.wait_for_log("ready", PATIENCE)?;
    let found = places(host, key)?;
    for place in ["/var/log/planted", "/cmdline", "/environ"] {
        ensure!(found.contains(place), "{}: what was planted is not found: {found}", host.name());
    }
    host.command("rm").args(["/var/log/planted", "/tmp/end"]).run(PATIENCE).map(drop)
}

fn places(host: &Host, key: &str) -> Result<String> {
    let search = format!(
        "key=$(cat)\n\
         find() {{ printf '%s' \"$key\" | grep -aslF --devices=skip -f - \"$@\"; }}\n\
         find -r {FILES}\n\
         for process in /proc/[0-9]*; do\n\
             find $process/cmdline\n\
             grep -sqx mosh-client $process/comm || find $process/environ\n\
         done; true"
    );
    Ok(host.command("sh").args(["-c", &search]).input(key).run(PATIENCE)?.stdout)
}

/// Whether another program of the user may look into it, as into whatever the kernel writes a core of.
pub(crate) fn can_be_looked_into(host: &Host, process: &HostProcess) -> Result<bool> {
    let environment = format!("/proc/{}/environ", process.pid_inside);
    Ok(host.command("cat").arg(environment).as_user(USER).output(PATIENCE)?.status.success())
}

/// Whether a process has it anywhere in its memory; `pid` as seen from outside.
pub(crate) fn is_in_memory(pid: u32, key: &str) -> Result<bool> {
    use std::os::unix::fs::FileExt;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let memory = std::fs::File::open(format!("/proc/{pid}/mem"))?;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let range = line.split(' ').next().and_then(|range| range.split_once('-')).context("a range")?;
        let [start, end] = [range.0, range.1].map(|end| u64::from_str_radix(end, 16));
        let mut bytes = vec![0; usize::try_from(end? - start.clone()?)?];
        // What the kernel keeps for itself cannot be read.
        let read = memory.read_exact_at(&mut bytes, start?);
        if read.is_ok() && bytes.windows(key.len()).any(|window| window == key.as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}
