//! What the forwarder lets through, and what is left when it is killed.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use common::home::nft;
use common::world::{BY_JUMP, FROM_OUTSIDE, Spot, Walker, World};
use common::{PATIENCE, client, computes, signal};
use lab::{Daemon, Host, Lab, Signal, Terminal, scenario, wait_until};

/// Within which the server's own output must come without anything being typed: mosh-client tells of itself every 3 s.
const WITHOUT_TYPING: Duration = Duration::from_millis(2_500);

/// Of pcap-savefile(5): the file's header and a packet's; then Ethernet, IPv4 without options or IPv6, UDP.
const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
const ETHERNET_HEADER: usize = 14;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;

struct Captured {
    from: SocketAddr,
    to: SocketAddr,
    tos: u8,
    payload: Vec<u8>,
}

struct Capture {
    host: Host,
    file: String,
    tcpdump: Daemon,
}

impl Capture {
    fn start(host: &Host, interface: &str) -> Result<Self> {
        let file = format!("/tmp/{interface}.pcap");
        let words = ["-i", interface, "--immediate-mode", "-U", "-Z", "root", "-w", &file, "udp"];
        let tcpdump = host.spawn(&format!("tcpdump {interface}"), &host.command("tcpdump").args(words))?;
        tcpdump.wait_for_log("listening on", PATIENCE)?;
        Ok(Self { host: host.clone(), file, tcpdump })
    }

    /// Enough of a session to be played again.
    fn end(self) -> Result<Vec<Captured>> {
        let captured = wait_until("some datagrams", PATIENCE, || {
            let captured = packets(&self.host.inside(|| Ok(fs::read(&self.file)?))?);
            Ok((captured.len() >= 12).then_some(captured))
        })?;
        self.tcpdump.signal(Signal::INT)?;
        self.tcpdump.wait_exit(PATIENCE)?;
        Ok(captured)
    }
}

fn packets(mut bytes: &[u8]) -> Vec<Captured> {
    let mut packets = Vec::new();
    bytes = bytes.get(FILE_HEADER..).unwrap_or_default();
    while let Some(length) =
        bytes.get(8..12).and_then(|length| length.try_into().ok()).map(u32::from_le_bytes)
    {
        let end = PACKET_HEADER + usize::try_from(length).unwrap_or(usize::MAX);
        packets.extend(bytes.get(PACKET_HEADER..end).and_then(packet));
        bytes = bytes.get(end..).unwrap_or_default();
    }
    packets
}

fn packet(frame: &[u8]) -> Option<Captured> {
    let (_, packet) = frame.split_at_checked(ETHERNET_HEADER)?;
    match packet.first()? >> 4 {
        4 => {
            let address = |at| Some(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?.into());
            captured(*packet.get(1)?, (address(12)?, address(16)?), packet.get(IPV4_HEADER..)?)
        }
        6 => {
            let address = |at| Some(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?.into());
            let traffic_class = packet[0] << 4 | packet.get(1)? >> 4;
            captured(traffic_class, (address(8)?, address(24)?), packet.get(IPV6_HEADER..)?)
        }
        _ => None,
    }
}

fn captured(tos: u8, (from, to): (IpAddr, IpAddr), udp: &[u8]) -> Option<Captured> {
    let port = |at| Some(u16::from_be_bytes(udp.get(at..at + 2)?.try_into().ok()?));
    let (from, to) = (SocketAddr::new(from, port(0)?), SocketAddr::new(to, port(2)?));
    Some(Captured { from, to, tos, payload: udp.get(UDP_HEADER..)?.to_vec() })
}

fn attacker(host: &Host, address: &str) -> Result<UdpSocket> {
    let socket = host.inside(|| Ok(UdpSocket::bind(address)?))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn send_all(attacker: &UdpSocket, datagrams: &[Vec<u8>], to: SocketAddr) -> Result<()> {
    datagrams.iter().try_for_each(|datagram| Ok(attacker.send_to(datagram, to).map(drop)?))
}

fn nothing_was_answered(socket: &UdpSocket) -> Result<()> {
    match socket.recv_from(&mut [0; 2_048]) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        answered => bail!("an attacker was answered: {answered:?}"),
    }
}

