//! Which gateway is taken where several answer.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::router::{ROUTER, Router};
use super::{mosh_range, settings, start, wanted};
use crate::address::Network;
use crate::effects::{ExchangeInput, Socket};
use crate::mapper::{Event, Mapper, Settings};
use crate::upnp::SEARCH_WINDOW;

const AP: &str = "192.168.1.2";
const OTHER: &str = "192.168.1.3";
const STRANGER: &str = "10.9.9.9";
const DEVICE: &str = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
const ROOT: &str = "upnp:rootdevice";

/// A host whose default gateway is [`ROUTER`], and who else is on its link.
struct Home {
    mapper: Mapper,
    now: Instant,
    routers: BTreeMap<IpAddr, Router>,
    /// Who was asked over TCP, in order, each time that it was another than before.
    asked: Vec<String>,
    told: VecDeque<Event>,
}

impl Home {
    fn new(routers: impl IntoIterator<Item = (&'static str, Router)>) -> Self {
        let now = start();
        let mut mapper = Mapper::new(settings("192.168.1.10"), now);
        mapper.handle_networks(vec![Network { address: "192.168.1.10".parse().unwrap(), prefix_length: 24 }]);
        mapper.map(wanted(60001, mosh_range()), now);
        let routers = routers.into_iter().map(|(address, router)| (address.parse().unwrap(), router));
        Self { mapper, now, routers: routers.collect(), asked: Vec::new(), told: VecDeque::new() }
    }

    fn hear(&mut self, from: &str, target: &str) {
        let head = format!("HTTP/1.1 200 OK\r\nST: {target}\r\nUSN: uuid:1::{target}\r\n");
        let answer = format!("{head}LOCATION: http://{from}:5000/description.xml\r\n\r\n");
        let from = SocketAddr::new(from.parse().unwrap(), 1900);
        self.mapper.handle_datagram(Socket::Discovery, from, answer.as_bytes(), self.now);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            while let Some(event) = self.mapper.poll_event() {
                if !matches!(event, Event::Asked(_)) {
                    self.told.push_back(event);
                }
            }
            let Some(exchange) = self.mapper.poll_exchange() else { return };
            let address = exchange.destination.ip();
            if self.asked.last() != Some(&address.to_string()) {
                self.asked.push(address.to_string());
            }
            let router = self.routers.get_mut(&address).expect("only routers are asked");
            if let Some(answer) = router.answer(&exchange) {
                self.mapper.handle_exchange(exchange.id, ExchangeInput::Received(&answer), self.now);
            }
        }
    }

    fn advance(&mut self, milliseconds: u64) {
        let end = self.now + Duration::from_millis(milliseconds);
        while let Some(at) = self.mapper.poll_timeout().filter(|&at| at <= end) {
            assert!(at >= self.now, "a deadline in the past is never handled");
            self.now = at;
            while self.mapper.poll_transmit().is_some() {}
            self.mapper.handle_timeout(at);
            self.settle();
        }
        self.now = end;
    }

    /// `None`: nothing was mapped yet.
    fn gateway(&mut self) -> Option<String> {
        match self.told.pop_front() {
            Some(Event::Mapped(mapping)) => Some(mapping.record.control.gateway().to_string()),
            None => None,
            Some(other) => panic!("{other:?}"),
        }
    }
}

fn down() -> Router {
    Router { status: "Disconnected", external: "0.0.0.0".into(), ..Router::new() }
}

#[test]
fn quirk_10_the_first_answer_does_not_end_the_search_and_nobody_but_the_default_gateway_is_asked_at_once() {
    for ap in [down(), Router::new()] {
        let mut home = Home::new([(ROUTER, Router::new()), (AP, ap)]);
        home.hear(AP, DEVICE);
        home.advance(100);
        assert_eq!(home.gateway(), None);
        home.hear(ROUTER, DEVICE);
        assert_eq!(home.gateway().as_deref(), Some(ROUTER), "without another wait");
        assert_eq!(home.asked, [ROUTER]);
    }
}

#[test]
fn quirk_10_the_default_gateway_is_taken_even_if_its_own_outside_is_private_or_down() {
    let private = || Router { external: "192.168.0.2".into(), ..Router::new() };
    for default in [private(), down()] {
        let mut home = Home::new([(ROUTER, default), (AP, Router::new())]);
        home.hear(AP, DEVICE);
        home.hear(ROUTER, DEVICE);
        home.advance(100);
        assert_eq!(home.gateway().as_deref(), Some(ROUTER));
        assert_eq!(home.asked, [ROUTER]);
    }
}

