//! `moshpunch map add`.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use net::clock;
use portmap::cause::Cause;
use portmap::mapper::{External, Protocol, Wanted};
use portmap::mapping::Transport;
use programs::signals::Signals;

use super::budget::Budget;
use super::failure::Failure;
use super::keep::keep;
use super::ledger::Ledger;
use super::obtain::{Identity, Obtained, Request};
use super::output::{Output, caution};
use super::place::{Place, Where};
use super::record::{self, FoundRecord};
use super::renew;
use super::view::MappingView;
use crate::map::exit_code::ExitCode;

/// How far from the wanted port another one is still near it. mosh's own range is as wide.
const NEAR: u16 = 500;

/// Below this only root may listen (ip-sysctl, `ip_unprivileged_port_start`).
const FIRST_UNPRIVILEGED_PORT: u16 = 1_024;

/// What was said to `map add`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Add {
    /// Of this host.
    pub port: NonZeroU16,
    /// The router's port, and no other.
    pub external: Option<NonZeroU16>,
    /// One or more, in the order in which they are preferred.
    pub protocols: Vec<Protocol>,
    pub lease: Duration,
    pub transport: Transport,
    pub description: Option<String>,
    /// Stay, renew the mapping, and remove it at the end.
    pub keep: bool,
    pub place: Where,
}

impl Add {
    fn wanted(&self) -> Wanted {
        let external = self.external.map_or_else(|| External::Near(near(self.port)), External::Only);
        Wanted { transport: self.transport, internal_port: self.port, external }
    }
}

pub(super) fn run(said: &Add, budget: Budget, output: &mut Output) -> Result<ExitCode, Failure> {
    let signals = Signals::of_the_end()?;
    let deadline = clock::now() + budget.total;
    let place = Place::find(&said.place)?;
    let fresh = || {
        let Add { protocols, lease, description, .. } = said.clone();
        let identity = Identity::new(description.as_deref())?;
        let ledger = Ledger::new(identity.name.clone(), place.internal, lease);
        Request { place, identity, wanted: said.wanted(), protocols, lease, budget, deadline, ledger }
            .obtain(&signals)
    };
    let obtained = match earlier(said, place)? {
        None => fresh()?,
        Some(earlier) => {
            let (file, record) = earlier.adopt()?;
            match renew::request(file, &record, Some(said.lease), budget, deadline).obtain(&signals) {
                Err(Failure { code: ExitCode::PortTaken, .. }) if said.external.is_none() => fresh()?,
                obtained => obtained?,
            }
        }
    };
    let view = MappingView::new(&obtained.mapping, &obtained.record.name.description);
    output.answer(&view, &view)?;
    warn_of_the_network_above(&obtained);
    match said.keep {
        true => keep(obtained, &signals, output),
        false => Ok(ExitCode::Success),
    }
}

/// The mapping that an earlier `map add` made of the same port: asked for again, it stays one.
fn earlier(said: &Add, place: Place) -> Result<Option<FoundRecord>, Failure> {
    let same = |found: &FoundRecord| {
        let mapping = &found.record.mapping;
        found.record.is_for(said.port, said.transport, said.external)
            && (mapping.internal, mapping.gateway) == (place.internal, place.gateway)
            && said.protocols.contains(&mapping.protocol())
    };
    Ok(record::all()?.into_iter().filter(|_| said.description.is_none()).find(same))
}

/// Such a mapping may still work, where the NAT above forwards everything.
fn warn_of_the_network_above(obtained: &Obtained) {
    let gateway = obtained.mapping.record.control.gateway();
    if let Some(cause) = Cause::of_external_address(gateway, obtained.mapping.external_address) {
        caution(&(&cause).into());
    }
}

/// What anybody may listen on stays so.
fn near(port: NonZeroU16) -> RangeInclusive<NonZeroU16> {
    let lowest = if port.get() < FIRST_UNPRIVILEGED_PORT { 1 } else { FIRST_UNPRIVILEGED_PORT };
    let first = port.get().saturating_sub(NEAR).max(lowest);
    let first = NonZeroU16::new(first).expect("the lowest is 1");
    first..=port.saturating_add(NEAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(number: u16) -> NonZeroU16 {
        NonZeroU16::new(number).unwrap()
    }

    fn said(number: u16, external: Option<NonZeroU16>) -> Add {
        Add {
            port: port(number),
            external,
            protocols: Protocol::ALL.to_vec(),
            lease: Duration::from_secs(3_600),
            transport: Transport::Udp,
            description: None,
            keep: false,
            place: Where::default(),
        }
    }

    #[test]
    fn a_port_alone_means_one_near_it() {
        let external = External::Near(port(59501)..=port(60501));
        let expected = Wanted { transport: Transport::Udp, internal_port: port(60001), external };
        assert_eq!(said(60001, None).wanted(), expected);
    }

    #[test]
    fn an_external_port_that_was_named_is_the_only_one() {
        assert_eq!(said(22, Some(port(8022))).wanted().external, External::Only(port(8022)));
    }

    #[test]
    fn what_is_near_stays_within_the_ports_that_there_are() {
        for (wanted, first, last) in
            [(22, 1, 522), (1_024, 1_024, 1_524), (8_080, 7_580, 8_580), (65_535, 65_035, 65_535)]
        {
            assert_eq!(near(port(wanted)), port(first)..=port(last), "{wanted}");
        }
    }
}
