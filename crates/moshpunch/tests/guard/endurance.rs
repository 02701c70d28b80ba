//! miniupnpd and the guard, stopped and killed while sessions renew their mappings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::{Daemon, Lab, Signal, wait_until};

use crate::common::{PATIENCE, computes, end_sessions};
use crate::home::{FREE_WITHIN, HELD_WITHIN, Home};

const LEASE: &[&str] = &["--lease", "3"];
const WHILE_LEASES_ARE_RENEWED: usize = 2;

/// Watches that what is mapped is held, and nothing else for long.
#[derive(Default)]
struct Watch {
    only_mapped: Spells,
    only_held: Spells,
}

impl Watch {
    fn look(&mut self, home: &Home) -> Result<Vec<(u16, u64)>> {
        let held = home.router.udp_ports()?;
        let leases: Vec<_> =
            home.router.leases()?.iter().map(|lease| (lease.external_port, lease.expires)).collect();
        let now = net::clock::now();
        let mapped: BTreeSet<u16> = leases.iter().map(|(port, _)| *port).collect();
        let held = held.into_iter().filter(|port| (60001..=60999).contains(port)).collect();
        self.only_mapped.note(&(&mapped - &held), now);
        self.only_held.note(&(&held - &mapped), now);
        Ok(leases)
    }

    /// Until every mapping was renewed a few times.
    fn watch_renewals(&mut self, home: &Home, sessions: usize) -> Result<()> {
        let mut seen: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
        wait_until("every mapping to be renewed", Duration::from_secs(60), || {
            for (port, expires) in self.look(home)? {
                let expiries = seen.entry(port).or_default();
                if expiries.last() != Some(&expires) {
                    expiries.push(expires);
                }
            }
            let renewed = seen.values().filter(|expiries| expiries.len() > WHILE_LEASES_ARE_RENEWED).count();
            Ok((renewed == sessions).then_some(()))
        })
        .with_context(|| format!("{seen:?}"))
    }
}

/// How long ports were so, at the least: from the first look that saw it to the last. This test may have to wait between
/// two looks, like any program.
#[derive(Default)]
struct Spells {
    since: BTreeMap<u16, Instant>,
    longest: Duration,
}

impl Spells {
    fn note(&mut self, ports: &BTreeSet<u16>, now: Instant) {
        self.since.retain(|port, _| ports.contains(port));
        for port in ports {
            self.since.entry(*port).or_insert(now);
        }
        let spells = self.since.values().map(|since| now - *since);
        self.longest = spells.chain([self.longest]).max().unwrap_or_default();
    }
}

pub(crate) fn both_may_be_restarted_and_killed_while_mappings_are_renewed(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let mut miniupnpd = home.miniupnpd()?;
    let mut guard = home.guard(&[])?;
    let sessions = [0, 1, 2, 0, 1].map(|number| home.open_on_server(number, LEASE, &[]));
    let sessions = sessions.into_iter().collect::<Result<Vec<_>>>()?;
    let mut terminals = sessions.iter().map(|session| home.join(session)).collect::<Result<Vec<_>>>()?;
    let mut watch = Watch::default();
    watch.watch_renewals(&home, sessions.len())?;
    for signal in [Signal::TERM, Signal::KILL] {
        end(miniupnpd, signal)?;
        watch.look(&home)?;
        miniupnpd = home.miniupnpd()?;
        watch.watch_renewals(&home, sessions.len())?;
        end(guard, signal)?;
        watch.look(&home)?;
        guard = home.guard(&[])?;
        watch.watch_renewals(&home, sessions.len())?;
    }
    // A mapping that ends while nobody guards is not held afterwards.
    end(guard, Signal::KILL)?;
    end_sessions(&home.servers[2])?;
    wait_until("the mapping to go", PATIENCE, || {
        Ok((home.router.leases()?.len() == sessions.len() - 1).then_some(()))
    })?;
    guard = home.guard(&[])?;
    ensure!(!home.is_held(sessions[2].port)?, "{}", guard.log());
    for (number, terminal) in (1801..).zip(&mut terminals).filter(|(number, _)| *number != 1803) {
        computes(terminal, number)?;
    }
    watch.look(&home)?;
    home.servers.iter().try_for_each(end_sessions)?;
    wait_until("everything to be free", FREE_WITHIN, || {
        let leases = watch.look(&home)?;
        Ok((leases.is_empty() && watch.only_held.since.is_empty()).then_some(()))
    })?;
    let Watch { only_mapped, only_held } = watch;
    println!("not held for {:?}, held in vain for {:?}", only_mapped.longest, only_held.longest);
    ensure!(only_mapped.longest <= HELD_WITHIN, "not held for {:?}", only_mapped.longest);
    ensure!(only_held.longest <= FREE_WITHIN, "held in vain for {:?}", only_held.longest);
    Ok(())
}

fn end(daemon: Daemon, signal: Signal) -> Result<()> {
    daemon.signal(signal)?;
    daemon.wait_exit(PATIENCE)?;
    Ok(())
}

/// Its rules are there, and what comes from outside still goes to the server.
pub(crate) fn a_dead_miniupnpds_ports_stay_held_after_their_leases(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let miniupnpd = home.miniupnpd()?;
    let guard = home.guard(&[])?;
    let add = ["-e", "a game", "-a", "192.168.1.10", "60001", "60001", "UDP", "1"];
    end_after_lease(&home, miniupnpd, &add)?;
    ensure!(home.is_held(60001)?, "{}", guard.log());
    home.router.flush_upnp_rules()?;
    home.wait_until_free(60001)
}

/// Kills miniupnpd before it drops the mapping, and waits for twice the grace of the guard.
fn end_after_lease(home: &Home, miniupnpd: Daemon, add: &[&str]) -> Result<()> {
    home.servers[0].command("upnpc").args(add).run(PATIENCE)?;
    end(miniupnpd, Signal::KILL)?;
    home.wait_until_held(60001)?;
    let lease = home.router.leases()?.pop().context("the dead miniupnpd's lease file tells it")?;
    let released = wait_until("the grace to be over", PATIENCE, || {
        let over = net::clock::unix_seconds() > lease.expires + 5;
        Ok(over.then_some(()))
    });
    released.context("the clock stands")
}
