mod beside;
mod control_port;
mod firewall;
mod gateways;
mod late;
mod leaks;
mod moving;
mod outside;
mod pinholes;
mod refusals;
mod restarts;
mod router;

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use self::router::{Fault, Host, ROUTER, Router};
use super::*;
use crate::effects::Socket;
use crate::mapping::Transport;
use crate::{pcp, upnp};

const HOUR: Duration = Duration::from_secs(3_600);
const DESCRIPTION: &str = "moshpunch alice@server 1a2b3c4d";

#[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
fn start() -> Instant {
    Instant::now()
}

fn settings(internal: &str) -> Settings {
    Settings {
        internal: internal.parse().unwrap(),
        gateway: Some(ROUTER.parse().unwrap()),
        protocols: vec![Protocol::Upnp],
        remembered: None,
        description: DESCRIPTION.into(),
        lease: HOUR,
        only_this_lease: false,
        search_window: upnp::SEARCH_WINDOW,
        nonce: pcp::Nonce([7; 12]),
        seed: 1,
    }
}

/// What a mapper learnt that was served by `protocol`, and by nothing else.
fn known(protocol: Protocol) -> Remembered {
    Remembered { protocol, control: None, answer_time: None, allowed: None }
}

fn port(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

fn wanted(internal: u16, external: External) -> Wanted {
    Wanted { transport: Transport::Udp, internal_port: port(internal), external }
}

fn mosh_range() -> External {
    External::Near(port(60001)..=port(60999))
}

fn host() -> Host {
    let now = start();
    Host::new(Mapper::new(settings("192.168.1.10"), now), now)
}

fn mapped_host(router: &mut Router) -> Host {
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(router);
    assert!(matches!(host.events.pop_front(), Some(Event::Mapped(_))));
    host
}

/// What the host was told, in a form that reads well in an assertion.
fn told(host: &mut Host) -> Vec<String> {
    in_words(host.events.drain(..))
}

fn in_words(events: impl Iterator<Item = Event>) -> Vec<String> {
    let mapping = |mapping: &Mapping| format!("{:?}:{}", mapping.external_address, mapping.external_port());
    events
        .map(|event| match event {
            Event::Asked(record) => format!("asked {}", record.external_port),
            Event::Left(record) => format!("left {}", record.external_port),
            Event::Mapped(it) => format!("mapped {}", mapping(&it)),
            Event::Renewed(it) => format!("renewed {}", mapping(&it)),
            Event::Changed(it) => format!("changed {}", mapping(&it)),
            Event::Lost(cause) => format!("lost: {cause}"),
            Event::Failed(cause) => format!("failed: {cause}"),
            Event::Released { confirmed } => format!("released, confirmed {confirmed}"),
        })
        .collect()
}

#[test]
fn quirk_53_the_external_address_is_read_and_the_table_looked_at_before_anything_is_added() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    assert_eq!(
        router.calls,
        [
            "GetExternalIPAddress",
            "GetStatusInfo",
            "GetSpecificPortMappingEntry",
            "AddPortMapping",
            "GetSpecificPortMappingEntry"
        ]
    );
    let entry = &router.table[&60001];
    assert_eq!((entry.client.as_str(), entry.port, entry.lease), ("192.168.1.10", 60001, 3_600));
    assert_eq!(entry.description, DESCRIPTION);
    assert_eq!(told(&mut host), [""; 0]);
}

#[test]
fn what_is_wanted_may_come_after_the_gateway_was_found() {
    let mut router = Router::new();
    let mut host = host();
    host.settle(&mut router);
    assert_eq!(told(&mut host), [""; 0]);
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"]);
}

#[test]
fn the_mapping_is_renewed_at_half_of_the_lease_for_as_long_as_the_session_lasts() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    host.advance(&mut router, 24 * HOUR);
    let renewals = told(&mut host);
    assert!(renewals.iter().all(|event| event == "renewed Some(20.0.0.1):60001"), "{renewals:?}");
    assert!((38..=48).contains(&renewals.len()), "{} renewals in 24 leases", renewals.len());
    let looks = router.calls.iter().filter(|call| *call == "GetSpecificPortMappingEntry").count();
    assert!(looks >= 24 * 30, "{looks} looks in a day");
}