/// Bytes of a datagram's length that nobody has sealed, and the datagrams themselves.
fn with_forgeries(captured: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let forged = captured.iter().map(|datagram| datagram.iter().map(|byte| byte ^ 0x55).collect());
    let forged: Vec<_> = forged.chain([vec![], vec![0; 9], vec![0xff; 3_000]]).collect();
    captured.into_iter().chain(forged).collect()
}

/// The server says something of itself while nothing is typed, so that nothing mends what was broken.
fn still_hears_the_server(world: &World, session: &mut Walker, word: &str) -> Result<()> {
    let say = format!("echo {word} >/tmp/word");
    world.server.command("sh").args(["-c", &say]).as_user(lab::USER).run(PATIENCE)?;
    session.sees_within(&format!("heard {word}"), WITHOUT_TYPING)
}

fn listen(world: &World, session: &mut Walker) -> Result<()> {
    world.server.command("mkfifo").arg("/tmp/word").as_user(lab::USER).run(PATIENCE)?;
    // Who opens the pipe again before its last writer has closed it reads nothing.
    session
        .terminal
        .type_text("until [ \"$word\" = enough ]; do read -r word </tmp/word && echo heard $word; done\r")?;
    session.sees_within("heard $word; done", PATIENCE)
}

fn replays_and_forgeries_of_another_local_user_change_nothing(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Internet)?;
    let capture = Capture::start(&world.laptop, "lo")?;
    let mut session = world.connect(&FROM_OUTSIDE)?;
    listen(&world, &mut session)?;
    let captured = capture.end()?;
    let front = captured.first().context("mosh-client sent something")?.to;
    let of_client = captured.into_iter().filter(|packet| packet.to == front).map(|packet| packet.payload);
    let datagrams: Vec<_> = of_client.collect();
    ensure!(datagrams.len() > 3, "only {} datagrams captured", datagrams.len());
    let attacker = attacker(&world.laptop, "0.0.0.0:0")?;
    send_all(&attacker, &with_forgeries(datagrams), front)?;
    still_hears_the_server(&world, &mut session, "one")?;
    still_hears_the_server(&world, &mut session, "two")?;
    nothing_was_answered(&attacker)
}

/// Mallory has an address that is looked up as the host's, and so a path; and a port where nobody expects the server.
fn replays_and_forgeries_from_another_host_change_nothing(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Internet)?;
    let mallory = world.on_the_internet(lab, "mallory", "20.0.0.66/24")?;
    let (candidate, stray) = (attacker(&mallory, "20.0.0.66:60001")?, attacker(&mallory, "20.0.0.66:0")?);
    let name = "echo 20.0.0.66 router >>/etc/hosts";
    world.laptop.command("sh").args(["-c", name]).run(PATIENCE)?;
    let capture = Capture::start(&world.laptop, "eth0")?;
    let mut session = world.connect(&FROM_OUTSIDE)?;
    listen(&world, &mut session)?;
    let captured = capture.end()?;
    let reply = captured.iter().rfind(|packet| packet.to.ip().to_string() == "20.0.0.9");
    let (server, back) = reply.map(|packet| (packet.from, packet.to)).context("the server answered")?;
    let mut datagrams: Vec<_> =
        captured.into_iter().filter(|it| it.to == back).map(|it| it.payload).collect();
    ensure!(datagrams.len() > 3, "only {} datagrams captured", datagrams.len());
    ensure!(candidate.recv_from(&mut [0; 2_048]).is_ok(), "Mallory's address was a candidate");
    send_all(&candidate, &with_forgeries(datagrams.clone()), back)?;
    still_hears_the_server(&world, &mut session, "one")?;
    // The oldest last: whoever took it for news would take all that follows for news.
    datagrams.reverse();
    send_all(&stray, &with_forgeries(datagrams.clone()), back)?;
    datagrams.reverse();
    send_all(&candidate, &datagrams, back)?;
    still_hears_the_server(&world, &mut session, "two")?;
    nothing_was_answered(&stray)?;
    still_hears_the_server(&world, &mut session, "enough")?;
    let paths = session.leave()?;
    ensure!(paths.len() == 1 && paths[0].starts_with(&server.to_string()), "{paths:?}");
    Ok(())
}

