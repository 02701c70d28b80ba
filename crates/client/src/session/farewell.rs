//! What is said once the session has ended.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use path::{Agent, Candidate, Entry, Kind, Reason};
use report::{Machine, Step, Told, Trouble};
use wire::channel;

use crate::addresses::reachable::shown;
use crate::login::diagnosis::named;
use crate::session::forwarder::{Ended, Find, Found};
use crate::session::scout::Failures;

/// A moment over ssh is what a move costs; longer than this, somebody has to do something about it.
const LONG_OVER_SSH: Duration = Duration::from_secs(60);

const LET_THROUGH: &str = "a firewall or router on the way drops UDP: let these ports through, or have the host's router map them \
                           (moshpunch --install puts moshpunch there, and `moshpunch map gateway` tells what its router can do)";

const NAME_A_RELAY: &str = "`--turn turn:SERVER` has a server of yours relay it by UDP, which cannot read it (docs/relay.md). Or let \
                            these ports through, or have the host's router map them (moshpunch --install puts moshpunch there, and `moshpunch map \
                            gateway` tells what its router can do)";

const NAME_A_SERVER: &str = "`--stun stun:SERVER` may find a direct way, and `--turn turn:SERVER` relays by UDP where there is none: \
                             a STUN server learns this machine's and the host's address \
                             and when you connect, nothing of the session. Or let these ports through, or have the host's router \
                             map them (moshpunch --install puts moshpunch there, and `moshpunch map gateway` tells what its router can do)";

const CARRY: &str = "a firewall or router on the way drops UDP: let these ports through, or have moshpunch on the host, as new \
                     as this one, and such a session goes over ssh";

/// Which path was used, in one line.
pub(crate) fn path_used(agent: &Agent) -> Option<String> {
    let last = agent.log().last()?;
    let moves = agent.counters().moves.saturating_sub(1);
    let moved = match moves {
        0 => String::new(),
        1 => ", after 1 move".to_owned(),
        moves => format!(", after {moves} moves"),
    };
    Some(format!("the session went over {}{moved}", described(last.kind, last.address)))
}

/// Each move, and what was learnt meanwhile, for `-v`. The times count from the first path.
pub(crate) fn story(agent: &Agent, finds: &[Find]) -> Vec<String> {
    let moved = |entry: &Entry| {
        (entry.at, format!("{}, because {}", described(entry.kind, entry.address), because(entry.reason)))
    };
    let found = |find: &Find| (find.at, learnt(&find.what));
    let first_path = agent.log().next().map(|entry| entry.at);
    let mut story: Vec<_> = agent.log().map(moved).chain(finds.iter().map(found)).collect();
    story.sort_by_key(|(at, _)| *at);
    let Some(begin) = first_path.or_else(|| story.first().map(|(at, _)| *at)) else { return Vec::new() };
    story.iter().map(|(at, what)| format!("{:8.3} s: {what}", seconds_after(begin, *at))).collect()
}

fn learnt(found: &Found) -> String {
    match found {
        Found::Candidates(candidates) => format!("found {}", listed(candidates)),
        Found::Mapping { by, outside } => {
            let address = outside.address.map(|address| format!("{address} "));
            let address = address.unwrap_or_default();
            format!("this network's router {by} maps {address}port {} to this machine", outside.port)
        }
        Found::Relay { by, place } => format!("the TURN server {} gives {}", shown(*by), shown(*place)),
    }
}

fn seconds_after(begin: Instant, at: Instant) -> f64 {
    at.saturating_duration_since(begin).as_secs_f64() - begin.saturating_duration_since(at).as_secs_f64()
}

/// Nothing was ever heard of the server.
pub(crate) fn never_reached(agent: &Agent, failures: &Failures) -> Trouble {
    let cause = match agent.candidates().next() {
        None => "no address of the host was found".to_owned(),
        Some(_) => format!("no datagram came back from the host; tried {}", tried(agent)),
    };
    match failures.has_no_channel {
        true => Trouble::told(Machine::Host, Step::Session, cause, CARRY),
        false => Trouble::told(Machine::Router, Step::Session, cause, LET_THROUGH),
    }
}

/// Which servers of others the user has named.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Named {
    pub(crate) stun: bool,
    pub(crate) turn: bool,
}