#[test]
fn release_deletes_the_mapping() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    let now = host.now;
    host.mapper.release(now);
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["released, confirmed true"]);
    assert!(router.table.is_empty());
    assert_eq!(host.mapper.poll_timeout(), None);
}

/// A router that restarts keeps its table (miniupnpd's lease file), but not its HTTP port.
#[test]
fn release_finds_a_router_that_restarted_on_another_port() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    router.http_port = 5001;
    let now = host.now;
    host.mapper.release(now);
    host.advance(&mut router, Duration::from_secs(2));
    assert_eq!(told(&mut host), ["released, confirmed true"]);
    assert!(router.table.is_empty());
    assert_eq!(host.mapper.poll_timeout(), None);
}

#[test]
fn release_looks_once_for_a_router_that_is_gone() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    router.up = false;
    let now = host.now;
    host.mapper.release(now);
    host.advance(&mut router, Duration::from_secs(2));
    assert_eq!(told(&mut host), ["left 60001", "released, confirmed false"]);
    assert_eq!(host.mapper.poll_timeout(), None);
}

/// Nothing but silence at the end, from a router that goes on answering searches.
#[test]
fn release_is_given_up_after_the_second_silence() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    router.faults = vec![("GetSpecificPortMappingEntry", Fault::Silence); 2];
    let now = host.now;
    host.mapper.release(now);
    host.advance(&mut router, HOUR);
    assert_eq!(told(&mut host), ["left 60001", "released, confirmed false"]);
}

#[test]
fn release_before_anything_is_mapped_ends_at_once() {
    let mut router = Router::new();
    let mut host = host();
    let now = host.now;
    host.mapper.release(now);
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["released, confirmed true"]);
}

#[test]
fn release_while_the_request_is_open_leaves_nothing_behind() {
    for silent in ["GetSpecificPortMappingEntry", "AddPortMapping"] {
        let mut router = Router::new();
        router.faults.push((silent, Fault::Silence));
        let mut host = host();
        let now = host.now;
        host.mapper.map(wanted(60001, mosh_range()), now);
        host.settle(&mut router);
        host.mapper.release(now);
        host.advance(&mut router, HOUR);
        assert_eq!(told(&mut host), ["released, confirmed true"], "{silent}");
        assert!(router.table.is_empty(), "{silent}");
    }
}

#[test]
fn another_hosts_port_is_left_alone_and_the_next_one_taken() {
    let mut router = Router::new().with_entry(60001, "192.168.1.20", 60001, "a game");
    let mut host = mapped_host(&mut router);
    assert_eq!(router.table[&60001].description, "a game");
    assert_eq!(router.table[&60002].port, 60001);
    assert_eq!(host.reserved, [60002]);
    let now = host.now;
    host.mapper.release(now);
    host.settle(&mut router);
    assert_eq!(host.reserved, [0; 0]);
}

#[test]
fn a_port_that_another_session_of_this_host_holds_is_never_asked_for() {
    let mut router = Router::new().with_entry(60001, "192.168.1.20", 60001, "a game");
    let mut host = host();
    host.local = vec![60002, 60003];
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60004"]);
    assert_eq!(router.calls.iter().filter(|call| *call == "AddPortMapping").count(), 1);
}

#[test]
fn another_session_behind_a_second_nat_with_our_address_and_port_is_not_overwritten() {
    let theirs = "moshpunch bob@other 99999999";
    let mut router = Router::new().with_entry(60001, "192.168.1.10", 60001, theirs);
    mapped_host(&mut router);
    assert_eq!(router.table[&60001].description, theirs);
    assert_eq!(router.table[&60002].description, DESCRIPTION);
}

#[test]
fn a_mapping_that_became_anothers_is_not_deleted_at_the_end() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    router = router.with_entry(60001, "192.168.1.20", 60001, "a game");
    let now = host.now;
    host.mapper.release(now);
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["released, confirmed true"]);
    assert!(router.table.contains_key(&60001));
}

