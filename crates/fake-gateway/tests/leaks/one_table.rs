//! A router with one table for all protocols, as miniupnpd has it: what one protocol gives back may be what another has
//! made. Meanwhile another host waits for the port.

use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::time::Duration;

use fake_gateway::{FakeGateway, Mapping, Simulation};
use portmap::mapper::{Event, External, Mapper, Protocol, Wanted};
use portmap::mapping::Transport;

use super::{HOST, LAST_PORT, PORT, settings};

const NEXT_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 11);
const OTHER_HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 20);
const STEP: Duration = Duration::from_millis(10);
const A_WHILE: Duration = Duration::from_secs(30);

struct Host {
    gateway: Simulation,
    mapper: Mapper,
    address: Ipv4Addr,
    other_waits: bool,
    /// With the external port, and whether it was this host's in that moment.
    told: Vec<(&'static str, u16, bool)>,
}

impl Host {
    /// By a server that has answered PCP's probe at once, and comes to what is asked then after `queue`: UPnP serves.
    fn where_pcp_waits(queue: Duration) -> Self {
        let mut gateway = FakeGateway::builder().simulate(HOST).with_latency(STEP);
        let mut mapper = Mapper::new(settings(&gateway, &Protocol::ALL), gateway.now());
        gateway.advance(&mut mapper, Duration::from_millis(100), |_| {});
        gateway.queue(queue);
        let external = External::Near(PORT..=LAST_PORT);
        mapper.map(Wanted { transport: Transport::Udp, internal_port: PORT, external }, gateway.now());
        Self { gateway, mapper, address: HOST, other_waits: false, told: Vec::new() }
    }

    /// The other host has the port as soon as it is free.
    fn beside_another(self) -> Self {
        Self { other_waits: true, ..self }
    }

    fn live(&mut self, time: Duration) {
        let end = self.gateway.now() + time;
        while self.gateway.now() < end {
            self.step();
        }
    }

    fn step(&mut self) {
        let mut told = Vec::new();
        self.gateway.advance(&mut self.mapper, STEP, |event| match event {
            Event::Mapped(mapping) => told.push(("mapped", mapping.external_port().get())),
            Event::Changed(mapping) => told.push(("changed", mapping.external_port().get())),
            _ => {}
        });
        let told = told.into_iter().map(|(what, port)| (what, port, self.is_mapped(port)));
        self.told.extend(told.collect::<Vec<_>>());
        let was_made = self.gateway.counters().action("AddPortMapping") > 0;
        if self.other_waits && was_made && self.gateway.mappings().is_empty() {
            self.gateway.insert(Mapping::udp(PORT.get(), OTHER_HOST, PORT.get(), "a game"));
        }
    }

    fn is_mapped(&self, port: u16) -> bool {
        let all = self.gateway.mappings();
        all.iter().any(|it| (it.external_port, it.client) == (port, self.address))
    }

    fn move_to(&mut self, address: Ipv4Addr) {
        self.address = address;
        self.gateway.move_host(address);
        self.mapper.move_to(address.into(), Some(self.gateway.address()), self.gateway.now());
    }
}

#[test]
fn no_port_is_told_that_is_given_back_by_another_protocol() {
    for tenths in 0..=40 {
        let queue = Duration::from_millis(100 * tenths);
        let mut host = Host::where_pcp_waits(queue).beside_another();
        host.live(A_WHILE);
        let [("mapped", port, true)] = host.told[..] else { panic!("behind {queue:?}: {:?}", host.told) };
        assert!(host.is_mapped(port), "behind {queue:?}");
    }
}

#[test]
fn a_deletion_that_is_never_answered_holds_a_mapping_back_for_seconds_at_most() {
    let mut host = Host::where_pcp_waits(Duration::from_secs(600));
    host.live(Duration::from_secs(9));
    assert_eq!(host.told, [("mapped", 60001, true)]);
}

#[test]
fn what_was_not_told_yet_is_given_back_where_another_port_was_promised() {
    let mut host = Host::where_pcp_waits(Duration::from_secs(3));
    host.live(Duration::from_secs(2));
    assert_eq!((host.is_mapped(60001), &host.told[..]), (true, &[][..]));
    host.mapper.insist(NonZeroU16::new(60005).unwrap(), host.gateway.now());
    host.live(A_WHILE);
    assert_eq!(host.told, [("mapped", 60005, true)]);
    assert!(!host.is_mapped(60001));
}

#[test]
fn a_host_that_moves_before_it_was_told_is_told_of_the_mapping_at_its_new_address() {
    let mut host = Host::where_pcp_waits(Duration::from_secs(3));
    host.live(Duration::from_secs(2));
    assert_eq!((host.is_mapped(60001), &host.told[..]), (true, &[][..]));
    host.move_to(NEXT_ADDRESS);
    host.live(A_WHILE);
    let [("mapped", port, true)] = host.told[..] else { panic!("{:?}", host.told) };
    assert!(host.is_mapped(port));
}

#[test]
fn a_release_before_it_was_told_leaves_nothing() {
    let mut host = Host::where_pcp_waits(Duration::from_secs(3));
    host.live(Duration::from_secs(2));
    host.mapper.release(host.gateway.now());
    host.live(A_WHILE);
    assert_eq!(host.told, []);
    assert!(host.mapper.has_ended() && host.gateway.mappings().is_empty());
}
