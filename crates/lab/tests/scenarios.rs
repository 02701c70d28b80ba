//! The lab's own tests: real programs in real namespaces.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Lab, Protocol, WriteUp, scenario};

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn ssh_reaches_router_and_server_without_prompts(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let ssh = || network.laptop.command("ssh").as_user("alice");
    assert_eq!(ssh().args(["router", "hostname"]).run(seconds(10))?.stdout, "router\n");
    assert_eq!(ssh().args(["-p", "8022", "router", "hostname"]).run(seconds(10))?.stdout, "server\n");
    Ok(())
}

fn an_installed_program_is_found_by_a_login(lab: &Lab) -> Result<()> {
    lab.install(Path::new(env!("CARGO_BIN_EXE_lab")))?;
    let network = WriteUp::raise(lab)?;
    let login =
        network.laptop.command("ssh").args(["-p", "8022", "router", "lab --version"]).as_user("alice");
    assert_eq!(login.run(seconds(10))?.stdout, concat!("lab ", env!("CARGO_PKG_VERSION"), "\n"));
    Ok(())
}

fn stock_mosh_to_the_router_is_typed_into_and_read(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let mosh = network.laptop.command("mosh").arg("router").as_user("alice");
    let mut terminal = network.laptop.terminal(&mosh, 24, 80)?;
    terminal.wait_for("alice@router", seconds(10))?;
    terminal.type_text("echo $((6*7))\r")?;
    terminal.wait_for("\n42\n", seconds(5))?;
    assert_eq!(network.router.processes("mosh-server")?.len(), 1);
    terminal.type_text("exit\r")?;
    ensure!(terminal.wait_exit(seconds(5))?.success());
    Ok(())
}

fn miniupnpd_maps_a_port_that_then_leads_to_the_server(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let upnpc = ["-e", "the lab", "-a", WriteUp::SERVER, "60002", "60001", "UDP", "60"];
    network.server.command("upnpc").args(upnpc).run(seconds(10))?;

    let leases = network.router.leases()?;
    assert_eq!(leases.len(), 1);
    assert_eq!(
        (leases[0].protocol, leases[0].external_port, leases[0].internal_port),
        (Protocol::Udp, 60001, 60002)
    );

    let server = network.server.inside(|| Ok(std::net::UdpSocket::bind("0.0.0.0:60002")?))?;
    let laptop = network.laptop.inside(|| Ok(std::net::UdpSocket::bind("0.0.0.0:0")?))?;
    server.set_read_timeout(Some(seconds(5)))?;
    laptop.send_to(b"knock", (WriteUp::ROUTER_OUTSIDE, 60001))?;
    let mut datagram = [0; 16];
    let (length, _from) = server.recv_from(&mut datagram)?;
    assert_eq!(&datagram[..length], b"knock");
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run([
        scenario!(ssh_reaches_router_and_server_without_prompts).needs(&["ssh", "sshd"]),
        scenario!(an_installed_program_is_found_by_a_login).needs(&["ssh", "sshd"]),
        scenario!(stock_mosh_to_the_router_is_typed_into_and_read).needs(&["mosh", "sshd"]),
        scenario!(miniupnpd_maps_a_port_that_then_leads_to_the_server).needs(&["miniupnpd", "sshd", "upnpc"]),
    ])
}