#[test]
fn quirk_51_a_table_that_lost_the_mapping_gets_it_again_at_the_next_check() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    router.table.clear();
    host.advance(&mut router, CHECK_INTERVAL);
    assert_eq!(told(&mut host), ["renewed Some(20.0.0.1):60001"]);
    assert!(router.table.contains_key(&60001));
}

#[test]
fn quirk_59_a_new_external_address_is_told_at_the_next_check_and_once() {
    for server in ["Router/1.0", "Debian/12 UPnP/1.1 MiniUPnPd/2.3.1"] {
        let mut router = Router::new();
        router.server = server;
        let mut host = mapped_host(&mut router);
        router.external = "20.0.0.2".into();
        host.advance(&mut router, HOUR / 4);
        let mut told = told(&mut host);
        told.retain(|event| !event.starts_with("renewed Some(20.0.0.2)"));
        told.retain(|event| event != "renewed Some(20.0.0.1):60001");
        assert_eq!(told, ["changed Some(20.0.0.2):60001"], "{server}");
    }
}

#[test]
fn an_address_that_is_not_told_at_a_check_is_taken_for_the_same() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    for fault in [Fault::Silence, Fault::Code(501), Fault::Status(404)] {
        router.faults.push(("GetExternalIPAddress", fault));
        host.advance(&mut router, CHECK_INTERVAL);
        assert_eq!(told(&mut host), [""; 0], "{fault:?}");
    }
    router.external = String::new();
    host.advance(&mut router, CHECK_INTERVAL);
    assert_eq!(told(&mut host), ["changed None:60001"]);
}

#[test]
fn a_router_that_was_away_is_found_again_and_the_loss_is_told_once() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    router.up = false;
    host.advance(&mut router, 2 * HOUR);
    assert_eq!(told(&mut host), ["lost: the router 192.168.1.1 gave no usable answer in time"]);
    router.up = true;
    router.table.clear();
    host.advance(&mut router, Duration::from_secs(31));
    assert_eq!(told(&mut host), ["changed Some(20.0.0.1):60001"]);
}

#[test]
fn who_answers_a_search_is_left_in_peace_as_long_again_for_protocols_that_cost_less() {
    let settings = Settings { protocols: Protocol::ALL.to_vec(), ..settings("192.168.1.10") };
    let (mut router, now) = (Router::new(), start());
    let mut host = Host::new(Mapper::new(settings, now), now);
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.advance(&mut router, Duration::from_millis(49));
    assert_eq!(router.calls, [""; 0], "PCP and NAT-PMP may still answer");
    host.advance(&mut router, Duration::from_millis(1));
    assert_eq!(router.calls[0], "GetExternalIPAddress");
}

#[test]
fn no_gateway_is_known_within_a_second() {
    let mut router = Router::new();
    router.up = false;
    let mut host = host();
    host.advance(&mut router, Duration::from_millis(999));
    assert_eq!(told(&mut host), ["failed: no router here answers PCP, NAT-PMP or UPnP"]);
    assert_eq!(router.searches, 11);
}

#[test]
fn quirk_7_what_is_lost_of_the_first_searches_is_asked_again() {
    for lost in 0..=3 {
        let mut router = Router::new();
        router.loses = lost;
        let mut host = host();
        let now = host.now;
        host.mapper.map(wanted(60001, mosh_range()), now);
        host.advance(&mut router, Duration::from_millis(400));
        assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"], "{lost} lost");
    }
}

#[test]
fn quirk_8_a_mapper_searches_in_the_family_of_its_own_address() {
    for (internal, gateway) in [("192.168.1.10", ROUTER), ("2a00:7::10", "fe80::1")] {
        let now = start();
        let settings = Settings { gateway: Some(gateway.parse().unwrap()), ..settings(internal) };
        let is_ipv4 = settings.internal.is_ipv4();
        let mut mapper = Mapper::new(settings, now);
        let mut count = 0;
        for milliseconds in [0, 100, 400, 900] {
            mapper.handle_timeout(now + Duration::from_millis(milliseconds));
            while let Some(transmit) = mapper.poll_transmit() {
                assert_eq!(transmit.destination.is_ipv4(), is_ipv4, "{transmit:?}");
                count += 1;
            }
        }
        assert!(count >= 10, "{count} searches");
    }
}

