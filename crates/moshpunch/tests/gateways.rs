//! Which gateway is taken, and who is heard.

mod common;

use std::net::{IpAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use common::{PATIENCE, raise};
use fake_gateway::{Decoy, Effect, FakeGateway, Fault, MessageKind, Protocol};
use lab::{Host, Lab, Output, WriteUp, scenario};
use portmap::upnp::ssdp;
use serde_json::Value;

const FIRST_VERSION: &str = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
const ROOT_DEVICE: &str = "upnp:rootdevice";

fn map(host: &Host, words: &[&str]) -> Result<Output> {
    host.command("moshpunch").arg("map").args(words).as_user(lab::USER).output(PATIENCE)
}

/// What `ssh` would run on the server for a client outside.
fn serve(server: &Host) -> Result<Output> {
    let command = server.command("moshpunch").args(["server", "--budget", "20", "new", "-s"]);
    command.as_user(lab::USER).env("SSH_CONNECTION", "20.0.0.9 40000 192.168.1.10 22").run(PATIENCE)
}

fn gateway_at(host: &Host, address: &str, igd_version: u8) -> Result<FakeGateway> {
    let builder = FakeGateway::builder().protocols(&[Protocol::Upnp]).igd_version(igd_version);
    let address = address.parse()?;
    host.inside(|| Ok(builder.bind(address)?))
}

/// An access point that is not connected answers at once; the default gateway answers a search for the second version,
/// and nothing else.
fn the_default_gateway_is_taken_though_an_access_point_answers_first(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let ap = lab.host("ap").attach("eth0", &network.home, &["192.168.1.2/24"]).start()?;
    let ap = gateway_at(&ap, "192.168.1.2", 1)?;
    ap.set_external_address("");
    let router = gateway_at(&network.router, WriteUp::ROUTER_INSIDE, 2)?;
    let others = [FIRST_VERSION, ROOT_DEVICE, "urn:schemas-upnp-org:service:WANIPConnection:1"];
    for target in others {
        router.script(Fault::always(MessageKind::SearchFor(target), Effect::Silence));
    }

    let added = map(&network.server, &["add", "60001", "--budget", "20"])?;
    ensure!(added.status.success() && added.stdout.starts_with("20.0.0.1:60001 "), "{added:?}");
    serve(&network.server)?;
    assert_eq!(router.mappings().len(), 2, "{:?}", router.mappings());
    assert_eq!((ap.counters().connections, ap.mappings().len()), (0, 0), "it was asked nothing");

    let told = map(&network.server, &["gateway", "--json", "--budget", "5"])?;
    let told: Value = serde_json::from_str(&told.stdout)?;
    let found = told["gateways"].as_array().map(Vec::as_slice).unwrap_or_default();
    let addresses: Vec<_> = found.iter().filter_map(|gateway| gateway["address"].as_str()).collect();
    assert_eq!(addresses, [WriteUp::ROUTER_INSIDE, "192.168.1.2"], "{told}");
    Ok(())
}

/// Answers every search from `source`, with a location there, as long as it lives.
struct Answerer<'a> {
    ended: &'a AtomicBool,
}

impl Drop for Answerer<'_> {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn answer_searches(searches: &UdpSocket, replies: &UdpSocket, location: &str, ended: &AtomicBool) {
    let mut buffer = [0; 2048];
    while !ended.load(Ordering::Relaxed) {
        let Ok((length, from)) = searches.recv_from(&mut buffer) else { continue };
        let text = String::from_utf8_lossy(&buffer[..length]);
        let target = text.lines().find_map(|line| line.strip_prefix("ST: ")).unwrap_or_default();
        let reply = format!(
            "HTTP/1.1 200 OK\r\nST: {target}\r\nUSN: uuid:1::{target}\r\nLOCATION: {location}\r\n\r\n"
        );
        replies.send_to(reply.as_bytes(), from).expect("the host is on our link");
    }
}

/// How often `source` of the router is asked over TCP, when searches are answered from there.
fn connections_to(network: &WriteUp, source: &str) -> Result<usize> {
    let address: IpAddr = source.parse()?;
    let (searches, replies, decoy) = network.router.inside(|| {
        let searches = UdpSocket::bind(("0.0.0.0", ssdp::MULTICAST.port()))?;
        searches.join_multicast_v4(ssdp::MULTICAST.ip(), &WriteUp::ROUTER_INSIDE.parse()?)?;
        searches.set_read_timeout(Some(Duration::from_millis(100)))?;
        Ok((searches, UdpSocket::bind((address, 0))?, Decoy::bind(source.parse()?)?))
    })?;
    let (location, ended) = (decoy.url("/admin/reboot?now=1"), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| answer_searches(&searches, &replies, &location, &ended));
        let _answerer = Answerer { ended: &ended };
        map(&network.server, &["gateway", "--budget", "3"])?;
        map(&network.server, &["add", "60001", "--budget", "3"])?;
        serve(&network.server)?;
        Ok(decoy.connections())
    })
}

fn who_is_not_on_the_link_is_never_asked(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for address in ["10.9.9.9/32", "192.168.1.2/24"] {
        let words = ["address", "add", address, "dev", WriteUp::INSIDE];
        network.router.command("ip").args(words).run(PATIENCE)?;
    }
    assert_eq!(connections_to(&network, "10.9.9.9")?, 0);
    ensure!(connections_to(&network, "192.168.1.2")? > 0, "one of the link is heard, by the same means");
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run(
        [
            scenario!(the_default_gateway_is_taken_though_an_access_point_answers_first),
            scenario!(who_is_not_on_the_link_is_never_asked),
        ]
        .map(|scenario| scenario.needs(&["mosh-server"])),
    )
}
