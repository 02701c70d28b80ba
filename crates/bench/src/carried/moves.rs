//! To a network where only ssh gets through, until a key is echoed there; beside what a login takes there. A session by UDP
//! has no login then.

use std::time::Duration;

use anyhow::Result;
use lab::{Direction, HomeAndAway, Host, Impairment, Lab, Spot, USER, wait_until};

use super::PATIENCE;
use crate::Bench;
use crate::clock::milliseconds;
use crate::moves::{Change, Session, Sign};
use crate::row::{Aim, Row, Unit};
use crate::turns::{Contender, take_turns};

const OURS: &str = "moshpunch";
const LOGIN: &str = "a login by ssh";
const SSH: [&str; 2] = ["--ssh=ssh -p 8022", "router"];

/// What comes out of the first café, and of the second.
const NO_UDP: &str = "table inet strict { chain prerouting { type filter hook prerouting priority -10; \
                      ip saddr { 20.0.0.50, 20.0.0.60 } meta l4proto udp drop; }; }\n";

/// A session by UDP is to end its ssh first, which takes half a minute.
const RUNS: usize = 5;
const SSH_ENDS: Duration = Duration::from_secs(90);

/// In milliseconds.
const AIM: Aim = Aim::AbovePeer(1_000.0);

struct Move {
    name: &'static str,
    from: Spot,
    round_trip: Duration,
}

const MOVES: [Move; 3] = [
    Move { name: "from UDP, 1 ms round trip", from: Spot::Internet, round_trip: Duration::ZERO },
    Move { name: "from UDP, 50 ms round trip", from: Spot::Internet, round_trip: Duration::from_millis(50) },
    Move {
        name: "from ssh alone, 50 ms round trip",
        from: Spot::CafeB,
        round_trip: Duration::from_millis(50),
    },
];

pub(super) fn measure(bench: &Bench) -> Result<Vec<Row>> {
    MOVES.iter().map(|step| measure_move(bench, step)).collect()
}

fn measure_move(bench: &Bench, step: &Move) -> Result<Row> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let home = HomeAndAway::raise(&lab, step.from)?;
    home.router.command("nft").args(["-f", "-"]).input(NO_UDP).run(PATIENCE)?;
    for direction in [Direction::FromHost, Direction::ToHost] {
        home.router.impair("wan0", direction, Impairment::NONE.delay(step.round_trip / 2))?;
    }
    let words = [&["--log=/tmp/ours.log"], &SSH[..]].concat();
    let mut session = Session::open(&home, OURS, &words, "/tmp/ours")?;
    let contenders = vec![
        Contender::new(OURS, || {
            home.go(step.from)?;
            if step.from == Spot::Internet {
                no_login_is_left(&home.laptop)?;
            }
            session.survive(step.from, Change::To(Spot::CafeA), Sign::OfAKey)
        }),
        Contender::new(LOGIN, || {
            let ssh = home.laptop.command("ssh").args(["-p", "8022", "router", "true"]).as_user(USER);
            Ok(Some(milliseconds(ssh.run(PATIENCE)?.took)))
        }),
    ];
    let samples = take_turns(step.name, contenders, bench.runs.min(RUNS))?;
    let name = format!("a move {}", step.name);
    let row = Row::new(name, Unit::Milliseconds, samples[OURS].clone());
    Ok(row.beside(LOGIN, samples[LOGIN].clone()).aiming_at(AIM))
}

fn no_login_is_left(laptop: &Host) -> Result<()> {
    wait_until("the end of ssh", SSH_ENDS, || Ok(laptop.processes("ssh")?.is_empty().then_some(())))
}
