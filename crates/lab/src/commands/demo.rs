//! `lab demo`: the write-up's two commands, typed as a user would, in the write-up's network; then our own client there,
//! on a walk.

mod page;
mod session;
mod story;

use std::env;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, ensure};
use lab::{Lab, Requirements};

use page::Page;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The moshpunch to install on every host [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    moshpunch: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    let programs = ["miniupnpd", "mosh", "ssh", "sshd"].map(str::to_owned).to_vec();
    Requirements { programs }
        .check()
        .map_err(|reason| anyhow!("this machine cannot run the demo: {reason}"))?;
    let moshpunch = arguments.moshpunch.map_or_else(beside_this_program, Ok)?;
    ensure!(moshpunch.is_file(), "{} is not there; build it, or say --moshpunch PATH", moshpunch.display());

    let lab = Lab::new("demo")?;
    let mut page = Page::new();
    let told = story::tell(&lab, &moshpunch, &mut page);
    told.inspect_err(|_| {
        page.step_failed();
        eprintln!("{}", lab.report());
    })
}

fn beside_this_program() -> Result<PathBuf> {
    let this_program = env::current_exe().context("finding this program")?;
    Ok(this_program.with_file_name("moshpunch"))
}
