//! Routers that misbehave as public reports tell: whatever they do, there is one mapping with its address, and none
//! when it is given back.
//!
//! The router is another program, in another language than ours, so that it shares none of our mistakes.

#[path = "../common/mod.rs"]
mod common;
mod router;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use common::{AT_ONCE, PATIENCE, end_sessions, no_moshpunch_is_left, raise, server_over_ssh};
use fake_gateway::{Effect, FakeGateway, Fault, MessageKind, Protocol};
use lab::{Host, Lab, Output, WriteUp, scenario, wait_until};

use crate::router::Router;

/// A search, and five answers of three seconds each, on a busy machine.
const SLOW_BUDGET: Duration = Duration::from_secs(60);

fn map(host: &Host, line: &str) -> Result<Output> {
    let words = ["map"].into_iter().chain(line.split_whitespace());
    host.command("moshpunch").args(words).as_user(lab::USER).output(SLOW_BUDGET)
}

/// What comes of each way, by hand and for a session.
fn serves(lab: &Lab, ways: &[&str], lease: &str) -> Result<()> {
    let network = raise(lab)?;
    let second = ["address", "add", "192.168.1.2/24", "dev", WriteUp::INSIDE];
    network.router.command("ip").args(second).run(PATIENCE)?;
    for way in ways {
        let router = Router::start(&network.router, way)?;
        maps_by_hand(&network.server, &router, lease)?;
        serves_a_session(&network, &router)?;
        network.server.command("rm").args(["-rf", "/home/alice/.cache/moshpunch"]).run(PATIENCE)?;
    }
    Ok(())
}

fn maps_by_hand(server: &Host, router: &Router, lease: &str) -> Result<()> {
    let added = map(server, "add 60001 --lease 3600")?;
    let expected = "20.0.0.1:60001 -> 192.168.1.10:60001 UDP by UPnP";
    ensure!(added.status.success() && added.stdout.starts_with(expected), "{router}: {added}");
    let table = router.table()?;
    ensure!(
        table.len() == 1 && table[0].starts_with("60001 ") && table[0].contains(lease),
        "{router}: {table:?}"
    );
    let removed = map(server, "remove 60001")?;
    ensure!(removed.status.success() && router.table()?.is_empty(), "{router}: {removed}");
    Ok(())
}

fn serves_a_session(network: &WriteUp, router: &Router) -> Result<()> {
    let output = server_over_ssh(&network.laptop, "moshpunch server --offer new -s -- sleep 600")?;
    ensure!(output.stdout.contains("mapped=20.0.0.1:60001"), "{router}: {output}");
    ensure!(!output.stderr.contains("moshpunch: "), "{router}: {output}");
    let table = router.table()?;
    ensure!(table.len() == 1, "{router}: {table:?}");
    end_sessions(&network.server)?;
    wait_until("an empty table", AT_ONCE + PATIENCE, || Ok(router.table()?.is_empty().then_some(())))?;
    no_moshpunch_is_left(&network.server)
}

fn quirk_79_one_connection_at_a_time(lab: &Lab) -> Result<()> {
    serves(lab, &["16"], " 3600 ")
}

fn quirk_80_every_way_to_refuse_a_lease_leads_to_none(lab: &Lab) -> Result<()> {
    serves(lab, &["17", "17empty", "17-501", "17-600"], " 0 ")
}

fn quirk_81_what_was_added_is_ours_whatever_the_table_says(lab: &Lab) -> Result<()> {
    serves(lab, &["18", "18_", "19", "19zero"], " 3600 ")
}

fn quirk_82_an_empty_entry_is_none(lab: &Lab) -> Result<()> {
    serves(lab, &["20", "20zero"], " 3600 ")
}

fn quirk_83_a_whole_body_counts_though_its_end_is_never_told(lab: &Lab) -> Result<()> {
    serves(lab, &["keepopen", "longlength"], " 3600 ")
}

fn quirk_84_a_status_line_in_lower_case_is_read(lab: &Lab) -> Result<()> {
    serves(lab, &["lowhttp"], " 3600 ")
}

fn quirk_86_the_default_gateway_may_call_itself_a_root_device(lab: &Lab) -> Result<()> {
    serves(lab, &["21", "21only", "21all"], " 3600 ")
}

fn quirk_87_the_default_gateway_is_taken_whoever_answers_first(lab: &Lab) -> Result<()> {
    serves(lab, &["apdown"], " 3600 ")
}

/// Five answers, of which none is asked for twice. An offer is not waited for so long; what comes later is kept all the
/// same, and goes with the session.
fn quirk_89_three_seconds_for_each_answer_are_waited_for(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let router = Router::start(&network.router, "slow3")?;
    let added = map(&network.server, "add 60001 --lease 3600 --budget 50")?;
    ensure!(added.status.success() && added.stdout.starts_with("20.0.0.1:60001 -> "), "{added}");
    for question in ["GetExternalIPAddress ", "AddPortMapping 60001 "] {
        ensure!(router.asked(question) == 1, "{question}: {router}");
    }
    let removed = map(&network.server, "remove 60001 --budget 50")?;
    ensure!(removed.status.success() && router.table()?.is_empty(), "{removed}");

    server_over_ssh(&network.laptop, "moshpunch server --offer new -s -- sleep 600")?;
    wait_until("the mapping", PATIENCE, || Ok((router.table()?.len() == 1).then_some(())))?;
    end_sessions(&network.server)?;
    wait_until("an empty table", PATIENCE, || Ok(router.table()?.is_empty().then_some(())))?;
    ensure!(router.asked("AddPortMapping ") == 2, "{router}");
    Ok(())
}

