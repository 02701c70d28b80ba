//! Where neither end knows where it is seen, and a server that the user has named tells.

use std::net::UdpSocket;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Daemon, Host, Lab, Nat, Protocol, scenario};
use system::linux::{BorrowedSocket, Sibling};

use crate::common::PATIENCE;
use crate::common::home::nft;
use crate::scene::{Scene, is_over};

const NAMED: &str = "--stun=stun:20.0.0.3";

const PORT: &str = "60001";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let with_a_server = [
        scenario!(behind_a_carriers_nat_a_host_is_reached_directly),
        scenario!(behind_a_jump_host_a_host_is_reached_directly),
        scenario!(of_two_hosts_with_one_port_the_second_is_reached_directly),
    ];
    let without = [
        scenario!(without_a_server_a_host_behind_a_carriers_nat_is_reached_over_ssh),
        scenario!(without_a_server_a_host_behind_a_jump_host_is_reached_over_ssh),
        scenario!(without_a_server_the_second_host_with_one_port_is_reached_over_ssh),
        scenario!(a_server_that_is_down_keeps_nobody_waiting),
        scenario!(what_is_no_answer_to_the_question_leads_nowhere),
        scenario!(nobody_else_gets_the_port_while_siblings_come_and_go).needs(&["python3", "setpriv"]),
    ];
    with_a_server.into_iter().map(|scenario| scenario.needs(&["turnserver"])).chain(without).collect()
}

fn behind_a_carriers_nat_a_host_is_reached_directly(lab: &Lab) -> Result<()> {
    let scene = behind_a_carriers_nat(lab)?;
    goes_directly_with_a_server(lab, scene)
}

fn without_a_server_a_host_behind_a_carriers_nat_is_reached_over_ssh(lab: &Lab) -> Result<()> {
    goes_over_ssh(behind_a_carriers_nat(lab)?)
}

fn behind_a_jump_host_a_host_is_reached_directly(lab: &Lab) -> Result<()> {
    let scene = behind_a_jump_host(lab)?;
    goes_directly_with_a_server(lab, scene)
}

fn without_a_server_a_host_behind_a_jump_host_is_reached_over_ssh(lab: &Lab) -> Result<()> {
    goes_over_ssh(behind_a_jump_host(lab)?)
}

fn of_two_hosts_with_one_port_the_second_is_reached_directly(lab: &Lab) -> Result<()> {
    let scene = of_two_hosts_with_one_port(lab)?;
    goes_directly_with_a_server(lab, scene)
}

fn without_a_server_the_second_host_with_one_port_is_reached_over_ssh(lab: &Lab) -> Result<()> {
    goes_over_ssh(of_two_hosts_with_one_port(lab)?)
}

/// It is told in the log alone.
fn a_server_that_is_down_keeps_nobody_waiting(lab: &Lab) -> Result<()> {
    let mut scene = two_homes(lab)?;
    let server = host_on_the_internet(lab, &scene)?;
    nft(
        &server,
        "table inet down { chain input { type filter hook input priority 0; udp dport 3478 drop; }; }\n",
    )?;
    scene.begin(&[NAMED])?;
    scene.goes("Punched")?;
    let log = scene.log();
    ensure!(log.contains("these STUN servers do not answer"), "{log}");
    let said = scene.leaves()?;
    ensure!(!said.to_lowercase().contains("stun"), "{said}");
    Ok(())
}

/// Of another transaction, of a private address, and no message at all.
fn what_is_no_answer_to_the_question_leads_nowhere(lab: &Lab) -> Result<()> {
    let scene = of_two_hosts_with_one_port(lab)?;
    let server = host_on_the_internet(lab, &scene)?;
    let liar = server.spawn("stun server that lies", &server.command("python3").args(["-u", "-c", LIAR]))?;
    liar.wait_for_log("listening", PATIENCE)?;
    let log = goes_over_ssh_all_the_same(scene, &[NAMED])?;
    ensure!(liar.log().matches("asked").count() >= 2, "by both: {}", liar.log());
    ensure!(!log.contains("20.0.0.66:6666"), "{log}");
    let outcomes: Vec<_> = log.lines().filter(|line| line.contains("outcome=")).collect();
    ensure!(!outcomes.is_empty() && outcomes.iter().all(|line| !line.contains("192.168.7.7")), "{log}");
    Ok(())
}

const LIAR: &str = r#"
import socket, struct
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 3478))
print("listening")
def told(key, address, port):
    return struct.pack(">HH", 0x101, 12) + key + struct.pack(">HHBBH", 1, 8, 0, 1, port) + socket.inet_aton(address)
while True:
    request, client = server.recvfrom(2048)
    print("asked by", client)
    cookie, transaction = request[4:8], request[8:20]
    other = bytes(byte ^ 255 for byte in transaction)
    for answer in [b"", b"garbage", request, told(cookie + other, "20.0.0.66", 6666), told(cookie + transaction, "192.168.7.7", 7777)]:
        server.sendto(answer, client)
"#;

/// However fast another user's program is, and whatever it asks the kernel for.
fn nobody_else_gets_the_port_while_siblings_come_and_go(lab: &Lab) -> Result<()> {
    let link = lab.link("wire")?;
    let host = lab.host("host").attach("eth0", &link, &["20.0.0.7/24"]).start()?;
    let owner = host.inside(|| Ok(UdpSocket::bind(("::", PORT.parse()?))?))?;
    let as_another = ["--reuid=65534", "--regid=65534", "--clear-groups", "python3", "-u", "-c", TAKER];
    let taker = host.spawn("who wants the port", &host.command("setpriv").args(as_another).arg(PORT))?;
    taker.wait_for_log("tries", PATIENCE)?;
    let tries = |log: &str| log.matches("tries").count();
    let before = tries(&taker.log());
    host.inside(|| {
        let borrowed = BorrowedSocket::received(owner.try_clone()?.into()).context("a UDP socket")?;
        for _ in 0..WINDOWS {
            Sibling::of(&borrowed, "20.0.0.7:3478".parse()?)?;
        }
        Ok(())
    })?;
    let log = taker.log();
    ensure!(!log.contains("got it") && tries(&log) > before, "{log}");
    Ok(())
}

