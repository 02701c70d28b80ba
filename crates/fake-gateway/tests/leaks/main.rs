//! Whatever happens to any one answer: afterwards the table holds one mapping of ours, or none and a cause is told.
//!
//! The life of a mapping is lived once for each pair of a message and of what can happen to its answer, in a time of
//! its own. What an answer means is not what is tested here, but that nothing stays behind.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod back_again;
mod effects;
mod lives;
mod one_table;

use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::time::Duration;

use fake_gateway::{FakeGateway, Fault, MessageKind, Protocol as Spoken, Quirk, Simulation};
use portmap::mapper::{Event, External, Mapper, Protocol, Record, Settings, Wanted};
use portmap::mapping::Transport;
use portmap::pcp::Nonce;
use portmap::upnp::SEARCH_WINDOW;

use self::effects::{effects, effects_on_actions, effects_on_datagrams, in_words};

const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 10);
const PORT: NonZeroU16 = NonZeroU16::new(60001).unwrap();
const LAST_PORT: NonZeroU16 = NonZeroU16::new(60999).unwrap();

/// Renewed after five minutes, and looked at twice before.
const LEASE: Duration = Duration::from_secs(600);

/// Every time-out of a first mapping, of a check or a renewal with half a minute's wait after it, of a release.
const OBTAINING: Duration = Duration::from_secs(60);
const HOLDING: Duration = Duration::from_secs(480);
const RELEASING: Duration = Duration::from_secs(90);

/// What a mapper and its records say at some time.
#[derive(Debug, Default)]
struct Told {
    is_held: bool,
    asked: Vec<Record>,
    left: Vec<Record>,
    cause: Option<String>,
    is_released: Option<bool>,
}

impl Told {
    fn note(&mut self, event: Event) {
        match event {
            Event::Asked(record) => self.asked.push(record),
            Event::Left(record) => self.left.push(record),
            Event::Mapped(_) | Event::Renewed(_) | Event::Changed(_) => self.is_held = true,
            Event::Lost(cause) => (self.is_held, self.cause) = (false, Some(cause.to_string())),
            Event::Failed(cause) => (self.is_held, self.cause) = (false, Some(cause.to_string())),
            Event::Released { confirmed } => {
                (self.is_held, self.is_released) = (false, Some(confirmed));
            }
        }
    }
}

fn settings(gateway: &Simulation, protocols: &[Protocol]) -> Settings {
    Settings {
        internal: HOST.into(),
        gateway: Some(gateway.address()),
        protocols: protocols.to_vec(),
        remembered: None,
        description: "moshpunch alice@server 1a2b3c4d".into(),
        lease: LEASE,
        only_this_lease: false,
        search_window: SEARCH_WINDOW,
        nonce: Nonce([7; 12]),
        seed: 1,
    }
}

struct Life {
    gateway: Simulation,
    mapper: Mapper,
    told: Told,
}

impl Life {
    fn new(mut gateway: Simulation, protocols: &[Protocol], faults: &[Fault]) -> Self {
        faults.iter().for_each(|fault| gateway.script(fault.clone()));
        let mut mapper = Mapper::new(settings(&gateway, protocols), gateway.now());
        let external = External::Near(PORT..=LAST_PORT);
        let wanted = Wanted { transport: Transport::Udp, internal_port: PORT, external };
        mapper.map(wanted, gateway.now());
        Self { gateway, mapper, told: Told::default() }
    }

    fn advance(&mut self, time: Duration) {
        let told = &mut self.told;
        self.gateway.advance(&mut self.mapper, time, |event| told.note(event));
    }

    fn release(&mut self) {
        self.mapper.release(self.gateway.now());
        self.advance(RELEASING);
    }

    fn is_kept(&self) -> bool {
        let mappings = self.gateway.mappings();
        match &mappings[..] {
            [] => !self.told.is_held && self.told.cause.is_some(),
            [mapping] => self.told.is_held && (mapping.client, mapping.internal_port) == (HOST, PORT.get()),
            _ => false,
        }
    }

    /// Everything that is there was written down before.
    fn is_recorded(&self) -> bool {
        let all = self.told.asked.iter();
        let of_control_port = all.clone().any(|record| record.protocol != Protocol::Upnp);
        let ports: Vec<_> = all.map(|record| record.external_port.get()).collect();
        // PCP and NAT-PMP know a mapping by the port inside.
        let mappings = self.gateway.mappings();
        mappings.iter().all(|mapping| of_control_port || ports.contains(&mapping.external_port))
    }
}

/// What is wrong after this life, if anything is.
fn lived(gateway: Simulation, protocols: &[Protocol], faults: &[Fault]) -> Option<String> {
    let mut life = Life::new(gateway, protocols, faults);
    for (phase, time) in [("obtaining", OBTAINING), ("holding", HOLDING)] {
        life.advance(time);
        if !life.is_kept() || !life.is_recorded() {
            return Some(format!("after {phase}: {:?}, {:?}", life.gateway.mappings(), life.told));
        }
    }
    if life.told.cause.is_some() && !life.told.is_held {
        return None;
    }
    life.release();
    let (left, told) = (life.gateway.mappings(), &life.told);
    let is_clean = left.is_empty() && told.is_released == Some(true);
    (!is_clean).then(|| format!("after the release: {left:?}, {told:?}"))
}

fn simulate(spoken: &[Spoken], quirks: &[Quirk]) -> Simulation {
    let builder = quirks.iter().fold(FakeGateway::builder().protocols(spoken), |it, quirk| it.quirk(*quirk));
    builder.simulate(HOST)
}

