//! Single calls of the pure crates: what is done for each datagram, and for each word of a router.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use path::{Agent, Binding, Candidate, Event, Family, Kind, Reply, WayId};
use portmap::upnp::url::Url;
use portmap::upnp::{description, soap, ssdp};
use portmap::{nat_pmp, pcp};
use wire::datagram::{Direction, Header, LONGEST_PLAINTEXT, SessionKey};
use wire::offer::Offer;

const KEY: &str = "4NeCCgvZFe2RnPgrcU1PQw";
const OFFER: &[u8] =
    b"MOSHPUNCH OFFER 1 host=192.168.1.10:60001 host=[2a00:7::10]:60001 mapped=20.0.0.1:60001";
/// A key's echo, and the most that mosh sends, in bytes.
const PAYLOADS: [usize; 2] = [60, 1_188];

/// What Debian's miniupnpd says.
macro_rules! router {
    ($file:literal) => {
        include_bytes!(concat!("../../portmap/tests/corpus/miniupnpd-2.3.1-debian/", $file))
    };
}

fn datagrams(criterion: &mut Criterion) {
    let key: SessionKey = KEY.parse().expect("a literal");
    let header =
        Header { direction: Direction::ToClient, sequence: 7, timestamp: Some(1), timestamp_reply: Some(2) };
    let mut plaintext = [0; LONGEST_PLAINTEXT];
    for length in PAYLOADS {
        let datagram = key.seal(header, &vec![7; length]).expect("short enough");
        let name = format!("wire: open a datagram of {} bytes", datagram.len());
        criterion.bench_function(&name, |bencher| {
            bencher
                .iter(|| key.open(black_box(&datagram), &mut plaintext).map(|opened| opened.header.sequence));
        });
    }
    assert!(Offer::parse(OFFER).is_ok_and(|offer| offer.is_some_and(|offer| offer.candidates.len() == 3)));
    criterion.bench_function("wire: read an offer of three", |bencher| {
        bencher.iter(|| Offer::parse(black_box(OFFER)));
    });
}

/// An agent that follows one of three paths, and the time.
fn following() -> (Agent, WayId, Instant) {
    let mut now = net::clock::now();
    let mut agent = Agent::new(7);
    let candidate = |kind, address: &str| Candidate { kind, address: address.parse().expect("a literal") };
    let candidates = [
        candidate(Kind::Lan, "192.168.1.10:60001"),
        candidate(Kind::Mapped, "20.0.0.1:60001"),
        candidate(Kind::Resolved, "20.0.0.2:60001"),
    ];
    agent.handle_candidates(&candidates, now);
    agent.handle_network(&[Binding::any(Family::V4)], now);
    let mut socket = None;
    while let Some(event) = agent.poll_event() {
        if let Event::Open { socket: opened, .. } = event {
            agent.handle_opened(opened, now);
            socket = Some(opened);
        }
    }
    let lan: SocketAddr = candidates[0].address;
    let path = socket.and_then(|socket| agent.way_between(socket, lan)).expect("a path to the first");
    // Until the race is over.
    for sequence in 0..20 {
        now += Duration::from_millis(100);
        agent.handle_outgoing(now);
        while agent.poll_transmit().is_some() {}
        agent.handle_reply(path, Reply { sequence, round_trip: Some(Duration::from_millis(40)) }, now);
        while agent.poll_event().is_some() {}
    }
    (agent, path, now)
}

fn path_agent(criterion: &mut Criterion) {
    let (mut agent, path, mut now) = following();
    let mut sequence = 100;
    criterion.bench_function("path: a datagram out, its answer in, the next deadline", |bencher| {
        bencher.iter(|| {
            now += Duration::from_micros(50);
            sequence += 1;
            agent.handle_outgoing(now);
            while let Some(transmit) = agent.poll_transmit() {
                black_box(transmit);
            }
            agent.handle_reply(path, Reply { sequence, round_trip: Some(Duration::from_millis(40)) }, now);
            while let Some(event) = agent.poll_event() {
                black_box(event);
            }
            agent.poll_timeout()
        });
    });
}

fn routers(criterion: &mut Criterion) {
    let location = Url::parse("http://192.168.1.1:5000/rootDesc.xml").expect("a literal");
    let document = router!("description.xml");
    assert!(description::parse(document, &location).is_ok_and(|it| !it.services.is_empty()));
    criterion.bench_function("portmap: read a UPnP description", |bencher| {
        bencher.iter(|| description::parse(black_box(document), &location));
    });
    let entry = router!("specific-entry-2.xml");
    assert!(soap::parse_reply(200, entry).is_ok());
    criterion.bench_function("portmap: read a SOAP reply", |bencher| {
        bencher.iter(|| soap::parse_reply(200, black_box(entry)));
    });
    let reply = router!("search-reply.txt");
    criterion.bench_function("portmap: read an SSDP reply", |bencher| {
        bencher.iter(|| ssdp::parse(black_box(reply)));
    });
    // RFC 6887, a MAP response: version 2, opcode 1, lifetime 3600, epoch 7; then nonce, UDP, both ports, the address.
    let mut mapped = vec![2, 129, 0, 0, 0, 0, 14, 16, 0, 0, 0, 7];
    mapped.extend([0; 12]);
    mapped.extend(*b"twelve bytes");
    mapped
        .extend([17, 0, 0, 0, 0xea, 0x61, 0xea, 0x61, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 20, 0, 0, 1]);
    assert!(pcp::packet::Response::parse(&mapped).is_ok());
    criterion.bench_function("portmap: read a PCP response", |bencher| {
        bencher.iter(|| pcp::packet::Response::parse(black_box(&mapped)));
    });
    // RFC 6886: version 0, opcode 1, epoch 7, both ports, lifetime 3600.
    let mapped = [0, 129, 0, 0, 0, 0, 0, 7, 0xea, 0x61, 0xea, 0x61, 0, 0, 14, 16];
    assert!(nat_pmp::packet::Response::parse(&mapped).is_ok());
    criterion.bench_function("portmap: read a NAT-PMP response", |bencher| {
        bencher.iter(|| nat_pmp::packet::Response::parse(black_box(&mapped)));
    });
}

criterion_group!(calls, datagrams, path_agent, routers);
criterion_main!(calls);
