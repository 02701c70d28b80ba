//! A host that changes its address, and is back at an old one.

use super::router::Entry;
use super::*;

const ADDRESSES: [&str; 2] = ["192.168.1.11", "192.168.1.21"];

fn secure() -> Router {
    Router { is_secure: true, ..Router::new() }
}

fn host_at(router: &mut Router, address: &str) -> Host {
    let now = start();
    let mut host = Host::new(Mapper::new(settings(address), now), now);
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(router);
    assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"]);
    host
}

fn move_to(host: &mut Host, router: &mut Router, address: &str) {
    let now = host.now;
    host.mapper.move_to(address.parse().unwrap(), Some(ROUTER.parse().unwrap()), now);
    host.settle(router);
}

fn clients(router: &Router) -> Vec<(u16, &str)> {
    router.table.iter().map(|(port, entry)| (*port, entry.client.as_str())).collect()
}

fn made_elsewhere(host: &Host) -> Vec<(String, u16)> {
    let made = host.mapper.made_elsewhere();
    made.map(|made| (made.internal.to_string(), made.record.external_port.get())).collect()
}

fn calls(router: &Router, name: &str) -> usize {
    router.calls.iter().filter(|call| *call == name).count()
}

#[test]
fn any_number_of_moves_between_two_addresses_leaves_one_mapping_for_each() {
    let mut router = secure();
    let mut host = host_at(&mut router, ADDRESSES[0]);
    for number in 1..=24 {
        move_to(&mut host, &mut router, ADDRESSES[number % 2]);
        host.advance(&mut router, Duration::from_secs(10));
    }
    assert_eq!(clients(&router), [(60001, ADDRESSES[0]), (60002, ADDRESSES[1])]);
    assert_eq!(made_elsewhere(&host), [(ADDRESSES[1].to_owned(), 60002)]);
    let now = host.now;
    host.mapper.release(now);
    host.settle(&mut router);
    assert_eq!(clients(&router), [(60002, ADDRESSES[1])]);
    assert_eq!(told(&mut host).last().map(String::as_str), Some("released, confirmed true"));
    assert_eq!(made_elsewhere(&host), [(ADDRESSES[1].to_owned(), 60002)]);
}

#[test]
fn a_router_that_lets_any_address_delete_is_left_nothing() {
    let mut router = Router::new();
    let mut host = host_at(&mut router, ADDRESSES[0]);
    for number in 1..=24 {
        let address = ADDRESSES[number % 2];
        move_to(&mut host, &mut router, address);
        assert_eq!(clients(&router), [(60001, address)], "{number}");
        assert_eq!(made_elsewhere(&host), []);
    }
}

#[test]
fn and_the_port_that_was_told_moves_along() {
    let mut router = Router::new();
    let mut host = host_at(&mut router, ADDRESSES[0]);
    let now = host.now;
    host.mapper.insist(port(60001), now);
    move_to(&mut host, &mut router, ADDRESSES[1]);
    assert_eq!(clients(&router), [(60001, ADDRESSES[1])]);
}

#[test]
fn a_router_in_secure_mode_is_asked_once_to_delete_for_another_address() {
    let mut router = secure();
    let mut host = host_at(&mut router, ADDRESSES[0]);
    move_to(&mut host, &mut router, ADDRESSES[1]);
    let asked = calls(&router, "DeletePortMapping");
    assert_ne!(asked, 0);
    for number in 2..=24 {
        move_to(&mut host, &mut router, ADDRESSES[number % 2]);
    }
    assert_eq!(calls(&router, "DeletePortMapping"), asked);
}

/// Nor because it then tells nothing, or once that nothing is there, at whichever look.
#[test]
fn what_was_just_seen_is_not_gone_because_the_router_denies_it() {
    for (denial, then, deletions) in [(714, 501, 1), (606, 714, 1), (606, 714, 2)] {
        let mut router = secure();
        let mut host = host_at(&mut router, ADDRESSES[0]);
        router.faults = vec![("DeletePortMapping", Fault::Code(denial)); 2];
        let now = host.now;
        host.mapper.move_to(ADDRESSES[1].parse().unwrap(), Some(ROUTER.parse().unwrap()), now);
        while calls(&router, "DeletePortMapping") < deletions {
            assert!(host.step(&mut router));
        }
        router.faults.push(("GetSpecificPortMappingEntry", Fault::Code(then)));
        host.settle(&mut router);
        assert_eq!(clients(&router), [(60001, ADDRESSES[0]), (60002, ADDRESSES[1])], "{denial}");
        assert_eq!(made_elsewhere(&host), [(ADDRESSES[0].to_owned(), 60001)], "{denial}");
    }
}

#[test]
fn what_an_open_request_may_have_made_is_remembered_too() {
    let mut router = secure();
    router.faults.push(("AddPortMapping", Fault::LostReply));
    let now = start();
    let mut host = Host::new(Mapper::new(settings(ADDRESSES[0]), now), now);
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    assert_eq!(clients(&router), [(60001, ADDRESSES[0])]);
    move_to(&mut host, &mut router, ADDRESSES[1]);
    assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60002"]);
    assert_eq!(made_elsewhere(&host), [(ADDRESSES[0].to_owned(), 60001)]);
    move_to(&mut host, &mut router, ADDRESSES[0]);
    assert_eq!(clients(&router), [(60001, ADDRESSES[0]), (60002, ADDRESSES[1])]);
}