/// Said once, where the session went over ssh for long.
pub(crate) fn would_be_direct(agent: &Agent, named: Named, end: Instant) -> Option<Trouble> {
    let carried = carried(agent, end);
    let cause = format!(
        "for {} min no datagram came back from the host but over ssh, which stalls where packets are lost; tried {}",
        carried.as_secs() / 60,
        tried(agent)
    );
    let is_worth_a_word = carried > LONG_OVER_SSH;
    let cure = cure(agent.counters().rounds, named);
    is_worth_a_word.then(|| Trouble::told(Machine::Router, Step::Session, cause, cure))
}

/// A server only helps where holes are tried.
fn cure(rounds: u64, named: Named) -> &'static str {
    match named {
        _ if rounds == 0 => LET_THROUGH,
        Named { turn: true, .. } => LET_THROUGH,
        Named { stun: true, .. } => NAME_A_RELAY,
        Named { .. } => NAME_A_SERVER,
    }
}

/// A session that could not go on: what would have carried it has ended, or is not there.
pub(crate) fn cut_off(agent: &Agent, failures: &Failures) -> Option<Trouble> {
    let cause = match is_over_ssh(agent) {
        true => "the ssh connection that carried the session has ended or does not answer",
        false => "no datagram comes back from the host any more",
    };
    let cause = format!("{cause}, and another login was refused, since nobody was asked");
    let cure = "with a key in an agent, or one without a passphrase, such a session goes on by itself";
    let is_answered = agent.standing().is_by_udp();
    let trouble = || Trouble::told(Machine::Laptop, Step::Login, cause, cure);
    (failures.is_cut_off && !is_answered).then(trouble)
}

/// The relay that the user has named was of no use where it was needed.
pub(crate) fn not_relayed(ended: &Ended) -> Option<Trouble> {
    let (server, refusal) = ended.relay.as_ref().filter(|_| is_over_ssh(&ended.agent))?;
    Some(Trouble::told(Machine::Laptop, Step::Session, refusal.what(server), refusal.cure()))
}

fn is_over_ssh(agent: &Agent) -> bool {
    agent.log().last().is_some_and(|entry| entry.kind == Kind::Carried)
}

/// How long the session went over ssh.
fn carried(agent: &Agent, end: Instant) -> Duration {
    let ends = agent.log().skip(1).map(|entry| entry.at).chain([end]);
    let spans = agent.log().zip(ends).filter(|(entry, _)| entry.kind == Kind::Carried);
    spans.map(|(entry, end)| end.saturating_duration_since(entry.at)).sum()
}

/// What failed there, a line each.
pub(crate) fn told_by_the_host(failures: &Failures) -> Vec<String> {
    let told = |trouble: &channel::Trouble| {
        Told { what: trouble.what.clone(), cure: trouble.cure.clone() }.in_one_line()
    };
    failures.notes.iter().cloned().chain(failures.troubles.iter().map(told)).collect()
}

/// mosh-client had nothing to say to the server.
pub(crate) fn never_began(status: ExitStatus) -> Trouble {
    let told = |what: String, cure| Trouble::told(Machine::Laptop, Step::Session, what, cure);
    match status.signal() {
        Some(signal) => told(
            format!("mosh-client was ended by {} before it sent anything", named(signal)),
            "connect again; the kernel's log may tell what ended it",
        ),
        None => told(
            "mosh-client ended before it sent anything; its own message is above".to_owned(),
            "it needs a terminal, and a locale with UTF-8 on this machine (set LC_ALL=C.UTF-8)",
        ),
    }
}

fn tried(agent: &Agent) -> String {
    let candidates = listed(&agent.candidates().collect::<Vec<_>>());
    match agent.counters().rounds {
        0 => candidates,
        _ => format!("{candidates}, and to punch a hole"),
    }
}

/// For one line.
pub(crate) fn listed(candidates: &[Candidate]) -> String {
    match candidates {
        [] => "no address".to_owned(),
        _ => {
            let described = |candidate: &Candidate| described(candidate.kind, Some(candidate.address));
            candidates.iter().map(described).collect::<Vec<_>>().join(", ")
        }
    }
}

