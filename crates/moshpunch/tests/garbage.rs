//! Routers that answer nonsense: never past the budget, never a crash, never a request to another host.

mod common;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Error, Result, ensure};
use common::{PATIENCE, no_moshpunch_is_left, raise, server_over_ssh};
use fake_gateway::{Decoy, Effect, FakeGateway, Fault, Mapping, MessageKind, Protocol};
use lab::{Host, Lab, Output, WriteUp, scenario, wait_until};

/// What a user is made to wait at the most.
const BUDGET: Duration = Duration::from_secs(2);

/// Between two starts of the same programs, on a machine that does other things meanwhile.
const UNEVENNESS: Duration = Duration::from_secs(8);

const HTTP: [MessageKind; 2] = [MessageKind::Description, MessageKind::Soap];

fn raise_router(router: &Host, protocol: Protocol) -> Result<FakeGateway> {
    let address: Ipv4Addr = WriteUp::ROUTER_INSIDE.parse()?;
    let gateway = FakeGateway::builder().protocols(&[protocol]).external_address(WriteUp::ROUTER_OUTSIDE);
    router.inside(|| Ok(gateway.bind(address)?))
}

/// Plays each fault against one session; whatever comes, mosh-server's own line does, with one more that names the cause
/// where nothing was mapped.
fn survives(lab: &Lab, protocol: Protocol, faults: impl IntoIterator<Item = Fault>) -> Result<()> {
    let network = raise(lab)?;
    let gateway = raise_router(&network.router, protocol)?;
    for fault in faults {
        let case = format!("{protocol:?} {fault:?}");
        gateway.clear_script();
        gateway.reset_counters();
        gateway.script(fault);
        let session = Session::begin(&network)?;
        let counters = gateway.counters();
        ensure!(counters.faulty > 0, "{case} was never met: {counters:?}");
        session.is_as_good_as_moshs_own(&gateway.mappings()).context(case)?;
        gateway.clear_script();
        forget_all(&network.server)?;
    }
    Ok(())
}

struct Session {
    output: Output,
    took: Duration,
    /// What ssh and mosh-server take without us.
    stock: Duration,
}

impl Session {
    fn begin(network: &WriteUp) -> Result<Self> {
        let timed = |command: &str| {
            let start = net::clock::now();
            let output = server_over_ssh(&network.laptop, command)?;
            Ok::<_, Error>((output, net::clock::now() - start))
        };
        let (_, stock) = timed("mosh-server new -s -- sleep 0")?;
        end_sessions(&network.server)?;
        let budget = BUDGET.as_secs();
        let (output, took) = timed(&format!("moshpunch server --budget {budget} new -s -- sleep 0"))?;
        Ok(Self { output, took, stock })
    }

    fn is_as_good_as_moshs_own(&self, mappings: &[Mapping]) -> Result<()> {
        let Self { output, took, stock } = self;
        ensure!(*took < BUDGET + *stock + UNEVENNESS, "{took:?}, and mosh-server alone {stock:?}");
        ensure!(output.stdout.contains("MOSH CONNECT 60001 "), "{output:?}");
        let ours = output.stderr.lines().filter(|line| line.starts_with("moshpunch: ")).count();
        match mappings {
            [] => ensure!(ours == 1, "one line expected: {output:?}"),
            // The router may have mapped what it could not say, or have kept its own address to itself.
            _ => ensure!(ours <= 1, "one line at most expected: {output:?}"),
        }
        ensure!(!output.stderr.contains("panic"), "{output:?}");
        Ok(())
    }
}

/// As if no session had ever been: the next one has the first port, and searches for its router.
fn forget_all(server: &Host) -> Result<()> {
    end_sessions(server)?;
    no_moshpunch_is_left(server)?;
    server.command("rm").args(["-rf", "/home/alice/.cache/moshpunch"]).run(PATIENCE).map(drop)
}

fn end_sessions(server: &Host) -> Result<()> {
    common::end_sessions(server)?;
    wait_until("the end of every mosh-server", PATIENCE, || {
        Ok(server.processes("mosh-server")?.is_empty().then_some(()))
    })
}

fn survives_upnp(lab: &Lab, faults: impl IntoIterator<Item = Fault>) -> Result<()> {
    survives(lab, Protocol::Upnp, faults)
}

fn truncated_replies(lab: &Lab) -> Result<()> {
    let cuts = [0, 1, 17, 60, 150, 400];
    survives_upnp(lab, HTTP.into_iter().flat_map(|on| cuts.map(|at| Fault::always(on, Effect::Truncate(at)))))
}

