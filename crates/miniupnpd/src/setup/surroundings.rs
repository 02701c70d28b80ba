//! What the administrator's own firewall already does for mappings.

use crate::configuration::ChainNames;
use crate::firewall;
use crate::mapping::Transport;
use crate::plan::MOSH_PORTS;
use crate::rule::Network;
use crate::ruleset::{Packet, Reached, Ruleset, Verdict};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether what comes from outside comes to the chains that the configuration names, and gets in if they let it.
    pub chains_are_there: bool,
    /// What would stop a mapping all the same: an accept in one table does not overrule a drop in another.
    pub closed: Option<String>,
}

#[must_use]
pub fn look(
    ruleset: &Ruleset,
    names: Option<&ChainNames>,
    wan: &str,
    lan: &str,
    lan_network: Network,
) -> Surroundings {
    let arriving = Packet {
        comes_in: wan,
        goes_out: None,
        source: Network::ALL,
        destination: Network::ALL,
        protocol: Transport::Udp,
        port: MOSH_PORTS.first,
        translated: false,
    };
    let mapped =
        Packet { goes_out: Some(lan), destination: lan_network, translated: true, ..arriving.clone() };
    let serve = |names: &ChainNames| {
        let (forward, prerouting, postrouting) = (names.forward(), names.prerouting(), names.postrouting());
        [&forward, &prerouting, &postrouting].into_iter().all(|chain| ruleset.has_chain(chain))
            && ruleset.reaches("prerouting", &arriving, &prerouting) == Reached::Yes
            && ruleset.verdict("forward", &mapped, Some(&forward)) == Verdict::Passes
    };
    if names.is_some_and(serve) {
        return Surroundings { chains_are_there: true, closed: None };
    }
    let own_forward = firewall::own_names().forward();
    let closed = match ruleset.verdict("forward", &mapped, Some(&own_forward)) {
        Verdict::Dropped(chain) => Some(format!(
            "the chain {chain} drops what is mapped; put 'iifname \"{wan}\" ct status dnat accept' into it, before what drops"
        )),
        Verdict::Unknown(_) | Verdict::Passes => None,
    };
    Surroundings { chains_are_there: false, closed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Build;
    use crate::configuration::Configuration;

    fn look_at(ruleset: &str, configuration: &str) -> Surroundings {
        let build = Build::parse("miniupnpd 2.3.11 Aug 12 2026\n");
        let names = Configuration::parse(configuration.as_bytes()).chain_names(&build);
        look(
            &Ruleset::parse(ruleset).unwrap(),
            names.as_ref(),
            "wan0",
            "lan0",
            "192.168.1.0/24".parse().unwrap(),
        )
    }

    #[test]
    fn chains_count_only_if_they_are_jumped_to() {
        let handmade = include_str!("../ruleset/example.json");
        assert!(look_at(handmade, "").chains_are_there);
        assert!(!look_at(handmade, "upnp_nat_chain=other\n").chains_are_there);
        assert_eq!(look_at("{\"nftables\": []}", ""), Surroundings::default());
    }

    #[test]
    fn a_closed_firewall_is_named_with_the_line_to_add() {
        let closed = r#"{"nftables": [{"chain": {"family": "inet", "table": "filter", "name": "forward", "hook": "forward", "prio": 0, "policy": "drop"}}]}"#;
        assert_eq!(
            look_at(closed, "").closed.as_deref(),
            Some(
                "the chain forward of the table inet filter drops what is mapped; \
                 put 'iifname \"wan0\" ct status dnat accept' into it, before what drops"
            )
        );
    }

    #[test]
    fn chains_count_in_the_family_that_miniupnpd_uses() {
        let split = include_str!("../check/split.json");
        assert!(!look_at(split, "upnp_nat_table_name=nat\n").chains_are_there);
        let said = "upnp_nftables_family_split=yes\nupnp_nat_table_name=nat\n";
        assert!(look_at(split, said).chains_are_there);
    }
}
