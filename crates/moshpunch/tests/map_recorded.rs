//! `moshpunch map` on routers that are too slow, and killed, and on a full disk: what was asked for is known later.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/program.rs"]
mod program;

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use fake_gateway::{Effect, FakeGateway, Fault, MessageKind, Protocol};
use serde_json::Value;
use tempfile::TempDir;

/// A busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A user of a host behind a gateway of their own.
struct Host {
    gateway: FakeGateway,
    home: TempDir,
}

impl Host {
    fn speaking(protocols: &[Protocol]) -> Self {
        let gateway = FakeGateway::builder().protocols(protocols).bind_loopback().unwrap();
        Self { gateway, home: tempfile::tempdir().unwrap() }
    }

    fn arguments(&self, line: &str) -> Vec<String> {
        let mut arguments: Vec<_> = ["map"].into_iter().chain(line.split(' ')).map(str::to_owned).collect();
        if ["add", "list"].iter().any(|word| line.starts_with(word)) {
            arguments.push(format!("--gateway={}", self.gateway.address()));
            arguments.push(format!("--internal={}", self.gateway.host(10)));
        }
        arguments
    }

    fn in_our_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("XDG_RUNTIME_DIR", self.home.path()).env("HOME", self.home.path()).env("USER", "alice")
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(program::path());
        self.in_our_home(command.args(self.arguments(line)));
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    fn ports(&self) -> Vec<u16> {
        self.gateway.mappings().iter().map(|mapping| mapping.external_port).collect()
    }

    fn records(&self) -> usize {
        let directory = self.home.path().join("moshpunch");
        std::fs::read_dir(directory).map_or(0, |entries| {
            let names = entries.flatten().map(|entry| entry.file_name().into_string().unwrap());
            names.filter(|name| name.ends_with(".mapping")).count()
        })
    }

    fn owners(&self) -> Vec<String> {
        let output = self.run("list --json --budget 30");
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mappings = value["mappings"].as_array().unwrap();
        mappings.iter().map(|mapping| mapping["owner"].as_str().unwrap().to_owned()).collect()
    }
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn words(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// As long as each answer takes three seconds, nothing can be undone in the time that is left.
#[test]
fn what_a_slow_router_may_have_made_is_recorded_and_can_be_removed() {
    let host = Host::speaking(&[Protocol::Upnp]);
    for action in ["AddPortMapping", "GetSpecificPortMappingEntry", "DeletePortMapping"] {
        let slow = Effect::Delay(Duration::from_secs(3));
        host.gateway.script(Fault::always(MessageKind::Action(action), slow));
    }
    let added = host.run("add 60001 --budget 5");
    assert_eq!(code(&added), Some(6), "{}", words(&added));
    assert!(words(&added).contains("`moshpunch map remove` removes it"), "{}", words(&added));
    assert_eq!((host.ports(), host.records()), (vec![60001], 1));
    host.gateway.clear_script();
    assert_eq!(host.owners(), ["ours"]);
    assert_eq!(code(&host.run("remove 60001")), Some(0));
    assert_eq!((host.ports(), host.records()), (vec![], 0));
}

#[test]
fn what_was_asked_for_by_somebody_who_was_killed_is_ours_and_can_be_removed() {
    for (protocol, name, message) in [
        (Protocol::Pcp, "pcp", MessageKind::PcpMap),
        (Protocol::NatPmp, "nat-pmp", MessageKind::NatPmpMap),
        (Protocol::Upnp, "upnp", MessageKind::Action("AddPortMapping")),
    ] {
        let host = Host::speaking(&[Protocol::Upnp, protocol]);
        host.gateway.script(Fault::always(message, Effect::LoseReply));
        let mut command = host.command(&format!("add 60001 --budget 60 --protocol {name}"));
        let mut killed = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let is_made = |counters: &fake_gateway::Counters| {
            counters.pcp_map + counters.nat_pmp_map + counters.action("AddPortMapping") > 0
        };
        assert!(host.gateway.wait_until(SOON, is_made), "{name}");
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert_eq!((host.ports(), host.records()), (vec![60001], 1), "{name}");
        host.gateway.clear_script();
        assert_eq!(host.owners(), ["ours"], "{name}");
        let removed = host.run("remove 60001");
        assert_eq!(code(&removed), Some(0), "{name}: {}", words(&removed));
        assert_eq!((host.ports(), host.records()), (vec![], 0), "{name}");
    }
}

/// A file that may hold no byte stands for a disk that has no room.
#[test]
fn what_cannot_be_recorded_is_not_asked_for() {
    for (protocol, name) in [(Protocol::Pcp, "pcp"), (Protocol::NatPmp, "nat-pmp"), (Protocol::Upnp, "upnp")]
    {
        let host = Host::speaking(&[protocol]);
        let line = host.arguments(&format!("add 60001 --protocol {name}")).join(" ");
        let script = format!("trap '' XFSZ; ulimit -f 0; exec {} {line}", program::path().display());
        let output = host.in_our_home(Command::new("sh").args(["-c", &script])).output().unwrap();
        assert_eq!(code(&output), Some(1), "{name}: {}", words(&output));
        assert!(words(&output).contains("the mapping cannot be recorded: "), "{}", words(&output));
        assert_eq!(host.ports(), [0; 0], "{name}");
        let counters = host.gateway.counters();
        assert_eq!((counters.pcp_map, counters.nat_pmp_map), (0, 0), "{name}");
        assert_eq!(counters.action("AddPortMapping"), 0, "{name}");
    }
}

#[test]
fn a_router_that_never_deletes_is_told_of_and_what_it_keeps_is_recorded() {
    let host = Host::speaking(&[Protocol::Upnp]);
    assert_eq!(code(&host.run("add 60001")), Some(0));
    host.gateway.script(Fault::always(MessageKind::Action("DeletePortMapping"), Effect::ErrorCode(606)));
    let removed = host.run("remove 60001");
    assert_eq!(code(&removed), Some(6), "{}", words(&removed));
    assert_eq!((host.ports(), host.records()), (vec![60001], 1));
    host.gateway.clear_script();
    assert_eq!(code(&host.run("remove 60001")), Some(0));
    assert_eq!((host.ports(), host.records()), (vec![], 0));
}

#[test]
fn what_is_refused_leaves_no_record() {
    let host = Host::speaking(&[Protocol::Upnp, Protocol::NatPmp, Protocol::Pcp]);
    host.gateway.script(Fault::always(MessageKind::PcpMap, Effect::ResultCode(2)));
    host.gateway.script(Fault::always(MessageKind::NatPmpMap, Effect::ResultCode(2)));
    host.gateway.script(Fault::always(MessageKind::Action("AddPortMapping"), Effect::ErrorCode(606)));
    assert_eq!(code(&host.run("add 60001")), Some(3));
    assert_eq!((host.ports(), host.records()), (vec![], 0));
    host.gateway.clear_script();
    host.gateway.script(Fault::always(MessageKind::PcpMap, Effect::ResultCode(2)));
    assert_eq!(code(&host.run("add 60001")), Some(0));
    assert_eq!((host.ports().len(), host.records()), (1, 1));
}
