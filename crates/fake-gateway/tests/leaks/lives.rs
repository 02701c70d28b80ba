//! Lives at random: hosts that move, gateways that restart or are away, strangers who take ports, and one answer that goes
//! wrong, all at any time.
//!
//! Whatever happens, all of ours that is in the table at any moment is written down, so that a process that is killed
//! then leaves nothing that nobody knows of; and in the end what is left is told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use fake_gateway::{
    Effect, FakeGateway, Fault, Mapping, MessageKind, Protocol as Spoken, Quirk, Restart, Simulation,
};
use portmap::mapper::{Event, External, Mapper, Protocol, Record, Settings, Wanted};
use portmap::mapping::Transport;
use portmap::pcp::Nonce;
use portmap::upnp::SEARCH_WINDOW;

use super::effects::{effects, in_words};
use super::{LAST_PORT, PORT};

pub(super) const ADDRESSES: [Ipv4Addr; 3] =
    [Ipv4Addr::new(192, 168, 1, 10), Ipv4Addr::new(192, 168, 1, 20), Ipv4Addr::new(192, 168, 1, 30)];
const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 99);

/// Of each kind.
const LIVES: u64 = 250;

const LATENCY: Duration = Duration::from_millis(20);

/// Every wait before another try, a check, and each question of it to a gateway that is slow.
const RECOVERING: Duration = Duration::from_secs(300);
const RELEASING: Duration = Duration::from_secs(120);

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap() % bound
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// Now a moment between two answers, now one between two checks.
    fn time(&mut self) -> Duration {
        let milliseconds = *self.one_of(&[15, 100, 100, 1_000, 10_000, 150_000]);
        Duration::from_millis(u64::try_from(self.below(milliseconds)).unwrap())
    }
}

/// What a keeper has written down.
#[derive(Debug, Default)]
struct Records {
    kept: Option<(IpAddr, Record)>,
    asked: BTreeMap<Protocol, (IpAddr, Record)>,
    left: Vec<(IpAddr, Record)>,
    has_ended: bool,
    cause: Option<String>,
}

impl Records {
    fn note(&mut self, host: IpAddr, event: Event) {
        match event {
            Event::Asked(record) => {
                self.asked.insert(record.protocol, (host, record));
            }
            Event::Left(record) => self.left.push((host, record)),
            Event::Mapped(mapping) | Event::Renewed(mapping) | Event::Changed(mapping) => {
                self.asked.remove(&mapping.record.protocol);
                self.kept = Some((mapping.internal.ip(), mapping.record));
            }
            Event::Lost(cause) => self.cause = Some(cause.to_string()),
            Event::Failed(cause) => self.cause = Some(cause.to_string()),
            Event::Released { .. } => self.kept = None,
        }
    }
}

pub(super) struct Life {
    pub(super) gateway: Simulation,
    mapper: Mapper,
    records: Records,
    host: IpAddr,
    told: bool,
    is_disturbed: bool,
    /// For who looks at it.
    story: Vec<String>,
}

impl Life {
    pub(super) fn new(gateway: Simulation, protocols: &[Protocol], seed: u64) -> Self {
        let gateway = gateway.with_latency(LATENCY);
        let settings = Settings {
            internal: ADDRESSES[0].into(),
            gateway: Some(gateway.address()),
            protocols: protocols.to_vec(),
            remembered: None,
            description: "moshpunch alice@server 1a2b3c4d".into(),
            lease: Duration::from_secs(7_200),
            only_this_lease: false,
            search_window: SEARCH_WINDOW,
            nonce: Nonce([7; 12]),
            seed,
        };
        let mut mapper = Mapper::new(settings, gateway.now());
        let external = External::Near(PORT..=LAST_PORT);
        mapper.map(Wanted { transport: Transport::Udp, internal_port: PORT, external }, gateway.now());
        let (records, host) = (Records::default(), ADDRESSES[0].into());
        Self { gateway, mapper, records, host, told: false, is_disturbed: false, story: Vec::new() }
    }

    pub(super) fn advance(&mut self, time: Duration) {
        let (records, host) = (&mut self.records, self.host);
        let story = &mut self.story;
        self.gateway.advance(&mut self.mapper, time, |event| {
            story.push(format!("        told {event:?}"));
            records.note(host, event);
        });
        if self.mapper.has_ended() {
            self.records.asked.clear();
            self.records.has_ended = true;
        }
    }