/// Whatever the time that is left for it, what was added is deleted, or remembered and then removed by hand.
fn a_mapping_that_comes_too_late_is_not_left_behind(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let router = Router::start(&network.router, "slow3")?;
    let added = map(&network.server, "add 60001 --lease 3600 --budget 10")?;
    ensure!(added.status.code() == Some(6), "{added}");
    if !router.table()?.is_empty() {
        let removed = map(&network.server, "remove 60001 --budget 50")?;
        ensure!(removed.status.success(), "{removed}");
    }
    wait_until("an empty table", PATIENCE, || Ok(router.table()?.is_empty().then_some(())))
}

fn upnp_that(network: &WriteUp, fault: Fault) -> Result<FakeGateway> {
    let address: Ipv4Addr = WriteUp::ROUTER_INSIDE.parse()?;
    let gateway = FakeGateway::builder().protocols(&[Protocol::Upnp]);
    let gateway =
        network.router.inside(|| Ok(gateway.external_address(WriteUp::ROUTER_OUTSIDE).bind(address)?))?;
    gateway.script(fault);
    Ok(gateway)
}

const ADDRESS: MessageKind = MessageKind::Action("GetExternalIPAddress");

fn quirk_92_an_offer_waits_for_the_address_of_the_mapping(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let gateway = upnp_that(&network, Fault::times(3, ADDRESS, Effect::ErrorCode(501)))?;
    let output = server_over_ssh(&network.laptop, "moshpunch server --offer new -s -- sleep 600")?;
    ensure!(output.stdout.contains("\nMOSHPUNCH OFFER 1 mapped=20.0.0.1:60001\n"), "{output}");
    ensure!(!output.stderr.contains("moshpunch: "), "{output}");
    assert_eq!(gateway.counters().faulty, 3);
    end_sessions(&network.server)
}

fn quirk_92_an_offer_without_an_address_says_why(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let gateway = upnp_that(&network, Fault::always(ADDRESS, Effect::ErrorCode(501)))?;
    let output = server_over_ssh(&network.laptop, "moshpunch server --offer new -s -- sleep 600")?;
    let expected = "moshpunch: the router 192.168.1.1 tells no external address of its own; ";
    ensure!(output.stderr.contains(expected), "{output}");
    assert_eq!(gateway.mappings().len(), 1);
    end_sessions(&network.server)?;
    wait_until("an empty table", PATIENCE, || Ok(gateway.mappings().is_empty().then_some(())))
}

/// All that is shown of a router comes from it.
fn control_characters_of_a_router_do_not_reach_the_terminal(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let address: Ipv4Addr = WriteUp::ROUTER_INSIDE.parse()?;
    let hostile = "a\u{1b}]0;b\u{7}&#27;[2J\u{9b}31m\u{202e}\r\u{8}c";
    let description = format!(
        "<root><device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>\
         <friendlyName>{hostile}</friendlyName><manufacturer>{hostile}</manufacturer><modelName>{hostile}</modelName>\
         <modelNumber>{hostile}</modelNumber><serviceList><service>\
         <serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>\
         <controlURL>/ctl</controlURL></service></serviceList></device></root>"
    );
    let gateway = FakeGateway::builder().protocols(&[Protocol::Upnp]).description_file(&description);
    let gateway = network.router.inside(|| Ok(gateway.bind(address)?))?;
    let entry = format!(
        "<s:Envelope><s:Body><u:GetGenericPortMappingEntryResponse><NewExternalPort>60005</NewExternalPort>\
         <NewProtocol>UDP</NewProtocol><NewInternalPort>60005</NewInternalPort><NewInternalClient>{hostile}</NewInternalClient>\
         <NewPortMappingDescription>{hostile}</NewPortMappingDescription>\
         </u:GetGenericPortMappingEntryResponse></s:Body></s:Envelope>"
    );
    let listing = MessageKind::Action("GetGenericPortMappingEntry");
    let entries = |entry: &str| {
        Fault::times(2, listing, Effect::Status(200)).and(Effect::Body(entry.as_bytes().to_vec()))
    };
    for (line, fault) in [
        ("gateway", None),
        ("gateway --json", None),
        ("list", Some(entries(&entry))),
        ("list --json", Some(entries(&entry))),
    ] {
        gateway.clear_script();
        fault.into_iter().for_each(|fault| gateway.script(fault));
        let shown = map(&network.server, line)?;
        ensure!(shown.stdout.contains('a') && shown.stdout.contains('c'), "{line}: {shown}");
        let is_harmful = |character: char| {
            (character.is_control() && character != '\n') || ('\u{202a}'..='\u{202e}').contains(&character)
        };
        ensure!(!format!("{}{}", shown.stdout, shown.stderr).contains(is_harmful), "{line}: {shown:?}");
    }
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run(
        [
            scenario!(quirk_79_one_connection_at_a_time),
            scenario!(quirk_80_every_way_to_refuse_a_lease_leads_to_none),
            scenario!(quirk_81_what_was_added_is_ours_whatever_the_table_says),
            scenario!(quirk_82_an_empty_entry_is_none),
            scenario!(quirk_83_a_whole_body_counts_though_its_end_is_never_told),
            scenario!(quirk_84_a_status_line_in_lower_case_is_read),
            scenario!(quirk_86_the_default_gateway_may_call_itself_a_root_device),
            scenario!(quirk_87_the_default_gateway_is_taken_whoever_answers_first),
            scenario!(quirk_89_three_seconds_for_each_answer_are_waited_for),
            scenario!(a_mapping_that_comes_too_late_is_not_left_behind),
            scenario!(quirk_92_an_offer_waits_for_the_address_of_the_mapping),
            scenario!(quirk_92_an_offer_without_an_address_says_why),
            scenario!(control_characters_of_a_router_do_not_reach_the_terminal),
        ]
        .map(|scenario| scenario.needs(&["mosh-server", "python3", "sshd"])),
    )
}
