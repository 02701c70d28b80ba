//! Rounds of hole punching: what lets a session go directly where nothing maps a port.
//!
//! An *opener* is a small datagram that the host sends from mosh-server's own socket. NATs and firewalls on the host's side
//! take what comes back for an answer and let it in, and where it arrives it tells from which address the host is seen. A
//! *round* is one attempt, which the host's *puncher* is asked for:
//!
//! 1. *Gather*: a fresh socket a family, from which nothing has been sent to the host. A router may have kept what came too
//!    early as a connection of its own; then what leaves by the same port afterwards gets another one.
//! 2. *Prime*: a datagram to each address where the host may be, which dies behind our own router and makes it expect the
//!    host's openers. It does not die where the host's router is the next one to ours. So a round that failed is followed by
//!    one without it, in which the host's openers are the first; or by one more with it, where the host has told meanwhile
//!    of an address that was not primed. A router that keeps what is early may have given mosh-server's port away then,
//!    whoever the openers are for, until it forgets: later series begin with the host.
//! 3. *Ask*: the host sends openers to the sockets' addresses, and says from where they come.
//! 4. *Prove*: only once the host has said so, or an opener has come, for their routers keep what is early as well.
//!    mosh-client's datagrams go over the [punched](crate::Kind::Punched) ways, too, as over any better ones. A source that
//!    an opener comes from is one more.
//! 5. An answer of mosh-server over any way by UDP ends the round. Without one it has *failed*.
//!
//! # Mapped rounds
//!
//! Where both orders have failed, our own router may be of a kind that gives each remote another port, and nobody knows which
//! one. If it maps ports, a mapping for the round's socket lets the host's openers in whatever it does otherwise. So the third
//! and last round of a series asks the owner for one as part of gathering ([`Event::Map`](crate::Event::Map)), and fails at
//! once where none is to be had. It is of IPv4 alone, for IPv6 is seldom translated.
//!
//! In it the host must come first: what leaves before an opener has come in from there may get another port, and the host's
//! router lets in what comes from the mapped one. So nothing is primed but a firewall on this machine, by what our own router
//! drops; the host's word begins nothing, and ways lead to where openers come from and nowhere else. This serves any NAT on
//! the host's side, too; beside a firewall on this machine one from whose addresses openers are expected.
//!
//! What worked is tried first the next time, until the network changes; then a mapping is the last thing to be tried again.
//!
//! # Which part decides what
//!
//! | What | Who |
//! |---|---|
//! | when a round may begin, and that it has failed; its sockets, its addresses and how many | `Rounds`, which sees neither ways nor datagrams |
//! | in which order, and whether with a mapping: the others have failed in this network | `Series` |
//! | that one is wanted: no way by UDP answers | the agent (`punching`) |
//! | what a punched way is among others: its rank, what it depends on, how better ones are tried | the `policy` of its kind |
//! | who gets which datagram, and when mosh-client is nudged | the agent as ever: in a race or a silence by `turns`, beside a channel by `trial` |
//! | that a hole is there | mosh-server, by an authentic reply, and nothing else |
//! | that a hole that is lost again and again rests | `damping`, as for addresses |
//! | the cookie, what the host is asked to send to, the TTL, which addresses are let in at all | the owner |
//! | whether our router is asked for a mapping at all, how, and for how long; that one is given back with its socket | the owner |

mod series;
#[cfg(test)]
mod tests;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use self::series::{Approach, Failed, Series};
use crate::candidate::{Candidate, Kind};
use crate::damping::Rest;
use crate::event::{Primed, SocketId};

/// What is asked for is answered within this, and what is answered is proven within it. Openers go out at 0, 100 and 300 ms,
/// and of DCUtR's successes 97.6 % come at the first attempt.
pub const ROUND_SPAN: Duration = Duration::from_secs(3);

/// Our own router maps a port within this, or does not. By UPnP it is searched for 0.9 s, and asked five questions then.
pub const MAPPING_SPAN: Duration = Duration::from_secs(6);

/// From the beginning of one to that of the next, whatever happens: a host takes one a second.
pub const ROUND_GAP: Duration = Duration::from_millis(1_500);

/// For how long one that has learnt an address may prove it, before it is begun again with that: the round trip of a far network
/// and some more.
pub const LEARNT_SPAN: Duration = Duration::from_secs(1);

/// After a round that was refused, then a series that failed, in both orders and with a mapping, then another, and so on; the
/// last for all further ones. A change of any kind begins anew.
pub const ROUND_WAITS: [Duration; 5] = [
    ROUND_GAP,
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
    Duration::from_secs(1_800),
];

