//! Stock mosh through a relay that reads along.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Host, Lab, USER, scenario};
use wire::datagram::{Direction, LONGEST, LONGEST_PLAINTEXT, Opened, Plaintext, SHORTEST, SessionKey};

const PATIENCE: Duration = Duration::from_secs(20);
/// Text that cannot be compressed into one datagram, and a result that cannot be mistaken for its echo.
const MUCH: &str = "head -c 6000 /dev/urandom | base64 -w 199; echo =$((6*7))=\r";

type Datagrams = Vec<Vec<u8>>;

/// Between a client and a server, both on one host. It ends with the first empty datagram, which mosh never sends.
struct Relay {
    front: SocketAddr,
    back: SocketAddr,
    to_server: JoinHandle<Datagrams>,
    to_client: JoinHandle<Datagrams>,
}

impl Relay {
    fn start(host: &Host, server: SocketAddr) -> Result<Self> {
        let (front, back) = (bind(host, server.ip())?, bind(host, server.ip())?);
        let client = Arc::new(Mutex::new(server));
        let (seen, answered) = (Arc::clone(&client), client);
        let (front_address, back_address) = (front.local_addr()?, back.local_addr()?);
        let (front_too, back_too) = (front.try_clone()?, back.try_clone()?);
        let to_server = thread::spawn(move || {
            pass(&front, |datagram, from| {
                *seen.lock().expect("no panic") = from;
                back_too.send_to(datagram, server)
            })
        });
        let to_client = thread::spawn(move || {
            pass(&back, |datagram, _| front_too.send_to(datagram, *answered.lock().expect("no panic")))
        });
        Ok(Self { front: front_address, back: back_address, to_server, to_client })
    }

    /// What it has passed on to the server, and to the client.
    fn end(self, host: &Host) -> Result<(Datagrams, Datagrams)> {
        let socket = bind(host, self.front.ip())?;
        socket.send_to(&[], self.front)?;
        socket.send_to(&[], self.back)?;
        Ok((self.to_server.join().expect("no panic"), self.to_client.join().expect("no panic")))
    }
}

fn bind(host: &Host, address: IpAddr) -> Result<UdpSocket> {
    let socket = host.inside(|| Ok(UdpSocket::bind((address, 0))?))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn pass(from: &UdpSocket, mut onward: impl FnMut(&[u8], SocketAddr) -> io::Result<usize>) -> Datagrams {
    let mut passed = Vec::new();
    let mut buffer = [0; 2 * LONGEST];
    while let Ok((length @ 1.., source)) = from.recv_from(&mut buffer) {
        passed.push(buffer[..length].to_vec());
        if onward(&buffer[..length], source).is_err() {
            break;
        }
    }
    passed
}

fn start_server(host: &Host, address: IpAddr) -> Result<(SocketAddr, String)> {
    let server = host.command("mosh-server").args(["new", "-i", &address.to_string(), "--", "bash"]);
    let output = server.as_user(USER).run(PATIENCE)?.stdout;
    let line = output.lines().find_map(|line| line.strip_prefix("MOSH CONNECT "));
    let (port, key) = line.and_then(|line| line.split_once(' ')).context("no connect line")?;
    Ok((SocketAddr::new(address, port.parse()?), key.trim_end().to_owned()))
}

/// Of a session in which the server has much to tell: what went to the server, what to the client, and the key.
fn session(lab: &Lab, address: IpAddr) -> Result<(Datagrams, Datagrams, SessionKey)> {
    let host = lab.host("alone").start()?;
    let (server, key) = start_server(&host, address)?;
    let relay = Relay::start(&host, server)?;
    let words = [address.to_string(), relay.front.port().to_string()];
    let client = host.command("mosh-client").args(words).env("MOSH_KEY", &key).as_user(USER);
    let mut terminal = host.terminal(&client, 50, 200)?;
    terminal.wait_for("alice@alone", PATIENCE)?;
    terminal.type_text(MUCH)?;
    terminal.wait_for("=42=", PATIENCE)?;
    terminal.type_text("exit\r")?;
    ensure!(terminal.wait_exit(PATIENCE)?.success());
    let (to_server, to_client) = relay.end(&host)?;
    Ok((to_server, to_client, key.parse()?))
}

/// Returns the length of the longest one.
fn check(key: &SessionKey, direction: Direction, datagrams: &[Vec<u8>]) -> Result<usize> {
    ensure!(datagrams.len() > 3, "only {} datagrams {direction:?}", datagrams.len());
    let mut plaintext: Plaintext = [0; LONGEST_PLAINTEXT];
    for (sequence, datagram) in (0..).zip(datagrams) {
        let Opened { header, payload } = key.open(datagram, &mut plaintext)?;
        ensure!((header.direction, header.sequence) == (direction, sequence), "{header:?} is not {sequence}");
        ensure!(header.timestamp.is_some() && payload.len() == datagram.len() - SHORTEST, "{header:?}");
        ensure!(key.seal(header, payload).as_ref() == Some(datagram), "{header:?} is sealed differently");
    }
    Ok(datagrams.iter().map(Vec::len).max().unwrap_or_default())
}

fn check_session(lab: &Lab, address: &str, longest: usize) -> Result<()> {
    let (to_server, to_client, key) = session(lab, address.parse()?)?;
    check(&key, Direction::ToServer, &to_server)?;
    assert_eq!(check(&key, Direction::ToClient, &to_client)?, longest);
    Ok(())
}

fn every_datagram_of_a_session_over_ipv4_opens(lab: &Lab) -> Result<()> {
    check_session(lab, "127.0.0.1", 1252)
}

fn every_datagram_of_a_session_over_ipv6_opens(lab: &Lab) -> Result<()> {
    check_session(lab, "::1", 1216)
}

fn main() -> ExitCode {
    let scenarios = [
        scenario!(every_datagram_of_a_session_over_ipv4_opens),
        scenario!(every_datagram_of_a_session_over_ipv6_opens),
    ];
    lab::harness::run(scenarios.map(|scenario| scenario.needs(&["mosh-server", "mosh-client"])))
}