fn described(kind: Kind, address: Option<SocketAddr>) -> String {
    let kind = match kind {
        Kind::Lan => "its own private address",
        Kind::Global => "its own public address",
        Kind::Mapped => "mapped by its router",
        Kind::Resolved => "looked up by its name",
        Kind::Punched => "through a hole punched into firewalls and NATs",
        Kind::Relayed => "by the relay that you named",
        Kind::Carried => "ssh",
    };
    address.map_or_else(|| kind.to_owned(), |address| format!("{} ({kind})", shown(address)))
}

fn because(reason: Reason) -> &'static str {
    match reason {
        Reason::First => "it answered first",
        Reason::NetworkChanged => "the network changed",
        Reason::Woke => "this machine woke up",
        Reason::Silence => "the path before fell silent",
        Reason::Withdrawn => "the path before was withdrawn",
        Reason::Probe => "a better path was found",
        Reason::Server => "the server answered there",
    }
}

#[cfg(test)]
mod tests {
    use net::clock;
    use path::{Binding, Event, Family, Reply};

    use super::*;
    use crate::session::own_mapping::Outside;

    #[test]
    fn what_was_tried_is_named() {
        let candidate = |kind, address: &str| Candidate { kind, address: address.parse().unwrap() };
        let tried = [candidate(Kind::Mapped, "20.0.0.1:60002"), candidate(Kind::Lan, "192.168.1.10:60001")];
        let mut agent = Agent::new(1);
        agent.handle_candidates(&tried, clock::now());
        let expected = "no datagram came back from the host; tried 192.168.1.10:60001 (its own private address), \
                        20.0.0.1:60002 (mapped by its router)";
        let (carries, does_not) =
            (Failures::default(), Failures { has_no_channel: true, ..Failures::default() });
        assert_eq!(never_reached(&agent, &carries).cause.what, expected);
        assert_eq!(never_reached(&Agent::new(1), &carries).cause.what, "no address of the host was found");
        let cures = [carries, does_not].map(|failures| never_reached(&agent, &failures).cause.cure);
        assert_eq!(cures, [LET_THROUGH, CARRY].map(|cure| Some(cure.to_owned())));
    }

    #[test]
    fn that_a_hole_was_to_be_punched_is_told_with_what_was_tried() {
        let now = clock::now();
        let mut agent = Agent::new(1);
        let address = "20.0.0.1:60001".parse().unwrap();
        agent.handle_candidates(&[Candidate { kind: Kind::Resolved, address }], now);
        agent.handle_network(&[Binding::any(Family::V4)], now);
        agent.handle_puncher(now);
        agent.handle_outgoing(now);
        while agent.counters().rounds == 0 {
            while let Some(event) = agent.poll_event() {
                if let Event::Open { socket, .. } = event {
                    agent.handle_opened(socket, now);
                }
            }
            agent.handle_timeout(agent.poll_timeout().expect("a round is due"));
        }
        let told = never_reached(&agent, &Failures::default()).cause.what;
        assert!(
            told.ends_with("tried 20.0.0.1:60001 (looked up by its name), and to punch a hole"),
            "{told}"
        );
    }

    #[test]
    fn what_was_found_is_told_between_the_moves() {
        let now = clock::now();
        let milliseconds = |number| now + Duration::from_millis(number);
        let lan = Candidate { kind: Kind::Lan, address: "192.168.1.10:60001".parse().unwrap() };
        let mut agent = Agent::new(1);
        agent.handle_candidates(&[lan], now);
        agent.handle_network(&[Binding::any(Family::V4)], now);
        let Some(Event::Open { socket, .. }) = agent.poll_event() else { panic!("a socket is wanted") };
        agent.handle_opened(socket, now);
        let path = agent.way_between(socket, lan.address).unwrap();
        agent.handle_reply(
            path,
            Reply { sequence: 1, round_trip: Some(Duration::from_millis(40)) },
            milliseconds(40),
        );
        let find = |at, kind, address: &str| Find {
            at: milliseconds(at),
            what: Found::Candidates(vec![Candidate { kind, address: address.parse().unwrap() }]),
        };
        let mapping = Found::Mapping {
            by: "10.1.0.1".parse().unwrap(),
            outside: Outside { address: "20.0.1.50".parse().ok(), port: 40_001.try_into().unwrap() },
        };
        let finds = [
            find(20, Kind::Resolved, "20.0.0.1:60001"),
            find(4_040, Kind::Mapped, "20.0.0.1:60002"),
            Find { at: milliseconds(7_040), what: mapping },
        ];
        let expected = [
            "  -0.020 s: found 20.0.0.1:60001 (looked up by its name)",
            "   0.000 s: 192.168.1.10:60001 (its own private address), because it answered first",
            "   4.000 s: found 20.0.0.1:60002 (mapped by its router)",
            "   7.000 s: this network's router 10.1.0.1 maps 20.0.1.50 port 40001 to this machine",
        ];
        assert_eq!(story(&agent, &finds), expected);
    }