const WINDOWS: usize = 1_000;

/// It says so after each few tries.
const TAKER: &str = r#"
import itertools, socket, sys
port = int(sys.argv[1])
ways = list(itertools.product(
    [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET, "20.0.0.7"), (socket.AF_INET6, "::"), (socket.AF_INET6, "::ffff:20.0.0.7")],
    [[], [socket.SO_REUSEADDR], [socket.SO_REUSEPORT], [socket.SO_REUSEADDR, socket.SO_REUSEPORT]]))
while True:
    for (family, address), options in ways:
        taker = socket.socket(family, socket.SOCK_DGRAM)
        for option in options:
            taker.setsockopt(socket.SOL_SOCKET, option, 1)
        for _ in range(20):
            try:
                taker.bind((address, port))
                sys.exit("got it")
            except OSError:
                pass
        taker.close()
    print("tries")
"#;

fn two_homes(lab: &Lab) -> Result<Scene> {
    Scene::raise(lab, Some(Nat::home("wan0")), Nat::home("wan0"))
}

/// Which shares an address among its customers, and so gives each of them other ports. It forwards ssh.
fn behind_a_carriers_nat(lab: &Lab) -> Result<Scene> {
    let scene = two_homes(lab)?;
    let shared = lab.link("shared")?;
    let carrier = lab.host("carrier").attach("wan0", &scene.network.internet, &["20.0.0.50/24"]);
    let carrier = carrier.attach("lan0", &shared, &["100.64.0.1/24"]).default_route("20.0.0.2").start()?;
    carrier.nat(&Nat::home("wan0").forward(Protocol::Tcp, 8022, "100.64.0.2:8022"))?;
    gives_another_port(&carrier)?;
    scene.network.router.join("wan0", &shared, &["100.64.0.2/24"], &["100.64.0.1"])?;
    configure(&scene, "Host router\n HostName 20.0.0.50\n")?;
    Ok(scene)
}

/// Which sees ssh come from the jump host, and is seen by nobody else.
fn behind_a_jump_host(lab: &Lab) -> Result<Scene> {
    let mut scene = two_homes(lab)?;
    scene.destination = ["--ssh=ssh", "router"];
    configure(&scene, "Host router\n HostName 192.168.1.10\n ProxyJump gw\nHost gw\n HostName 20.0.0.1\n")?;
    Ok(scene)
}

fn of_two_hosts_with_one_port(lab: &Lab) -> Result<Scene> {
    let scene = two_homes(lab)?;
    gives_another_port(&scene.network.router)?;
    Ok(scene)
}

/// For mosh-server's is somebody else's already. It is the same for all whom mosh-server sends to.
fn gives_another_port(router: &Host) -> Result<()> {
    let rule = format!("oifname \"wan0\" udp sport {PORT} masquerade to :51234");
    let chain = format!("chain postrouting {{ type nat hook postrouting priority srcnat - 1; {rule}; }}");
    nft(router, &format!("table ip taken {{ {chain}; }}\n"))
}

fn configure(scene: &Scene, text: &str) -> Result<()> {
    scene.laptop().write_user_file("/home/alice/.ssh/config", text)
}

fn host_on_the_internet(lab: &Lab, scene: &Scene) -> Result<Host> {
    let host = lab.host("stun").attach("eth0", &scene.network.internet, &["20.0.0.3/24"]);
    host.default_route("20.0.0.2").start()
}

fn stun_server(host: &Host) -> Result<Daemon> {
    let options = ["-n", "--stun-only", "--no-cli", "--no-tls", "--no-dtls", "--listening-ip=20.0.0.3"];
    let places =
        ["--log-file=stdout", "--simple-log", "--pidfile=/tmp/turnserver.pid", "--userdb=/tmp/turndb"];
    let server = host.spawn("turnserver", &host.command("turnserver").args(options).args(places))?;
    lab::wait_until("the STUN server", PATIENCE, || {
        let listening = host.command("ss").args(["-Huln", "sport", "=", ":3478"]).run(PATIENCE)?;
        Ok((!listening.stdout.trim().is_empty()).then_some(()))
    })?;
    Ok(server)
}

fn goes_directly_with_a_server(lab: &Lab, mut scene: Scene) -> Result<()> {
    let host = host_on_the_internet(lab, &scene)?;
    let _server = stun_server(&host)?;
    scene.begin(&["-p", PORT, NAMED])?;
    scene.goes("Punched")?;
    scene.leaves_having_gone_through_a_hole().map(drop)
}

fn goes_over_ssh(scene: Scene) -> Result<()> {
    goes_over_ssh_all_the_same(scene, &[]).map(drop)
}

/// However often a hole was tried. The client's log.
fn goes_over_ssh_all_the_same(mut scene: Scene, options: &[&str]) -> Result<String> {
    scene.begin(&[options, &["-p", PORT]].concat())?;
    let tried =
        lab::wait_until("rounds that have failed", PATIENCE, || Ok(is_over(&scene.log(), 2).then_some(())));
    scene.explained(tried)?;
    scene.computes()?;
    let log = scene.log();
    ensure!(!log.contains("kind: Punched"), "{log}");
    ensure!(log.contains("kind: Carried"), "{log}");
    scene.leaves()?;
    Ok(log)
}