#[test]
fn quirk_10_without_the_default_gateway_one_that_is_connected_comes_first() {
    let mut home = Home::new([(AP, down()), (OTHER, Router::new())]);
    home.hear(AP, DEVICE);
    home.hear(OTHER, DEVICE);
    home.advance(499);
    assert_eq!((home.gateway(), home.asked.len()), (None, 0), "the default gateway's time");
    home.advance(101);
    assert_eq!(home.gateway().as_deref(), Some(OTHER));
}

#[test]
fn quirk_10_a_default_gateway_that_has_nothing_to_offer_is_not_waited_for() {
    let mut home = Home::new([(AP, Router::new()), (ROUTER, Router::new())]);
    home.hear(AP, DEVICE);
    home.routers.get_mut(&ROUTER.parse().unwrap()).unwrap().has_no_service = true;
    home.hear(ROUTER, DEVICE);
    home.advance(100);
    assert_eq!(home.gateway().as_deref(), Some(AP));
    assert_eq!(home.asked, [ROUTER, AP]);
}

#[test]
fn quirk_10_a_default_gateway_that_answers_late_is_still_preferred() {
    let mut slow = Router::new();
    slow.faults.push(("GetStatusInfo", super::Fault::Silence));
    let mut home = Home::new([(AP, slow), (ROUTER, Router::new())]);
    home.hear(AP, DEVICE);
    home.advance(550);
    home.hear(ROUTER, DEVICE);
    home.advance(100);
    assert_eq!(home.gateway().as_deref(), Some(ROUTER));
}

#[test]
fn quirk_3_what_the_default_gateway_calls_a_root_device_is_looked_at() {
    let mut home = Home::new([(ROUTER, Router::new())]);
    home.hear(ROUTER, ROOT);
    assert_eq!(home.gateway().as_deref(), Some(ROUTER));
}

#[test]
fn quirk_3_root_devices_are_asked_for_at_the_default_gateway_alone() {
    let mut mapper = Mapper::new(settings("192.168.1.10"), start());
    mapper.handle_timeout(start() + Duration::from_millis(500));
    let transmits = std::iter::from_fn(|| mapper.poll_transmit());
    let asks = transmits.filter(|it| String::from_utf8_lossy(&it.payload).contains(ROOT));
    let asked: Vec<_> = asks.map(|transmit| transmit.destination.ip().to_string()).collect();
    assert_eq!(asked, [ROUTER]);
}

#[test]
fn quirk_9_a_root_device_that_is_not_the_default_gateway_is_never_asked() {
    let mut home = Home::new([(AP, Router::new())]);
    home.hear(AP, ROOT);
    home.advance(999);
    assert!(home.asked.is_empty());
    assert!(matches!(home.told.pop_front(), Some(Event::Failed(crate::cause::Cause::NoGateway))));
}

#[test]
fn quirk_10_no_crowd_keeps_the_default_gateway_out() {
    let mut home = Home::new([(ROUTER, Router::new())]);
    for number in 20..60 {
        home.hear(&format!("192.168.1.{number}"), DEVICE);
    }
    home.hear(ROUTER, DEVICE);
    assert_eq!(home.gateway().as_deref(), Some(ROUTER));
}

#[test]
fn quirk_15_who_answers_from_beyond_the_link_is_never_asked() {
    let mut home = Home::new([]);
    home.hear(STRANGER, DEVICE);
    home.advance(999);
    assert!(home.asked.is_empty());
    assert!(matches!(home.told.pop_front(), Some(Event::Failed(crate::cause::Cause::NoGateway))));
}

/// How long a router that answers searches and nothing else is waited for.
fn patience_with(search_window: Duration) -> Duration {
    let start = start();
    let mut mapper = Mapper::new(Settings { search_window, ..settings("192.168.1.10") }, start);
    mapper.map(wanted(60001, mosh_range()), start);
    let head = format!("HTTP/1.1 200 OK\r\nST: {DEVICE}\r\nUSN: uuid:1::{DEVICE}\r\n");
    let answer = format!("{head}LOCATION: http://{ROUTER}:5000/description.xml\r\n\r\n");
    let from = SocketAddr::new(ROUTER.parse().unwrap(), 1900);
    mapper.handle_datagram(Socket::Discovery, from, answer.as_bytes(), start);
    let mut now = start;
    loop {
        while mapper.poll_transmit().is_some() || mapper.poll_exchange().is_some() {}
        while let Some(event) = mapper.poll_event() {
            if matches!(event, Event::Failed(_)) {
                return now - start;
            }
        }
        now = mapper.poll_timeout().expect("it waits for something");
        mapper.handle_timeout(now);
    }
}

#[test]
fn a_gateway_that_has_shown_itself_is_waited_for_as_long_as_the_search_may_last() {
    for (search_window, expected) in [(SEARCH_WINDOW, 6), (Duration::from_secs(30), 30)] {
        assert_eq!(patience_with(search_window), Duration::from_secs(expected));
    }
}