    fn own(&self) -> Vec<Mapping> {
        let all = self.gateway.mappings();
        all.into_iter().filter(|mapping| ADDRESSES.contains(&mapping.client)).collect()
    }

    fn step(&mut self, dice: &mut Dice, kinds: &[MessageKind]) {
        match dice.below(20) {
            0..=2 => self.move_to(*dice.one_of(&ADDRESSES)),
            3 => {
                let restart = *dice.one_of(&[Restart::Keep, Restart::Forget]);
                self.story.push(format!("    restart {restart:?}"));
                self.gateway.restart(restart);
                if dice.below(2) == 0 {
                    self.gateway.announce();
                }
            }
            4 => {
                self.story.push("    announce".into());
                self.gateway.announce();
            }
            5 => {
                let is_reachable = dice.below(3) > 0;
                self.story.push(format!("    reachable {is_reachable}"));
                self.gateway.set_reachable(is_reachable);
            }
            6 => self.take_a_port(dice),
            7 if !self.told => {
                if let Some((_, record)) = &self.records.kept {
                    self.story.push(format!("    insist {}", record.external_port));
                    self.told = true;
                    self.mapper.insist(record.external_port, self.gateway.now());
                }
            }
            13 => {
                let queue = Duration::from_secs(*dice.one_of(&[0, 1, 2, 4]));
                self.story.push(format!("    queue {queue:?}"));
                self.gateway.queue(queue);
            }
            8..=12 if !std::mem::replace(&mut self.is_disturbed, true) => {
                let kind = *dice.one_of(kinds);
                let all: Vec<_> = effects(kind).into_iter().filter(|it| !is_absence_or_end(it)).collect();
                let effects = dice.one_of(&all);
                let (first, more) = effects.split_first().unwrap();
                let fault = Fault::once(kind, first.clone()).after(dice.below(3));
                let fault = more.iter().cloned().fold(fault, Fault::and);
                self.story.push(format!("    {kind:?}: {}", in_words(effects)));
                self.gateway.script(fault);
            }
            _ => {}
        }
        let time = dice.time();
        self.story.push(format!("    wait {time:?}"));
        self.advance(time);
        self.story.push(format!("        table {:?}", self.in_words()));
    }

    fn in_words(&self) -> Vec<String> {
        let all = self.gateway.mappings();
        all.iter().map(|it| format!("{}:{} {:?}", it.client, it.external_port, it.made_by)).collect()
    }

    pub(super) fn move_to(&mut self, host: Ipv4Addr) {
        if self.host != host {
            self.story.push(format!("    move to {host}"));
            self.host = host.into();
            self.gateway.move_host(host);
            self.mapper.move_to(self.host, Some(self.gateway.address()), self.gateway.now());
            let left: BTreeSet<_> =
                self.mapper.made_elsewhere().map(|made| (made.internal, made.record.external_port)).collect();
            self.records.kept.take_if(|(internal, record)| left.contains(&(*internal, record.external_port)));
            self.records.asked.clear();
        }
    }

    /// Another host has a port as soon as nobody has it.
    fn take_a_port(&mut self, dice: &mut Dice) {
        let port = PORT.get() + u16::try_from(dice.below(3)).unwrap();
        if self.gateway.mappings().iter().all(|mapping| mapping.external_port != port) {
            self.story.push(format!("    a stranger takes {port}"));
            self.gateway.insert(Mapping::udp(port, STRANGER, port, "a game"));
        }
    }

    /// What is there and not written down.
    pub(super) fn unknown(&self) -> Vec<Mapping> {
        let Records { kept, asked, left, .. } = &self.records;
        let behind = self.mapper.made_elsewhere().map(|made| (made.internal, made.record));
        let all: Vec<_> = kept.iter().chain(asked.values()).chain(left).cloned().chain(behind).collect();
        let is_known = |mapping: &Mapping| {
            all.iter().any(|(internal, record)| match record.protocol {
                Protocol::Upnp => {
                    mapping.made_by == Spoken::Upnp
                        && (*internal, record.external_port.get())
                            == (mapping.client.into(), mapping.external_port)
                }
                Protocol::Pcp => mapping.made_by == Spoken::Pcp && *internal == mapping.client,
                Protocol::NatPmp => mapping.made_by == Spoken::NatPmp && *internal == mapping.client,
            })
        };
        self.own().into_iter().filter(|mapping| !is_known(mapping)).collect()
    }

