//! PCP and NAT-PMP beside UPnP at one gateway that takes its time: whatever comes first and whatever comes late, one
//! mapping is kept, and none is left.

use std::collections::BTreeMap;

use super::router::{Entry, Router, answer};
use super::*;
use crate::control_port::SERVER_PORT;
use crate::effects::{ExchangeInput, Reservation};

/// How long PCP takes to answer, from at once to later than anybody waits.
const PCP_TAKES: [u64; 7] = [0, 300, 600, 1_300, 2_500, 5_000, 15_000];
/// How long UPnP takes for each answer.
const UPNP_TAKES: [u64; 3] = [0, 250, 1_600];
const HOST: &str = "192.168.1.10";
/// When the session ends; the last is when everything has come to rest.
const ENDS: [u64; 5] = [50, 1_000, 1_700, 5_000, 100_000];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pcp {
    Grants,
    Refuses,
    Silent,
}

/// One gateway; answers are on their way for as long as each protocol takes.
struct Gateway {
    pcp: Pcp,
    pcp_takes: Duration,
    upnp_takes: Duration,
    /// Whether it keeps one table for both protocols, as miniupnpd does.
    shares: bool,
    /// By PCP.
    mapped: Option<u16>,
    /// By NAT-PMP, which is never late.
    mapped_by_nat_pmp: Option<u16>,
    router: Router,
    under_way: BTreeMap<(Instant, usize), Delivery>,
    number: usize,
}

enum Delivery {
    Datagram(Vec<u8>),
    Request(Vec<u8>),
    Found,
    Exchange(crate::effects::Exchange),
}

impl Gateway {
    fn new(pcp: Pcp) -> Self {
        Self {
            pcp,
            pcp_takes: Duration::ZERO,
            upnp_takes: Duration::ZERO,
            shares: false,
            mapped: None,
            mapped_by_nat_pmp: None,
            router: Router::new(),
            under_way: BTreeMap::new(),
            number: 0,
        }
    }

    fn send(&mut self, at: Instant, delivery: Delivery) {
        self.number += 1;
        self.under_way.insert((at, self.number), delivery);
    }

    /// What PCP makes of a request, and says.
    fn answer(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        if request[0] == 0 {
            return Some(self.answer_nat_pmp(request));
        }
        let is_probe = request[1] == 0;
        let mut answer = request[..24].to_vec();
        answer[1] |= 0x80;
        answer[8..24].fill(0);
        match is_probe {
            true => (self.pcp != Pcp::Silent).then_some(answer),
            false => self.map(request),
        }
    }

    fn answer_nat_pmp(&mut self, request: &[u8]) -> Vec<u8> {
        if request[1] == 0 {
            return vec![0, 128, 0, 0, 0, 0, 3, 232, 20, 0, 0, 1];
        }
        let is_wanted = request[8..12] != [0; 4];
        self.mapped_by_nat_pmp = is_wanted.then(|| u16::from_be_bytes([request[6], request[7]]));
        [&[0, 129, 0, 0, 0, 0, 3, 232], &request[4..12]].concat()
    }

    fn map(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let lifetime = u32::from_be_bytes(request[4..8].try_into().unwrap());
        let port = u16::from_be_bytes([request[42], request[43]]);
        let mut answer = request[..60].to_vec();
        answer[1] |= 0x80;
        answer[8..24].fill(0);
        match self.pcp {
            Pcp::Silent => return None,
            Pcp::Refuses => answer[3] = 2,
            Pcp::Grants if lifetime == 0 => {
                let port = self.mapped.take();
                if let Some(port) = port.filter(|_| self.shares) {
                    self.router.table.remove(&port);
                }
            }
            Pcp::Grants => {
                self.mapped = Some(port);
                if self.shares {
                    let (client, description) = (HOST.into(), "PCP MAP".into());
                    let entry = Entry { client, port: 60001, description, lease: 3_600 };
                    self.router.table.insert(port, entry);
                }
            }
        }
        answer[44..60].fill(0);
        answer[54..60].copy_from_slice(&[255, 255, 20, 0, 0, 1]);
        Some(answer)
    }

