//! Each cell of mapping × filtering (RFC 4787), shown by datagrams.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Filtering, Host, Lab, Mapping, Nat, scenario};

const LIMIT: Duration = Duration::from_secs(30);
const ONE: &str = "20.0.0.11";
const TWO: &str = "20.0.0.12";
const THREE: &str = "20.0.0.13";

struct Network {
    router: Host,
    inside: Host,
    outside: Host,
}

impl Network {
    fn raise(lab: &Lab, nat: &Nat) -> Result<Self> {
        let (internet, home) = (lab.link("internet")?, lab.link("home")?);
        let router = lab.host("router").attach("wan0", &internet, &["20.0.0.1/24"]);
        let router = router.attach("lan0", &home, &["192.168.1.1/24"]).start()?;
        router.nat(nat)?;
        let inside = lab.host("inside").attach("eth0", &home, &["192.168.1.10/24"]);
        let addresses = ["20.0.0.11/24", "20.0.0.12/24", "20.0.0.13/24"];
        let outside = lab.host("outside").attach("eth0", &internet, &addresses);
        let inside = inside.default_route("192.168.1.1").start()?;
        Ok(Self { router, inside, outside: outside.start()? })
    }

    /// The outside ports that one inner socket has towards two ports of each address.
    fn outside_ports(&self) -> Result<[[u16; 2]; 3]> {
        let inner = self.inside.udp("0.0.0.0:5000")?;
        let mut ports = [[0; 2]; 3];
        for (address, ports) in [ONE, TWO, THREE].iter().zip(&mut ports) {
            for (destination, port) in [7001, 7002].iter().zip(ports) {
                let peer = self.outside.udp(&format!("{address}:{destination}"))?;
                inner.send("hello", (*address, *destination))?;
                let (_, from) = peer.receive(LIMIT)?;
                ensure!(from.ip().to_string() == "20.0.0.1", "{from} is not the router");
                *port = from.port();
            }
        }
        Ok(ports)
    }

    /// Who gets in to an inner socket that has sent to ONE, port 7001, alone. Links keep the order of datagrams,
    /// so whatever has not come before the peer's own answer will not come.
    fn admitted(&self) -> Result<Vec<String>> {
        let inner = self.inside.udp("0.0.0.0:5001")?;
        let peer = self.outside.udp(&format!("{ONE}:7001"))?;
        inner.send("hello", (ONE, 7001))?;
        let (_, outer) = peer.receive(LIMIT)?;
        self.outside.udp(&format!("{TWO}:7001"))?.send("another address", outer)?;
        self.outside.udp(&format!("{ONE}:7002"))?.send("another port", outer)?;
        peer.send("the peer", outer)?;
        let mut admitted = Vec::new();
        while admitted.last().is_none_or(|last| last != "the peer") {
            admitted.push(inner.receive(LIMIT)?.0);
        }
        Ok(admitted)
    }
}

/// Random ports may be the same by chance, but not so often.
fn check_mapping(mapping: Mapping, ports: [[u16; 2]; 3]) {
    let different = ports.iter().flatten().collect::<BTreeSet<_>>().len();
    let by_address = ports.iter().all(|[one, other]| one == other);
    match mapping {
        Mapping::EndpointIndependent => assert_eq!(different, 1, "{ports:?}"),
        Mapping::AddressDependent => assert!(by_address && different > 1, "{ports:?}"),
        Mapping::AddressAndPortDependent => assert!(different > 3, "{ports:?}"),
    }
}

fn check_cell(lab: &Lab, mapping: Mapping, filtering: Filtering) -> Result<()> {
    let network = Network::raise(lab, &Nat::home("wan0").mapping(mapping).filtering(filtering))?;
    check_mapping(mapping, network.outside_ports()?);
    let expected: &[&str] = match filtering {
        Filtering::EndpointIndependent => &["another address", "another port", "the peer"],
        Filtering::AddressDependent => &["another port", "the peer"],
        Filtering::AddressAndPortDependent => &["the peer"],
    };
    assert_eq!(network.admitted()?, expected);
    Ok(())
}

