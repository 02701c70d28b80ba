//! Where no mapping can be had, the user gets what mosh-server gives, and one line that says why.

mod common;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use common::home::{close, hear_only};
use common::{
    PATIENCE, end_sessions, keeper, leave, mosh_to_server, no_moshpunch_is_left, process, raise, secret,
    server_over_ssh, server_over_ssh_within,
};
use lab::{Host, Lab, Miniupnpd, Output, WriteUp, scenario};
use portmap::mapper::Protocol;

/// The lines of ours, and whether they come before the connect line of the port that mosh-server has.
fn explanation(output: &Output) -> Result<String> {
    ensure!(output.stdout.contains("MOSH CONNECT 60001 "), "{output:?}");
    let ours: Vec<_> = output.stderr.lines().filter_map(|line| line.strip_prefix("moshpunch: ")).collect();
    ensure!(ours.len() == 1, "one line expected: {output:?}");
    let (before, _) = output.stderr.split_once("mosh-server (mosh").context("mosh-server's own lines")?;
    ensure!(before.contains("moshpunch: "), "shown too late: {output:?}");
    Ok(ours[0].to_owned())
}

fn explanation_with(lab: &Lab, miniupnpd: Option<Miniupnpd>) -> Result<String> {
    let network = raise(lab)?;
    explanation_on(&network, miniupnpd, 6)
}

fn explanation_on(network: &WriteUp, miniupnpd: Option<Miniupnpd>, budget: u8) -> Result<String> {
    let _miniupnpd = miniupnpd.map(|it| network.router.miniupnpd(&it)).transpose()?;
    let command = format!("moshpunch server --budget {budget} new -s");
    let within = PATIENCE + Duration::from_secs(budget.into());
    let output = server_over_ssh_within(&network.laptop, &command, within)?;
    no_moshpunch_is_left(&network.server)?;
    ensure!(!network.server.processes("mosh-server")?.is_empty(), "mosh-server is up all the same");
    explanation(&output)
}

fn without_miniupnpd_the_missing_gateway_is_named(lab: &Lab) -> Result<()> {
    let line = explanation_with(lab, None)?;
    assert_eq!(
        line,
        "no router here answers PCP, NAT-PMP or UPnP; switch one of them on in the router, or forward a UDP port there and use -p"
    );
    Ok(())
}

fn with_every_protocol_switched_off_the_missing_gateway_is_named(lab: &Lab) -> Result<()> {
    let off = Miniupnpd { upnp: false, nat_pmp_and_pcp: false, ..WriteUp::miniupnpd() };
    let line = explanation_with(lab, Some(off))?;
    assert!(line.starts_with("no router here answers PCP, NAT-PMP or UPnP; "), "{line}");
    Ok(())
}

fn with_upnp_switched_off_the_session_gets_its_mapping_all_the_same(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let without_upnp = Miniupnpd { upnp: false, nat_pmp_and_pcp: true, ..WriteUp::miniupnpd() };
    let _miniupnpd = network.router.miniupnpd(&without_upnp)?;
    let mut terminal = mosh_to_server(&network.laptop, "moshpunch server")?;
    common::computes(&mut terminal, 6002)?;
    assert_eq!(network.router.leases()?.len(), 1);
    leave(terminal)?;
    common::wait_for_empty_table(&network.router, common::AT_ONCE)
}

fn rules_that_deny_every_port_are_named_with_the_line_to_add(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    the_denial_is_named(&network, WriteUp::miniupnpd(), 6)
}

fn a_denial_by_pcp_alone_is_named_with_the_line_to_add(lab: &Lab) -> Result<()> {
    a_denial_is_named_by(lab, Protocol::Pcp)
}

fn a_denial_by_nat_pmp_alone_is_named_with_the_line_to_add(lab: &Lab) -> Result<()> {
    a_denial_is_named_by(lab, Protocol::NatPmp)
}

