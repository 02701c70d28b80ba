//! The nftables rules that a NAT stands for.
//!
//! Linux's own NAT is the cell endpoint-independent mapping × address-and-port-dependent filtering: masquerading
//! keeps the inner port, as long as nobody outside is spoken to from the same port of two inner hosts. The other
//! cells are made from it by remembering, for each packet that went out: which outside port its inner address and
//! port have towards an address (`ports`), which inner address and port an outside port stands for (`mappings`),
//! and whom it went to (`contacts`).

use std::fmt::Write as _;

use crate::nat::{Filtering, Forward, Mapping, Nat};

/// The table and the chains for miniupnpd's own rules, which it finds by name.
pub(crate) const TABLE: &str = "lab";
pub(crate) const UPNP_FORWARD: &str = "upnp_forward";
pub(crate) const UPNP_PREROUTING: &str = "upnp_prerouting";
pub(crate) const UPNP_POSTROUTING: &str = "upnp_postrouting";

/// Marks packets that the filtering let in, for the forward chain.
const ADMITTED: u32 = 0x6d70;
/// Where a NAT that does not keep the inner port takes its ports from: below those of mosh.
const RANDOM_PORTS: &str = "20000-59999";
/// What decides about the outside port where the mapping is address-dependent, before translation.
const FLOW: &str = "ip saddr . udp sport . ip daddr";
/// The same of a packet that has been translated.
const FLOW_BEFORE: &str = "ct original ip saddr . ct original proto-src . ip daddr";

impl Nat {
    /// The rules. Loading them replaces all earlier ones, miniupnpd's included, as a firewall's reload does.
    pub fn rules(&self) -> String {
        let parts = [
            format!("table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n"),
            self.memory(),
            self.forward_chain(),
            self.prerouting_chain(),
            self.postrouting_chain(),
            self.remembering_chain(),
            format!("\tchain {UPNP_FORWARD} {{ }}\n\tchain {UPNP_PREROUTING} {{ }}\n"),
            format!("\tchain {UPNP_POSTROUTING} {{ }}\n}}\n"),
        ];
        parts.concat()
    }

    fn memory(&self) -> String {
        let life = format!("flags dynamic,timeout; timeout {}s; size 65535;", self.udp_timeout.as_secs());
        let mut memory = String::new();
        if self.mapping == Mapping::AddressDependent {
            let flow = "ipv4_addr . inet_service . ipv4_addr";
            memory += &format!("\tmap ports {{ type {flow} : inet_service; {life} }}\n");
        }
        if let Some(peer) = self.remembered_peer() {
            memory += &format!("\tmap mappings {{ type inet_service : ipv4_addr . inet_service; {life} }}\n");
            memory += &format!("\tset contacts {{ type inet_service{}; {life} }}\n", peer.kind);
        }
        memory
    }

    fn forward_chain(&self) -> String {
        let mut chain = format!(
            "\tchain forward {{\n\
             \t\ttype filter hook forward priority filter; policy drop;\n\
             \t\tct state established,related accept\n\
             \t\tiifname != \"{}\" accept\n\
             \t\tmeta mark {ADMITTED:#x} accept\n",
            self.outside
        );
        for Forward { protocol, to, .. } in &self.forwards {
            writeln!(chain, "\t\tip daddr {} {protocol} dport {} accept", to.ip(), to.port())
                .expect("a String takes every write");
        }
        let rest = if self.rejects { "\t\treject with icmpx port-unreachable\n" } else { "" };
        chain + &format!("\t\tjump {UPNP_FORWARD}\n{rest}\t}}\n")
    }