    /// What is wrong.
    fn live(&mut self, dice: &mut Dice, kinds: &[MessageKind]) -> Result<(), String> {
        for _ in 0..dice.below(25) {
            self.step(dice, kinds);
            let unknown = self.unknown();
            if !unknown.is_empty() {
                return Err(format!("not written down: {unknown:?}"));
            }
        }
        self.gateway.clear_script();
        self.gateway.queue(Duration::ZERO);
        self.gateway.set_reachable(true);
        if dice.below(2) == 0 && !self.records.has_ended {
            self.story.push("    calm".into());
            self.advance(RECOVERING);
            let here = self.own().into_iter().filter(|mapping| self.host == mapping.client).count();
            if !self.records.has_ended && (here > 1 || here == 0 && !self.told) {
                return Err(format!("in the calm: {here} of ours here"));
            }
        }
        self.story.push("    release".into());
        self.mapper.release(self.gateway.now());
        self.advance(RELEASING);
        if !self.records.has_ended || self.mapper.poll_timeout().is_some() {
            return Err("goes on after its end".into());
        }
        let unknown = self.unknown();
        match unknown.is_empty() {
            true => Ok(()),
            false => Err(format!("left and not told: {unknown:?}")),
        }
    }
}

/// Who speaks no protocol any more deletes nothing, and a lease that is over is not remembered.
fn is_absence_or_end(effects: &[Effect]) -> bool {
    let is = |effect: &Effect| matches!(effect, Effect::SpeakOnly { .. } | Effect::Lifetime(_));
    effects.iter().any(is)
}

struct Kind {
    spoken: &'static [Spoken],
    quirks: &'static [Quirk],
    is_secure: bool,
    disturbed: &'static [MessageKind],
}

impl Kind {
    fn simulate(&self) -> Simulation {
        let builder = FakeGateway::builder().protocols(self.spoken).secure_mode(self.is_secure);
        self.quirks.iter().fold(builder, |it, quirk| it.quirk(*quirk)).simulate(ADDRESSES[0])
    }
}

/// `FIRST=12 LIVES=1` in the environment tells the story of life 12.
fn assert_lives(kind: &Kind) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, count) = (number("FIRST").unwrap_or(1_000), number("LIVES").unwrap_or(LIVES));
    let mut wrong = Vec::new();
    for seed in first..first + count {
        let mut life = Life::new(kind.simulate(), &Protocol::ALL, seed);
        let what = life.live(&mut Dice(seed), kind.disturbed).err();
        if count == 1 {
            println!("{}", life.story.join("\n"));
        }
        wrong.extend(what.map(|what| format!("{seed}: {what}")));
    }
    assert!(wrong.is_empty(), "{} of {count} lives:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn nothing_is_forgotten_in_any_life_by_upnp() {
    let (spoken, disturbed) = (&[Spoken::Upnp], &[MessageKind::Soap]);
    for is_secure in [true, false] {
        assert_lives(&Kind { spoken, quirks: &[], is_secure, disturbed });
    }
}

#[test]
fn nothing_is_forgotten_in_any_life_where_the_table_is_rewritten() {
    let (spoken, disturbed) = (&[Spoken::Upnp], &[MessageKind::Soap]);
    for is_secure in [true, false] {
        assert_lives(&Kind { spoken, quirks: &[Quirk::ShowsDescription("UPnP")], is_secure, disturbed });
    }
}

#[test]
fn nothing_is_forgotten_in_any_life_by_pcp_or_nat_pmp() {
    let (quirks, is_secure) = (&[], true);
    assert_lives(&Kind { spoken: &[Spoken::Pcp], quirks, is_secure, disturbed: &[MessageKind::Pcp] });
    assert_lives(&Kind { spoken: &[Spoken::NatPmp], quirks, is_secure, disturbed: &[MessageKind::NatPmp] });
}

#[test]
fn nothing_is_forgotten_in_any_life_by_all_protocols() {
    let spoken = &[Spoken::Pcp, Spoken::NatPmp, Spoken::Upnp];
    let disturbed = &[MessageKind::Pcp, MessageKind::NatPmp, MessageKind::Soap];
    assert_lives(&Kind { spoken, quirks: &[], is_secure: true, disturbed });
}