/// More than a datagram takes.
fn paste(session: &mut Walker) -> Result<()> {
    let paste: String =
        (1..600_u64).map(|number| format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    session.terminal.type_text(&format!(": {paste}\r"))?;
    session.computes_within(PATIENCE)
}

/// ECT(0) of RFC 3168, with which mosh marks what it sends (1.4.0, and seen below).
const MARK: u8 = 0x02;

fn moshs_marks_are_kept_both_ways_and_its_datagrams_leave_room_for_ipv6(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Internet)?;
    let (inside, outside) = (Capture::start(&world.laptop, "lo")?, Capture::start(&world.laptop, "eth0")?);
    let mut session = world.connect(&FROM_OUTSIDE)?;
    paste(&mut session)?;
    let (inside, outside) = (inside.end()?, outside.end()?);
    for packet in inside.iter().chain(&outside) {
        ensure!(packet.tos == MARK, "{} to {} has {:#x}", packet.from, packet.to, packet.tos);
    }
    let sent = inside.iter().chain(&outside).map(|packet| packet.payload.len()).max();
    ensure!(sent.is_some_and(|longest| (1_000..=LONGEST_OVER_IPV6).contains(&longest)), "{sent:?}");
    Ok(())
}

/// There mosh-client has sockets that cannot send to the form that IPv4 addresses take in IPv6, and marks nothing.
fn where_ipv6_sockets_are_for_ipv6_alone_datagrams_leave_room_all_the_same(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Internet)?;
    world.laptop.inside(|| Ok(fs::write("/proc/sys/net/ipv6/bindv6only", "1")?))?;
    let outside = Capture::start(&world.laptop, "eth0")?;
    let mut session = world.connect(&FROM_OUTSIDE)?;
    paste(&mut session)?;
    let sent = outside.end()?.iter().map(|packet| packet.payload.len()).max();
    ensure!(sent.is_some_and(|longest| (1_000..=LONGEST_OVER_IPV6).contains(&longest)), "{sent:?}");
    Ok(())
}

/// RFC 3168: what a router on the way makes of ECT(0) when it is busy.
const CONGESTION: u8 = 0x03;

/// mosh-server marks nothing in IPv6 (1.4.0); the router does.
fn marks_are_kept_both_ways_in_ipv6(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Ipv6Only)?;
    let busy = "type filter hook forward priority 0; oifname wan0 meta l4proto udp ip6 ecn set ce;";
    nft(&world.router, &format!("table ip6 busy {{ chain forward {{ {busy} }}; }}\n"))?;
    let (inside, outside) = (Capture::start(&world.laptop, "lo")?, Capture::start(&world.laptop, "eth0")?);
    let mut session = world.connect(&BY_JUMP)?;
    session.computes_within(PATIENCE)?;
    let (inside, outside) = (inside.end()?, outside.end()?);
    let front = inside.first().context("mosh-client sent something")?.to;
    let server = "[2a00:7::10]:60001".parse()?;
    let marks = |packets: &[Captured], to: SocketAddr| {
        let (there, back): (Vec<_>, Vec<_>) = packets.iter().partition(|packet| packet.to == to);
        let of = |packets: Vec<&Captured>| packets.iter().map(|packet| packet.tos).collect::<BTreeSet<_>>();
        (of(there), of(back))
    };
    let expected = (BTreeSet::from([MARK]), BTreeSet::from([CONGESTION]));
    assert_eq!(marks(&inside, front), expected, "between mosh-client and us");
    assert_eq!(marks(&outside, server), expected, "between us and mosh-server");
    Ok(())
}