    /// External ports that lead to us now.
    fn open(&self) -> Vec<u16> {
        let by_pcp = self.mapped.filter(|_| !self.shares);
        let by_control_port = by_pcp.into_iter().chain(self.mapped_by_nat_pmp);
        let mut open: Vec<_> = self.router.table.keys().copied().chain(by_control_port).collect();
        open.sort_unstable();
        open
    }
}

struct World {
    gateway: Gateway,
    mapper: Mapper,
    now: Instant,
    told: Vec<String>,
}

impl World {
    fn new(gateway: Gateway, protocols: &[Protocol], remembered: Option<Remembered>) -> Self {
        let now = start();
        let settings = Settings { protocols: protocols.to_vec(), remembered, ..settings(HOST) };
        let mut mapper = Mapper::new(settings, now);
        mapper.map(wanted(60001, mosh_range()), now);
        Self { gateway, mapper, now, told: Vec::new() }
    }

    fn run_for(&mut self, time: Duration) {
        self.run(self.now + time);
    }

    fn be_away_and_back(&mut self) {
        for address in ["192.168.1.20", HOST] {
            self.mapper.move_to(address.parse().unwrap(), Some(ROUTER.parse().unwrap()), self.now);
        }
    }

    fn run(&mut self, end: Instant) {
        loop {
            while self.pass_on() {}
            let arrives = self.gateway.under_way.first_key_value().map(|((at, _), _)| *at);
            let fires = self.mapper.poll_timeout();
            let Some(next) = arrives.into_iter().chain(fires).min().filter(|&next| next <= end) else {
                break;
            };
            self.now = next.max(self.now);
            if arrives == Some(next) {
                let (_, delivery) = self.gateway.under_way.pop_first().unwrap();
                self.deliver(delivery);
            } else {
                self.mapper.handle_timeout(self.now);
            }
        }
        self.now = end;
    }

    fn pass_on(&mut self) -> bool {
        let now = self.now;
        if let Some(transmit) = self.mapper.poll_transmit() {
            let to_router = transmit.destination.ip() == ROUTER.parse::<std::net::IpAddr>().unwrap();
            match transmit.socket {
                Socket::Control => {
                    self.gateway.send(now + self.gateway.pcp_takes, Delivery::Request(transmit.payload));
                }
                _ if to_router && !self.gateway.router.deaf => {
                    self.gateway.send(now + self.gateway.upnp_takes, Delivery::Found);
                }
                _ => {}
            }
        } else if let Some(exchange) = self.mapper.poll_exchange() {
            self.gateway.send(now + self.gateway.upnp_takes, Delivery::Exchange(exchange));
        } else if let Some(Reservation::Take(port)) = self.mapper.poll_reservation() {
            self.mapper.handle_reservation(port, true, now);
        } else if let Some(event) = self.mapper.poll_event() {
            self.told.extend(in_words([event].into_iter()));
        } else {
            return self.mapper.poll_close().is_some();
        }
        true
    }

    fn deliver(&mut self, delivery: Delivery) {
        let from = |port| SocketAddr::new(ROUTER.parse().unwrap(), port);
        match delivery {
            // Answers are performed as they are sent, and then there at once.
            Delivery::Request(request) => {
                if let Some(answer) = self.gateway.answer(&request) {
                    self.gateway.send(self.now, Delivery::Datagram(answer));
                }
            }
            Delivery::Datagram(answer) => {
                self.mapper.handle_datagram(Socket::Control, from(SERVER_PORT), &answer, self.now);
            }
            Delivery::Found => {
                let answer = answer(5000, "Router/1.0");
                self.mapper.handle_datagram(Socket::Discovery, from(1900), &answer, self.now);
            }
            Delivery::Exchange(exchange) => {
                if let Some(answer) = self.gateway.router.answer(&exchange) {
                    self.mapper.handle_exchange(exchange.id, ExchangeInput::Received(&answer), self.now);
                }
            }
        }
    }
}