#[test]
fn quirk_10_at_most_eight_gateways_are_heard_and_each_once() {
    let (mut host, now) = (host(), start());
    let from = SocketAddr::new(ROUTER.parse().unwrap(), 1900);
    for port in (5000..5020).flat_map(|port| [port, port]) {
        let answer = router::answer(port, "Router/1.0");
        host.mapper.handle_datagram(Socket::Discovery, from, &answer, now);
    }
    let asked: Vec<_> = std::iter::from_fn(|| host.mapper.poll_exchange())
        .map(|exchange| exchange.destination.port())
        .collect();
    assert_eq!(asked, (5000..5008).collect::<Vec<_>>());
}

#[test]
fn quirk_58_a_gateway_that_is_not_connected_is_used_where_there_is_no_other() {
    let mut router = Router::new();
    router.status = "Disconnected";
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.advance(&mut router, upnp::SEARCH_WINDOW);
    assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"]);
}

#[test]
fn quirk_64_the_upnp_server_may_be_on_the_port_of_the_other_protocols() {
    let mut router = Router::new();
    router.http_port = crate::control_port::SERVER_PORT;
    mapped_host(&mut router);
    assert_eq!(router.table.len(), 1);
}

/// Only the external port can change: mosh-server has the internal one already.
#[test]
fn quirk_48_a_router_that_refuses_the_internal_port_is_given_up_after_a_bounded_number_of_tries() {
    let mut router = Router::new();
    router.faults = vec![("AddPortMapping", Fault::Code(718)); 1_000];
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    let expected = "failed: every port that the router 192.168.1.1 allows from 60001 to 60999 is taken";
    assert_eq!(told(&mut host), [expected]);
    assert_eq!(router.calls.iter().filter(|call| *call == "AddPortMapping").count(), 200);
}

/// A router may overlook what it or its owner does with a port.
#[test]
fn quirk_49_no_port_outside_the_wanted_range_is_asked_for() {
    let mut router = Router::new();
    router.faults = vec![("AddPortMapping", Fault::Code(718)); 1_000];
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    assert!(router.asked.iter().all(|port| (60001..=60999).contains(port)), "{:?}", router.asked);
    assert_eq!(router.asked.len(), 200);
}

#[test]
fn rules_that_forbid_the_port_are_named_after_one_try() {
    let mut router = Router::new();
    router.allowed = 1..=1023;
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["failed: the router 192.168.1.1 forbids mapping port 60001"]);
    assert_eq!(router.calls.iter().filter(|call| *call == "AddPortMapping").count(), 1);
}

#[test]
fn an_exhausted_range_is_named() {
    let mut router =
        Router::new().with_entry(60001, "192.168.1.20", 1, "a").with_entry(60002, "192.168.1.20", 2, "b");
    router.allowed = 60000..=60002;
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    let expected = "failed: every port that the router 192.168.1.1 allows from 60001 to 60999 is taken";
    assert_eq!(told(&mut host), [expected]);
}

#[test]
fn quirk_35_a_router_that_only_knows_permanent_leases_gets_one() {
    let mut router = Router::new();
    router.faults.push(("AddPortMapping", Fault::Code(725)));
    let mut host = mapped_host(&mut router);
    assert_eq!(router.table[&60001].lease, 0);
    host.advance(&mut router, 2 * HOUR);
    assert_eq!(router.calls.iter().filter(|call| *call == "AddPortMapping").count(), 5);
}

