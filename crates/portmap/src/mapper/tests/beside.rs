//! PCP beside UPnP at one gateway that takes its time: whatever comes first and whatever comes late, one mapping is
//! kept, and none is left.

use std::collections::BTreeMap;

use super::router::{Entry, Router, answer};
use super::*;
use crate::control_port::SERVER_PORT;
use crate::effects::ExchangeInput;

/// How long PCP takes to answer, from at once to later than anybody waits.
const PCP_TAKES: [u64; 7] = [0, 300, 600, 1_300, 2_500, 5_000, 15_000];
/// How long UPnP takes for each answer.
const UPNP_TAKES: [u64; 3] = [0, 250, 1_600];
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
    fn send(&mut self, at: Instant, delivery: Delivery) {
        self.number += 1;
        self.under_way.insert((at, self.number), delivery);
    }

    /// What PCP makes of a request, and says.
    fn answer(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let is_probe = request[1] == 0;
        let mut answer = request[..24].to_vec();
        answer[1] |= 0x80;
        answer[8..24].fill(0);
        match is_probe {
            true => (self.pcp != Pcp::Silent).then_some(answer),
            false => self.map(request),
        }
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
                    let (client, description) = ("192.168.1.10".into(), "PCP MAP".into());
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
        let mut open: Vec<_> = self.router.table.keys().copied().chain(by_pcp).collect();
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
                _ if to_router => self.gateway.send(now + self.gateway.upnp_takes, Delivery::Found),
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
    let now = start();
    let protocols = vec![Protocol::Pcp, Protocol::Upnp];
    let settings = Settings { protocols, remembered, ..settings("192.168.1.10") };
    let gateway = Gateway {
        pcp,
        pcp_takes: ms(pcp_takes),
        upnp_takes: ms(upnp_takes),
        shares,
        mapped: None,
        router: Router::new(),
        under_way: BTreeMap::new(),
        number: 0,
    };
    let mut world = World { gateway, mapper: Mapper::new(settings, now), now, told: Vec::new() };
    world.mapper.map(wanted(60001, mosh_range()), now);
    world.run(now + ms(ends));
    if ends > 60_000 {
        let mapped = world.told.iter().any(|told| told.starts_with("mapped"));
        let expected = if mapped { vec![60001] } else { vec![] };
        assert_eq!(world.gateway.open(), expected, "{case}: {:?}", world.told);
        assert!(mapped || world.told.iter().any(|told| told.starts_with("failed")), "{case}");
    }
    world.mapper.release(world.now);
    world.run(now + ms(ends) + 2 * HOUR);
    assert!(world.mapper.has_ended(), "{case}: {:?} {:?}", world.mapper, world.told);
    assert_eq!(world.gateway.open(), [0; 0], "{case}: {:?} {:?}", world.told, world.gateway.router.calls);
}