    fn prerouting_chain(&self) -> String {
        let outside = &self.outside;
        let mut chain = "\tchain prerouting {\n\t\ttype nat hook prerouting priority dstnat;\n".to_owned();
        for Forward { protocol, outside_port, to } in &self.forwards {
            let from = match self.hairpin {
                true => "fib daddr type local".to_owned(),
                false => format!("iifname \"{outside}\""),
            };
            writeln!(chain, "\t\t{from} {protocol} dport {outside_port} dnat ip to {to}")
                .expect("a String takes every write");
        }
        chain += &format!("\t\tjump {UPNP_PREROUTING}\n");
        if let Some(peer) = self.remembered_peer() {
            chain += &format!(
                "\t\tiifname \"{outside}\" meta nfproto ipv4 udp dport{} @contacts \
                 meta mark set {ADMITTED:#x} dnat ip to udp dport map @mappings\n",
                peer.of_incoming
            );
        }
        chain + "\t}\n"
    }

    fn postrouting_chain(&self) -> String {
        let outgoing = format!("\t\toifname \"{}\" meta nfproto ipv4", self.outside);
        let random =
            format!("{outgoing} meta l4proto {{ tcp, udp }} masquerade to :{RANDOM_PORTS} fully-random\n");
        let translation = match self.mapping {
            Mapping::EndpointIndependent => String::new(),
            Mapping::AddressDependent => {
                format!("{outgoing} meta l4proto udp masquerade to :{FLOW} map @ports\n{random}")
            }
            Mapping::AddressAndPortDependent => random,
        };
        format!(
            "\tchain postrouting {{\n\t\ttype nat hook postrouting priority srcnat;\n\
             \t\tjump {UPNP_POSTROUTING}\n{}{translation}{outgoing} masquerade\n\t}}\n",
            self.return_by_way_of_the_router()
        )
    }

    /// So that the answer to a hairpinned packet does not go straight to a host that did not ask there.
    fn return_by_way_of_the_router(&self) -> String {
        let outside = &self.outside;
        let rule = |Forward { protocol, to, .. }: &Forward| {
            format!(
                "\t\tiifname != \"{outside}\" ip daddr {} {protocol} dport {} ct status dnat masquerade\n",
                to.ip(),
                to.port()
            )
        };
        if self.hairpin { self.forwards.iter().map(rule).collect() } else { String::new() }
    }

    /// Sees packets after their translation, the first of a flow and all that follow.
    fn remembering_chain(&self) -> String {
        let outgoing = format!("\t\toifname \"{}\" meta nfproto ipv4 meta l4proto udp", self.outside);
        let mut chain = String::new();
        if self.mapping == Mapping::AddressDependent {
            chain +=
                &format!("{outgoing} ct direction original update @ports {{ {FLOW_BEFORE} : udp sport }}\n");
        }
        if let Some(peer) = self.remembered_peer() {
            for (direction, inner) in [("original", "ct original"), ("reply", "ct reply")] {
                let inner = format!("{inner} ip saddr . {inner} proto-src");
                chain += &format!(
                    "{outgoing} ct direction {direction} update @mappings {{ udp sport : {inner} }}\n"
                );
            }
            chain += &format!("{outgoing} update @contacts {{ udp sport{} }}\n", peer.of_outgoing);
        }
        if chain.is_empty() {
            return chain;
        }
        format!("\tchain remember {{\n\t\ttype filter hook postrouting priority srcnat + 10;\n{chain}\t}}\n")
    }

    /// What is remembered of a peer; `None` where the kernel's own connection tracking does it all.
    fn remembered_peer(&self) -> Option<RememberedPeer> {
        match self.filtering {
            Filtering::EndpointIndependent => {
                Some(RememberedPeer { kind: "", of_incoming: "", of_outgoing: "" })
            }
            Filtering::AddressDependent => Some(RememberedPeer {
                kind: " . ipv4_addr",
                of_incoming: " . ip saddr",
                of_outgoing: " . ip daddr",
            }),
            Filtering::AddressAndPortDependent => None,
        }
    }
}

/// How nftables writes the part of a contact that follows the outside port.
struct RememberedPeer {
    kind: &'static str,
    of_incoming: &'static str,
    of_outgoing: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nat::Protocol;

