//! The file of firewall rules that `router setup` writes for nftables.
//!
//! miniupnpd fills chains that somebody else has to make. Debian 12's start script for them does not work: it wants
//! iptables, and calls nft by a variable that nothing sets. So a table of its own is loaded before miniupnpd starts, and
//! removed after it has stopped. The administrator's tables are never touched.

use crate::configuration::ChainNames;

pub const TABLE: &str = "miniupnpd";
pub const FILE: &str = "/etc/miniupnpd/moshpunch.nft";

/// UPnP's search, and PCP with NAT-PMP.
pub const SSDP_PORT: u16 = 1900;
pub const PCP_PORT: u16 = 5351;

/// The names that miniupnpd has to be told for [`rules`] with chains.
#[must_use]
pub fn own_names() -> ChainNames {
    ChainNames {
        family: "inet",
        table: TABLE.into(),
        nat_table: TABLE.into(),
        forward: "miniupnpd".into(),
        prerouting: "prerouting_miniupnpd".into(),
        postrouting: "postrouting_miniupnpd".into(),
    }
}

/// Runs in place of the package's own command; nft takes a whole batch from its arguments.
#[must_use]
pub fn load_command() -> String {
    format!("/usr/sbin/nft -f {FILE}")
}

#[must_use]
pub fn removal_command() -> String {
    format!("/usr/sbin/nft add table inet {TABLE}; delete table inet {TABLE}")
}

/// Keeps the WAN away from miniupnpd and, if wanted, brings chains for its rules. Loading it twice is loading it once.
#[must_use]
pub fn rules(wan: &str, http_port: u16, with_chains: bool) -> String {
    let chains = if with_chains { chains(wan) } else { String::new() };
    format!(
        "# By `moshpunch router setup`. Loaded before miniupnpd starts, removed after it has stopped.\n\
         table inet {TABLE}\n\
         delete table inet {TABLE}\n\
         table inet {TABLE} {{\n\
         {chains}\
         \t# miniupnpd is for the LAN alone.\n\
         \tchain input {{\n\
         \t\ttype filter hook input priority filter; policy accept;\n\
         \t\tiifname \"{wan}\" udp dport {{ {SSDP_PORT}, {PCP_PORT} }} drop\n\
         \t\tiifname \"{wan}\" tcp dport {http_port} drop\n\
         \t}}\n\
         }}\n"
    )
}

fn chains(wan: &str) -> String {
    let names = own_names();
    let base = |name: &str, kind: &str, priority: &str, jump: &str| {
        format!(
            "\tchain {name} {{\n\
             \t\ttype {kind} hook {name} priority {priority}; policy accept;\n\
             \t\t{jump}\n\
             \t}}\n"
        )
    };
    [
        "\t# miniupnpd puts its rules into these three.\n".to_owned(),
        format!("\tchain {} {{ }}\n", names.forward),
        format!("\tchain {} {{ }}\n", names.prerouting),
        format!("\tchain {} {{ }}\n", names.postrouting),
        base("forward", "filter", "filter", &format!("jump {}", names.forward)),
        base("prerouting", "nat", "dstnat", &format!("iifname \"{wan}\" jump {}", names.prerouting)),
        base("postrouting", "nat", "srcnat", &format!("oifname \"{wan}\" jump {}", names.postrouting)),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_chains_only_the_wan_is_kept_away() {
        assert_eq!(
            rules("wan0", 5000, false),
            "# By `moshpunch router setup`. Loaded before miniupnpd starts, removed after it has stopped.\n\
             table inet miniupnpd\n\
             delete table inet miniupnpd\n\
             table inet miniupnpd {\n\
             \t# miniupnpd is for the LAN alone.\n\
             \tchain input {\n\
             \t\ttype filter hook input priority filter; policy accept;\n\
             \t\tiifname \"wan0\" udp dport { 1900, 5351 } drop\n\
             \t\tiifname \"wan0\" tcp dport 5000 drop\n\
             \t}\n\
             }\n"
        );
    }

    #[test]
    fn every_chain_that_miniupnpd_is_told_of_is_made_and_jumped_to() {
        let (rules, names) = (rules("wan0", 5000, true), own_names());
        for chain in [names.forward, names.prerouting, names.postrouting] {
            assert!(rules.contains(&format!("\tchain {chain} {{ }}\n")), "{rules}");
            assert!(rules.contains(&format!("jump {chain}\n")), "{rules}");
        }
    }
}
