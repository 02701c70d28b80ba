//! Whatever a router says, writes or refuses: it keeps one mapping of ours, or none.

use super::router::{Entry, Fault, Host, Router};
use super::*;
use crate::client::{self, Grant};

const LOOK: &str = "GetSpecificPortMappingEntry";
const ADD: &str = "AddPortMapping";
const DELETE: &str = "DeletePortMapping";
const UNCONFIRMED: &str = "failed: the router 192.168.1.1 accepts the mapping, but does not make it";
const FOR_EVER: usize = 100;

fn asking(router: &mut Router) -> Host {
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.advance(router, Duration::from_secs(60));
    host
}

fn releasing(host: &mut Host, router: &mut Router) {
    let now = host.now;
    host.mapper.release(now);
    host.advance(router, Duration::from_secs(60));
}

fn count(router: &Router, action: &str) -> usize {
    router.calls.iter().filter(|call| *call == action).count()
}

/// After the release, by the mapper that made it and by one that has its record alone.
fn assert_leaves_nothing(rewrite: fn(&mut Entry), later: bool) {
    let mut router = Router { rewrite, ..Router::new() };
    let mut host = asking(&mut router);
    host.advance(&mut router, 3 * HOUR);
    let Some(Event::Mapped(mapping)) = host.events.pop_front() else { panic!("{:?}", host.events) };
    assert!(told(&mut host).iter().all(|event| event.starts_with("renewed ")));
    assert_eq!(router.table.keys().copied().collect::<Vec<_>>(), [60001]);
    if later {
        let now = host.now;
        host = Host::new(Mapper::resume(settings("192.168.1.10"), mapping.record, now), now);
    }
    releasing(&mut host, &mut router);
    assert_eq!(told(&mut host), ["released, confirmed true"]);
    assert!(router.table.is_empty(), "{:?}", router.table);
}

#[test]
fn quirks_39_and_46_an_entry_that_was_added_where_nobody_was_is_ours_whatever_it_reads_like() {
    let rewrites: [fn(&mut Entry); 6] = [
        |entry| entry.description = "UPnP".into(),
        |entry| entry.description = entry.description.replace(' ', "_"),
        |entry| entry.client = "server.lan".into(),
        |entry| entry.client = "192.168.001.010".into(),
        |entry| (entry.client, entry.description) = ("server.lan".into(), "UPnP".into()),
        |entry| entry.client = "0.0.0.0".into(),
    ];
    for rewrite in rewrites {
        for later in [false, true] {
            assert_leaves_nothing(rewrite, later);
        }
    }
}

#[test]
fn what_leads_elsewhere_is_deleted_and_no_other_port_is_asked_for() {
    let rewrites: [fn(&mut Entry); 2] =
        [|entry| entry.client = "192.168.1.77".into(), |entry| entry.port = 7];
    for rewrite in rewrites {
        let mut router = Router { rewrite, ..Router::new() };
        let mut host = asking(&mut router);
        assert_eq!(told(&mut host), [UNCONFIRMED]);
        assert!(router.table.is_empty());
        assert_eq!(router.asked, [60001]);
    }
}

#[test]
fn an_entry_that_was_read_wrong_once_is_read_again() {
    let mut router = Router { rewrite: |entry| entry.client = "192.168.1.77".into(), ..Router::new() };
    router.faults.push((LOOK, Fault::Code(714)));
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    while count(&router, LOOK) < 2 {
        assert!(host.step(&mut router));
    }
    router.table.get_mut(&60001).unwrap().client = "192.168.1.10".into();
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"]);
}

#[test]
fn the_undisturbed_life_of_a_mapping_costs_six_questions() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    releasing(&mut host, &mut router);
    let about_it = |call: &&String| !call.starts_with("GetStatus") && !call.starts_with("GetExternal");
    let asked: Vec<_> = router.calls.iter().filter(about_it).collect();
    assert_eq!(asked, [LOOK, ADD, LOOK, LOOK, DELETE, LOOK]);
}