macro_rules! cells {
    ($($name:ident: $mapping:ident, $filtering:ident;)*) => {
        $(fn $name(lab: &Lab) -> Result<()> {
            check_cell(lab, Mapping::$mapping, Filtering::$filtering)
        })*
        fn cells() -> Vec<lab::harness::Scenario> {
            vec![$(scenario!($name)),*]
        }
    };
}

cells! {
    endpoint_independent_mapping_and_filtering: EndpointIndependent, EndpointIndependent;
    endpoint_independent_mapping_address_dependent_filtering: EndpointIndependent, AddressDependent;
    endpoint_independent_mapping_port_dependent_filtering: EndpointIndependent, AddressAndPortDependent;
    address_dependent_mapping_endpoint_independent_filtering: AddressDependent, EndpointIndependent;
    address_dependent_mapping_and_filtering: AddressDependent, AddressDependent;
    address_dependent_mapping_port_dependent_filtering: AddressDependent, AddressAndPortDependent;
    port_dependent_mapping_endpoint_independent_filtering: AddressAndPortDependent, EndpointIndependent;
    port_dependent_mapping_address_dependent_filtering: AddressAndPortDependent, AddressDependent;
    port_dependent_mapping_and_filtering: AddressAndPortDependent, AddressAndPortDependent;
}

/// What the inner socket gets from ONE after a silence.
fn first_datagram_after_silence(network: &Network, silence: Duration) -> Result<String> {
    let inner = network.inside.udp("0.0.0.0:5000")?;
    let (one, two) =
        (network.outside.udp(&format!("{ONE}:7001"))?, network.outside.udp(&format!("{TWO}:7001"))?);
    inner.send("hello", (ONE, 7001))?;
    let (_, outer): (_, SocketAddr) = one.receive(LIMIT)?;
    assert_eq!(inner.receive_if_any(silence)?, None);
    one.send("after the silence", outer)?;
    inner.send("hello", (TWO, 7001))?;
    let (_, outer) = two.receive(LIMIT)?;
    two.send("from elsewhere", outer)?;
    Ok(inner.receive(LIMIT)?.0)
}

fn check_timeout(lab: &Lab, filtering: Filtering) -> Result<()> {
    let nat = |timeout| Nat::home("wan0").filtering(filtering).udp_timeout(timeout);
    let silence = Duration::from_secs(3);
    let network = Network::raise(lab, &nat(20 * silence))?;
    assert_eq!(first_datagram_after_silence(&network, silence)?, "after the silence");
    network.router.nat(&nat(silence / 3))?;
    network.router.forget_connections()?;
    let first = first_datagram_after_silence(&network, silence)?;
    assert_eq!(first, "from elsewhere");
    Ok(())
}

fn an_idle_mapping_of_the_kernel_ends_after_its_timeout(lab: &Lab) -> Result<()> {
    check_timeout(lab, Filtering::AddressAndPortDependent)
}

fn an_idle_mapping_in_memory_ends_after_its_timeout(lab: &Lab) -> Result<()> {
    check_timeout(lab, Filtering::AddressDependent)
}

fn a_router_that_forgets_its_connections_gives_another_port(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab, &Nat::symmetric("wan0"))?;
    let (inner, peer) = (network.inside.udp("0.0.0.0:5000")?, network.outside.udp(&format!("{ONE}:7001"))?);
    let outer = || {
        inner.send("hello", (ONE, 7001))?;
        Ok::<_, anyhow::Error>(peer.receive(LIMIT)?.1)
    };
    let before = outer()?;
    assert_eq!(outer()?, before);
    // Random ports may be the same by chance, but not three times.
    let mut after = BTreeSet::new();
    for _ in 0..3 {
        network.router.forget_connections()?;
        after.insert(outer()?);
    }
    ensure!(after.iter().any(|port| *port != before), "{before} all the time");
    Ok(())
}

fn main() -> ExitCode {
    let others = [
        scenario!(a_router_that_forgets_its_connections_gives_another_port),
        scenario!(an_idle_mapping_of_the_kernel_ends_after_its_timeout),
        scenario!(an_idle_mapping_in_memory_ends_after_its_timeout),
    ];
    lab::harness::run(cells().into_iter().chain(others))
}
