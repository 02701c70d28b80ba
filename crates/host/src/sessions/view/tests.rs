use serde_json::json;

use super::super::facts::{KeeperProcess, Server};
use super::super::seen::tests::{mapped, session};
use super::*;
use crate::mosh_server::ProcessIdentity;
use crate::ssh_connection::SshConnection;

const NOW: u64 = 1_796_000_000;

fn keeper(is_stopped: bool) -> Keeper {
    let process = ProcessIdentity { pid: 4_712, started: 6 };
    Keeper::Process(KeeperProcess { process, is_stopped, id: "1a2b3c4d".into(), last_traffic: None })
}

fn attached() -> Session {
    let ssh = SshConnection { client: [20, 0, 0, 7].into(), server: [192, 168, 1, 10].into() };
    let server = Server { started_at: NOW - 300_000, ssh: Some(ssh), ..session(4_711).server };
    Session {
        server,
        name: Some("1a2b3c4d".into()),
        contact: Contact::Attached,
        client: Some([20, 0, 0, 9].into()),
        way: Some(Way::Mapped),
        keeper: keeper(false),
        openings: vec![mapped("20.0.0.1", NOW + 3_300)],
    }
}

fn silent() -> Session {
    let server = Server { started_at: NOW - 900_000, ..session(99).server };
    Session { server, contact: Contact::Silent { since: NOW - 800_000 }, ..session(99) }
}

fn text(sessions: &[Session]) -> String {
    ListView::new(sessions, false, NOW).to_string()
}

#[test]
fn a_session_is_a_line() {
    assert_eq!(
        text(&[attached(), silent()]),
        "ID    HEARD    AGE   FROM      WAY     MAPPING        RUNS\n\
         4711  now      3 d   20.0.0.9  mapped  60001, 55 min  bash\n\
         99    9 d ago  10 d  -         -       -              bash\n"
    );
    assert_eq!(text(&[]), "no mosh session of yours runs here\n");
}

#[test]
fn what_is_carried_comes_from_where_ssh_does() {
    let carried = Session { client: Some([127, 0, 0, 1].into()), way: Some(Way::Carried), ..attached() };
    assert!(text(&[carried]).contains("  20.0.0.7  carried  "));
}

#[test]
fn whatever_is_in_it_a_line_fits_80_columns_and_drives_no_terminal() {
    let address = "2a00:1234:5678:9abc:def0:1234:5678:9abc".parse().unwrap();
    let mut long = Session { client: Some(address), way: Some(Way::Forwarded), ..silent() };
    long.server.process.pid = 4_194_304;
    long.server.runs = Some("\u{1b}]0;x\u{7}tmux: client".into());
    long.server.user_name = Some("a-very-long-name-of-a-user-of-many-letters".into());
    long.openings = vec![mapped("20.0.0.1", NOW + 3_300)];
    for with_users in [false, true] {
        let text = ListView::new(&[long.clone()], with_users, NOW).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    assert!(!ListView::new(&[long], false, NOW).to_json().contains('\u{1b}'));
}

#[test]
fn what_is_not_known_is_told_so() {
    let unknown = Session { contact: Contact::Unknown, ..silent() };
    assert!(text(std::slice::from_ref(&unknown)).contains("99  unknown  10 d"));
    let never = Session { contact: Contact::Never, ..silent() };
    assert!(text(&[never]).contains("99  never  10 d"));
    let server = Server { is_stopped: true, ..unknown.server.clone() };
    let stopped = text(&[Session { server, ..unknown }]);
    assert!(
        stopped.contains("99  stopped  10 d") && stopped.ends_with("99: mosh-server itself is stopped\n")
    );
}

#[test]
fn of_a_keeper_that_does_nothing_there_is_a_line_of_its_own() {
    let gone = text(&[Session { keeper: Keeper::Gone, ..attached() }]);
    assert!(gone.ends_with("\n4711: its keeper was killed; nobody renews its mapping\n"), "{gone}");
    let stopped = text(&[Session { keeper: keeper(true), openings: Vec::new(), ..attached() }]);
    assert!(stopped.ends_with("\n4711: its keeper, process 4712, is stopped\n"), "{stopped}");
}

#[test]
fn a_lease_that_is_over_is_told_so() {
    let over = Session { openings: vec![mapped("20.0.0.1", NOW)], ..attached() };
    assert!(text(&[over]).contains("  60001, over  "));
}

#[test]
fn its_json_has_these_fields() {
    let value = serde_json::to_value(ListView::new(&[attached()], false, NOW)).unwrap();
    let session = json!({
        "id": "4711",
        "pid": 4711,
        "name": "1a2b3c4d",
        "user": "alice",
        "port": 60001,
        "started": NOW - 300_000,
        "contact": "attached",
        "last_heard": null,
        "from": "20.0.0.9",
        "login_from": "20.0.0.7",
        "way": "mapped",
        "keeper": "running",
        "keeper_pid": 4712,
        "mappings": [{ "kind": "mapping", "address": "20.0.0.1", "port": 60001, "expires": NOW + 3_300 }],
        "runs": "bash",
        "stopped": false,
    });
    assert_eq!(value, json!({ "version": 1, "time": NOW, "sessions": [session] }));
    let silent = serde_json::to_value(ListView::new(&[silent()], true, NOW)).unwrap();
    let (contact, last_heard) = (&silent["sessions"][0]["contact"], &silent["sessions"][0]["last_heard"]);
    assert_eq!((contact, last_heard), (&"silent".into(), &(NOW - 800_000).into()));
}
