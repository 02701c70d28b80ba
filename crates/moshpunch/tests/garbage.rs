//! Routers that answer nonsense: never past the budget, never a crash, never a request to another host.

mod common;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use common::{PATIENCE, no_moshpunch_is_left, raise, server_over_ssh};
use fake_gateway::{Decoy, Effect, FakeGateway, Fault, MessageKind};
use lab::{Lab, WriteUp, scenario};

/// What a user is made to wait at the most.
const BUDGET: Duration = Duration::from_secs(2);

/// ssh, mosh-server and a busy machine, over which moshpunch has no say.
const EVERYTHING_ELSE: Duration = Duration::from_secs(8);

const HTTP: [MessageKind; 2] = [MessageKind::Description, MessageKind::Soap];

fn raise_router(router: &lab::Host) -> Result<FakeGateway> {
    let address: Ipv4Addr = WriteUp::ROUTER_INSIDE.parse()?;
    router.inside(|| Ok(FakeGateway::builder().external_address(WriteUp::ROUTER_OUTSIDE).bind(address)?))
}

/// Plays each fault against one session; whatever comes, mosh-server's own line does.
fn survives(lab: &Lab, faults: impl IntoIterator<Item = Fault>) -> Result<()> {
    let network = raise(lab)?;
    let gateway = raise_router(&network.router)?;
    for fault in faults {
        let case = format!("{fault:?}");
        gateway.clear_script();
        gateway.script(fault);
        let start = net::clock::now();
        let command = format!("moshpunch server --budget {} new -s -- sleep 0", BUDGET.as_secs());
        let output = server_over_ssh(&network.laptop, &command)?;
        ensure!(elapsed(start) < BUDGET + EVERYTHING_ELSE, "{case} took {:?}", elapsed(start));
        ensure!(output.stdout.contains("MOSH CONNECT 600"), "{case}: {output:?}");
        ensure!(!output.stderr.contains("panic"), "{case}: {output:?}");
        common::end_sessions(&network.server)?;
    }
    gateway.clear_script();
    no_moshpunch_is_left(&network.server)
}

fn elapsed(start: Instant) -> Duration {
    net::clock::now() - start
}

fn truncated_replies(lab: &Lab) -> Result<()> {
    let cuts = [0, 1, 17, 60, 150, 400];
    survives(lab, HTTP.into_iter().flat_map(|on| cuts.map(|at| Fault::always(on, Effect::Truncate(at)))))?;
    Ok(())
}

fn oversized_replies(lab: &Lab) -> Result<()> {
    let sizes = [300 * 1024, 8 * 1024 * 1024];
    let padded =
        HTTP.into_iter().flat_map(|on| sizes.map(|bytes| Fault::always(on, Effect::Oversize(bytes))));
    survives(lab, padded.chain(HTTP.map(|on| Fault::always(on, Effect::Endless))))
}

fn a_byte_a_second(lab: &Lab) -> Result<()> {
    survives(lab, HTTP.map(|on| Fault::always(on, Effect::Drip(Duration::from_secs(1)))))
}

fn wrong_content_lengths(lab: &Lab) -> Result<()> {
    let offsets = [-400, -10, 10, 1_000_000];
    survives(
        lab,
        HTTP.into_iter().flat_map(|on| offsets.map(|by| Fault::always(on, Effect::ContentLengthOffBy(by)))),
    )
}

fn noise_instead_of_replies(lab: &Lab) -> Result<()> {
    let noise = |seed| Effect::Garbage { seed, bytes: 2_000 };
    let all = [MessageKind::Search, MessageKind::Description, MessageKind::Soap];
    survives(lab, all.into_iter().flat_map(|on| [1, 2].map(|seed| Fault::always(on, noise(seed)))))
}

fn silence_after_every_question(lab: &Lab) -> Result<()> {
    let soap = ["GetStatusInfo", "GetExternalIPAddress", "GetSpecificPortMappingEntry", "AddPortMapping"];
    let kinds = [MessageKind::Description].into_iter().chain(soap.map(MessageKind::Action));
    survives(lab, kinds.map(|on| Fault::always(on, Effect::Silence)))
}

fn another_host_is_never_asked(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let gateway = raise_router(&network.router)?;
    let address: Ipv4Addr = WriteUp::ROUTER_OUTSIDE.parse()?;
    let decoy = network.router.inside(|| Ok(Decoy::bind(address)?))?;
    let elsewhere = decoy.url("/anything.xml");
    for fault in [
        Fault::always(MessageKind::Search, Effect::Location(elsewhere.clone())),
        Fault::always(MessageKind::Description, Effect::ControlUrl(elsewhere.clone())),
        Fault::always(MessageKind::Description, Effect::UrlBase(elsewhere)),
    ] {
        gateway.clear_script();
        gateway.script(fault);
        server_over_ssh(&network.laptop, "moshpunch server new -s")?;
        assert_eq!(decoy.connections(), 0, "a request to another host");
    }
    // The decoy can be reached: it is the refusal that keeps us away.
    let there = decoy.address();
    network.server.inside(|| Ok(std::net::TcpStream::connect_timeout(&there, PATIENCE)?))?;
    assert_eq!(decoy.connections(), 1);
    Ok(())
}

fn a_router_in_good_order_maps(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let gateway = raise_router(&network.router)?;
    server_over_ssh(&network.laptop, "moshpunch server new -s")?;
    assert_eq!(gateway.mappings().len(), 1, "{:?}", gateway.counters());
    assert_eq!(gateway.complaints(), [""; 0]);
    common::end_sessions(&network.server)?;
    no_moshpunch_is_left(&network.server)?;
    assert_eq!(gateway.mappings(), []);
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run(
        [
            scenario!(a_router_in_good_order_maps),
            scenario!(truncated_replies),
            scenario!(oversized_replies),
            scenario!(a_byte_a_second),
            scenario!(wrong_content_lengths),
            scenario!(noise_instead_of_replies),
            scenario!(silence_after_every_question),
            scenario!(another_host_is_never_asked),
        ]
        .map(|scenario| scenario.needs(&["mosh-server", "sshd"]).within(Duration::from_secs(180))),
    )
}
