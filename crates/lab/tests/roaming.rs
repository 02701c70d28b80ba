//! Hosts that change links and addresses while programs run.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Direction, Host, Impairment, Lab, Link, Nat, Sshd, USER, UdpPeer, scenario, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

/// Two homes, each behind its own router, and a server on the internet. The laptop is in the first home.
struct Network {
    routers: [Host; 2],
    homes: [Link; 2],
    laptop: Host,
    server: Host,
}

impl Network {
    fn raise(lab: &Lab) -> Result<Self> {
        let internet = lab.link("internet")?;
        let homes = [lab.link("home-1")?, lab.link("home-2")?];
        let router = |number: usize| {
            let router = lab.host(&format!("router-{}", number + 1));
            let router = router.attach("wan0", &internet, &[&format!("20.0.0.{}/24", number + 1)]);
            let addresses = [&*format!("192.168.{number}.1/24"), &format!("2001:db8:{number}::1/64")];
            router.attach("lan0", &homes[number], &addresses).start()
        };
        let routers = [router(0)?, router(1)?];
        routers.iter().try_for_each(|router| router.nat(&Nat::home("wan0")))?;
        let laptop = lab.host("laptop").attach("wlan0", &homes[0], &["192.168.0.5/24", "2001:db8:0::5/64"]);
        let laptop = laptop.default_route("192.168.0.1").default_route("2001:db8:0::1").start()?;
        let server = lab.host("server").attach("eth0", &internet, &["20.0.0.80/24"]).start()?;
        Ok(Self { routers, homes, laptop, server })
    }

    fn take_the_laptop_to_the_second_home(&self) -> Result<()> {
        let addresses = ["192.168.1.6/24", "2001:db8:1::6/64"];
        self.laptop.join("wlan0", &self.homes[1], &addresses, &["192.168.1.1", "2001:db8:1::1"])
    }

    /// As whom the server sees the laptop.
    fn seen_as(&self, laptop: &UdpPeer, server: &UdpPeer) -> Result<String> {
        laptop.send("who am I", ("20.0.0.80", 7000))?;
        Ok(server.receive(LIMIT)?.1.ip().to_string())
    }
}

fn an_open_socket_goes_along_to_the_next_home(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let (laptop, server) = (network.laptop.udp("0.0.0.0:5000")?, network.server.udp("0.0.0.0:7000")?);
    assert_eq!(network.seen_as(&laptop, &server)?, "20.0.0.1");
    network.take_the_laptop_to_the_second_home()?;
    assert_eq!(network.seen_as(&laptop, &server)?, "20.0.0.2");
    let shown = network.laptop.command("ip").args(["address", "show", "wlan0"]).run(LIMIT)?.stdout;
    ensure!(!shown.contains("192.168.0.5") && !shown.contains("2001:db8::5"), "{shown}");
    let (laptop, router) = (network.laptop.udp("[::]:6000")?, network.routers[1].udp("[::]:6000")?);
    laptop.round_trip(&router, ("2001:db8:1::1", 6000), LIMIT)?;
    let known = network.routers[1].read_file("/etc/hosts")?;
    ensure!(known.contains("192.168.1.6 laptop") && !known.contains("192.168.0.5"), "{known}");
    Ok(())
}

fn stock_mosh_goes_along_to_the_next_home(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let _sshd = network.server.sshd(&Sshd::default())?;
    let mosh = network.laptop.command("mosh").arg("server").as_user(USER);
    let mut terminal = network.laptop.terminal(&mosh, 24, 80)?;
    terminal.wait_for("alice@server", LIMIT)?;
    network.take_the_laptop_to_the_second_home()?;
    terminal.type_text("echo $((6*7))\r")?;
    terminal.wait_for("\n42\n", LIMIT)
}

fn an_interface_that_was_down_has_its_addresses_and_routes_again(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let (laptop, server) = (network.laptop.udp("[::]:5000")?, network.server.udp("0.0.0.0:7000")?);
    let router = network.routers[0].udp("[::]:6000")?;
    network.laptop.interface_down("wlan0")?;
    ensure!(laptop.send("unreachable", "[::ffff:20.0.0.80]:7000").is_err());
    network.laptop.interface_up("wlan0")?;
    laptop.round_trip(&server, "[::ffff:20.0.0.80]:7000", LIMIT)?;
    laptop.round_trip(&router, "[2001:db8::1]:6000", LIMIT)?;
    Ok(())
}

fn a_router_gets_another_outside_address(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let (laptop, server) = (network.laptop.udp("0.0.0.0:5000")?, network.server.udp("0.0.0.0:7000")?);
    assert_eq!(network.seen_as(&laptop, &server)?, "20.0.0.1");
    network.routers[0].readdress("wan0", &["20.0.0.99/24"], &[])?;
    // A worker of the kernel's forgets the old translations a moment after the address has gone.
    wait_until("the flow to come from the new address", LIMIT, || {
        Ok((network.seen_as(&laptop, &server)? == "20.0.0.99").then_some(()))
    })
}

fn delays_go_along_with_the_interface_and_stay_with_the_link(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let delay = Impairment::NONE.delay(Duration::from_millis(100));
    network.laptop.impair("wlan0", Direction::FromHost, delay)?;
    network.homes[0].impair(delay)?;
    network.take_the_laptop_to_the_second_home()?;
    let (laptop, router) = (network.laptop.udp("0.0.0.0:5000")?, network.routers[1].udp("0.0.0.0:6000")?);
    // A busy machine lets single frames wait.
    let trips = (0..20).map(|_| laptop.round_trip(&router, "192.168.1.1:6000", LIMIT));
    let shortest = trips.collect::<Result<Vec<_>>>()?.into_iter().min().unwrap_or_default();
    ensure!((100..200).contains(&shortest.as_millis()), "{shortest:?}");
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run([
        scenario!(an_open_socket_goes_along_to_the_next_home),
        scenario!(stock_mosh_goes_along_to_the_next_home).needs(&["mosh", "sshd"]),
        scenario!(an_interface_that_was_down_has_its_addresses_and_routes_again),
        scenario!(a_router_gets_another_outside_address),
        scenario!(delays_go_along_with_the_interface_and_stay_with_the_link).needs_delays(),
    ])
}