/// One port was lost to another host, the next one asked for, and the answer lost.
fn back_where_several_were_left(router: &mut Router, seed: u64) -> Host {
    let now = start();
    let settings = Settings { seed, ..settings(ADDRESSES[0]) };
    let mut host = Host::new(Mapper::new(settings, now), now);
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(router);
    let game = Entry { client: "192.168.1.99".into(), port: 60001, description: "a game".into(), lease: 0 };
    router.table.insert(60001, game);
    router.faults.push(("AddPortMapping", Fault::LostReply));
    while !router.faults.is_empty() {
        host.advance(router, Duration::from_millis(100));
    }
    move_to(&mut host, router, ADDRESSES[1]);
    assert_eq!(made_elsewhere(&host).len(), 2, "{seed}");
    let now = host.now;
    host.mapper.move_to(ADDRESSES[0].parse().unwrap(), Some(ROUTER.parse().unwrap()), now);
    host
}

fn own(router: &Router) -> usize {
    router.table.values().filter(|entry| entry.client == ADDRESSES[0]).count()
}

#[test]
fn of_several_that_were_left_at_an_address_one_is_taken_again_and_the_others_are_deleted() {
    let mut several = 0;
    for seed in 0..20 {
        let mut router = secure();
        let mut host = back_where_several_were_left(&mut router, seed);
        let mut most = 0;
        while host.step(&mut router) {
            most = most.max(own(&router));
        }
        several += usize::from(most > 1);
        host.advance(&mut router, HOUR);
        assert_eq!(own(&router), 1, "{seed}: {:?}", clients(&router));
        assert_eq!(router.table[&60001].client, "192.168.1.99");
    }
    assert!(several > 0);
}

#[test]
fn a_release_while_one_of_those_is_deleted_leaves_none_that_is_not_known() {
    let mut several = 0;
    for seed in 0..8 {
        for steps in 0..40 {
            let mut router = secure();
            let mut host = back_where_several_were_left(&mut router, seed);
            for _ in 0..steps {
                host.step(&mut router);
            }
            several += usize::from(own(&router) > 1);
            let now = host.now;
            host.mapper.release(now);
            host.advance(&mut router, Duration::from_secs(60));
            let told = told(&mut host);
            let unknown = |(port, client): &(u16, &str)| {
                *client == ADDRESSES[0] && !told.contains(&format!("left {port}"))
            };
            let unknown: Vec<_> = clients(&router).into_iter().filter(unknown).collect();
            assert_eq!(unknown, [], "{seed}, after {steps} steps: {told:?}");
        }
    }
    assert!(several > 0);
}

#[test]
fn one_that_cannot_be_deleted_now_stays_known() {
    let mut several = 0;
    for seed in 0..20 {
        let mut router = secure();
        let mut host = back_where_several_were_left(&mut router, seed);
        router.faults = vec![("DeletePortMapping", Fault::Refused(500)); 100];
        host.settle(&mut router);
        if own(&router) < 2 {
            continue;
        }
        several += 1;
        host.advance(&mut router, Duration::from_secs(2_400));
        assert!(router.faults.len() < 100, "{seed}: it was tried");
        let known = made_elsewhere(&host).into_iter().filter(|(address, _)| address == ADDRESSES[0]).count();
        assert_eq!((own(&router), known), (2, 1), "{seed}: {:?}", clients(&router));
    }
    assert!(several > 0);
}

#[test]
fn a_lease_that_is_over_is_not_remembered() {
    let mut router = secure();
    let mut host = host_at(&mut router, ADDRESSES[0]);
    move_to(&mut host, &mut router, ADDRESSES[1]);
    assert_eq!(made_elsewhere(&host), [(ADDRESSES[0].to_owned(), 60001)]);
    host.advance(&mut router, HOUR);
    move_to(&mut host, &mut router, "192.168.1.31");
    assert_eq!(made_elsewhere(&host), [(ADDRESSES[1].to_owned(), 60002)]);
}

#[test]
fn no_more_is_remembered_than_sixteen() {
    let mut router = secure();
    let mut host = host_at(&mut router, ADDRESSES[0]);
    for number in 30..60 {
        move_to(&mut host, &mut router, &format!("192.168.1.{number}"));
    }
    assert_eq!(router.table.len(), 31);
    assert_eq!(made_elsewhere(&host).len(), 16);
}

#[test]
fn after_a_restart_of_the_router_the_port_of_this_address_is_asked_for_first() {
    let mut router = secure();
    let mut host = host_at(&mut router, ADDRESSES[0]);
    move_to(&mut host, &mut router, ADDRESSES[1]);
    router.http_port += 1;
    host.advance(&mut router, CHECK_INTERVAL + Duration::from_secs(1));
    assert_eq!(clients(&router), [(60001, ADDRESSES[0]), (60002, ADDRESSES[1])]);
}

/// The clock of a keeper goes on while its host sleeps.
#[test]
fn what_a_sleep_has_ended_is_made_again_at_the_first_timeout_after_it() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    router.table.clear();
    host.now += 8 * HOUR;
    let now = host.now;
    host.mapper.handle_timeout(now);
    host.settle(&mut router);
    assert_eq!(router.table.len(), 1);
    let silence = "lost: the router 192.168.1.1 gave no usable answer in time";
    assert_eq!(told(&mut host), [silence, "changed Some(20.0.0.1):60001"]);
}
