//! From the moment at which a new link is up, or a path has died, until the user sees a sign of the server.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::{HomeAndAway, Host, Lab, Spot, Terminal, USER};

use crate::Bench;
use crate::clock::{milliseconds_since, rest};
use crate::row::{Aim, Group, Row, Unit};
use crate::sample::Reading;
use crate::turns::{Contender, take_turns};

const TITLE: &str = "moves: link up to the sign on the screen";
const OURS: &str = "moshpunch";
const STOCK: &str = "stock mosh";
const PROMPT: &str = "alice@server:~$";

const PATIENCE: Duration = Duration::from_secs(30);
/// Who has shown nothing by then has not survived the move. mosh-client tells of itself every 3 s, and tries another port
/// after 10 s.
const LIMIT: Duration = Duration::from_secs(12);
/// Before each change. By then the client's race over all paths is over, and half of the time between two of mosh's
/// heartbeats.
const REST: Duration = Duration::from_millis(1_500);
/// In milliseconds; the round trip that comes to it is below one here.
const AIM: Aim = Aim::AtMost(100.0);

const FROM_OUTSIDE: [&str; 2] = ["--ssh=ssh -p 8022", "router"];
const FROM_INSIDE: [&str; 2] = ["-4", "server"];
const BY_JUMP: [&str; 2] = ["--ssh=ssh -J router", "server"];
/// With it, stock mosh gets through the router at all.
const SERVER: &str = "--server=moshpunch server";

/// From which it is read over what path our client goes.
const LOG: &str = "/tmp/ours.log";

/// What happens to a session.
struct Move {
    name: &'static str,
    from: Spot,
    to: Change,
    ours: [&'static str; 2],
    stock: [&'static str; 2],
}

#[derive(Clone, Copy)]
pub(crate) enum Change {
    To(Spot),
    /// The router drops what comes by the family that the session goes by; links stay up.
    Death,
}

const MOVES: [Move; 5] = [
    Move {
        name: "LAN to internet",
        from: Spot::Lan,
        to: Change::To(Spot::Internet),
        ours: FROM_INSIDE,
        stock: FROM_INSIDE,
    },
    Move {
        name: "internet to LAN",
        from: Spot::Internet,
        to: Change::To(Spot::Lan),
        ours: FROM_OUTSIDE,
        stock: FROM_OUTSIDE,
    },
    Move {
        name: "one NAT to another",
        from: Spot::CafeA,
        to: Change::To(Spot::CafeB),
        ours: FROM_OUTSIDE,
        stock: FROM_OUTSIDE,
    },
    Move {
        name: "IPv4 alone to IPv6 alone",
        from: Spot::Internet,
        to: Change::To(Spot::Ipv6Only),
        ours: FROM_OUTSIDE,
        stock: FROM_OUTSIDE,
    },
    Move {
        name: "path dies silently",
        from: Spot::DualStack,
        to: Change::Death,
        ours: BY_JUMP,
        stock: FROM_OUTSIDE,
    },
];

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let mut rows = Vec::new();
    for step in &MOVES {
        rows.extend(measure_move(bench, step).with_context(|| step.name)?);
    }
    Ok(vec![Group { title: TITLE, rows }])
}

fn measure_move(bench: &Bench, step: &Move) -> Result<Vec<Row>> {
    let lab = Lab::new("bench")?;
    lab.install(&bench.moshpunch)?;
    let home = HomeAndAway::raise(&lab, step.from)?;
    let log = format!("--log={LOG}");
    let (ours, stock) = ([&[&*log], &step.ours[..]].concat(), [&[SERVER], &step.stock[..]].concat());
    let mut rows = Vec::new();
    for sign in [Sign::OfAKey, Sign::OfTheServer] {
        home.go(step.from)?;
        let mut our_session = Session::open(&home, "moshpunch", &ours, "/tmp/ours")?;
        let mut their_session = Session::open(&home, "mosh", &stock, "/tmp/theirs")?;
        let contenders = vec![
            Contender::new(OURS, || our_session.survive(step.from, step.to, sign)),
            Contender::new(STOCK, || their_session.survive(step.from, step.to, sign)),
        ];
        let samples = take_turns(&format!("{}, {}", step.name, sign.name()), contenders, bench.runs)?;
        let row =
            Row::new(format!("{}, {}", step.name, sign.name()), Unit::Milliseconds, samples[OURS].clone());
        rows.push(row.beside(STOCK, samples[STOCK].clone()).aiming_at(AIM));
    }
    Ok(rows)
}

/// What tells the user that the session goes on.
#[derive(Clone, Copy)]
pub(crate) enum Sign {
    OfAKey,
    /// Nothing is typed; the server has something to say.
    OfTheServer,
}

impl Sign {
    fn name(self) -> &'static str {
        match self {
            Self::OfAKey => "typing",
            Self::OfTheServer => "idle",
        }
    }
}