#[test]
fn one_mapping_is_kept_and_none_is_left_whichever_protocol_is_late() {
    let mut count = 0;
    for pcp in [Pcp::Grants, Pcp::Refuses, Pcp::Silent] {
        for remembered in [None, Some(known(Protocol::Pcp)), Some(known(Protocol::Upnp))] {
            for (pcp_takes, upnp_takes) in
                PCP_TAKES.iter().flat_map(|pcp| UPNP_TAKES.map(|upnp| (*pcp, upnp)))
            {
                for (ends, shares) in ENDS.iter().flat_map(|ends| [(*ends, false), (*ends, true)]) {
                    let case = format!("{pcp:?} {remembered:?} {pcp_takes} {upnp_takes} {ends} {shares}");
                    live_through(pcp, remembered.clone(), (pcp_takes, upnp_takes), ends, shares, &case);
                    count += 1;
                }
            }
        }
    }
    println!("{count} interleavings");
}

fn live_through(
    pcp: Pcp,
    remembered: Option<Remembered>,
    (pcp_takes, upnp_takes): (u64, u64),
    ends: u64,
    shares: bool,
    case: &str,
) {
    let ms = Duration::from_millis;
    let (pcp_takes, upnp_takes) = (ms(pcp_takes), ms(upnp_takes));
    let gateway = Gateway { pcp_takes, upnp_takes, shares, ..Gateway::new(pcp) };
    let mut world = World::new(gateway, &[Protocol::Pcp, Protocol::Upnp], remembered);
    world.run_for(ms(ends));
    if ends > 60_000 {
        let mapped = world.told.iter().any(|told| told.starts_with("mapped"));
        let expected = if mapped { vec![60001] } else { vec![] };
        assert_eq!(world.gateway.open(), expected, "{case}: {:?}", world.told);
        assert!(mapped || world.told.iter().any(|told| told.starts_with("failed")), "{case}");
    }
    world.mapper.release(world.now);
    world.run_for(2 * HOUR);
    assert!(world.mapper.has_ended(), "{case}: {:?} {:?}", world.mapper, world.told);
    assert_eq!(world.gateway.open(), [0; 0], "{case}: {:?} {:?}", world.told, world.gateway.router.calls);
}

/// It owes an answer to PCP, which one server speaks with NAT-PMP.
#[test]
fn where_upnp_refuses_and_pcp_is_silent_nat_pmp_is_asked_before_that_is_told() {
    let mut gateway = Gateway::new(Pcp::Silent);
    gateway.router.allowed = 0..=0;
    let mut world = World::new(gateway, &Protocol::ALL, Some(known(Protocol::Pcp)));
    world.run_for(Duration::from_secs(60));
    assert!(world.told.contains(&"mapped Some(20.0.0.1):60001".into()), "{:?}", world.told);
    assert_eq!(world.gateway.open(), [60001]);
}

fn mapped_by_upnp() -> World {
    let mut world = World::new(Gateway::new(Pcp::Silent), &[Protocol::Pcp, Protocol::Upnp], None);
    world.run_for(Duration::from_secs(1));
    assert!(world.told.contains(&"mapped Some(20.0.0.1):60001".into()), "{:?}", world.told);
    world
}

/// It is asked where it served before.
#[test]
fn what_upnp_has_made_before_the_host_was_away_is_given_back_though_no_search_finds_it_again() {
    let mut world = mapped_by_upnp();
    (world.gateway.pcp, world.gateway.router.deaf) = (Pcp::Grants, true);
    world.be_away_and_back();
    world.run_for(Duration::from_secs(60));
    assert_eq!((world.gateway.mapped, world.gateway.open()), (Some(60001), vec![60001]));
}

/// One of them was lost to another host, and is back.
#[test]
fn of_several_that_upnp_has_left_here_one_is_deleted_after_the_other() {
    let mut world = mapped_by_upnp();
    let ours = world.gateway.router.table[&60001].clone();
    let game = Entry { client: "192.168.1.99".into(), description: "a game".into(), ..ours.clone() };
    world.gateway.router.table.insert(60001, game);
    world.gateway.router.faults.push(("AddPortMapping", Fault::LostReply));
    while !world.gateway.router.faults.is_empty() {
        world.run_for(Duration::from_millis(100));
    }
    world.gateway.router.table.insert(60001, ours);
    assert_eq!(world.gateway.open().len(), 2);
    (world.gateway.pcp, world.gateway.router.deaf) = (Pcp::Grants, true);
    world.be_away_and_back();
    world.run_for(Duration::from_secs(600));
    assert_eq!((world.gateway.mapped, world.gateway.open()), (Some(60001), vec![60001]));
}
