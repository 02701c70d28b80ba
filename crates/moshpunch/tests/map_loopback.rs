//! `moshpunch map` against a gateway that does as told, on loopback: what is printed, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/program.rs"]
mod program;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use fake_gateway::{Effect, FakeGateway, Fault, Mapping, MessageKind, Protocol};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A user of a host behind a gateway of their own.
struct Host {
    gateway: FakeGateway,
    home: TempDir,
}

impl Host {
    fn behind(gateway: FakeGateway) -> Self {
        Self { gateway, home: tempfile::tempdir().unwrap() }
    }

    fn speaking(protocols: &[Protocol]) -> Self {
        Self::behind(FakeGateway::builder().protocols(protocols).bind_loopback().unwrap())
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(program::path());
        command.arg("map").args(line.split_whitespace());
        if ["add", "list", "gateway"].iter().any(|word| line.starts_with(word)) {
            command.arg(format!("--gateway={}", self.gateway.address()));
            command.arg(format!("--internal={}", self.gateway.host(10)));
        }
        command.env("XDG_RUNTIME_DIR", self.home.path()).env("HOME", self.home.path()).env("USER", "alice");
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Exit code, stdout, stderr; this gateway's addresses replaced by names.
    fn told(&self, line: &str) -> (i32, String, String) {
        let output = self.run(line);
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(&self.gateway.host(10).to_string(), "HOST")
                .replace(&self.gateway.address().to_string(), "GATEWAY")
        };
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn json(&self, line: &str) -> (i32, Value) {
        let output = self.run(line);
        (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
    }

    fn table(&self) -> Vec<(u16, u16)> {
        let mappings = self.gateway.mappings();
        mappings.iter().map(|mapping| (mapping.external_port, mapping.internal_port)).collect()
    }

    fn another(&self, port: u16, description: &str) -> Mapping {
        Mapping::udp(port, self.gateway.host(20), port, description)
    }
}

fn out(text: &str) -> (i32, String, String) {
    (0, text.into(), String::new())
}

#[test]
fn each_protocol_adds_renews_and_removes() {
    for (protocol, name) in [("pcp", "PCP"), ("nat-pmp", "NAT-PMP"), ("upnp", "UPnP")] {
        let host = Host::speaking(&[Protocol::Upnp, Protocol::NatPmp, Protocol::Pcp]);
        let line = format!("20.0.0.1:60001 -> HOST:60001 UDP by {name}");
        let added = host.told(&format!("add 60001 --lease 600 --protocol {protocol}"));
        assert_eq!(added, out(&format!("{line}, for 600 s\n")));
        assert_eq!(host.told("renew 60001"), out(&format!("{line}, for 600 s\n")));
        assert_eq!(host.told("renew 60001 --lease 900"), out(&format!("{line}, for 900 s\n")));
        assert_eq!(host.table(), [(60001, 60001)], "{name}");
        assert_eq!(host.told("remove 60001"), out(&format!("removed: {line}\n")));
        assert_eq!(host.table(), [], "{name}");
        assert_eq!(host.gateway.complaints(), [""; 0]);
    }
}

#[test]
fn the_same_port_added_again_is_the_same_mapping() {
    for protocol in ["pcp", "nat-pmp", "upnp"] {
        let host = Host::speaking(&[Protocol::Upnp, Protocol::NatPmp, Protocol::Pcp]);
        let add = format!("add 60001 --protocol {protocol}");
        host.gateway.insert(host.another(60001, "a game"));
        let (first, again) = (host.told(&add), host.told(&add));
        assert_eq!(first.0, 0, "{first:?}");
        assert_eq!(again, first);
        assert_eq!(host.table().len(), 2, "{protocol}");
        host.run("remove --all");
        assert_eq!(host.table().len(), 1, "{protocol}");
    }
}

#[test]
fn tcp_goes_by_every_protocol_too() {
    let host = Host::speaking(&[Protocol::Upnp, Protocol::NatPmp, Protocol::Pcp]);
    for protocol in ["pcp", "nat-pmp", "upnp"] {
        let (code, line, _) =
            host.told(&format!("add 22 --transport tcp --external 8022 --protocol {protocol}"));
        assert_eq!(code, 0, "{line}");
        assert!(line.starts_with("20.0.0.1:8022 -> HOST:22 TCP by "), "{line}");
        assert_eq!(host.run("remove 22").status.code(), Some(5), "UDP is another thing");
        assert_eq!(host.run("remove 22 --transport tcp").status.code(), Some(0));
        assert_eq!(host.table(), []);
    }
}

#[test]
fn rules_that_deny_are_told_in_two_lines() {
    let gateway = FakeGateway::builder().allowed(1..=1023).protocols(&[Protocol::Upnp]);
    let host = Host::behind(gateway.bind_loopback().unwrap());
    let expected = "moshpunch: the router GATEWAY forbids mapping port 8080\n\
                    cure: allow it there (miniupnpd.conf, before the deny line: 'allow 8080 HOST/32 80')\n";
    assert_eq!(host.told("add 80 --external 8080"), (3, String::new(), expected.into()));
    let (code, value) = host.json("add 80 --external 8080 --json");
    assert_eq!((code, &value["error"]["exit_code"]), (3, &json!(3)));
}

#[test]
fn a_taken_port_is_refused_where_it_is_the_only_one_and_stepped_over_otherwise() {
    let host = Host::speaking(&[Protocol::Upnp]);
    host.gateway.insert(host.another(60001, "a game"));
    let expected = "moshpunch: port 60001 of the router GATEWAY is taken\n\
                    cure: ask for another one, or end what uses it\n";
    assert_eq!(host.told("add 60001 --external 60001"), (4, String::new(), expected.into()));
    let (code, line, _) = host.told("add 60001");
    assert_eq!(code, 0);
    assert!(!line.starts_with("20.0.0.1:60001 ") && line.contains(" -> HOST:60001 UDP by UPnP"), "{line}");
}

#[test]
fn where_no_gateway_answers_that_is_said() {
    let host = Host::speaking(&[]);
    let expected = "moshpunch: no router here answers PCP, NAT-PMP or UPnP\n\
                    cure: switch one of them on in the router\n";
    assert_eq!(host.told("add 60001"), (2, String::new(), expected.into()));
    assert_eq!(host.told("list"), (2, String::new(), expected.into()));
    let (code, text, cause) = host.told("gateway");
    assert_eq!((code, cause.as_str()), (2, expected));
    let lines: Vec<_> = text.lines().map(|line| line.split(" (").next().unwrap()).collect();
    assert_eq!(lines[..2], ["GATEWAY", "  outside  not told"]);
    // A kernel says so only so often in a second.
    let closed_or_silent =
        |line: &str| line.ends_with("  its port is closed") || line.ends_with("  no answer");
    assert!(lines[2].starts_with("  PCP  ") && closed_or_silent(lines[2]), "{text}");
    assert!(lines[3].starts_with("  NAT-PMP  ") && closed_or_silent(lines[3]), "{text}");
    assert_eq!(lines[4..], ["  UPnP     no answer"]);
}

#[test]
fn a_gateway_that_is_too_slow_leaves_nothing_behind() {
    let host = Host::speaking(&[Protocol::Upnp]);
    host.gateway
        .script(Fault::once(MessageKind::Action("AddPortMapping"), Effect::Delay(Duration::from_secs(3))));
    let expected = "moshpunch: the router GATEWAY did not answer in time\n\
                    cure: give it more time with --budget\n";
    assert_eq!(host.told("add 60001 --budget 2"), (6, String::new(), expected.into()));
    assert_eq!(host.table(), []);
}

#[test]
fn a_gateway_behind_another_nat_maps_and_says_so() {
    let gateway = FakeGateway::builder().external_address("192.168.0.2").protocols(&[Protocol::Upnp]);
    let host = Host::behind(gateway.bind_loopback().unwrap());
    let (code, line, warning) = host.told("add 60001");
    assert_eq!((code, line.as_str()), (0, "192.168.0.2:60001 -> HOST:60001 UDP by UPnP, for 3600 s\n"));
    assert_eq!(
        warning,
        "moshpunch: the router GATEWAY is itself behind a NAT (its own address is 192.168.0.2)\n\
         cure: forward UDP to 192.168.0.2 on the NAT above it, or put this router into bridge mode\n"
    );
    let (code, value) = host.json("gateway --json");
    assert_eq!((code, &value["gateways"][0]["reach"]), (0, &json!("behind_nat")));
    assert_eq!(
        value["cause"],
        warning.lines().next().unwrap()[11..].replace("GATEWAY", &host.gateway.address().to_string())
    );
}

#[test]
fn the_list_tells_whose_each_mapping_is_and_escapes_what_a_router_says() {
    let host = Host::speaking(&[Protocol::Upnp, Protocol::NatPmp]);
    host.run("add 60001 --protocol upnp");
    host.run("add 60002 --protocol nat-pmp");
    host.gateway.insert(Mapping::udp(60003, host.gateway.host(10), 60003, "a \u{202e}game"));
    host.gateway.insert(host.another(60004, "moshpunch bob@other 99999999"));
    host.gateway.insert(host.another(60005, "a camera"));
    let (code, value) = host.json("list --json");
    assert_eq!((code, &value["complete"]), (0, &json!(true)));
    let owners: Vec<_> =
        value["mappings"].as_array().unwrap().iter().map(|it| it["owner"].as_str().unwrap()).collect();
    assert_eq!(owners, ["ours", "ours", "this_host", "moshpunch", "another_host"]);
    assert_eq!(value["mappings"][3]["owner_name"], "bob@other");
    let (_, text, _) = host.told("list");
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("OUTSIDE    INSIDE"), "{text}");
    assert!(lines[3].ends_with("this host               a \u{fffd}game"), "{text}");
}

#[test]
fn a_gateway_that_cannot_list_leaves_our_own_records() {
    let host = Host::speaking(&[Protocol::Pcp, Protocol::NatPmp]);
    host.run("add 60001 --lease 600 --protocol pcp");
    let (code, text, note) = host.told("list");
    assert_eq!(code, 0);
    assert!(text.starts_with("20.0.0.1:60001 -> HOST:60001 UDP by PCP, for "), "{text}");
    assert!(note.starts_with("moshpunch: GATEWAY speaks PCP and NAT-PMP only, which cannot list "), "{note}");
}

#[test]
fn what_became_somebody_elses_is_not_removed() {
    let host = Host::speaking(&[Protocol::Upnp]);
    host.run("add 60001");
    host.gateway.insert(host.another(60001, "a game"));
    let (code, line, cause) = host.told("remove 60001");
    assert_eq!((code, line.as_str()), (5, "not removed: 20.0.0.1:60001 -> HOST:60001 UDP by UPnP\n"));
    assert!(cause.contains("is somebody else's now (\"a game\"), and left alone"), "{cause}");
    assert_eq!(host.table(), [(60001, 60001)]);
    assert_eq!(host.run("remove 60001").status.code(), Some(5), "the record is gone");
}

#[test]
fn what_the_router_forgot_is_said_to_be_gone() {
    let host = Host::speaking(&[Protocol::Upnp]);
    host.run("add 60001");
    host.gateway.expire(60001);
    let (code, _, cause) = host.told("remove 60001");
    assert_eq!(code, 5);
    assert!(cause.contains("has no mapping of port 60001 any more"), "{cause}");
}

#[test]
fn a_gateway_that_is_gone_is_named() {
    for protocol in ["pcp", "nat-pmp", "upnp"] {
        let Host { gateway, home } = Host::speaking(&[Protocol::Upnp, Protocol::NatPmp, Protocol::Pcp]);
        let host = Host { gateway, home };
        host.run(&format!("add 60001 --protocol {protocol}"));
        let before = [host.command("renew 60001"), host.command("remove 60001")];
        let address = host.gateway.address();
        let Host { gateway, home: _home } = host;
        drop(gateway);
        for mut command in before {
            let output = command.output().unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{text}");
            assert!(
                text.starts_with(&format!("moshpunch: the gateway {address}, which made this mapping by ")),
                "{text}"
            );
        }
    }
}

#[test]
fn a_router_that_restarted_on_another_port_is_found_again_to_remove() {
    let host = Host::speaking(&[Protocol::Upnp]);
    host.run("add 60001");
    host.gateway.restart(fake_gateway::Restart::Keep).unwrap();
    assert_eq!(host.run("remove --all").status.code(), Some(0));
    assert_eq!(host.table(), []);
}

#[test]
fn nothing_that_we_made_means_nothing_to_renew_or_remove() {
    let host = Host::speaking(&[Protocol::Upnp]);
    host.gateway.insert(Mapping::udp(60001, host.gateway.host(10), 60001, "moshpunch alice@server 1a2b3c4d"));
    for line in ["renew 60001", "remove 60001"] {
        let (code, _, cause) = host.told(line);
        assert_eq!(code, 5, "{line}");
        assert!(cause.contains("`map add` has made no mapping of port 60001"), "{cause}");
    }
    assert_eq!(host.told("remove --all"), out("there is nothing to remove\n"));
    assert_eq!(host.table(), [(60001, 60001)]);
}

#[test]
fn the_gateways_of_all_protocols_are_shown() {
    let host = Host::speaking(&[Protocol::Upnp, Protocol::NatPmp, Protocol::Pcp]);
    let (code, value) = host.json("gateway --json");
    assert_eq!((code, &value["cause"]), (0, &Value::Null));
    let gateway = &value["gateways"][0];
    assert_eq!(gateway["address"], host.gateway.address().to_string());
    assert_eq!(gateway["name"], "fake InternetGatewayDevice");
    assert_eq!((&gateway["external_address"], &gateway["reach"]), (&json!("20.0.0.1"), &json!("public")));
    for protocol in ["pcp", "nat_pmp", "upnp"] {
        assert_eq!(gateway[protocol]["answers"], true, "{protocol}");
        assert!(gateway[protocol]["milliseconds"].as_f64().unwrap() >= 0.0);
    }
    assert_eq!(gateway["services"][0]["connected"], true);
    assert_eq!(host.gateway.counters().pcp_map + host.gateway.counters().nat_pmp_map, 0, "nothing is mapped");
}

/// Killed should its test fail.
struct Kept(Child);

impl Kept {
    fn start(mut command: Command) -> (Self, String) {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        (Self(child), line)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_kept_mapping_is_held_and_then_removed_when_somebody_wants_us_to_end() {
    for signal in [Signal::TERM, Signal::INT] {
        for protocol in ["pcp", "nat-pmp", "upnp"] {
            let host = Host::speaking(&[Protocol::Upnp, Protocol::NatPmp, Protocol::Pcp]);
            let (mut kept, line) =
                Kept::start(host.command(&format!("add 60001 --keep --protocol {protocol}")));
            assert!(line.starts_with("20.0.0.1:60001 -> "), "{line}");
            let (code, _, cause) = host.told("remove 60001");
            assert_eq!(code, 1);
            assert!(cause.contains("another moshpunch looks after the mapping of port 60001"), "{cause}");
            kept.signal(signal);
            assert_eq!(kept.0.wait().unwrap().code(), Some(0), "{protocol}");
            assert_eq!(host.table(), []);
            assert_eq!(host.run("remove 60001").status.code(), Some(5));
        }
    }
}

#[test]
fn so_is_one_that_was_there_before() {
    for protocol in ["pcp", "nat-pmp", "upnp"] {
        let host = Host::speaking(&[Protocol::Upnp, Protocol::NatPmp, Protocol::Pcp]);
        assert_eq!(host.run(&format!("add 60001 --protocol {protocol}")).status.code(), Some(0));
        let (mut kept, _) = Kept::start(host.command(&format!("add 60001 --keep --protocol {protocol}")));
        kept.signal(Signal::TERM);
        assert_eq!(kept.0.wait().unwrap().code(), Some(0), "{protocol}");
        assert_eq!(host.table(), []);
        let (code, _, cause) = host.told("remove 60001");
        assert_eq!(code, 5, "{cause}");
        assert!(cause.contains("has made no mapping of port 60001"), "{cause}");
    }
}

#[test]
fn wrong_usage_is_1_and_help_is_0() {
    let host = Host::speaking(&[]);
    for (line, code) in [("add", 1), ("add 0", 1), ("remove", 1), ("remove 1 --all", 1), ("add --help", 0)] {
        assert_eq!(host.run(line).status.code(), Some(code), "{line}");
    }
    let (code, value) = host.json("gateway --budget 99 --json");
    assert_eq!((code, &value["error"]["exit_code"]), (1, &json!(1)));
}
