use std::num::NonZeroU16;

use net::interfaces::{Attachment, Gateway, LocalAddress};
use portmap::mapping::Transport;

use super::*;
use crate::mosh_server::ProcessIdentity;
use crate::state::saved_mapping::tests::{saved, upnp_control};

/// Silent, of a stock client's, begun at 1000.
pub(in super::super) fn session(pid: i32) -> Session {
    let facts = Facts { servers: vec![server(pid)], utmp: None, ..Facts::default() };
    sessions(facts).remove(0)
}

fn server(pid: i32) -> Server {
    Server {
        process: ProcessIdentity { pid, started: 5 },
        user: 1000,
        user_name: Some("alice".into()),
        started_at: 1_000,
        is_stopped: false,
        port: Some(60_001),
        ssh: None,
        terminal: Some(format!("pts/{pid}")),
        runs: Some("bash".into()),
    }
}

pub(in super::super) fn mapped(external: &str, expires: u64) -> Kept {
    let mapping = saved(upnp_control("http://192.168.1.1/control"), Transport::Udp);
    Kept { mapping, external_address: Some(external.parse().unwrap()), expires: Some(expires) }
}

pub(in super::super) fn state(pid: i32, mappings: Vec<Kept>) -> State {
    let name =
        crate::session::Name { id: "1a2b3c4d".into(), description: "moshpunch alice@server 1a2b3c4d".into() };
    let process = ProcessIdentity { pid, started: 5 };
    State { name, process, port: NonZeroU16::new(60_001), punches: true, mappings, elsewhere: Vec::new() }
}

fn entry(line: &str, host: &str, since: u64) -> utmp::Entry {
    utmp::Entry { line: line.into(), host: host.into(), since }
}

fn host() -> Attachment {
    let own =
        |address: &str| LocalAddress { interface: 2, address: address.parse().unwrap(), prefix_length: 24 };
    let gateway = Gateway { interface: 2, address: [192, 168, 1, 1].into(), source: None };
    Attachment { addresses: vec![own("192.168.1.10"), own("127.0.0.1")], gateways: vec![gateway] }
}

fn contact_by(host: &str, since: u64) -> (Contact, Option<IpAddr>) {
    written_down(&server(7), Some(&[entry("pts/8", "mosh [7]", 1), entry("pts/7", host, since)]))
}

#[test]
fn mosh_server_itself_tells_whether_it_hears_its_client() {
    assert_eq!(contact_by("mosh [7]", 1_001), (Contact::Never, None));
    assert_eq!(contact_by("mosh [7]", 1_029), (Contact::Never, None));
    assert_eq!(contact_by("mosh [7]", 5_030), (Contact::Silent { since: 5_000 }, None));
    let attached = (Contact::Attached, Some([20, 0, 0, 9].into()));
    assert_eq!(contact_by("20.0.0.9 via mosh [7]", 5_000), attached);
    assert_eq!(contact_by("::ffff:20.0.0.9 via mosh [7]", 5_000), attached);
    let link_local = contact_by("fe80::9%eth0 via mosh [7]", 5_000).1;
    assert_eq!(link_local, Some("fe80::9".parse().unwrap()));
}

#[test]
fn what_nobody_tells_is_not_known() {
    assert_eq!(written_down(&server(7), None), (Contact::Unknown, None));
    assert_eq!(written_down(&server(7), Some(&[])), (Contact::Unknown, None));
    assert_eq!(contact_by("20.0.0.9", 5_000), (Contact::Unknown, None), "another one's entry");
    assert_eq!(contact_by("mosh [77]", 5_000), (Contact::Unknown, None));
    assert_eq!(contact_by("mosh [7]", 900), (Contact::Unknown, None), "older than the session");
    let stopped = Server { is_stopped: true, ..server(7) };
    let entries = [entry("pts/7", "20.0.0.9 via mosh [7]", 5_000)];
    assert_eq!(written_down(&stopped, Some(&entries)), (Contact::Unknown, None));
    let without_terminal = Server { terminal: None, ..server(7) };
    assert_eq!(written_down(&without_terminal, Some(&entries)), (Contact::Unknown, None));
}

fn way_from(client: &str, states: Vec<State>) -> Way {
    let facts = Facts { host: host(), ..Facts::default() };
    way(client.parse().unwrap(), states.first(), &facts)
}

