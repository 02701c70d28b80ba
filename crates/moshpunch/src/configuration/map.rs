//! What holds for `moshpunch map`: flag, else default.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use portmap::mapper::{External, Protocol, Wanted};
use portmap::mapping::Transport;
use portmap::upnp::SEARCH_WINDOW;

use super::LONGEST_BUDGET;
use crate::arguments::{AddArguments, ProtocolChoice, TransportChoice};

/// Who asks by hand would rather wait for a slow router than ask again.
const DEFAULT_BUDGET: Duration = Duration::from_secs(10);

/// How far from the wanted port another one is still near it. mosh's own range is as wide.
const NEAR: u16 = 500;

/// Below this only root may listen (ip-sysctl, `ip_unprivileged_port_start`).
const FIRST_UNPRIVILEGED_PORT: u16 = 1_024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddConfiguration {
    pub(crate) wanted: Wanted,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) lease: Duration,
    pub(crate) title: Option<String>,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) total: Duration,
    /// After how much silence there is no gateway.
    pub(crate) search_window: Duration,
}

impl AddConfiguration {
    pub(crate) fn resolve(arguments: &AddArguments) -> Self {
        let AddArguments { port, external, protocol, lease, transport: choice, description, .. } = arguments;
        let external = external.map_or_else(|| External::Near(near(*port)), External::Only);
        Self {
            wanted: Wanted { transport: transport(*choice), internal_port: *port, external },
            protocols: protocols(*protocol),
            lease: Duration::from_secs((*lease).into()),
            title: description.clone(),
        }
    }
}

impl Budget {
    pub(crate) fn resolve(seconds: Option<f64>) -> Result<Self> {
        let Some(seconds) = seconds else {
            return Ok(Self { total: DEFAULT_BUDGET, search_window: SEARCH_WINDOW });
        };
        let total = Duration::try_from_secs_f64(seconds).context("budget")?;
        ensure!(total <= LONGEST_BUDGET, "budget: {total:?} is longer than {LONGEST_BUDGET:?}");
        // Who grants time has a router, or a network, that needs it.
        Ok(Self { total, search_window: SEARCH_WINDOW.max(total / 2).min(total) })
    }
}

pub(crate) fn transport(choice: TransportChoice) -> Transport {
    match choice {
        TransportChoice::Udp => Transport::Udp,
        TransportChoice::Tcp => Transport::Tcp,
    }
}

fn protocols(choice: ProtocolChoice) -> Vec<Protocol> {
    match choice {
        ProtocolChoice::Auto => Protocol::ALL.to_vec(),
        ProtocolChoice::Pcp => vec![Protocol::Pcp],
        ProtocolChoice::NatPmp => vec![Protocol::NatPmp],
        ProtocolChoice::Upnp => vec![Protocol::Upnp],
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
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command, MapCommand};

    fn parse(line: &str) -> Result<AddArguments, clap::Error> {
        let words = ["moshpunch", "map", "add"].into_iter().chain(line.split_whitespace());
        match Arguments::try_parse_from(words)?.command {
            Command::Map(MapCommand::Add(arguments)) => Ok(arguments),
            other => panic!("{other:?}"),
        }
    }

    fn resolved(line: &str) -> AddConfiguration {
        AddConfiguration::resolve(&parse(line).unwrap())
    }

    fn port(number: u16) -> NonZeroU16 {
        NonZeroU16::new(number).unwrap()
    }

    #[test]
    fn a_port_alone_means_udp_for_an_hour_by_any_protocol() {
        let expected = AddConfiguration {
            wanted: Wanted {
                transport: Transport::Udp,
                internal_port: port(60001),
                external: External::Near(port(59501)..=port(60501)),
            },
            protocols: Protocol::ALL.to_vec(),
            lease: Duration::from_secs(3_600),
            title: None,
        };
        assert_eq!(resolved("60001"), expected);
    }

    #[test]
    fn an_external_port_that_was_named_is_the_only_one() {
        assert_eq!(resolved("22 --external 8022").wanted.external, External::Only(port(8022)));
    }

    #[test]
    fn what_is_near_stays_within_the_ports_that_there_are() {
        for (wanted, first, last) in
            [(22, 1, 522), (1_024, 1_024, 1_524), (8_080, 7_580, 8_580), (65_535, 65_035, 65_535)]
        {
            assert_eq!(near(port(wanted)), port(first)..=port(last), "{wanted}");
        }
    }

    #[test]
    fn every_choice_is_taken_over() {
        let all = resolved("22 --transport tcp --protocol nat-pmp --lease 60 --description game");
        assert_eq!(all.wanted.transport, Transport::Tcp);
        assert_eq!(all.protocols, [Protocol::NatPmp]);
        assert_eq!((all.lease.as_secs(), all.title.as_deref()), (60, Some("game")));
        assert_eq!(resolved("1 --protocol pcp").protocols, [Protocol::Pcp]);
        assert_eq!(resolved("1 --protocol upnp").protocols, [Protocol::Upnp]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in
            ["0", "65536", "", "1 --lease 0", "1 --lease 604801", "1 --external 0", "1 --gateway fe80::1"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_search_takes_half_of_a_budget_that_was_granted() {
        let windows = [(0.5, 500), (1.0, 900), (10.0, 5_000)];
        for (seconds, milliseconds) in windows {
            let budget = Budget::resolve(Some(seconds)).unwrap();
            assert_eq!(budget.search_window.as_millis(), milliseconds, "{seconds}");
        }
        assert_eq!(Budget::resolve(None).unwrap().search_window, SEARCH_WINDOW);
        assert!(Budget::resolve(Some(61.0)).is_err() && Budget::resolve(Some(-1.0)).is_err());
    }
}