fn messages(kind: MessageKind, gateway: &Simulation) -> usize {
    let counters = gateway.counters();
    match kind {
        MessageKind::Soap => counters.soap.values().sum(),
        MessageKind::Pcp => counters.pcp_announce + counters.pcp_map + counters.pcp_unmap,
        _ => counters.nat_pmp_address + counters.nat_pmp_map + counters.nat_pmp_unmap,
    }
}

/// Each answer of the life of a mapping, and each thing that can happen to it. Their number.
fn assert_nothing_leaks(
    spoken: &[Spoken],
    protocols: &[Protocol],
    kind: MessageKind,
    quirks: &[Quirk],
) -> usize {
    let mut undisturbed = Life::new(simulate(spoken, quirks), protocols, &[]);
    undisturbed.advance(OBTAINING + HOLDING);
    undisturbed.release();
    let steps = messages(kind, &undisturbed.gateway);
    assert!(steps > 0, "{kind:?} is spoken");
    let (mut pairs, mut wrong) = (0, Vec::new());
    for step in 0..steps {
        for effects in effects(kind) {
            let (first, more) = effects.split_first().unwrap();
            let fault = Fault::once(kind, first.clone()).after(step);
            let fault = more.iter().cloned().fold(fault, Fault::and);
            let name = format!("{spoken:?} {kind:?} {quirks:?}, answer {step}: {}", in_words(&effects));
            let what = lived(simulate(spoken, quirks), protocols, &[fault]);
            wrong.extend(what.map(|what| format!("{name}\n    {what}")));
            pairs += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {pairs}:\n{}", wrong.len(), wrong.join("\n"));
    pairs
}

#[test]
fn upnp_keeps_one_mapping_or_none_whatever_happens_to_any_one_answer() {
    let pairs = assert_nothing_leaks(&[Spoken::Upnp], &Protocol::ALL, MessageKind::Soap, &[]);
    println!("{pairs} pairs of a step and a fault: UPnP");
}

#[test]
fn so_it_does_on_a_router_that_rewrites_its_table() {
    let quirks = [
        Quirk::ShowsDescription("UPnP"),
        Quirk::ShowsClient("server.lan"),
        Quirk::ShowsClient("192.168.001.010"),
        Quirk::OnlyPermanentLeases,
        Quirk::NoOverwriting,
    ];
    let pairs = quirks
        .map(|quirk| assert_nothing_leaks(&[Spoken::Upnp], &[Protocol::Upnp], MessageKind::Soap, &[quirk]));
    println!("{} pairs of a step and a fault: UPnP on routers that rewrite", pairs.iter().sum::<usize>());
}

#[test]
fn pcp_keeps_one_mapping_or_none_whatever_happens_to_any_one_answer() {
    let alone = assert_nothing_leaks(&[Spoken::Pcp], &Protocol::ALL, MessageKind::Pcp, &[]);
    let all = [Spoken::Pcp, Spoken::NatPmp, Spoken::Upnp];
    let with_others = assert_nothing_leaks(&all, &Protocol::ALL, MessageKind::Pcp, &[]);
    println!("{} pairs of a step and a fault: PCP", alone + with_others);
}

#[test]
fn nat_pmp_keeps_one_mapping_or_none_whatever_happens_to_any_one_answer() {
    let alone = assert_nothing_leaks(&[Spoken::NatPmp], &Protocol::ALL, MessageKind::NatPmp, &[]);
    let both = [Spoken::NatPmp, Spoken::Upnp];
    let with_others = assert_nothing_leaks(&both, &Protocol::ALL, MessageKind::NatPmp, &[]);
    println!("{} pairs of a step and a fault: NAT-PMP", alone + with_others);
}

/// What lasts may leave one mapping, which is told and can be found in the records.
#[test]
fn what_lasts_leaves_at_most_one_mapping_and_that_is_told() {
    let actions = ["GetSpecificPortMappingEntry", "AddPortMapping", "DeletePortMapping"];
    let upnp = actions.into_iter().flat_map(|action| {
        effects_on_actions().into_iter().map(move |effects| (MessageKind::Action(action), effects))
    });
    let control_port =
        [MessageKind::PcpMap, MessageKind::PcpUnmap, MessageKind::NatPmpMap, MessageKind::NatPmpUnmap]
            .into_iter()
            .flat_map(|kind| effects_on_datagrams(kind).into_iter().map(move |effects| (kind, effects)));
    let (mut count, mut wrong) = (0, Vec::new());
    for (kind, effects) in upnp.chain(control_port) {
        let spoken = match kind {
            MessageKind::Action(_) => Spoken::Upnp,
            MessageKind::PcpMap | MessageKind::PcpUnmap => Spoken::Pcp,
            _ => Spoken::NatPmp,
        };
        for quirks in [&[][..], &[Quirk::ShowsClient("192.168.1.77")]] {
            let (first, more) = effects.split_first().unwrap();
            let fault = more.iter().cloned().fold(Fault::always(kind, first.clone()), Fault::and);
            let mut life = Life::new(simulate(&[spoken], quirks), &Protocol::ALL, &[fault]);
            life.advance(OBTAINING);
            let during = life.gateway.mappings().len();
            life.advance(HOLDING);
            let held = life.gateway.mappings().len();
            life.release();
            let (left, told) = (life.gateway.mappings(), &life.told);
            let ports: Vec<_> = told.left.iter().map(|record| record.external_port.get()).collect();
            let is_told = left.iter().all(|mapping| {
                ports.contains(&mapping.external_port) || !ports.is_empty() && spoken != Spoken::Upnp
            });
            count += 1;
            if during > 1 || held > 1 || left.len() > 1 || !is_told || !life.is_recorded() {
                let effects = in_words(&effects);
                wrong.push(format!("{kind:?} {effects} {quirks:?}: {during}, {held}, {left:?}, {told:?}"));
            }
        }
    }
    println!("{count} faults that last");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