/// miniupnpd tries its rules with every port before it refuses, and the lab's writes a line about each: a second's work,
/// for which a busy machine may need half a minute. Half of the budget is waited for UPnP, and as long for this answer.
fn a_denial_is_named_by(lab: &Lab, only: Protocol) -> Result<()> {
    let network = raise(lab)?;
    close(&network.router)?;
    hear_only(&network.router, WriteUp::SERVER, only)?;
    let without_upnp = Miniupnpd { upnp: false, nat_pmp_and_pcp: true, ..WriteUp::miniupnpd() };
    the_denial_is_named(&network, without_upnp, 60)
}

fn the_denial_is_named(network: &WriteUp, miniupnpd: Miniupnpd, budget: u8) -> Result<()> {
    let permissions = vec!["deny 0-65535 0.0.0.0/0 0-65535".to_owned()];
    let line = explanation_on(network, Some(Miniupnpd { permissions, ..miniupnpd }), budget)?;
    assert!(line.starts_with("the router 192.168.1.1 forbids mapping port 60001; "), "{line}");
    assert!(line.contains("'allow 60000-61000 192.168.1.10/32 60000-61000'"), "{line}");
    Ok(())
}

/// The session goes through the port that an administrator forwarded by hand, as it does with stock mosh.
fn a_static_forward_serves_where_no_mapping_can_be_had(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let nat = lab::Nat::home(WriteUp::OUTSIDE).forward(lab::Protocol::Tcp, 8022, "192.168.1.10:22");
    network.router.nat(&nat.forward(lab::Protocol::Udp, 60001, "192.168.1.10:60001"))?;
    let mut terminal = mosh_to_server(&network.laptop, "moshpunch server --budget 0.2")?;
    common::computes(&mut terminal, 6001)?;
    leave(terminal)
}

fn both(server: &Host, arguments: &str, environment: (&str, &str)) -> Result<[Output; 2]> {
    let answer = |program: &str| {
        let command = format!("exec {program} {arguments}");
        let shell = server.command("sh").args(["-c", &command]).env(environment.0, environment.1);
        shell.as_user(lab::USER).output(PATIENCE)
    };
    Ok([answer("mosh-server")?, answer("moshpunch server")?])
}

fn wrong_arguments_are_answered_as_mosh_server_answers_them(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let utf8 = ("LC_ALL", "C.UTF-8");
    // Else a locale would be found, and what mosh-server lets pass would lead to a session.
    network.server.write_script("/usr/local/bin/locale", "#!/bin/sh\necho ANSI_X3.4-1968\n")?;
    for (arguments, environment) in [
        ("new -p none", utf8),
        ("new -p 60010:60005", utf8),
        ("new -p 99999", utf8),
        ("new -c many", utf8),
        ("new --help", utf8),
        ("new --version", utf8),
        ("new -p", ("LC_ALL", "C")),
        ("new -s", ("LC_ALL", "C")),
    ] {
        let [theirs, ours] = both(&network.server, arguments, environment)?;
        ensure!(!theirs.stdout.contains("MOSH CONNECT"), "{arguments} is not wrong: {theirs:?}");
        assert_eq!(ours.status.code(), theirs.status.code(), "{arguments}: {ours:?} {theirs:?}");
        assert_eq!((ours.stdout, ours.stderr), (theirs.stdout, theirs.stderr), "{arguments}");
    }
    no_moshpunch_is_left(&network.server)
}

fn a_missing_mosh_server_is_named_with_its_cure(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let command =
        network.server.command("moshpunch").args(["server", "--mosh-server", "no-such-server", "new"]);
    let output = command.as_user(lab::USER).output(PATIENCE)?;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, "");
    assert_eq!(
        output.stderr,
        "moshpunch: no-such-server is not installed here, or not in PATH; install mosh on this host \
         (Debian: apt install mosh)\n"
    );
    no_moshpunch_is_left(&network.server)
}

const CONFIGURATION: &str = "/home/alice/.config/moshpunch/config.toml";