#[test]
fn quirk_47_an_entry_of_nothing_is_a_free_port() {
    for nobody in ["", "0.0.0.0"] {
        let mut router = Router { nobody: Some(nobody), ..Router::new() };
        let mut host = asking(&mut router);
        assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"], "{nobody:?}");
        releasing(&mut host, &mut router);
        assert_eq!(told(&mut host), ["released, confirmed true"], "{nobody:?}");
        assert!(router.table.is_empty());
    }
}

#[test]
fn quirk_36_a_lease_that_is_refused_in_any_way_is_followed_by_none_on_the_same_port_and_that_is_remembered() {
    let codes = [501, 600, 601, 899].map(Fault::Code);
    for refusal in codes.into_iter().chain([Fault::Refused(500), Fault::Code(402), Fault::Code(725)]) {
        let mut router = Router { refuses_leases: Some(refusal), ..Router::new() };
        let mut host = asking(&mut router);
        assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"], "{refusal:?}");
        assert_eq!((&router.asked[..], router.table[&60001].lease), (&[60001, 60001][..], 0), "{refusal:?}");
        host.advance(&mut router, HOUR);
        assert_eq!(router.asked.len(), 3, "{refusal:?}: the renewal begins with what was taken");
    }
}

#[test]
fn a_refusal_that_was_not_about_the_lease_is_told_as_it_was_said_first() {
    for (first, second, told_as) in [(899, 402, 899), (501, 725, 501), (600, 600, 600)] {
        let mut router = Router::new();
        router.external = "192.168.0.2".into();
        router.faults = vec![(ADD, Fault::Code(first)), (ADD, Fault::Code(second))];
        let mut host = asking(&mut router);
        let Some(Event::Failed(cause)) = host.events.pop_front() else { panic!("{:?}", host.events) };
        let is_told = cause.to_string().contains(&format!("(error {told_as})"));
        assert!(is_told || cause.to_string().contains("behind a NAT"), "{first}: {cause}");
        assert_eq!(router.asked, [60001, 60001], "{first}");
    }
}

#[test]
fn what_was_made_in_spite_of_an_error_is_taken() {
    for lie in [501, 600, 899] {
        let mut router = Router::new();
        router.faults.push((ADD, Fault::Lie(lie)));
        let mut host = asking(&mut router);
        assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"], "{lie}");
        assert_eq!(router.asked, [60001], "{lie}");
    }
}

#[test]
fn a_deletion_that_nobody_can_be_asked_for_is_not_confirmed() {
    let internal = "192.168.1.10".parse().unwrap();
    let mut client = upnp::client::Client::new(internal, None, DESCRIPTION.into(), start());
    let (external_port, internal_port) = (port(60001), port(60001));
    let grant = Grant { external_address: None, external_port, internal_port, lease: None };
    client.release(&grant, Transport::Udp, start());
    assert_eq!(
        client.poll_event(),
        Some(client::Event::Released { port: Some(external_port), confirmed: false })
    );
}

#[test]
fn a_deletion_that_is_not_seen_is_asked_for_once_more() {
    for fault in [Fault::Code(714), Fault::Code(501), Fault::Silence, Fault::Refused(500), Fault::LostReply] {
        let mut router = Router::new();
        let mut host = mapped_host(&mut router);
        router.faults.push((DELETE, fault));
        releasing(&mut host, &mut router);
        assert_eq!(told(&mut host), ["released, confirmed true"], "{fault:?}");
        assert!(router.table.is_empty(), "{fault:?}");
    }
}

/// It is asked for the first time, and was not read before.
#[test]
fn what_could_not_be_deleted_is_known_again_when_the_router_is_found_again() {
    let mut router = Router { rewrite: |entry| entry.description = "UPnP".into(), ..Router::new() };
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    router.faults.push((ADD, Fault::LostReply));
    while router.table.is_empty() {
        assert!(host.step(&mut router));
    }
    router.faults.push((LOOK, Fault::Silence));
    releasing(&mut host, &mut router);
    assert_eq!(told(&mut host), ["released, confirmed true"]);
    assert!(router.table.is_empty());
}

#[test]
fn what_is_said_not_to_be_there_is_looked_for_once_more_before_it_is_left() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    router.faults.push((LOOK, Fault::Code(714)));
    releasing(&mut host, &mut router);
    assert_eq!(told(&mut host), ["released, confirmed true"]);
    assert!(router.table.is_empty());
}