    #[test]
    fn what_would_be_direct_is_told_after_a_minute_over_ssh() {
        let now = clock::now();
        let seconds = |number| now + Duration::from_secs(number);
        let mut agent = Agent::new(1);
        let way = agent.handle_carrier(now);
        agent.handle_reply(
            way,
            Reply { sequence: 1, round_trip: Some(Duration::from_millis(40)) },
            seconds(1),
        );
        assert_eq!(path_used(&agent).as_deref(), Some("the session went over ssh"));
        assert_eq!(story(&agent, &[]), ["   0.000 s: ssh, because it answered first"]);
        assert_eq!(would_be_direct(&agent, Named::default(), seconds(61)), None);
        let trouble = would_be_direct(&agent, Named::default(), seconds(122)).unwrap();
        let expected = "for 2 min no datagram came back from the host but over ssh, which stalls where packets are lost; \
                        tried no address";
        assert_eq!(
            (trouble.cause.what.as_str(), trouble.cause.cure.as_deref()),
            (expected, Some(LET_THROUGH))
        );
    }

    #[test]
    fn where_holes_were_tried_in_vain_a_server_is_the_cure_unless_one_was_named() {
        let named = |stun, turn| Named { stun, turn };
        assert!(cure(3, named(false, false)).starts_with("`--stun stun:SERVER`"));
        assert!(cure(3, named(true, false)).starts_with("`--turn turn:SERVER`"));
        assert_eq!([cure(3, named(false, true)), cure(0, named(false, false))], [LET_THROUGH; 2]);
    }

    #[test]
    fn who_was_refused_another_login_is_told_so_if_nothing_answers() {
        let now = clock::now();
        let told = |agent: &Agent, is_cut_off| {
            let trouble = cut_off(agent, &Failures { is_cut_off, ..Failures::default() });
            trouble.map(|trouble| trouble.cause.what.split(',').next().unwrap().to_owned())
        };
        let mut agent = Agent::new(1);
        let way = agent.handle_carrier(now);
        agent.handle_reply(way, Reply { sequence: 1, round_trip: Some(Duration::from_millis(40)) }, now);
        let carried = "the ssh connection that carried the session has ended or does not answer";
        assert_eq!((told(&agent, true).as_deref(), told(&agent, false)), (Some(carried), None));
        let lan = Candidate { kind: Kind::Lan, address: "192.168.1.10:60001".parse().unwrap() };
        agent.handle_candidates(&[lan], now);
        agent.handle_network(&[Binding::any(Family::V4)], now);
        let sockets = std::iter::from_fn(|| agent.poll_event());
        let Some(socket) = sockets.into_iter().find_map(|event| match event {
            Event::Open { socket, .. } => Some(socket),
            _ => None,
        }) else {
            panic!("a socket is wanted")
        };
        agent.handle_opened(socket, now);
        let direct = agent.way_between(socket, lan.address).unwrap();
        agent.handle_reply(direct, Reply { sequence: 2, round_trip: Some(Duration::from_millis(40)) }, now);
        assert_eq!(told(&agent, true), None, "it is answered");
    }

    #[test]
    fn what_the_host_told_by_its_channel_is_a_line_like_its_others() {
        let trouble = channel::Trouble {
            machine: "router".into(),
            step: "mapping".into(),
            what: "no gateway answers".into(),
            cure: Some("ask it".into()),
        };
        let notes = vec!["a note".into()];
        let failures = Failures { notes, troubles: vec![trouble], ..Failures::default() };
        assert_eq!(told_by_the_host(&failures), ["a note", "no gateway answers; ask it"]);
    }

    #[test]
    fn a_session_that_never_began_went_over_nothing() {
        let agent = Agent::new(1);
        assert_eq!((path_used(&agent), story(&agent, &[])), (None, Vec::new()));
    }
}
