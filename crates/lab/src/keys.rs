//! ssh without prompts: one key that opens alice's account everywhere, and a shared list of host keys.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::account::USER_HOME;
use crate::command::PATH;
use crate::filesystem::{owned_directory, owned_file};

const USER_KEY: &str = "id_ed25519";
const KNOWN_HOSTS: &str = "known_hosts";

pub(crate) fn make_user_key(shared: &Path) -> Result<()> {
    fs::write(shared.join(KNOWN_HOSTS), "")?;
    generate(&shared.join(USER_KEY), "alice@lab")
}

/// Lets alice of this host log in everywhere, and everybody's alice here. To be called inside.
pub(crate) fn hand_out(shared: &Path) -> Result<()> {
    let directory = Path::new(USER_HOME).join(".ssh");
    let public = fs::read_to_string(shared.join(USER_KEY).with_extension("pub"))?;
    owned_directory(&directory, 0o700)?;
    owned_file(&directory.join(USER_KEY), &fs::read_to_string(shared.join(USER_KEY))?, 0o600)?;
    owned_file(&directory.join("authorized_keys"), &public, 0o600)?;
    let known_hosts = Path::new("/etc/ssh/ssh_known_hosts");
    fs::remove_file(known_hosts).ok();
    symlink(shared.join(KNOWN_HOSTS), known_hosts).context("making the list of host keys")
}

/// Makes the key that this host shows to ssh clients, and makes it known to the whole lab. To be called inside.
///
/// A port forward shows the key of the host behind it under the router's name. Each key is therefore listed for
/// every name and port.
pub(crate) fn make_host_key(path: &Path, shared: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    generate(path, "host@lab")?;
    let public = fs::read_to_string(path.with_extension("pub"))?;
    let mut known_hosts = OpenOptions::new().append(true).open(shared.join(KNOWN_HOSTS))?;
    known_hosts.write_all(format!("* {public}").as_bytes())?;
    Ok(())
}

fn generate(path: &Path, comment: &str) -> Result<()> {
    let output = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"])
        .arg(path)
        .env("PATH", PATH)
        .output()
        .context("starting ssh-keygen")?;
    ensure!(output.status.success(), "ssh-keygen: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
