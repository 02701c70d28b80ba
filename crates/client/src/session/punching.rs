//! The laptop's part of a round of hole punching: where its sockets may be seen, and which openers are its own.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use net::{interfaces, random};
use path::Primed;
use wire::channel::{Frame, TARGETS_MAXIMUM};
use wire::opener::{Cookie, is_target};

use crate::session::own_mapping::Outside;

/// Nobody reads it.
pub(crate) const PRIMER: [u8; 1] = [0];

#[derive(Debug, Default)]
pub(crate) struct Punching {
    /// Of the round that was asked for last.
    cookie: Option<Cookie>,
    /// Of that by the relay.
    relayed: Option<Cookie>,
}

/// The ports of a round's sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) v6: Option<u16>,
    pub(crate) v4: Option<u16>,
}

/// What a host is to be asked for.
#[derive(Debug)]
pub(crate) struct Round {
    number: u32,
    cookie: Cookie,
    ports: Ports,
    /// What is mapped to the socket of IPv4.
    mapped: Option<Outside>,
    /// Addresses of this machine, from which it sends to the host.
    own: Vec<IpAddr>,
    /// Where STUN servers see its sockets.
    reflexive: Vec<SocketAddr>,
    /// Servers that the host may ask, too.
    stun: Vec<SocketAddr>,
}

/// Of what is to make those expect the host, and is to come no farther: the next router drops it.
pub(crate) fn hops(primed: Primed) -> u32 {
    match primed {
        Primed::Machine => 1,
        Primed::Router => 2,
    }
}

impl Punching {
    /// To a host at some of the `remotes`. Openers of the round before are none any more.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub(crate) fn ask(
        &mut self,
        number: u32,
        ports: Ports,
        mapped: Option<Outside>,
        remotes: impl Iterator<Item = IpAddr>,
        stun: Vec<SocketAddr>,
    ) -> Result<Round> {
        let cookie = cookie()?;
        self.cookie = Some(cookie);
        let own = remotes.filter_map(interfaces::source_toward).collect();
        Ok(Round { number, cookie, ports, mapped, own, reflexive: Vec::new(), stun })
    }

    /// To where the relay lets the host in, beside the other round.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub(crate) fn ask_by_relay(&mut self, number: u32, place: SocketAddr) -> Result<Round> {
        let cookie = cookie()?;
        self.relayed = Some(cookie);
        let ports = Ports { v6: None, v4: None };
        Ok(Round {
            number,
            cookie,
            ports,
            mapped: None,
            own: Vec::new(),
            reflexive: vec![place],
            stun: Vec::new(),
        })
    }

    pub(crate) fn is_opener(&self, datagram: &[u8]) -> bool {
        self.is_any_asked() && Cookie::of(datagram).is_some_and(|cookie| self.knows(cookie))
    }

    fn is_any_asked(&self) -> bool {
        self.cookie.or(self.relayed).is_some()
    }

    fn knows(&self, cookie: Cookie) -> bool {
        [self.cookie, self.relayed].contains(&Some(cookie))
    }
}

fn cookie() -> Result<Cookie> {
    let mut bytes = [0; 16];
    random::fill(&mut bytes)?;
    Ok(Cookie::new(bytes))
}

impl Round {
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// A server has seen one of its sockets there.
    pub(crate) fn is_seen_at(&mut self, address: SocketAddr) {
        self.reflexive.push(address);
    }

    /// For a channel whose host sees it come from `seen`. Most NATs keep a port; one that does not may have mapped one.
    pub(crate) fn frame(&self, seen: Option<IpAddr>) -> Option<Frame> {
        let of = |address: IpAddr| Some(SocketAddr::new(address, self.ports.of_family(address)?));
        let outside = match self.mapped {
            Some(mapped) => mapped.target(seen),
            None => seen.and_then(of),
        };
        let own = self.own.iter().copied().filter_map(of);
        let mut to: Vec<SocketAddr> = Vec::new();
        for target in self.reflexive.iter().copied().chain(outside).chain(own) {
            if is_target(target) && !to.contains(&target) {
                to.push(target);
            }
        }
        to.truncate(TARGETS_MAXIMUM);
        (!to.is_empty()).then_some(Frame::Punch {
            round: self.number,
            cookie: self.cookie,
            to,
            stun: self.stun.clone(),
        })
    }
}