#[test]
fn a_router_that_never_deletes_keeps_one_mapping_and_that_is_told() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    router.faults = vec![(DELETE, Fault::Code(606)); FOR_EVER];
    releasing(&mut host, &mut router);
    assert_eq!(told(&mut host), ["left 60001", "released, confirmed false"]);
    assert_eq!(router.table.len(), 1);
}

#[test]
fn what_a_router_keeps_that_offers_nothing_any_more_is_told() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    (router.http_port, router.has_no_service) = (5001, true);
    releasing(&mut host, &mut router);
    assert_eq!(told(&mut host), ["left 60001", "released, confirmed false"]);
}

#[test]
fn what_leads_elsewhere_and_is_never_deleted_is_told_and_left_alone_with() {
    let mut router = Router { rewrite: |entry| entry.client = "192.168.1.77".into(), ..Router::new() };
    router.faults = vec![(DELETE, Fault::Code(606)); FOR_EVER];
    let mut host = asking(&mut router);
    let cause = "failed: the router 192.168.1.1 may keep a mapping of port 60001 that serves nobody, and does not \
                 delete it";
    assert_eq!(told(&mut host), [cause, "left 60001"]);
    assert_eq!((router.table.len(), count(&router, DELETE)), (1, 2));
}

#[test]
fn who_leaves_in_the_middle_of_that_does_not_ask_for_it_for_ever() {
    for deletions in 1..=2 {
        let mut router = Router { rewrite: |entry| entry.client = "192.168.1.77".into(), ..Router::new() };
        router.faults = vec![(DELETE, Fault::Code(606)); FOR_EVER];
        let mut host = host();
        let now = host.now;
        host.mapper.map(wanted(60001, mosh_range()), now);
        while count(&router, DELETE) < deletions {
            assert!(host.step(&mut router));
        }
        host.mapper.release(now);
        host.settle(&mut router);
        assert!(count(&router, DELETE) <= 4, "{deletions}");
        let ends = ["left 60001", "released, confirmed false"];
        assert!(told(&mut host).ends_with(&ends.map(Into::into)), "{deletions}");
    }
}

/// The port that is held is another's by now, and the next one is asked for as the router falls silent.
#[test]
fn what_may_be_there_beside_what_was_held_is_not_forgotten_with_the_next_question() {
    for seed in 0..10 {
        let mut router = Router::new();
        let now = start();
        let mut host = Host::new(Mapper::new(Settings { seed, ..settings("192.168.1.10") }, now), now);
        host.mapper.map(wanted(60001, mosh_range()), now);
        host.settle(&mut router);
        let theirs = Entry { client: "192.168.1.99".into(), ..router.table[&60001].clone() };
        router.table.insert(60001, Entry { description: "a game".into(), ..theirs });
        router.faults.push((ADD, Fault::LostReply));
        while !router.faults.is_empty() {
            host.advance(&mut router, Duration::from_millis(100));
        }
        router.up = false;
        host.advance(&mut router, Duration::from_secs(20));
        router.up = true;
        host.advance(&mut router, HOUR);
        let now = host.now;
        host.mapper.release(now);
        host.advance(&mut router, Duration::from_secs(60));
        let left: Vec<_> = router.table.keys().copied().collect();
        assert_eq!(left, [60001], "{seed}");
    }
}

/// Another host had the port for a while, and the next one is asked for.
#[test]
fn a_release_deletes_what_is_held_and_what_is_asked_for() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    let ours = router.table[&60001].clone();
    let game = Entry { client: "192.168.1.99".into(), description: "a game".into(), ..ours.clone() };
    router.table.insert(60001, game);
    router.faults.push((ADD, Fault::LostReply));
    while !router.faults.is_empty() {
        host.advance(&mut router, Duration::from_millis(100));
    }
    router.table.insert(60001, ours);
    assert_eq!(router.table.len(), 2);
    told(&mut host);
    releasing(&mut host, &mut router);
    assert_eq!(told(&mut host), ["released, confirmed true"]);
    assert!(router.table.is_empty(), "{:?}", router.table);
}