#[test]
fn a_way_is_known_by_where_its_client_is_and_what_was_opened() {
    let ours = |mappings| vec![state(7, mappings)];
    for (client, states, expected) in [
        ("127.0.0.1", ours(vec![]), Way::Carried),
        ("192.168.1.10", ours(vec![]), Way::Carried),
        ("127.0.0.1", vec![], Way::Direct),
        ("192.168.1.20", ours(vec![mapped("20.0.0.1", 9)]), Way::Direct),
        ("192.168.1.1", ours(vec![mapped("20.0.0.1", 9)]), Way::Mapped),
        ("20.0.0.9", ours(vec![mapped("20.0.0.1", 9)]), Way::Mapped),
        ("20.0.0.9", ours(vec![mapped("10.0.0.1", 9)]), Way::Punched),
        ("20.0.0.9", ours(vec![]), Way::Punched),
        ("20.0.0.9", vec![], Way::Forwarded),
        ("20.0.0.9", vec![State { punches: false, ..state(7, vec![]) }], Way::Forwarded),
    ] {
        assert_eq!(way_from(client, states.clone()), expected, "{client} {states:?}");
    }
    let mut public = host();
    public.addresses[0].address = [20, 0, 0, 10].into();
    let facts = Facts { host: public, ..Facts::default() };
    assert_eq!(way([99, 0, 0, 9].into(), Some(&state(7, vec![])), &facts), Way::Direct);
}

#[test]
fn a_keeper_is_known_by_the_name_of_its_session() {
    let keeper = |is_stopped, id: &str| KeeperProcess {
        process: ProcessIdentity { pid: 99, started: 6 },
        is_stopped,
        id: id.into(),
        last_traffic: None,
    };
    let seen = |keepers| {
        let facts =
            Facts { servers: vec![server(7)], states: vec![state(7, vec![])], keepers, ..Facts::default() };
        sessions(facts).remove(0).keeper
    };
    for is_stopped in [false, true] {
        let process = keeper(is_stopped, "1a2b3c4d");
        assert_eq!(seen(vec![process.clone()]), Keeper::Process(process));
    }
    assert_eq!(seen(vec![keeper(false, "ffffffff")]), Keeper::Gone);
    assert_eq!(session(7).keeper, Keeper::None);
}

#[test]
fn a_file_of_one_that_has_ended_is_no_session_nor_that_of_a_later_process_with_its_number() {
    let facts = Facts { states: vec![state(7, vec![])], ..Facts::default() };
    assert_eq!(sessions(facts), []);
    let later = Server { process: ProcessIdentity { pid: 7, started: 6 }, ..server(7) };
    let facts = Facts { servers: vec![later], states: vec![state(7, vec![])], ..Facts::default() };
    assert_eq!(sessions(facts)[0].name, None);
}

#[test]
fn the_one_that_was_heard_last_is_the_first() {
    let servers: Vec<_> = (1..=6).map(server).collect();
    let utmp = vec![
        entry("pts/2", "mosh [2]", 5_000),
        entry("pts/3", "mosh [3]", 1_000),
        entry("pts/4", "20.0.0.9 via mosh [4]", 2_000),
        entry("pts/5", "mosh [5]", 9_000),
    ];
    let facts = Facts { servers, utmp: Some(utmp), ..Facts::default() };
    let pids: Vec<_> = sessions(facts).iter().map(|session| session.server.process.pid).collect();
    assert_eq!(pids, [4, 5, 2, 3, 1, 6]);
}

#[test]
fn one_that_comes_back_is_seen_to() {
    let silent = Session { contact: Contact::Silent { since: 2_000 }, ..session(7) };
    let entries = [entry("pts/7", "20.0.0.9 via mosh [7]", 9_000)];
    let back = again(&silent, Some(&entries), None, 9_100);
    assert_eq!((back.contact, back.client), (Contact::Attached, Some([20, 0, 0, 9].into())));
    assert_eq!(again(&silent, None, None, 9_100).contact, Contact::Unknown);
    assert_eq!(again(&silent, None, Some(with_traffic(9_099)), 9_100).contact, Contact::Attached);
}

fn with_traffic(last: u64) -> KeeperProcess {
    let process = ProcessIdentity { pid: 99, started: 6 };
    KeeperProcess { process, is_stopped: false, id: "1a2b3c4d".into(), last_traffic: Some(last) }
}

#[test]
fn where_mosh_server_writes_nothing_down_its_keeper_tells() {
    let by = |last, entries: &[utmp::Entry]| {
        contact(&server(7), Some(entries), Some(&with_traffic(last)), 9_100).0
    };
    assert_eq!(by(9_040, &[]), Contact::Attached);
    assert_eq!(by(9_200, &[]), Contact::Attached, "the clock was set back");
    assert_eq!(by(9_039, &[]), Contact::Silent { since: 9_039 });
    let left = [entry("pts/7", "mosh [7]", 8_030)];
    assert_eq!(by(9_099, &left), Contact::Silent { since: 8_000 }, "anybody may send to a port");
    let stopped = Server { is_stopped: true, ..server(7) };
    assert_eq!(contact(&stopped, None, Some(&with_traffic(9_099)), 9_100).0, Contact::Unknown);
}
