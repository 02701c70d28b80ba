//! The session key is known to mosh-client, and to nobody else who looks around on the laptop.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, scenario};

use crate::common::{PATIENCE, process};
use crate::place::Place;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario!(the_key_is_in_no_argument_list_file_or_message)]
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
    for name in ["mosh-client", "moshpunch", "exe", "ssh", "bash"] {
        for process in laptop.processes(name)? {
            ensure!(!process.arguments.iter().any(|word| word.contains(key)), "{process:?}");
            let environment = std::fs::read_to_string(format!("/proc/{}/environ", process.pid))?;
            ensure!(name == "mosh-client" || !environment.contains(key), "{name} has it");
        }
    }
    let places = ["/home", "/root", "/run", "/tmp", "/var/log", "/var/lib", "/etc", "/dev/shm", "/usr/local"];
    let search = laptop.command("grep").args(["-raslF", "--devices=skip", "-e", key]).args(places);
    let found = search.clone().output(PATIENCE)?;
    ensure!(found.stdout.is_empty(), "{found}");
    laptop.write_file("/var/log/planted", key)?;
    assert_eq!(search.output(PATIENCE)?.stdout, "/var/log/planted\n", "the search finds it");
    ensure!(!laptop.read_file("/tmp/log")?.is_empty(), "there is a log");
    ensure!(laptop.read_file("/tmp/messages")?.contains("mosh-server waits"), "the steps are told");
    shell.run("exit")?;
    shell.is_back("0")
}