#[test]
fn nor_if_the_end_comes_before_it() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    let theirs = Entry { client: "192.168.1.99".into(), ..router.table[&60001].clone() };
    router.table.insert(60001, Entry { description: "a game".into(), ..theirs });
    router.faults.push((ADD, Fault::LostReply));
    while !router.faults.is_empty() {
        host.advance(&mut router, Duration::from_millis(100));
    }
    router.up = false;
    host.advance(&mut router, Duration::from_secs(20));
    told(&mut host);
    releasing(&mut host, &mut router);
    let ours = *router.table.keys().find(|port| **port != 60001).unwrap();
    assert!(told(&mut host).contains(&format!("left {ours}")));
}

/// Rewritten once, by another program on the router or in the answer alone.
#[test]
fn a_mapping_that_is_held_is_not_given_up_for_one_answer() {
    for client in ["192.168.1.10", "192.168.1.77"] {
        let mut router = Router::new();
        let mut host = mapped_host(&mut router);
        let entry = router.table[&60001].clone();
        let wrong = Entry { client: client.into(), description: "UPnP".into(), ..entry.clone() };
        router.table.insert(60001, wrong);
        let before = count(&router, LOOK);
        while count(&router, LOOK) == before {
            let at = host.mapper.poll_timeout().unwrap();
            host.now = at;
            host.mapper.handle_timeout(at);
            while count(&router, LOOK) == before && host.step(&mut router) {}
        }
        router.table.insert(60001, entry);
        host.settle(&mut router);
        assert_eq!(told(&mut host), [""; 0], "{client}");
        assert_eq!(router.asked, [60001], "{client}");
    }
}

/// As after a restart that brings the table back without the names.
#[test]
fn a_mapping_that_is_held_and_lost_its_name_stays_ours() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    router.rewrite = |entry| entry.description = "UPnP".into();
    router.table.get_mut(&60001).unwrap().description = "UPnP".into();
    host.advance(&mut router, CHECK_INTERVAL);
    assert_eq!(told(&mut host), ["renewed Some(20.0.0.1):60001"]);
    releasing(&mut host, &mut router);
    assert_eq!(told(&mut host), ["released, confirmed true"]);
    assert!(router.table.is_empty());
}

/// Behind a second NAT it has our address and, by chance, our port.
#[test]
fn a_mapping_that_another_session_made_since_is_left_to_it() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    let theirs = "moshpunch bob@other 99999999";
    router.table.get_mut(&60001).unwrap().description = theirs.into();
    host.advance(&mut router, CHECK_INTERVAL);
    assert_eq!(router.table[&60001].description, theirs);
    releasing(&mut host, &mut router);
    assert_eq!(router.table.len(), 1);
    assert_eq!(router.table[&60001].description, theirs);
}

#[test]
fn nothing_is_added_before_somebody_could_write_it_down() {
    let mut router = Router::new();
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    while host.recorded.is_empty() {
        assert!(host.step(&mut router));
    }
    assert_eq!((count(&router, ADD), count(&router, LOOK)), (0, 1));
    host.settle(&mut router);
    assert_eq!((host.recorded.len(), router.table.len()), (1, 1));
    host.advance(&mut router, 3 * HOUR);
    assert_eq!(host.recorded.len(), 1, "what is recorded is not told again at each renewal");
}

#[test]
fn a_record_of_what_was_only_asked_for_is_enough_to_delete_it() {
    let rewrites: [fn(&mut Entry); 2] = [|_| {}, |entry| entry.description = "UPnP".into()];
    for rewrite in rewrites {
        let mut router = Router { rewrite, ..Router::new() };
        router.faults.push((ADD, Fault::LostReply));
        let mut killed = host();
        let now = killed.now;
        killed.mapper.map(wanted(60001, mosh_range()), now);
        killed.settle(&mut router);
        assert_eq!((router.table.len(), killed.events.len()), (1, 0));
        let record = killed.recorded.pop().unwrap();
        let mut later = Host::new(Mapper::resume(settings("192.168.1.10"), record, now), now);
        releasing(&mut later, &mut router);
        assert_eq!(told(&mut later), ["released, confirmed true"]);
        assert!(router.table.is_empty());
    }
}