fn oversized_replies(lab: &Lab) -> Result<()> {
    let sizes = [300 * 1024, 8 * 1024 * 1024];
    let padded =
        HTTP.into_iter().flat_map(|on| sizes.map(|bytes| Fault::always(on, Effect::Oversize(bytes))));
    survives_upnp(lab, padded.chain(HTTP.map(|on| Fault::always(on, Effect::Endless))))
}

fn a_byte_a_second(lab: &Lab) -> Result<()> {
    survives_upnp(lab, HTTP.map(|on| Fault::always(on, Effect::Drip(Duration::from_secs(1)))))
}

fn wrong_content_lengths(lab: &Lab) -> Result<()> {
    let offsets = [-400, -10, 10, 1_000_000];
    survives_upnp(
        lab,
        HTTP.into_iter().flat_map(|on| offsets.map(|by| Fault::always(on, Effect::ContentLengthOffBy(by)))),
    )
}

fn noise_instead_of_replies(lab: &Lab) -> Result<()> {
    let noise = |seed| Effect::Garbage { seed, bytes: 2_000 };
    let all = [MessageKind::Search, MessageKind::Description, MessageKind::Soap];
    survives_upnp(lab, all.into_iter().flat_map(|on| [1, 2].map(|seed| Fault::always(on, noise(seed)))))
}

fn silence_after_every_question(lab: &Lab) -> Result<()> {
    let soap = ["GetStatusInfo", "GetExternalIPAddress", "GetSpecificPortMappingEntry", "AddPortMapping"];
    let kinds = [MessageKind::Description].into_iter().chain(soap.map(MessageKind::Action));
    survives_upnp(lab, kinds.map(|on| Fault::always(on, Effect::Silence)))
}

/// What a datagram of either protocol may be instead of an answer; a MAP of PCP has 60 bytes, one of NAT-PMP 16.
fn garbled(on: MessageKind) -> impl Iterator<Item = Fault> {
    let cut = [0, 1, 2, 8, 11, 15].map(Effect::Truncate);
    let noise = [12, 16, 24, 60, 1_400].map(|bytes| Effect::Garbage { seed: 1, bytes });
    cut.into_iter().chain(noise).map(move |effect| Fault::always(on, effect))
}

fn garbled_replies_of_pcp(lab: &Lab) -> Result<()> {
    let kinds = [MessageKind::PcpAnnounce, MessageKind::PcpMap];
    let oversized = kinds.map(|on| Fault::always(on, Effect::Oversize(60_000)));
    survives(lab, Protocol::Pcp, kinds.into_iter().flat_map(garbled).chain(oversized))
}

fn garbled_replies_of_nat_pmp(lab: &Lab) -> Result<()> {
    let kinds = [MessageKind::NatPmpAddress, MessageKind::NatPmpMap];
    let oversized = kinds.map(|on| Fault::always(on, Effect::Oversize(60_000)));
    survives(lab, Protocol::NatPmp, kinds.into_iter().flat_map(garbled).chain(oversized))
}

fn another_host_is_never_asked(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let gateway = raise_router(&network.router, Protocol::Upnp)?;
    let address: Ipv4Addr = WriteUp::ROUTER_OUTSIDE.parse()?;
    let decoy = network.router.inside(|| Ok(Decoy::bind(address)?))?;
    let elsewhere = decoy.url("/anything.xml");
    for fault in [
        Fault::always(MessageKind::Search, Effect::Location(elsewhere.clone())),
        Fault::always(MessageKind::Description, Effect::ControlUrl(elsewhere.clone())),
        Fault::always(MessageKind::Description, Effect::UrlBase(elsewhere)),
    ] {
        gateway.clear_script();
        gateway.reset_counters();
        gateway.script(fault);
        server_over_ssh(&network.laptop, "moshpunch server new -s")?;
        ensure!(gateway.counters().faulty > 0, "nothing led to another host: {:?}", gateway.counters());
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
    for protocol in [Protocol::Upnp, Protocol::NatPmp, Protocol::Pcp] {
        let gateway = raise_router(&network.router, protocol)?;
        let output = server_over_ssh(&network.laptop, "moshpunch server new -s")?;
        assert_eq!(gateway.mappings().len(), 1, "{:?}", gateway.counters());
        assert_eq!(gateway.complaints(), [""; 0]);
        ensure!(!output.stderr.contains("moshpunch: "), "{output:?}");
        forget_all(&network.server)?;
        assert_eq!(gateway.mappings(), []);
    }
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
            scenario!(garbled_replies_of_pcp),
            scenario!(garbled_replies_of_nat_pmp),
            scenario!(another_host_is_never_asked),
        ]
        .map(|scenario| scenario.needs(&["mosh-server", "sshd"]).within(Duration::from_secs(300))),
    )
}
