//! The cafés and the home of sessions [through a hole](crate::punched), on a line that loses some; and a relay in the cafés' city.

use std::time::Duration;

use anyhow::Result;
use lab::{Daemon, Host, Impairment, Lab, Nat, wait_until};

use crate::Bench;
use crate::punched::log::Kind;
use crate::punched::network::Network;
use crate::punched::{BY_SSH, PATIENCE};

const THERE: Duration = Duration::from_millis(25);
const LOST_PER_MILLE: u16 = 10;

const PASSWORD_FILE: &str = "/home/alice/password";

/// How the server is reached.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    OverSsh,
    ThroughAHole,
    ByARelay,
}

pub(super) struct Surroundings {
    pub(super) network: Network,
    _relay: Host,
    _turnserver: Daemon,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::OverSsh, Self::ThroughAHole, Self::ByARelay];

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::OverSsh => Kind::Carried,
            Self::ThroughAHole => Kind::Punched,
            Self::ByARelay => Kind::Relayed,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OverSsh => "over ssh",
            Self::ThroughAHole => "through a hole",
            Self::ByARelay => "by a relay",
        }
    }

    /// Of the client, for a session that goes so.
    pub(super) fn words(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Self::OverSsh => &["--no-punch"],
            Self::ThroughAHole => &[],
            Self::ByARelay => {
                &["--turn=turn:20.0.1.3", "--turn-user=alice", "--turn-password-file=/home/alice/password"]
            }
        };
        [own, &BY_SSH].concat()
    }

    /// Of the cafés. Between the last of these and a home's no hole can be punched.
    fn cafes(self) -> Nat {
        match self {
            Self::OverSsh | Self::ThroughAHole => Nat::home("wan0"),
            Self::ByARelay => Nat::symmetric("wan0"),
        }
    }
}

pub(super) fn raise(bench: &Bench, lab: &Lab, way: Way) -> Result<Surroundings> {
    let line = Impairment::NONE.delay(THERE).loss(LOST_PER_MILLE);
    let network = Network::raise(bench, lab, &way.cafes(), line)?;
    let relay = lab.host("turn").attach("eth0", &network.city, &["20.0.1.3/24"]);
    let relay = relay.default_route("20.0.1.1").start()?;
    let turnserver = turn_server(&relay)?;
    network.laptop.write_user_file(PASSWORD_FILE, "geheim\n")?;
    network.laptop.command("chmod").args(["600", PASSWORD_FILE]).run(PATIENCE)?;
    Ok(Surroundings { network, _relay: relay, _turnserver: turnserver })
}

fn turn_server(host: &Host) -> Result<Daemon> {
    let words = [
        "-n",
        "--no-cli",
        "--no-tls",
        "--no-dtls",
        "--listening-ip=20.0.1.3",
        "--realm=lab",
        "--lt-cred-mech",
        "--user=alice:geheim",
        "--log-file=stdout",
        "--simple-log",
        "--pidfile=/tmp/turnserver.pid",
        "--userdb=/tmp/turndb",
    ];
    let server = host.spawn("turnserver", &host.command("turnserver").args(words))?;
    wait_until("the TURN server", PATIENCE, || {
        let listening = host.command("ss").args(["-Huln", "sport", "=", ":3478"]).run(PATIENCE)?;
        Ok((!listening.stdout.trim().is_empty()).then_some(()))
    })?;
    Ok(server)
}
