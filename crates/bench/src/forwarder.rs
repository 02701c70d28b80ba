//! What the forwarder adds to a datagram's way, beside socat's UDP relay: all on loopback, between the same two sockets.
//!
//! A real client runs, with stand-ins for ssh's output and for mosh-client; this program plays both ends.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::{Host, Lab, USER, wait_until};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use wire::datagram::{Direction, Header, LONGEST, SessionKey};

use crate::Bench;
use crate::client;
use crate::row::{Aim, Group, Row, Unit};
use crate::sample::Sample;
use crate::turns::progress;

const TITLE: &str = "the forwarder, on loopback";
const PATIENCE: Duration = Duration::from_secs(20);
/// Of nobody's session.
const KEY: &str = "4NeCCgvZFe2RnPgrcU1PQw";
/// In bytes: what a key and its echo take, more or less.
const PAYLOAD: [u8; 60] = [7; 60];

const TURNS: usize = 200;
const DATAGRAMS_A_TURN: usize = 50;
/// Of a flood, which shows what one datagram costs when many wait.
const FLOOD: u32 = 40_000;
/// As many as mosh could have under way at most.
const UNDER_WAY: u32 = 32;

/// In microseconds, of the median.
const AIM: Aim = Aim::AtMost(20.0);

/// Prints the connect line of a session that the bench itself serves.
const SERVER: &str = "#!/bin/sh\necho \"MOSH CONNECT $(cat /tmp/port) $(cat /tmp/key)\"\n";

/// Says where it would send.
const CLIENT: &str = "#!/bin/sh\n[ \"$1\" = -c ] && echo 256 && exit\n\
                      echo \"$3\" >/tmp/front.new && mv /tmp/front.new /tmp/front\nexec sleep 600\n";

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let _pinned = OneCore::pin()?;
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let host = lab.host("laptop").start()?;
    let server = Server::start(&host)?;
    let forwarder = moshpunch(&host, server.address)?;
    let relay = socat(&host, server.address)?;
    let mut probe = Probe::new(&host)?;
    progress("the forwarder: one datagram at a time");
    let [straight, ours, theirs] = round_trips(&mut probe, [server.address, forwarder.front, relay.front])?;
    let straight = readings(straight).median().context("nothing came back")?;
    let added = |times: Vec<f64>| readings(times.into_iter().map(|time| (time - straight) / 2.0));
    let (ours, theirs) = (added(ours), added(theirs));
    let slowest = |sample: &Sample| sample.quantile(990).map_or_else(Sample::default, Sample::from);
    progress("the forwarder: a flood");
    let [our_costs, their_costs] = floods(&mut probe, bench.runs, [&forwarder, &relay])?;
    let a_second = |costs: &[f64]| readings(costs.iter().map(|cost| 1e6 / cost));
    progress("");
    let row = |name, unit, ours, theirs: Sample| Row::new(name, unit, ours).beside("socat", theirs);
    let rows = vec![
        row("added to a datagram's way", Unit::Microseconds, ours.clone(), theirs.clone()).aiming_at(AIM),
        row("… to the slowest in a hundred", Unit::Microseconds, slowest(&ours), slowest(&theirs)),
        row("datagrams a second, of one core", Unit::PerSecond, a_second(&our_costs), a_second(&their_costs)),
        row("processor time a datagram", Unit::Microseconds, readings(our_costs), readings(their_costs)),
    ];
    Ok(vec![Group { title: TITLE, rows }])
}

fn readings(values: impl IntoIterator<Item = f64>) -> Sample {
    values.into_iter().map(Some).collect()
}

/// In microseconds, of each way; they take turns.
fn round_trips(probe: &mut Probe, ways: [SocketAddr; 3]) -> Result<[Vec<f64>; 3]> {
    let mut times = [const { Vec::new() }; 3];
    for turn in 0..=TURNS {
        for (way, times) in ways.iter().zip(&mut times) {
            for _ in 0..DATAGRAMS_A_TURN {
                let start = net::clock::now();
                probe.send(*way)?;
                probe.receive()?;
                // The first turn finds everything asleep.
                if turn > 0 {
                    times.push((net::clock::now() - start).as_secs_f64() * 1e6);
                }
            }
        }
    }
    Ok(times)
}

/// Processor time for one datagram in microseconds, run by run, of both relays in turn.
fn floods(probe: &mut Probe, runs: usize, relays: [&Relay; 2]) -> Result<[Vec<f64>; 2]> {
    let mut costs = [const { Vec::new() }; 2];
    for _ in 0..runs {
        for (relay, costs) in relays.iter().zip(&mut costs) {
            let before = relay.processor_time()?;
            flood(probe, relay.front)?;
            costs.push((relay.processor_time()? - before) / (2.0 * f64::from(FLOOD)));
        }
    }
    Ok(costs)
}

/// There and back again.
fn flood(probe: &mut Probe, way: SocketAddr) -> Result<()> {
    for _ in 0..UNDER_WAY {
        probe.send(way)?;
    }
    for _ in UNDER_WAY..FLOOD {
        probe.receive()?;
        probe.send(way)?;
    }
    for _ in 0..UNDER_WAY {
        probe.receive()?;
    }
    Ok(())
}

