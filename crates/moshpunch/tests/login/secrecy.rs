//! The session key is known to mosh-client, and to nobody else who looks around on the laptop.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Signal, scenario, wait_until};

use crate::common::secret::{self, can_be_looked_into, is_in_memory};
use crate::common::{PATIENCE, attendant, client, computes, no_moshpunch_is_left, process, signal};
use crate::place::{PASSWORD, Place, Shell};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(the_key_is_in_no_argument_list_file_or_message),
        scenario!(what_knows_the_key_leaves_no_core_and_shows_its_memory_to_nobody),
    ]
}

fn the_key_is_in_no_argument_list_file_or_message(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let laptop = place.laptop();
    let mut shell = place.shell()?;
    shell.run("moshpunch -v --log /tmp/log --ssh='ssh -v -p 2222' router 2>/tmp/messages")?;
    shell.sees("alice@router:")?;
    let client = process(laptop, "mosh-client")?;
    let environment = std::fs::read_to_string(format!("/proc/{}/environ", client.pid))?;
    let key = environment.split('\0').find_map(|setting| setting.strip_prefix("MOSH_KEY="));
    let key = key.context("mosh-client has the key")?;
    assert_eq!(key.len(), 22);
    secret::is_nowhere(laptop, key)?;
    ensure!(is_in_memory(client.pid, key)?, "mosh-client remembers it");
    let ours = laptop.processes("moshpunch")?;
    for expected in [self::client(laptop)?, attendant(laptop)?] {
        ensure!(ours.iter().any(|process| process.pid == expected.pid), "{expected:?} is none of {ours:?}");
    }
    for process in ours {
        ensure!(!is_in_memory(process.pid, key)?, "{process:?} remembers the key");
    }
    ensure!(!laptop.read_file("/tmp/log")?.is_empty(), "there is a log");
    ensure!(laptop.read_file("/tmp/messages")?.contains("mosh-server waits"), "the steps are told");
    shell.run("exit")?;
    shell.is_back("0")
}

/// The shell tells where there is a core.
fn aborted(shell: &mut Shell, core: &str, number: u32) -> Result<()> {
    shell.says_of_its_job("Aborted")?;
    let screen = shell.terminal.screen();
    let said = screen.lines().find_map(|line| line.split_once("Aborted")).map(|(_, said)| said.trim());
    ensure!(said == Some(core), "{screen}");
    shell.run("clear")?;
    computes(&mut shell.terminal, number)
}

fn what_knows_the_key_leaves_no_core_and_shows_its_memory_to_nobody(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &["PasswordAuthentication yes", "PubkeyAuthentication no"])?;
    place.set_password()?;
    let laptop = place.laptop();
    let mut shell = place.shell()?;
    shell.run("ulimit -c unlimited; cd /tmp; PS1='alice@laptop:~$ '; sleep 1000")?;
    let planted =
        wait_until("a program that hides nothing", PATIENCE, || Ok(laptop.processes("sleep")?.pop()))?;
    ensure!(can_be_looked_into(laptop, &planted)?, "its memory can be read");
    signal(&planted, Signal::ABORT)?;
    aborted(&mut shell, "(core dumped)", 6501)?;
    for (session, number) in [(false, 6502), (true, 6503)] {
        shell.run("moshpunch --ssh='ssh -p 2222' router")?;
        shell.sees("alice@router's password:")?;
        if session {
            shell.run(PASSWORD)?;
            shell.sees("alice@router:")?;
            ensure!(!can_be_looked_into(laptop, &attendant(laptop)?)?, "its attendant's memory can be read");
        }
        let moshpunch = client(laptop)?;
        ensure!(!can_be_looked_into(laptop, &moshpunch)?, "its memory can be read");
        signal(&moshpunch, Signal::ABORT)?;
        no_moshpunch_is_left(laptop)?;
        // It puts the terminal in order before it ends.
        wait_until("the end of ssh", PATIENCE, || Ok(laptop.processes("ssh")?.is_empty().then_some(())))?;
        aborted(&mut shell, "", number)?;
    }
    Ok(())
}
