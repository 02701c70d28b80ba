//! The router's own sessions and those of the servers, in one range of ports.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use lab::{Lab, Terminal, wait_until};

use crate::common::{PATIENCE, computes, end_sessions};
use crate::home::{Home, SERVERS, Session, wait_for_prompt};

const ROUNDS: u32 = 5;
const SESSIONS_OF_EACH: usize = 20;

/// Long enough for a mosh client to be heard many times.
const NEVER: Duration = Duration::from_secs(5);

/// Who opens a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opener {
    /// The router, for stock mosh.
    Router,
    /// The router, for our own client.
    RouterOffer,
    Server(usize),
}

fn random_order(sessions_of_each: usize, random: &mut Rng) -> Vec<Opener> {
    let openers = [Opener::Router, Opener::RouterOffer].into_iter();
    let openers = openers.chain((0..SERVERS).map(Opener::Server));
    let mut order: Vec<_> = openers.flat_map(|opener| vec![opener; sessions_of_each]).collect();
    random.shuffle(&mut order);
    order
}

fn open(home: &Home, opener: Opener) -> Result<Session> {
    match opener {
        Opener::Router => home.open_on_router(&["-s"]),
        Opener::RouterOffer => home.offer_on_router(),
        Opener::Server(number) => home.open_on_server(number, &[], &[]),
    }
}

pub(crate) fn router_and_servers_share_one_range_of_ports(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let _guard = home.guard(&[])?;
    let mut random = Rng::with_seed(net::clock::unix_seconds());
    println!("seed {}", random.get_seed());
    for round in 1..=ROUNDS {
        let seed = random.get_seed();
        play(&home, &random_order(SESSIONS_OF_EACH, &mut random))
            .with_context(|| format!("round {round}, seed {seed}"))?;
    }
    Ok(())
}

fn play(home: &Home, order: &[Opener]) -> Result<()> {
    let mut joined: Vec<(Session, Terminal)> = Vec::with_capacity(order.len());
    for &opener in order {
        let session = open(home, opener)?;
        home.wait_until_held(session.port)?;
        if let Some((other, _)) = joined.iter().find(|(other, _)| other.port == session.port) {
            bail!("{session:?} and {other:?}");
        }
        let terminal = home.client(&session)?;
        joined.push((session, terminal));
    }
    // Once all are open, each is still its own.
    for (number, (session, terminal)) in (1001..).zip(&mut joined) {
        wait_for_prompt(session, terminal)?;
        computes(terminal, number).with_context(|| format!("{session:?}"))?;
    }
    let mapped = home.router.leases()?.len();
    let of_servers = order.iter().filter(|opener| matches!(opener, Opener::Server(_))).count();
    ensure!(mapped == of_servers, "{mapped} mappings");
    home.servers.iter().try_for_each(end_sessions)?;
    end_sessions(&home.router)?;
    wait_until("every port to be free", PATIENCE, || {
        let used = home.router.udp_ports()?.into_iter().filter(|port| (60001..=60999).contains(port)).count();
        Ok((used == 0 && home.router.leases()?.is_empty()).then_some(()))
    })
}

/// Each change of the hairpin's rules may meet miniupnpd while it reads its own, and make it fail.
pub(crate) fn sessions_that_are_opened_in_a_row_survive_the_hairpins_changes(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let _guard = home.guard(&["--hairpin"])?;
    let mut random = Rng::with_seed(net::clock::unix_seconds());
    println!("seed {}", random.get_seed());
    play(&home, &random_order(10, &mut random))
}

pub(crate) fn without_the_guard_the_routers_own_sessions_are_shadowed(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let mut random = Rng::with_seed(net::clock::unix_seconds());
    println!("seed {}", random.get_seed());
    let order = random_order(3, &mut random);
    // The first of all gets the first port, whoever it is.
    let first = match order[0] {
        Opener::Server(_) => [order[0], Opener::Router],
        Opener::Router | Opener::RouterOffer => [Opener::Server(0), order[0]],
    };
    let mut sessions = Vec::new();
    for &opener in first.iter().chain(&order) {
        sessions.push(open(&home, opener)?);
    }
    let (of_router, of_servers): (Vec<_>, Vec<_>) =
        sessions.iter().partition(|session| session.host == "router");
    let shadowed = of_router.iter().find(|own| of_servers.iter().any(|other| other.port == own.port));
    let shadowed = shadowed.with_context(|| format!("no collision: {sessions:?}"))?;
    let client = home.client(shadowed)?;
    let reached = client.wait_for("alice@router", NEVER);
    ensure!(reached.is_err(), "{shadowed:?} was reached");
    Ok(())
}