impl Ports {
    fn of_family(self, address: IpAddr) -> Option<u16> {
        if address.is_ipv6() { self.v6 } else { self.v4 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(ports: Ports, own: &[&str]) -> Round {
        let own = own.iter().map(|address| address.parse().unwrap()).collect();
        Round {
            number: 7,
            cookie: Cookie::new([1; 16]),
            ports,
            mapped: None,
            own,
            reflexive: Vec::new(),
            stun: Vec::new(),
        }
    }

    fn targets(round: &Round, seen: Option<&str>) -> Vec<String> {
        match round.frame(seen.map(|address| address.parse().unwrap())) {
            Some(Frame::Punch { to, .. }) => to.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    }

    const BOTH: Ports = Ports { v6: Some(6), v4: Some(4) };

    #[test]
    fn the_host_is_to_send_to_where_it_sees_us_and_where_we_are() {
        let round = round(BOTH, &["192.168.1.5", "2a00::5", "192.168.1.5"]);
        assert_eq!(targets(&round, Some("20.0.0.1")), ["20.0.0.1:4", "192.168.1.5:4", "[2a00::5]:6"]);
        assert_eq!(targets(&round, Some("2a00::5")), ["[2a00::5]:6", "192.168.1.5:4"]);
        assert_eq!(targets(&round, None), ["192.168.1.5:4", "[2a00::5]:6"]);
    }

    #[test]
    fn the_host_is_to_send_to_what_is_mapped_in_place_of_where_it_sees_us() {
        let only_v4 = Ports { v6: None, v4: Some(4) };
        let mapped = |address: Option<&str>| {
            let address = address.map(|address| address.parse().unwrap());
            let outside = Outside { address, port: 9.try_into().unwrap() };
            Round { mapped: Some(outside), ..round(only_v4, &["10.1.0.5"]) }
        };
        assert_eq!(targets(&mapped(Some("20.0.0.7")), Some("20.0.0.1")), ["20.0.0.7:9", "10.1.0.5:4"]);
        assert_eq!(targets(&mapped(None), Some("20.0.0.1")), ["20.0.0.1:9", "10.1.0.5:4"]);
        assert_eq!(targets(&mapped(None), Some("2a00::1")), ["10.1.0.5:4"]);
    }

    #[test]
    fn where_a_server_sees_us_comes_first() {
        let mut round = round(BOTH, &["192.168.1.5"]);
        round.is_seen_at("20.0.0.1:1024".parse().unwrap());
        assert_eq!(targets(&round, Some("20.0.0.1")), ["20.0.0.1:1024", "20.0.0.1:4", "192.168.1.5:4"]);
        assert_eq!(targets(&round, None), ["20.0.0.1:1024", "192.168.1.5:4"]);
    }

    #[test]
    fn of_a_family_without_a_socket_nothing_is_asked_for() {
        let only = |v6, v4| round(Ports { v6, v4 }, &["192.168.1.5", "2a00::5"]);
        assert_eq!(targets(&only(None, Some(4)), Some("2a00::1")), ["192.168.1.5:4"]);
        assert_eq!(targets(&only(Some(6), None), Some("20.0.0.1")), ["[2a00::5]:6"]);
        assert_eq!(only(None, None).frame(None), None);
    }

    #[test]
    fn what_is_of_this_machine_or_link_alone_is_not_told() {
        let round = round(BOTH, &["127.0.0.1", "fe80::5", "169.254.3.4"]);
        assert_eq!(round.frame(Some("::1".parse().unwrap())), None);
    }

    #[test]
    fn no_more_are_told_than_the_host_takes() {
        let own: Vec<_> = (1..=20).map(|number| format!("10.0.0.{number}")).collect();
        let round = round(BOTH, &own.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(targets(&round, Some("20.0.0.1")).len(), TARGETS_MAXIMUM);
        assert_eq!(targets(&round, Some("20.0.0.1"))[0], "20.0.0.1:4");
    }

    #[test]
    fn by_the_relay_the_host_is_to_send_there_alone_and_beside_the_other_round() {
        let mut punching = Punching::default();
        let other = punching.ask(1, BOTH, None, [].into_iter(), Vec::new()).unwrap();
        let round = punching.ask_by_relay(2, "20.0.0.3:49152".parse().unwrap()).unwrap();
        assert_eq!(targets(&round, Some("20.0.0.1")), ["20.0.0.3:49152"]);
        assert!([other, round].iter().all(|round| punching.is_opener(&round.cookie.opener())));
    }

    #[test]
    fn an_opener_is_of_the_round_that_was_asked_for_last() {
        let mut punching = Punching::default();
        let zeros = Cookie::new([0; 16]).opener();
        assert!(!punching.is_opener(&zeros) && !punching.is_opener(b"moshpunch"));
        let [first, second] =
            [1, 2].map(|number| punching.ask(number, BOTH, None, [].into_iter(), Vec::new()).unwrap());
        assert!(!punching.is_opener(&first.cookie.opener()));
        assert!(punching.is_opener(&second.cookie.opener()));
    }
}