#[test]
fn where_only_this_lease_will_do_such_routers_map_nothing() {
    for code in [725, 402, 501, 899] {
        let mut router = Router::new();
        router.faults.extend([("AddPortMapping", Fault::Code(code)); 9]);
        let now = start();
        let settings = Settings { only_this_lease: true, ..settings("192.168.1.10") };
        let mut host = Host::new(Mapper::new(settings, now), now);
        host.mapper.map(wanted(60001, mosh_range()), now);
        host.settle(&mut router);
        let told = told(&mut host);
        assert!(matches!(told.as_slice(), [only] if only.starts_with("failed: ")), "{code}: {told:?}");
        assert!(router.table.is_empty() && host.mapper.has_ended(), "{code}");
    }
}

#[test]
fn quirk_36_and_37_a_lease_that_the_router_calls_invalid_is_replaced_by_others() {
    let mut router = Router::new();
    router.faults.extend([("AddPortMapping", Fault::Code(402)), ("AddPortMapping", Fault::Code(402))]);
    mapped_host(&mut router);
    assert_eq!(router.table[&60001].lease, 604_800);
}

#[test]
fn quirk_38_action_failed_may_mean_a_conflict_but_not_for_ever() {
    let mut router = Router::new();
    router.faults.extend([("AddPortMapping", Fault::Code(501)); 9]);
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["failed: the router 192.168.1.1 refuses the mapping (UPnP error 501)"]);
    let added = router.calls.iter().filter(|call| *call == "AddPortMapping").count();
    assert_eq!(added, 5 + 1, "five ports, and a permanent lease for the first");
}

#[test]
fn quirk_79_what_a_router_that_was_busy_has_not_added_is_asked_for_once_more() {
    let mut router = Router::new();
    router.faults.push(("AddPortMapping", Fault::Silence));
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.advance(&mut router, Duration::from_secs(10));
    assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"]);
    assert_eq!(router.asked, [60001, 60001]);
}

#[test]
fn quirk_40_a_renewal_called_a_conflict_deletes_and_adds() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    router.faults.push(("AddPortMapping", Fault::Code(718)));
    host.advance(&mut router, HOUR);
    assert_eq!(told(&mut host), ["renewed Some(20.0.0.1):60001"]);
    assert!(router.calls.contains(&"DeletePortMapping".to_owned()));
}

#[test]
fn quirk_57_behind_another_nat_a_refusal_names_it() {
    let mut router = Router::new();
    router.external = "192.168.0.2".into();
    router.faults.extend([("AddPortMapping", Fault::Code(501)); 2]);
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.advance(&mut router, Duration::from_millis(200));
    let expected = "failed: the router 192.168.1.1 is itself behind a NAT (its own address is 192.168.0.2)";
    assert_eq!(told(&mut host), [expected]);
}

#[test]
fn a_saved_record_is_enough_to_delete_the_mapping_later() {
    let mut router = Router::new();
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    let Some(Event::Mapped(mapping)) = host.events.pop_front() else { panic!("not mapped") };

    let mut sweeper = Host::new(Mapper::resume(settings("192.168.1.10"), mapping.record, now), now);
    sweeper.mapper.release(now);
    sweeper.settle(&mut router);
    assert_eq!(told(&mut sweeper), ["released, confirmed true"]);
    assert!(router.table.is_empty());
}

#[test]
fn a_port_that_was_promised_to_the_user_is_the_only_one_that_will_do() {
    let mut router = Router::new().with_entry(60001, "192.168.1.20", 60001, "a game");
    router.faults.push(("GetSpecificPortMappingEntry", Fault::Silence));
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.settle(&mut router);
    host.mapper.insist(port(60001), now);
    host.advance(&mut router, HOUR);
    assert_eq!(told(&mut host), ["failed: the router 192.168.1.1 gave no usable answer in time"]);
    assert_eq!(router.table.len(), 1);
}

/// As when the user was told the internal port because nothing was mapped in time, and another session got it.
#[test]
fn a_promised_port_that_another_has_is_given_up_and_left_to_it() {
    let mut router = Router::new().with_entry(60001, "192.168.1.20", 60001, "a game");
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.mapper.insist(port(60001), now);
    host.advance(&mut router, HOUR);
    assert_eq!(told(&mut host), ["failed: port 60001 of the router 192.168.1.1 is taken"]);
    assert!(host.mapper.has_ended());
    assert_eq!(router.asked, [0; 0]);
    assert_eq!(router.table[&60001].description, "a game");
}

