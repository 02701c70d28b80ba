//! What is said once the session has ended.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Instant;

use path::{Agent, Candidate, Entry, Kind, Reason};
use report::{Machine, Step, Trouble};

use crate::addresses::reachable::shown;
use crate::login::diagnosis::named;
use crate::session::forwarder::Find;

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
    let found = |find: &Find| (find.at, format!("found {}", listed(&find.candidates)));
    let first_path = agent.log().next().map(|entry| entry.at);
    let mut story: Vec<_> = agent.log().map(moved).chain(finds.iter().map(found)).collect();
    story.sort_by_key(|(at, _)| *at);
    let Some(begin) = first_path.or_else(|| story.first().map(|(at, _)| *at)) else { return Vec::new() };
    story.iter().map(|(at, what)| format!("{:8.3} s: {what}", seconds_after(begin, *at))).collect()
}

fn seconds_after(begin: Instant, at: Instant) -> f64 {
    at.saturating_duration_since(begin).as_secs_f64() - begin.saturating_duration_since(at).as_secs_f64()
}

/// Nothing was ever heard of the server.
pub(crate) fn never_reached(tried: &[Candidate]) -> Trouble {
    let cause = match tried {
        [] => "no address of the host was found".to_owned(),
        _ => format!("no datagram came back from the host; tried {}", listed(tried)),
    };
    let cure = "a firewall or router on the way drops UDP: let these ports through, or have the host's router map them \
                (install moshpunch there, and `moshpunch map gateway` tells what its router can do)";
    Trouble::told(Machine::Router, Step::Session, cause, cure)
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
    use std::time::Duration;

    use net::clock;
    use path::{Binding, Event, Family, Reply};

    use super::*;

    #[test]
    fn what_was_tried_is_named() {
        let candidate = |kind, address: &str| Candidate { kind, address: address.parse().unwrap() };
        let tried = [candidate(Kind::Lan, "192.168.1.10:60001"), candidate(Kind::Mapped, "20.0.0.1:60002")];
        let expected = "no datagram came back from the host; tried 192.168.1.10:60001 (its own private address), \
                        20.0.0.1:60002 (mapped by its router)";
        assert_eq!(never_reached(&tried).cause.what, expected);
        assert_eq!(never_reached(&[]).cause.what, "no address of the host was found");
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
        agent.handle_reply(path, Reply { sequence: 1, answers: true }, milliseconds(40));
        let find = |at, kind, address: &str| Find {
            at: milliseconds(at),
            candidates: vec![Candidate { kind, address: address.parse().unwrap() }],
        };
        let finds = [find(20, Kind::Resolved, "20.0.0.1:60001"), find(4_040, Kind::Mapped, "20.0.0.1:60002")];
        let expected = [
            "  -0.020 s: found 20.0.0.1:60001 (looked up by its name)",
            "   0.000 s: 192.168.1.10:60001 (its own private address), because it answered first",
            "   4.000 s: found 20.0.0.1:60002 (mapped by its router)",
        ];
        assert_eq!(story(&agent, &finds), expected);
    }

    #[test]
    fn a_session_that_never_began_went_over_nothing() {
        let agent = Agent::new(1);
        assert_eq!((path_used(&agent), story(&agent, &[])), (None, Vec::new()));
    }
}