    const TRANSLATIONS: [(Mapping, &[&str]); 3] = [
        (Mapping::EndpointIndependent, &["masquerade"]),
        (
            Mapping::AddressDependent,
            &[
                "meta l4proto udp masquerade to :ip saddr . udp sport . ip daddr map @ports",
                "meta l4proto { tcp, udp } masquerade to :20000-59999 fully-random",
                "masquerade",
            ],
        ),
        (
            Mapping::AddressAndPortDependent,
            &["meta l4proto { tcp, udp } masquerade to :20000-59999 fully-random", "masquerade"],
        ),
    ];
    const ADMISSIONS: [(Filtering, &[&str]); 3] = [
        (Filtering::EndpointIndependent, &["udp dport @contacts"]),
        (Filtering::AddressDependent, &["udp dport . ip saddr @contacts"]),
        (Filtering::AddressAndPortDependent, &[]),
    ];

    /// Of the rules that begin with `before`, what follows, and no further than `until`.
    fn parts<'a>(rules: &'a str, before: &str, until: &str) -> Vec<&'a str> {
        let rest = rules.lines().filter_map(|line| line.trim().strip_prefix(before)?.strip_prefix(' '));
        rest.map(|rest| rest.split(until).next().unwrap_or(rest).trim()).collect()
    }

    #[test]
    fn every_cell_translates_by_its_mapping_and_admits_by_its_filtering() {
        for (mapping, translations) in TRANSLATIONS {
            for (filtering, admissions) in ADMISSIONS {
                let rules = Nat::home("wan0").mapping(mapping).filtering(filtering).rules();
                let cell = format!("{mapping:?} × {filtering:?}:\n{rules}");
                let mut translated = parts(&rules, "oifname \"wan0\" meta nfproto ipv4", "\n");
                translated.retain(|rule| rule.contains("masquerade"));
                assert_eq!(translated, translations, "{cell}");
                let admitted = parts(&rules, "iifname \"wan0\" meta nfproto ipv4", "meta mark");
                assert_eq!(admitted, admissions, "{cell}");
            }
        }
    }

    #[test]
    fn what_a_cell_remembers_lives_as_long_as_its_mappings() {
        for (mapping, _) in TRANSLATIONS {
            for (filtering, _) in ADMISSIONS {
                let nat = Nat::home("wan0").mapping(mapping).filtering(filtering);
                let rules = nat.udp_timeout(std::time::Duration::from_secs(7)).rules();
                let remembers = |what: &str| rules.contains(what) && rules.contains(&format!("@{what} {{"));
                let memories = rules.matches("timeout 7s").count();
                let by_mapping = usize::from(mapping == Mapping::AddressDependent);
                let by_filtering = if filtering == Filtering::AddressAndPortDependent { 0 } else { 2 };
                assert_eq!(memories, by_mapping + by_filtering, "{rules}");
                assert_eq!(remembers("ports"), by_mapping == 1, "{rules}");
                assert_eq!(remembers("contacts"), by_filtering == 2, "{rules}");
            }
        }
    }

    #[test]
    fn a_forward_is_translated_and_let_through() {
        let rules = Nat::home("wan0").forward(Protocol::Tcp, 8022, "192.168.1.10:22").rules();
        assert!(
            rules.contains("\t\tiifname \"wan0\" tcp dport 8022 dnat ip to 192.168.1.10:22\n"),
            "{rules}"
        );
        assert!(rules.contains("\t\tip daddr 192.168.1.10 tcp dport 22 accept\n"), "{rules}");
    }

    #[test]
    fn a_hairpinned_forward_serves_every_side_and_returns_by_way_of_the_router() {
        let rules = Nat::home("wan0").forward(Protocol::Tcp, 8022, "192.168.1.10:22").hairpin().rules();
        let translation = "\t\tfib daddr type local tcp dport 8022 dnat ip to 192.168.1.10:22\n";
        assert!(rules.contains(translation), "{rules}");
        let back = "iifname != \"wan0\" ip daddr 192.168.1.10 tcp dport 22 ct status dnat masquerade\n";
        assert!(rules.contains(back), "{rules}");
    }
}