/// The other end of the session: answers each datagram of the client with one of its own.
struct Server {
    address: SocketAddr,
}

impl Server {
    fn start(host: &Host) -> Result<Self> {
        let socket = host.inside(|| Ok(UdpSocket::bind("127.0.0.1:0")?))?;
        let address = socket.local_addr()?;
        let key: SessionKey = KEY.parse()?;
        thread::spawn(move || answer(&socket, &key));
        Ok(Self { address })
    }
}

/// Until the program ends.
fn answer(socket: &UdpSocket, key: &SessionKey) {
    let mut datagram = [0; LONGEST];
    for sequence in 0.. {
        let Ok((_, from)) = socket.recv_from(&mut datagram) else { return };
        let header =
            Header { direction: Direction::ToClient, sequence, timestamp: Some(1), timestamp_reply: Some(1) };
        let answer = key.seal(header, &PAYLOAD).expect("a short payload");
        let _nobody_is_there = socket.send_to(&answer, from);
    }
}

/// Of this thread and all that it starts, until it is dropped: all on one core. Where datagrams go from core to core, one
/// that rests takes up to 50 µs to wake up on a virtual machine, whoever wakes it.
struct OneCore {
    before: CpuSet,
}

impl OneCore {
    fn pin() -> Result<Self> {
        let before = sched_getaffinity(None)?;
        let first = (0..CpuSet::MAX_CPU).find(|&core| before.is_set(core)).context("no core")?;
        let mut one = CpuSet::new();
        one.set(first);
        sched_setaffinity(None, &one)?;
        Ok(Self { before })
    }
}

impl Drop for OneCore {
    fn drop(&mut self) {
        let _stays_pinned = sched_setaffinity(None, &self.before);
    }
}

/// A program between the two ends.
struct Relay {
    front: SocketAddr,
    pid: u32,
    _runs: Box<dyn std::any::Any>,
}

impl Relay {
    /// What it has used of a processor, in microseconds (proc(5), schedstat).
    fn processor_time(&self) -> Result<f64> {
        let statistics = fs::read_to_string(format!("/proc/{}/schedstat", self.pid))?;
        let nanoseconds = statistics.split(' ').next().context("an empty schedstat")?;
        Ok(nanoseconds.parse::<f64>()? / 1e3)
    }
}

fn moshpunch(host: &Host, server: SocketAddr) -> Result<Relay> {
    host.write_file("/tmp/port", &server.port().to_string())?;
    host.write_file("/tmp/key", KEY)?;
    host.write_script("/usr/local/bin/server", SERVER)?;
    host.write_script("/usr/local/bin/client", CLIENT)?;
    let words = ["--local", "--server=server", "--client=client", "127.0.0.1"];
    let terminal = host.terminal(&host.command("moshpunch").args(words).as_user(USER), 24, 80)?;
    let port = wait_until("mosh-client's stand-in", PATIENCE, || {
        Ok(host.read_file("/tmp/front").ok().and_then(|port| port.trim().parse::<u16>().ok()))
    })?;
    let pid = client::on_its_own(host)?.pid;
    Ok(Relay { front: ([127, 0, 0, 1], port).into(), pid, _runs: Box::new(terminal) })
}

fn socat(host: &Host, server: SocketAddr) -> Result<Relay> {
    const PORT: u16 = 4_000;
    let command = host.command("socat").arg(format!("UDP4-LISTEN:{PORT},bind=127.0.0.1"));
    let daemon = host.spawn("socat", &command.arg(format!("UDP4:{server}")))?;
    wait_until("socat to listen", PATIENCE, || Ok(host.udp_ports()?.contains(&PORT).then_some(())))?;
    Ok(Relay { front: ([127, 0, 0, 1], PORT).into(), pid: daemon.pid(), _runs: Box::new(daemon) })
}

/// The client's end of the session.
struct Probe {
    socket: UdpSocket,
    key: SessionKey,
    sequence: u64,
    answer: [u8; LONGEST],
}

impl Probe {
    fn new(host: &Host) -> Result<Self> {
        let socket = host.inside(|| Ok(UdpSocket::bind("127.0.0.1:0")?))?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        let key = KEY.parse()?;
        Ok(Self { socket, key, sequence: 0, answer: [0; LONGEST] })
    }

    fn send(&mut self, way: SocketAddr) -> Result<()> {
        let (direction, sequence) = (Direction::ToServer, self.sequence);
        let header = Header { direction, sequence, timestamp: Some(1), timestamp_reply: None };
        self.sequence += 1;
        let datagram = self.key.seal(header, &PAYLOAD).context("a short payload")?;
        self.socket.send_to(&datagram, way)?;
        Ok(())
    }

    fn receive(&mut self) -> Result<()> {
        self.socket.recv_from(&mut self.answer).context("no answer")?;
        Ok(())
    }
}
