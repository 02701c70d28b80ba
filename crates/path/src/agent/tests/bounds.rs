//! What stays small, whatever happens.

use super::*;

#[test]
fn the_followed_path_is_among_the_copies_however_many_paths_there_are() {
    let now = start();
    let mut agent = settled(now);
    let kinds = [Kind::Lan, Kind::Global, Kind::Mapped, Kind::Resolved];
    let many = kinds.iter().enumerate().flat_map(|(network, &kind)| {
        let address = move |host| format!("10.0.{network}.{host}:60001").parse().unwrap();
        (0..9).map(move |host| Candidate { kind, address: address(host) })
    });
    agent.handle_candidates(&many.collect::<Vec<_>>(), now + ms(2_500));
    let bindings: Vec<_> = (1..9)
        .map(|host| Binding { family: Family::V4, address: Some(format!("10.9.9.{host}").parse().unwrap()) })
        .collect();
    agent.handle_network(&bindings, now + ms(2_500));
    let opened: Vec<_> = events(&mut agent).into_iter().filter_map(opened).collect();
    assert_eq!(opened.len(), MAX_BINDINGS);
    opened.into_iter().for_each(|socket| agent.handle_opened(socket, now + ms(2_500)));
    let copies = datagram(&mut agent, now + ms(2_600));
    assert_eq!((copies.len(), copies.contains(&MAPPED_WAY)), (MAX_COPIES, true));
    assert_eq!(agent.candidates().count(), 4 * MAX_CANDIDATES_PER_KIND);
    let ways = (0..10_000).filter(|&id| agent.way(WayId(id)).is_some());
    assert_eq!(ways.count(), 4 * MAX_CANDIDATES_PER_KIND * (MAX_BINDINGS + 1));
}

#[test]
fn sockets_and_events_stay_few_when_nothing_answers_and_nobody_listens() {
    let now = start();
    let mut agent = settled(now);
    datagram(&mut agent, now + ms(2_500));
    for second in 3..3_000 {
        agent.handle_timeout(now + ms(1_000 * second));
    }
    assert!(agent.counters().hops > 250, "{:?}", agent.counters());
    let events = events(&mut agent);
    assert_eq!(events.iter().copied().filter_map(opened).count(), MAX_SOCKETS - 1, "and the followed one");
    assert!(events.len() <= 2 * MAX_SOCKETS, "{events:?}");
}

#[test]
fn the_log_keeps_the_first_move_and_the_latest() {
    let now = start();
    let mut agent = agent(now);
    for turn in 0..200 {
        let way = if turn % 2 == 0 { MAPPED_WAY } else { LAN_WAY };
        answer(&mut agent, way, turn, now + ms(turn));
    }
    let times: Vec<_> = agent.log().map(|entry| (entry.at - now).as_millis()).collect();
    assert_eq!((times.len(), times[0], times[1], times[MAX_LOG - 1]), (MAX_LOG, 0, 137, 199));
}

#[test]
fn moves_that_nobody_asked_about_are_told_as_one() {
    let now = start();
    let mut agent = agent(now);
    answer(&mut agent, MAPPED_WAY, 1, now);
    answer(&mut agent, LAN_WAY, 2, now);
    assert_eq!(events(&mut agent), [Event::Nudge, moved(LAN_WAY, LAN)]);
}

#[test]
fn copies_of_an_older_datagram_that_were_not_taken_are_forgotten() {
    let now = start();
    let mut agent = settled(now);
    let address = "198.51.100.9:60001".parse().unwrap();
    agent.handle_candidates(&[Candidate { kind: Kind::Resolved, address }], now + ms(2_500));
    for _ in 0..3 {
        agent.handle_outgoing(now + ms(2_500));
    }
    assert_eq!(datagram(&mut agent, now + ms(2_530)), [MAPPED_WAY]);
}

/// The name's new address is found first, and the offer then says that it is the mapped one.
#[test]
fn each_new_address_gets_its_copies_however_often_the_host_moved() {
    let now = start();
    let mut agent = agent(now);
    datagram(&mut agent, now);
    answer(&mut agent, LAN_WAY, 1, now + ms(1));
    for number in 2..60 {
        let address = format!("198.51.100.{number}:60001").parse().unwrap();
        for kind in [Kind::Resolved, Kind::Mapped] {
            agent.handle_candidates(&[Candidate { kind, address }], now + ms(number));
        }
        let newest = agent.way_between(SocketId(0), address).unwrap();
        assert!(datagram(&mut agent, now + ms(number)).contains(&newest), "number {number}");
    }
    assert_eq!(agent.candidates().count(), 1 + MAX_CANDIDATES_PER_KIND, "and the one on the LAN");
}
