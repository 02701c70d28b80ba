//! What is said once the session has ended.

use path::{Agent, Candidate, Entry, Kind, Reason};

use crate::session::Failure;

/// Which path was used, in one line.
pub(crate) fn path_used(agent: &Agent) -> Option<String> {
    let last = agent.log().last()?;
    let moves = agent.counters().moves.saturating_sub(1);
    let moved = match moves {
        0 => String::new(),
        1 => ", after 1 move".to_owned(),
        moves => format!(", after {moves} moves"),
    };
    Some(format!("the session went over {}{moved}", described(last.candidate)))
}

/// Each move, for `-v`. The log counts from the first.
pub(crate) fn moves(agent: &Agent) -> Vec<String> {
    let Some(first) = agent.log().next().map(|entry| entry.at) else { return Vec::new() };
    let line = |entry: &Entry| {
        let seconds = entry.at.saturating_duration_since(first).as_secs_f64();
        format!("{seconds:8.3} s: {}, because {}", described(entry.candidate), because(entry.reason))
    };
    agent.log().map(line).collect()
}

/// Nothing was ever heard of the server.
pub(crate) fn never_reached(tried: &[Candidate]) -> Failure {
    let cause = match tried {
        [] => "no address of the host was found".to_owned(),
        _ => format!("no datagram came back from the host; tried {}", listed(tried)),
    };
    let cure = "a firewall or router on the way drops UDP: let these ports through, or have the host's router map them \
                (install moshpunch there, and `moshpunch map gateway` tells what its router can do)";
    Failure { cause, cure: cure.into() }
}

/// mosh-client had nothing to say to the server.
pub(crate) fn never_began() -> Failure {
    Failure {
        cause: "mosh-client ended before it sent anything; its own message is above".to_owned(),
        cure: "it needs a terminal, and a locale with UTF-8 on this machine (set LC_ALL=C.UTF-8)".to_owned(),
    }
}

/// For one line.
pub(crate) fn listed(candidates: &[Candidate]) -> String {
    match candidates {
        [] => "no address".to_owned(),
        _ => candidates.iter().map(|&candidate| described(candidate)).collect::<Vec<_>>().join(", "),
    }
}

fn described(candidate: Candidate) -> String {
    let kind = match candidate.kind {
        Kind::Lan => "its own private address",
        Kind::Global => "its own public address",
        Kind::Mapped => "mapped by its router",
        _ => "looked up by its name",
    };
    format!("{} ({kind})", candidate.address)
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
    use super::*;

    #[test]
    fn what_was_tried_is_named() {
        let candidate = |kind, address: &str| Candidate { kind, address: address.parse().unwrap() };
        let tried = [candidate(Kind::Lan, "192.168.1.10:60001"), candidate(Kind::Mapped, "20.0.0.1:60002")];
        let expected = "no datagram came back from the host; tried 192.168.1.10:60001 (its own private address), \
                        20.0.0.1:60002 (mapped by its router)";
        assert_eq!(never_reached(&tried).cause, expected);
        assert_eq!(never_reached(&[]).cause, "no address of the host was found");
    }

    #[test]
    fn a_session_that_never_began_went_over_nothing() {
        let agent = Agent::new(1);
        assert_eq!((path_used(&agent), moves(&agent)), (None, Vec::new()));
    }
}
