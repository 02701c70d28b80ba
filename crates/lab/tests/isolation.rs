//! Labs see neither each other nor the machine's own network.

use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Lab, UdpPeer, WriteUp, holders, scenario};

const LIMIT: Duration = Duration::from_secs(30);
const TIME_TO_BE_REFUSED: Duration = Duration::from_secs(1);

fn ends(network: &WriteUp) -> Result<(UdpPeer, UdpPeer)> {
    Ok((network.router.udp("0.0.0.0:0")?, network.server.udp("0.0.0.0:7000")?))
}

fn two_labs_have_the_same_names_and_addresses_at_once(lab: &Lab) -> Result<()> {
    let other_lab = Lab::new("other")?;
    let (network, other) = (WriteUp::raise(lab)?, WriteUp::raise(&other_lab)?);
    let ((router, server), (other_router, other_server)) = (ends(&network)?, ends(&other)?);
    router.send("here", (WriteUp::SERVER, 7000))?;
    other_router.send("there", (WriteUp::SERVER, 7000))?;
    assert_eq!(server.receive(LIMIT)?.0, "here");
    assert_eq!(other_server.receive(LIMIT)?.0, "there");
    assert_eq!(server.receive_if_any(Duration::from_millis(100))?, None);

    network.server.write_file("/etc/whose", "here")?;
    ensure!(other.server.read_file("/etc/whose").is_err(), "a file of one lab is seen in the other");
    ensure!(!std::path::Path::new("/etc/whose").exists(), "a file of a lab is seen on the machine");
    Ok(())
}

/// Of the machine, loopback included.
fn own_addresses() -> Result<Vec<IpAddr>> {
    let shown = Command::new("hostname").arg("-I").output()?;
    let addresses = String::from_utf8(shown.stdout)?;
    let mut own: Vec<IpAddr> = addresses.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    own.push(Ipv4Addr::LOCALHOST.into());
    Ok(own)
}

fn the_machines_addresses_are_out_of_reach(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    let listener = TcpListener::bind("[::]:0")?;
    let port = listener.local_addr()?.port();
    for address in own_addresses()? {
        let connect = |within| Ok(TcpStream::connect_timeout(&(address, port).into(), within)?);
        ensure!(connect(LIMIT).is_ok(), "the machine cannot reach itself at {address}");
        for host in [&network.server, &network.router, &network.laptop] {
            ensure!(
                host.inside(|| connect(TIME_TO_BE_REFUSED)).is_err(),
                "{} reaches the machine at {address}",
                host.name()
            );
        }
    }
    Ok(())
}

fn no_way_leads_out(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    for (host, default) in [
        (&network.server, "default via 192.168.1.1 dev eth0 \n"),
        (&network.router, ""),
        (&network.laptop, ""),
    ] {
        for (version, expected) in [("-4", default), ("-6", "")] {
            let routes = host.command("ip").args([version, "route", "show", "default"]).run(LIMIT)?;
            assert_eq!(routes.stdout, expected, "{} {version}", host.name());
        }
    }
    Ok(())
}

fn every_namespace_of_a_lab_is_its_own(lab: &Lab) -> Result<()> {
    let _network = WriteUp::raise(lab)?;
    let network_of = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net"));
    let pids = holders(lab.directory())?;
    assert_eq!(pids.len(), 4, "three hosts and the fabric");
    let mut networks = pids.iter().map(|pid| network_of(&pid.to_string())).collect::<Result<Vec<_>, _>>()?;
    networks.push(network_of("self")?);
    networks.sort();
    networks.dedup();
    assert_eq!(networks.len(), 5);
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run([
        scenario!(two_labs_have_the_same_names_and_addresses_at_once).needs(&["sshd"]),
        scenario!(the_machines_addresses_are_out_of_reach).needs(&["sshd", "hostname"]),
        scenario!(no_way_leads_out).needs(&["sshd"]),
        scenario!(every_namespace_of_a_lab_is_its_own).needs(&["sshd"]),
    ])
}