/// What mosh sends over IPv6 (measured): with both headers 1280 bytes at most.
const LONGEST_OVER_IPV6: usize = 1_216;

fn shell(world: &World) -> Result<Terminal> {
    let bash = world.laptop.command("bash").arg("-i").as_user(lab::USER);
    let terminal = world.laptop.terminal(&bash, 24, 80)?;
    terminal.wait_for("alice@laptop", PATIENCE)?;
    Ok(terminal)
}

fn no_process_is_left(host: &Host, names: &[&str]) -> Result<()> {
    for name in names {
        wait_until(&format!("the end of every {name}"), PATIENCE, || {
            Ok(host.processes(name)?.is_empty().then_some(()))
        })?;
    }
    Ok(())
}

fn killed_it_leaves_a_usable_terminal_and_no_process(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Internet)?;
    let mut terminal = shell(&world)?;
    terminal.type_text("moshpunch '--ssh=ssh -p 8022' router\r")?;
    terminal.wait_for("alice@server", PATIENCE)?;
    computes(&mut terminal, 6_001)?;
    signal(&client(&world.laptop)?, Signal::KILL)?;
    no_process_is_left(&world.laptop, &["moshpunch", "mosh-client", "ssh"])?;
    terminal.type_text("\rreset\r")?;
    computes(&mut terminal, 6_002)?;
    assert_eq!(world.server.processes("mosh-server")?.len(), 1, "the session is left to mosh's own time-out");
    Ok(())
}

fn terminated_it_ends_the_session(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Internet)?;
    let mut terminal = shell(&world)?;
    terminal.type_text("moshpunch '--ssh=ssh -p 8022' router\r")?;
    terminal.wait_for("alice@server", PATIENCE)?;
    computes(&mut terminal, 6_003)?;
    signal(&client(&world.laptop)?, Signal::TERM)?;
    terminal.wait_for("the session went over", PATIENCE)?;
    computes(&mut terminal, 6_004)?;
    no_process_is_left(&world.laptop, &["moshpunch", "mosh-client", "ssh"])?;
    no_process_is_left(&world.server, &["mosh-server"])
}

fn suspended_and_resumed_it_goes_on(lab: &Lab) -> Result<()> {
    let world = World::raise(lab, Spot::Internet)?;
    let mut terminal = shell(&world)?;
    terminal.type_text("moshpunch '--ssh=ssh -p 8022' router\r")?;
    terminal.wait_for("alice@server", PATIENCE)?;
    computes(&mut terminal, 6_005)?;
    // mosh's escape: Ctrl-^ Ctrl-Z.
    terminal.type_text("\x1e\x1a")?;
    terminal.wait_for("mosh is suspended", PATIENCE)?;
    terminal.type_text("\recho on $((6*7)) the laptop\r")?;
    terminal.wait_for("on 42 the laptop", PATIENCE)?;
    terminal.type_text("fg\r")?;
    terminal.wait_for("alice@server", PATIENCE)?;
    computes(&mut terminal, 6_006)
}

fn main() -> ExitCode {
    let needs = ["mosh", "mosh-server", "miniupnpd", "sshd"];
    let scenarios = [
        scenario!(replays_and_forgeries_of_another_local_user_change_nothing).needs(&["tcpdump"]),
        scenario!(replays_and_forgeries_from_another_host_change_nothing).needs(&["tcpdump"]),
        scenario!(moshs_marks_are_kept_both_ways_and_its_datagrams_leave_room_for_ipv6).needs(&["tcpdump"]),
        scenario!(where_ipv6_sockets_are_for_ipv6_alone_datagrams_leave_room_all_the_same)
            .needs(&["tcpdump"]),
        scenario!(marks_are_kept_both_ways_in_ipv6).needs(&["tcpdump"]),
        scenario!(killed_it_leaves_a_usable_terminal_and_no_process),
        scenario!(terminated_it_ends_the_session),
        scenario!(suspended_and_resumed_it_goes_on),
    ];
    lab::harness::run(scenarios.map(|scenario| scenario.needs(&needs)))
}