pub(crate) struct Session<'a> {
    home: &'a HomeAndAway,
    client: &'static str,
    terminal: Terminal,
    /// On the server; what is written to it is shown.
    pipe: &'static str,
    count: u32,
}

impl<'a> Session<'a> {
    pub(crate) fn open(
        home: &'a HomeAndAway,
        client: &'static str,
        words: &[&str],
        pipe: &'static str,
    ) -> Result<Self> {
        let command = home.laptop.command(client).arg("--predict=never").args(words).as_user(USER);
        let terminal = home.laptop.terminal(&command, 24, 100)?;
        terminal.wait_for(PROMPT, PATIENCE)?;
        let make = format!("test -p {pipe} || mkfifo {pipe}");
        home.server.command("sh").args(["-c", &make]).as_user(USER).run(PATIENCE)?;
        Ok(Self { home, client, terminal, pipe, count: 0 })
    }

    pub(crate) fn survive(&mut self, from: Spot, change: Change, sign: Sign) -> Result<Reading> {
        self.settle(from)?;
        self.prepare(sign)?;
        rest(REST)?;
        let revival = self.change(change)?;
        let start = net::clock::now();
        let came = self.look_for(sign);
        let took = milliseconds_since(start);
        if let Some(router) = revival {
            router.command("nft").args(["delete", "table", "inet", "dead"]).run(PATIENCE)?;
        }
        Ok(came?.then_some(took))
    }

    /// Back to where the move begins, by the path that is best there.
    fn settle(&mut self, from: Spot) -> Result<()> {
        if from == Spot::DualStack {
            self.home.go(Spot::Ipv6Only)?;
            self.home.go(Spot::DualStack)?;
        } else {
            self.home.go(from)?;
        }
        self.count += 1;
        let (number, answer) = (self.count, 1_000 + self.count);
        self.terminal.type_text(&format!("\x03\x15clear; echo =$((1000+{number}))=\r"))?;
        self.terminal.wait_until("an answer and a prompt", PATIENCE, |screen| {
            screen.contains(&format!("={answer}=")) && screen.trim_end().ends_with(PROMPT)
        })
    }

    fn prepare(&mut self, sign: Sign) -> Result<()> {
        match sign {
            Sign::OfAKey => Ok(()),
            Sign::OfTheServer => {
                let (pipe, count) = (self.pipe, self.count);
                self.terminal.type_text(&format!("read -r word <{pipe}; echo heard $word {count}\r"))?;
                self.terminal.wait_for(&format!("$word {count}"), PATIENCE)
            }
        }
    }

    /// Gives the router on which a path died, for its revival.
    fn change(&self, change: Change) -> Result<Option<&'a Host>> {
        match change {
            Change::To(spot) => self.home.go(spot).map(|()| None),
            Change::Death => {
                let family = self.family()?;
                let rule = format!("meta nfproto {family} meta l4proto udp drop");
                let chain = format!("chain forward {{ type filter hook forward priority -10; {rule}; }}");
                let table = format!("table inet dead {{ {chain}; }}\n");
                let router = &self.home.router;
                router.command("nft").args(["-f", "-"]).input(table).run(PATIENCE)?;
                Ok(Some(router))
            }
        }
    }

    /// As nftables name it. Stock mosh goes by IPv4 from outside.
    fn family(&self) -> Result<&'static str> {
        if self.client == "mosh" {
            return Ok("ipv4");
        }
        let log = self.home.laptop.read_file(LOG)?;
        let moved = log.lines().rfind(|line| line.contains("Moved {")).context("no path in the log")?;
        Ok(if moved.contains("address: Some([") { "ipv6" } else { "ipv4" })
    }

    /// Whether it came within the limit.
    fn look_for(&mut self, sign: Sign) -> Result<bool> {
        let shown = match sign {
            Sign::OfAKey => {
                self.terminal.type_text("x")?;
                format!("{PROMPT} x")
            }
            Sign::OfTheServer => {
                self.home.server.inside(|| Ok(fs::write(self.pipe, "news\n")?))?;
                format!("heard news {}", self.count)
            }
        };
        Ok(self.terminal.wait_for(&shown, LIMIT).is_ok())
    }
}
