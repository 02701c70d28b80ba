//! What `--version` says beside the version: for which target this program is, and from which commit.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says the commit, where there is no git to ask.
const COMMIT: &str = "MOSHPUNCH_COMMIT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={COMMIT}");
    let version = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    let target = env::var("TARGET").expect("cargo sets it");
    let built = match commit() {
        Some(commit) => format!("{target}, {commit}"),
        None => target,
    };
    println!("cargo::rustc-env=MOSHPUNCH_VERSION={version} ({built})");
}

fn commit() -> Option<String> {
    match env::var(COMMIT) {
        Ok(said) => Some(said).filter(|commit| !commit.is_empty()),
        // While it is worked on, no commit is worth building all tests anew.
        Err(_) if env::var("PROFILE").is_ok_and(|profile| profile == "debug") => None,
        Err(_) => commit_of_git(),
    }
}

fn commit_of_git() -> Option<String> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    let workspace = package.ancestors().nth(2)?;
    // An archive that was unpacked within another repository is none of its commits.
    let top = git(workspace, &["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != workspace.canonicalize().ok()? {
        return None;
    }
    // Each move of HEAD is noted there, that of a branch, too.
    let moves = git(workspace, &["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo::rerun-if-changed={}", workspace.join(moves).display());
    git(workspace, &["describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"])
}

fn git(workspace: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(workspace).args(words).output().ok()?;
    let told = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| told.trim().to_owned())
}