/// For how long a race or a silence is left to the known ways: what works has mostly answered.
pub const ROUND_PATIENCE: Duration = Duration::from_millis(500);

/// As [`ROUND_PATIENCE`], where no way is known to have worked: the server itself may have just started.
pub const FIRST_ROUND_PATIENCE: Duration = Duration::from_secs(1);

/// Addresses that one round leads to, of both families. So many has a host with two private and two global ones, a gateway,
/// and a name that leads elsewhere.
pub const MAX_REMOTES: usize = 6;

/// Sources of openers beyond these, of one round. Behind a NAT that gives each of our sockets another port they are two.
pub const MAX_SOURCES: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Sockets, and what they are mapped to.
    Gathering,
    Asking,
    Proving,
}

#[derive(Debug)]
struct Round {
    number: u32,
    approach: Approach,
    stage: Stage,
    sockets: Vec<SocketId>,
    not_yet_open: Vec<SocketId>,
    remotes: Vec<SocketAddr>,
    sources: Vec<SocketAddr>,
    /// The host has told of one more of its addresses, where it was not to be expected when the round was asked for.
    has_learnt: bool,
    /// There has been a change since it began.
    is_outdated: bool,
}

impl Round {
    fn knows(&self, source: SocketAddr) -> bool {
        self.remotes.contains(&source) || self.sources.contains(&source)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Rounds {
    has_puncher: bool,
    under_way: Option<Round>,
    next_number: u32,
    failures: usize,
    series: Series,
    not_before: Option<Instant>,
    /// The host has sent nothing for the last one, as one whose channel is dead.
    is_unanswered: bool,
    begun: Option<Instant>,
    /// When the host was asked last.
    asked: Option<Instant>,
    /// From where the host has said that its openers come.
    told: Vec<SocketAddr>,
    /// Since when a hole is in use.
    proven: Option<Instant>,
    rest: Rest,
    /// What leads there may do so thanks to an opener.
    opened: BTreeSet<SocketAddr>,
}

impl Rounds {
    /// What the host has not answered it may answer by another channel.
    pub(crate) fn puncher_came(&mut self) {
        self.has_puncher = true;
        self.not_before.take_if(|_| self.is_unanswered);
    }

    pub(crate) fn puncher_went(&mut self) {
        self.has_puncher = false;
    }

    pub(crate) fn are_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// When the next one may begin, unless one is under way or there is nobody to ask.
    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        if !self.has_puncher || self.under_way.is_some() {
            return None;
        }
        let bounds = [self.not_before, self.begun.map(|begun| begun + ROUND_GAP), self.rest.ends()];
        bounds.into_iter().flatten().chain([now]).max()
    }

    /// There is reason to try again, from then on.
    pub(crate) fn hurry(&mut self, from: Instant) {
        self.failures = 0;
        self.series.renew();
        (self.not_before, self.is_unanswered) = (Some(from), false);
        self.under_way.iter_mut().for_each(|round| round.is_outdated = true);
    }

    pub(crate) fn begin(&mut self, sockets: Vec<SocketId>, now: Instant) {
        self.begun = Some(now);
        self.next_number += 1;
        self.under_way = Some(Round {
            number: self.next_number,
            approach: self.series.next(),
            stage: Stage::Gathering,
            not_yet_open: sockets.clone(),
            sockets,
            remotes: Vec::new(),
            sources: Vec::new(),
            has_learnt: false,
            is_outdated: false,
        });
    }

    pub(crate) fn has(&self, socket: SocketId) -> bool {
        self.under_way.as_ref().is_some_and(|round| round.sockets.contains(&socket))
    }

    pub(crate) fn sockets(&self) -> &[SocketId] {
        self.under_way.as_ref().map_or(&[], |round| &round.sockets)
    }

    /// One of its sockets is open, or cannot be opened and is gone.
    pub(crate) fn gather(&mut self, socket: SocketId, is_open: bool) {
        if let Some(round) = &mut self.under_way {
            round.not_yet_open.retain(|&waiting| waiting != socket);
            round.sockets.retain(|&kept| is_open || kept != socket);
        }
    }

    /// From where its openers may come. First what the host itself has told before, then the best of those `known`.
    pub(crate) fn likely(&self, known: &[SocketAddr]) -> Vec<SocketAddr> {
        listed(self.told.iter().chain(known).copied())
    }

    /// Its number, once all sockets are there; from then on an answer is waited for.
    pub(crate) fn ask(&mut self, known: &[SocketAddr], now: Instant) -> Option<u32> {
        let likely = self.likely(known);
        let round = self.under_way.as_mut()?;
        let is_gathered = round.stage == Stage::Gathering && round.not_yet_open.is_empty();
        if !is_gathered || round.sockets.is_empty() {
            return None;
        }
        round.stage = Stage::Asking;
        self.asked = Some(now);
        if round.approach != Approach::Mapped {
            round.remotes = likely;
        }
        Some(round.number)
    }

    /// When the host may be asked for openers to something else; not while it is asked for those of a round, or soon will be.
    pub(crate) fn leave_room(&self, now: Instant) -> Option<Instant> {
        let is_free = self.under_way.as_ref().is_none_or(|round| round.stage == Stage::Proving);
        let next = self.asked.map_or(now, |asked| now.max(asked + ROUND_GAP));
        (self.has_puncher && is_free).then_some(next)
    }

    /// It is. The number that this has among rounds.
    pub(crate) fn ask_beside(&mut self, now: Instant) -> u32 {
        self.next_number += 1;
        (self.begun, self.asked) = (Some(now), Some(now));
        self.next_number
    }

    /// From where openers come, as far as the host has said.
    pub(crate) fn told(&self) -> impl Iterator<Item = SocketAddr> {
        self.told.iter().copied()
    }

    /// Whoever is to expect the host's openers. Where ways lead to where they come from and nowhere else, a firewall on this
    /// machine must not keep them out.
    pub(crate) fn primed(&self) -> Option<Primed> {
        match self.approach() {
            Approach::Primed => Some(Primed::Router),
            Approach::HostFirst => None,
            Approach::Mapped => Some(Primed::Machine),
        }
    }

    /// Whether its socket is to be mapped, and nothing is to be sent but to where openers come from.
    pub(crate) fn are_mapped(&self) -> bool {
        self.approach() == Approach::Mapped
    }

    /// Of the one that is under way, or else of the next one.
    fn approach(&self) -> Approach {
        self.under_way.as_ref().map_or_else(|| self.series.next(), |round| round.approach)
    }

    pub(crate) fn remotes(&self) -> &[SocketAddr] {
        self.under_way.as_ref().map_or(&[], |round| &round.remotes)
    }

    pub(crate) fn is_asked(&self, number: u32) -> bool {
        let asked = |round: &Round| round.number == number && round.stage != Stage::Gathering;
        self.under_way.as_ref().is_some_and(asked)
    }

    /// Openers come from there, as far as the host knows. Those are returned that are learnt in the proof, and have no room among
    /// the remotes: each is as good as a source of an opener.
    pub(crate) fn tell(&mut self, told: &[SocketAddr]) -> Vec<SocketAddr> {
        self.told = listed(told.iter().copied());
        let Some(round) = self.under_way.as_mut().filter(|round| round.approach != Approach::Mapped) else {
            return Vec::new();
        };
        let known = std::mem::take(&mut round.remotes);
        let is_expected = |address| known.contains(address);
        round.has_learnt |= round.stage != Stage::Gathering && !self.told.iter().all(is_expected);
        round.remotes = match round.stage {
            Stage::Gathering | Stage::Asking => listed(self.told.iter().copied().chain(known)),
            Stage::Proving => listed(known.into_iter().chain(self.told.iter().copied())),
        };
        let told = if self.is_proving() { self.told.clone() } else { Vec::new() };
        told.into_iter().filter(|&address| self.takes_source(address)).collect()
    }

    /// The host's openers are under way. Whether that is new.
    pub(crate) fn prove(&mut self) -> bool {
        let asking = self.under_way.as_mut().filter(|round| round.stage == Stage::Asking);
        asking.map(|round| round.stage = Stage::Proving).is_some()
    }

    pub(crate) fn is_proving(&self) -> bool {
        self.under_way.as_ref().is_some_and(|round| round.stage == Stage::Proving)
    }

    /// Whether an opener from there tells anything: that openers are under way, or one more address.
    pub(crate) fn expects(&self, source: SocketAddr) -> bool {
        let expects = |round: &Round| round.knows(source) || round.sources.len() < MAX_SOURCES;
        self.under_way.as_ref().is_some_and(expects)
    }

    /// Whether an opener from there leads to one more address.
    pub(crate) fn takes_source(&mut self, source: SocketAddr) -> bool {
        let Some(round) = &mut self.under_way else { return false };
        let taken = !round.knows(source) && round.sources.len() < MAX_SOURCES;
        round.sources.extend(taken.then_some(source));
        taken
    }

    /// It is over, and its sockets are returned.
    pub(crate) fn end(&mut self) -> Vec<SocketId> {
        self.under_way.take().map_or_else(Vec::new, |round| round.sockets)
    }

    /// As [`end`](Self::end), and the next one has to wait, once all was tried. Where the host has said nothing, nothing was.
    pub(crate) fn fail(&mut self, now: Instant) -> Vec<SocketId> {
        let Some(round) = &self.under_way else { return Vec::new() };
        let was_tried = round.stage == Stage::Proving || round.approach == Approach::Mapped;
        let failed = Failed { approach: round.approach, was_tried, has_learnt: round.has_learnt };
        self.is_unanswered = !was_tried;
        if self.series.fail(failed) {
            self.wait(self.failures.max(1), now);
        }
        self.end()
    }

    /// When one that has just learnt an address has failed.
    pub(crate) fn begins_again(&self, now: Instant) -> Option<Instant> {
        let has_learnt = self.under_way.as_ref().is_some_and(|round| round.has_learnt);
        let begun = self.begun.filter(|_| has_learnt && self.series.primes_again())?;
        Some((now + LEARNT_SPAN).max(begun + ROUND_GAP))
    }

    /// As [`fail`](Self::fail), for our router maps nothing. The host was not asked.
    pub(crate) fn fail_unmapped(&mut self, now: Instant) -> Vec<SocketId> {
        self.begun = None;
        self.fail(now)
    }

    /// As [`end`](Self::end), and the next one has to wait; not for long if that was the first time.
    pub(crate) fn refuse(&mut self, now: Instant) -> Vec<SocketId> {
        self.is_unanswered = true;
        self.wait(self.failures, now);
        self.end()
    }

    /// As [`end`](Self::end), for the host is likely not to have been asked.
    pub(crate) fn give_up(&mut self) -> Vec<SocketId> {
        self.begun.take_if(|_| self.under_way.is_some());
        self.end()
    }

    fn wait(&mut self, failures: usize, now: Instant) {
        if self.under_way.as_ref().is_some_and(|round| !round.is_outdated) {
            let at = failures.min(ROUND_WAITS.len() - 1);
            self.not_before = Some(now + ROUND_WAITS[at]);
            self.failures = at + 1;
        }
    }

    /// As [`end`](Self::end), for the server answers over a hole.
    pub(crate) fn hold(&mut self, now: Instant) -> Vec<SocketId> {
        if let Some(round) = &self.under_way {
            self.series.work(round.approach);
        }
        self.proven.get_or_insert(now);
        self.failures = 0;
        self.not_before = None;
        self.end()
    }

    /// As [`end`](Self::end), for the server answers over a better way, for which a hole is left and not lost.
    pub(crate) fn leave(&mut self) -> Vec<SocketId> {
        self.proven = None;
        self.end()
    }

    /// The hole that was in use is lost.
    pub(crate) fn fall(&mut self, now: Instant) {
        if let Some(proven) = self.proven.take() {
            self.rest.fall(now.saturating_duration_since(proven), now);
        }
    }

    pub(crate) fn rest(&self, now: Instant) -> bool {
        self.rest.holds(now)
    }

    /// In another network everything may be different, and a hole that is not there is no worse for that.
    pub(crate) fn forget(&mut self) {
        (self.rest, self.proven) = (Rest::default(), None);
        self.series.forget();
    }

    /// From now on what leads to these may do so thanks to an opener. Those that are not `known` any more are forgotten.
    pub(crate) fn open(&mut self, addresses: Vec<SocketAddr>, known: impl Fn(SocketAddr) -> bool) {
        self.opened.extend(addresses);
        self.opened.retain(|&address| known(address));
    }

    /// Of a way to there by any socket. A port that only the name tells of may be open to all as long as an opener's mapping
    /// lasts.
    pub(crate) fn kind_of(&self, candidate: Candidate) -> Kind {
        let is_opened = candidate.kind == Kind::Resolved && self.opened.contains(&candidate.address);
        if is_opened { Kind::Punched } else { candidate.kind }
    }
}

/// The first of them, each once.
fn listed(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut listed = Vec::new();
    for address in addresses {
        if listed.len() < MAX_REMOTES && !listed.contains(&address) {
            listed.push(address);
        }
    }
    listed
}