/// By a host that had it in the first moment after the router's restart.
#[test]
fn a_promised_port_that_was_lost_to_another_is_asked_for_and_left_to_it() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    let now = host.now;
    host.mapper.insist(port(60001), now);
    router.table.remove(&60001);
    let mut router = router.with_entry(60001, "192.168.1.20", 60001, "a game");
    host.advance(&mut router, 3 * HOUR);
    assert!(told(&mut host).iter().all(|told| told.starts_with("lost")));
    assert_eq!(router.table.len(), 1);
    assert_eq!(router.table[&60001].description, "a game");
    router.table.clear();
    host.advance(&mut router, Duration::from_secs(60));
    assert_eq!(told(&mut host), ["changed Some(20.0.0.1):60001"]);
}

#[test]
fn another_port_granted_after_a_promise_is_given_back() {
    let mut router = Router::new().with_entry(60001, "192.168.1.20", 60001, "a game");
    let mut host = mapped_host(&mut router);
    assert_eq!(router.table.len(), 2);
    let now = host.now;
    host.mapper.insist(port(60001), now);
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["released, confirmed true"]);
    assert_eq!(router.table.len(), 1);
}

#[test]
fn an_add_whose_answer_is_lost_is_found_in_the_table_and_taken() {
    for fault in [Fault::LostReply, Fault::Status(404), Fault::Status(200)] {
        let mut router = Router::new();
        router.faults.push(("AddPortMapping", fault));
        let mut host = host();
        let now = host.now;
        host.mapper.map(wanted(60001, mosh_range()), now);
        host.advance(&mut router, Duration::from_secs(10));
        assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"], "{fault:?}");
        assert_eq!(router.table.len(), 1, "{fault:?}");
    }
}

#[test]
fn an_add_that_nothing_is_known_of_is_deleted_before_it_is_given_up() {
    for add in [Fault::LostReply, Fault::Status(404)] {
        let mut router = Router::new();
        router.faults.extend([("GetSpecificPortMappingEntry", Fault::Code(401)); 3]);
        router.faults.push(("AddPortMapping", add));
        let mut host = host();
        let now = host.now;
        host.mapper.map(wanted(60001, mosh_range()), now);
        host.advance(&mut router, Duration::from_secs(20));
        assert!(told(&mut host)[0].starts_with("failed: "), "{add:?}");
        assert!(router.table.is_empty(), "{add:?}");
    }
}

#[test]
fn an_unreadable_look_is_repeated_before_anything_could_be_overwritten() {
    let theirs = "moshpunch bob@other 99999999";
    let mut router = Router::new().with_entry(60001, "192.168.1.10", 60001, theirs);
    router.faults.push(("GetSpecificPortMappingEntry", Fault::Status(404)));
    mapped_host(&mut router);
    assert_eq!(router.table[&60001].description, theirs);
}

#[test]
fn a_status_that_is_never_told_costs_no_more_than_the_time_to_settle() {
    let mut router = Router::new();
    router.faults.push(("GetStatusInfo", Fault::Silence));
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, mosh_range()), now);
    host.advance(&mut router, Duration::from_millis(100));
    assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"]);
}

fn host_that_remembers(url: &str) -> Host {
    let now = start();
    let control = upnp::Control {
        gateway: ROUTER.parse().unwrap(),
        url: upnp::url::Url::parse(url).unwrap(),
        service_type: "urn:schemas-upnp-org:service:WANIPConnection:1".into(),
        external_address: None,
    };
    let remembered = Remembered { control: Some(control), ..known(Protocol::Upnp) };
    let settings = Settings { remembered: Some(remembered), ..settings("192.168.1.10") };
    let mut host = Host::new(Mapper::new(settings, now), now);
    host.mapper.map(wanted(60001, mosh_range()), now);
    host
}

#[test]
fn a_remembered_gateway_serves_before_the_search_has_found_anything() {
    let mut router = Router::new();
    router.deaf = true;
    let mut host = host_that_remembers("http://192.168.1.1:5000/control");
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"]);
}