fn a_misspelt_setting_is_named_and_the_rest_holds(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let file = "[server]\nleese = 5\nlog = \"/tmp/log\"\n\n[laptop.work]\nleese = 5\n";
    network.server.write_file(CONFIGURATION, file)?;
    let output = server_over_ssh(&network.laptop, "moshpunch server new -s")?;
    assert_eq!(
        explanation(&output)?,
        "/home/alice/.config/moshpunch/config.toml:2: \"leese\" is no key of [server], and is left out; the nearest key is \"lease\""
    );
    assert_eq!(network.router.leases()?.len(), 1);
    let log = network.server.read_file("/tmp/log")?;
    ensure!(log.lines().filter(|line| line.contains("config.toml:5: [laptop]")).count() == 1, "{log}");
    end_sessions(&network.server)
}

fn a_setting_that_cannot_hold_is_named_and_the_session_gets_its_mapping(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    network.server.write_file(CONFIGURATION, "[server]\nlease = 0\n")?;
    let output = server_over_ssh(&network.laptop, "moshpunch server new -s")?;
    assert_eq!(
        explanation(&output)?,
        "/home/alice/.config/moshpunch/config.toml:2: lease: 0 is not from 1 to 604800 seconds, and is left out; correct or remove it"
    );
    assert_eq!(network.router.leases()?.len(), 1);
    end_sessions(&network.server)
}

fn an_option_that_cannot_hold_is_named_and_the_session_starts(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for (option, expected) in [
        ("--lease=0", "--lease: 0 is not from 1 to 604800 seconds"),
        ("--budget=soon", "--budget: \"soon\" is no number"),
    ] {
        let output = server_over_ssh(&network.laptop, &format!("moshpunch server {option} new -s"))?;
        let expected = format!("{expected}; correct the setting, then connect again");
        assert_eq!(explanation(&output)?, expected);
        end_sessions(&network.server)?;
    }
    Ok(())
}

fn the_session_key_is_in_no_argument_list_and_no_file(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let _terminal = mosh_to_server(&network.laptop, "moshpunch server --log /tmp/keeper.log")?;
    let client = process(&network.laptop, "mosh-client")?;
    let environment = std::fs::read_to_string(format!("/proc/{}/environ", client.pid))?;
    let key = environment.split('\0').find_map(|entry| entry.strip_prefix("MOSH_KEY="));
    let key = key.context("mosh-client is given its key by environment")?;
    for host in [&network.router, &network.server, &network.laptop] {
        secret::is_nowhere(host, key)?;
    }
    ensure!(!secret::is_in_memory(keeper(&network.server)?.pid, key)?, "the keeper has the key");
    ensure!(secret::is_in_memory(client.pid, key)?, "mosh-client's would be seen");
    ensure!(network.server.read_file("/tmp/keeper.log")?.contains("Mapped"), "the log was written");
    Ok(())
}

fn main() -> ExitCode {
    let programs = &["mosh", "sshd", "miniupnpd"];
    lab::harness::run(
        [
            scenario!(without_miniupnpd_the_missing_gateway_is_named),
            scenario!(with_every_protocol_switched_off_the_missing_gateway_is_named),
            scenario!(with_upnp_switched_off_the_session_gets_its_mapping_all_the_same),
            scenario!(rules_that_deny_every_port_are_named_with_the_line_to_add),
            scenario!(a_denial_by_pcp_alone_is_named_with_the_line_to_add),
            scenario!(a_denial_by_nat_pmp_alone_is_named_with_the_line_to_add),
            scenario!(a_static_forward_serves_where_no_mapping_can_be_had),
            scenario!(wrong_arguments_are_answered_as_mosh_server_answers_them),
            scenario!(a_missing_mosh_server_is_named_with_its_cure),
            scenario!(a_misspelt_setting_is_named_and_the_rest_holds),
            scenario!(a_setting_that_cannot_hold_is_named_and_the_session_gets_its_mapping),
            scenario!(an_option_that_cannot_hold_is_named_and_the_session_starts),
            scenario!(the_session_key_is_in_no_argument_list_and_no_file),
        ]
        .map(|scenario| scenario.needs(programs).within(Duration::from_secs(300))),
    )
}
