//! What a network does to frames: losing some, losing all, delaying them, letting few through at a time.

use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::delay_line::Pace;

const TABLE: &str = "impairments";

/// What happens to the frames that go one way. Harmless by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "an impairment does nothing until a link or host gets it"]
pub struct Impairment {
    /// Everything is lost, ARP included, and nobody is told: interfaces stay up.
    pub outage: bool,
    /// Of 1000 TCP, UDP and ICMP packets, how many are lost, at random. ARP and IPv6's neighbour discovery are
    /// spared: what they repeat after a second says nothing about the program under test.
    pub loss_per_mille: u16,
    /// How long every frame is kept back; see [`Link::impair`](crate::Link::impair) for its precision.
    pub delay: Duration,
    /// How many bytes of frames go through in a second; what comes faster waits, for two seconds at most, or is lost.
    pub rate: Option<NonZeroU32>,
}

impl Impairment {
    pub const NONE: Self = Self { outage: false, loss_per_mille: 0, delay: Duration::ZERO, rate: None };
    pub const OUTAGE: Self = Self { outage: true, ..Self::NONE };

    pub fn loss(self, per_mille: u16) -> Self {
        Self { loss_per_mille: per_mille, ..self }
    }

    pub fn delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// # Panics
    /// Where nothing at all is to go through: that is an outage.
    pub fn rate(self, bytes_per_second: u32) -> Self {
        let rate = NonZeroU32::new(bytes_per_second).expect("a line without a byte a second is an outage");
        Self { rate: Some(rate), ..self }
    }

    /// After another has had its way with a frame.
    pub(crate) fn pace_after(self, before: Self) -> Pace {
        let rate = self.rate.into_iter().chain(before.rate).min();
        Pace { delay: before.delay + self.delay, rate }
    }
}

/// Which way frames go on the wire between a host's interface and its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    FromHost,
    ToHost,
}

impl Direction {
    fn interface_match(self) -> &'static str {
        match self {
            Self::FromHost => "iifname",
            Self::ToHost => "oifname",
        }
    }
}

/// The nftables rules that lose frames. Each rule applies at a port of the lab's bridges; delay and rate are not theirs.
pub(crate) fn rules<'a>(impaired: impl Iterator<Item = (&'a str, Direction, Impairment)>) -> String {
    let mut text = format!(
        "table bridge {TABLE}\ndelete table bridge {TABLE}\ntable bridge {TABLE} {{\n\tchain forward {{\n\
         \t\ttype filter hook forward priority filter;\n"
    );
    for (port, direction, Impairment { outage, loss_per_mille, .. }) in impaired {
        let here = format!("\t\t{} \"{port}\"", direction.interface_match());
        if outage {
            writeln!(text, "{here} drop").expect("a String takes every write");
        }
        if loss_per_mille > 0 {
            writeln!(
                text,
                "{here} meta l4proto {{ tcp, udp, icmp }} numgen random mod 1000 < {loss_per_mille} drop"
            )
            .expect("a String takes every write");
        }
    }
    text + "\t}\n}\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(impaired: &[(&str, Direction, Impairment)]) -> Vec<String> {
        let text = rules(impaired.iter().copied());
        text.lines().filter(|line| line.contains(" drop")).map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn an_outage_drops_everything_one_way() {
        assert_eq!(chain(&[("port3", Direction::FromHost, Impairment::OUTAGE)]), ["iifname \"port3\" drop"]);
        assert_eq!(chain(&[("port3", Direction::ToHost, Impairment::OUTAGE)]), ["oifname \"port3\" drop"]);
    }

    #[test]
    fn a_loss_is_random_and_spares_arp() {
        let loss = Impairment::NONE.loss(250);
        assert_eq!(
            chain(&[("port3", Direction::FromHost, loss)]),
            ["iifname \"port3\" meta l4proto { tcp, udp, icmp } numgen random mod 1000 < 250 drop"]
        );
    }

    #[test]
    fn of_two_rates_the_slower_holds_and_delays_add_up() {
        let (slow, fast) = (Impairment::NONE.rate(1_000), Impairment::NONE.rate(9_000));
        let delay = Impairment::NONE.delay(Duration::from_millis(5));
        for (first, second) in
            [(slow, fast), (fast, slow), (slow, Impairment::NONE), (Impairment::NONE, slow)]
        {
            assert_eq!(second.pace_after(first).rate, slow.rate);
        }
        assert_eq!(delay.pace_after(delay), Pace { delay: Duration::from_millis(10), rate: None });
    }

    #[test]
    fn a_delay_or_rate_alone_loses_nothing() {
        let delay = Impairment::NONE.delay(Duration::from_millis(5)).rate(1_000);
        assert!(chain(&[("port3", Direction::FromHost, delay)]).is_empty());
    }
}