#[test]
fn a_remembered_gateway_that_is_no_longer_there_costs_nothing() {
    let mut router = Router::new();
    let mut host = host_that_remembers("http://192.168.1.1:4999/control");
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"]);
}

#[test]
fn a_remembered_gateway_alone_that_does_not_answer_is_none() {
    let mut router = Router::new();
    router.deaf = true;
    let mut host = host_that_remembers("http://192.168.1.1:4999/control");
    host.advance(&mut router, Duration::from_secs(1));
    assert_eq!(told(&mut host), ["failed: no router here answers PCP, NAT-PMP or UPnP"]);
}

#[test]
fn a_host_that_moved_makes_its_mapping_again_at_the_new_gateway() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    router.table.clear();
    let now = host.now;
    host.mapper.move_to("192.168.1.11".parse().unwrap(), Some(ROUTER.parse().unwrap()), now);
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["renewed Some(20.0.0.1):60001"]);
    assert_eq!(router.table[&60001].client, "192.168.1.11");
}

#[test]
fn a_release_while_the_gateway_is_looked_for_again_ends() {
    let mut router = Router::new();
    let mut host = mapped_host(&mut router);
    router.up = false;
    host.advance(&mut router, CHECK_INTERVAL + Duration::from_secs(12));
    told(&mut host);
    router.up = true;
    router.faults.push(("GetStatusInfo", Fault::Silence));
    while router.faults.len() == 1 {
        host.advance(&mut router, Duration::from_millis(10));
    }
    let now = host.now;
    host.mapper.release(now);
    host.advance(&mut router, HOUR);
    assert_eq!(told(&mut host), ["released, confirmed true"]);
    assert!(router.table.is_empty());
}

#[test]
fn a_range_without_the_internal_port_is_searched_from_its_start() {
    let mut router = Router::new().with_entry(60100, "192.168.1.20", 60100, "a game");
    let mut host = host();
    let now = host.now;
    host.mapper.map(wanted(60001, External::Within(port(60100)..=port(60101))), now);
    host.settle(&mut router);
    assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60101"]);
}

#[test]
fn quirk_50_a_router_that_may_list_what_it_does_not_forward_gets_the_entry_anew_at_each_check() {
    for (server, deletions) in [("Debian/12 UPnP/1.1 MiniUPnPd/2.3.1", 1), ("Router/1.0", 0)] {
        let mut router = Router::new();
        router.server = server;
        let mut host = mapped_host(&mut router);
        host.advance(&mut router, CHECK_INTERVAL);
        assert_eq!(router.calls.iter().filter(|call| *call == "DeletePortMapping").count(), deletions);
        assert_eq!(router.table[&60001].description, DESCRIPTION);
        assert!(told(&mut host).iter().all(|event| event == "renewed Some(20.0.0.1):60001"));
    }
}

#[test]
fn what_is_remembered_of_another_kind_of_service_is_not_asked() {
    for kind in ["WANCommonInterfaceConfig:1", "WANIPv6FirewallControl:1", "Nonsense:1", "WANIPConnection:0"]
    {
        let control = upnp::Control {
            gateway: ROUTER.parse().unwrap(),
            url: upnp::url::Url::parse(&format!("http://{ROUTER}:5000/other")).unwrap(),
            service_type: format!("urn:schemas-upnp-org:service:{kind}"),
            external_address: None,
        };
        let (mut router, now) = (Router::new(), start());
        let remembered = Remembered { control: Some(control), ..known(Protocol::Upnp) };
        let settings = Settings { remembered: Some(remembered), ..settings("192.168.1.10") };
        let mut host = Host::new(Mapper::new(settings, now), now);
        host.mapper.map(wanted(60001, mosh_range()), now);
        host.settle(&mut router);
        assert_eq!(told(&mut host), ["mapped Some(20.0.0.1):60001"], "{kind}");
        assert_eq!(router.calls.iter().filter(|call| *call == "GetExternalIPAddress").count(), 1, "{kind}");
    }
}
