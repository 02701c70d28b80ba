//! The same for OpenWrt, as `uci` commands to read and run there.
//!
//! Two generations of its package are served: until 2025 the options are those of the section `config` alone; since then
//! it also has sections for the networks inside, whose presets come before the rules.

use crate::plan::Plan;
use crate::rule::{Action, Network, Rule};

/// Where OpenWrt's flash is mounted; its default is a tmpfs.
const LEASE_FILE: &str = "/etc/miniupnpd.leases";

/// `wan` and `lan` are OpenWrt's names of networks.
#[must_use]
pub fn commands(wan: &str, lan: &str, lan_network: Network, plan: &Plan) -> String {
    let options = [
        ("enabled", "1"),
        ("enable_upnp", "1"),
        ("enable_natpmp", "1"),
        ("enabled_protocols", "all"),
        ("secure_mode", "1"),
        ("allow_third_party_mapping", "0"),
        ("external_iface", wan),
        ("internal_iface", lan),
        ("upnp_lease_file", LEASE_FILE),
        ("lease_file", LEASE_FILE),
    ];
    let mut lines: Vec<_> =
        options.iter().map(|(name, value)| format!("uci set upnpd.config.{name}='{value}'")).collect();
    lines.push(
        "while uci -q get upnpd.@perm_rule[0] >/dev/null; do uci delete upnpd.@perm_rule[0]; done".into(),
    );
    for rule in plan.rules(lan_network).iter().chain([&Rule::deny_all()]) {
        lines.extend(rule_commands(rule));
    }
    lines.push("uci -q get upnpd.@internal_network[0] >/dev/null && uci set upnpd.@internal_network[0].acl_preset='none'".into());
    lines.extend(
        ["uci commit upnpd", "/etc/init.d/miniupnpd enable", "/etc/init.d/miniupnpd restart"]
            .map(str::to_owned),
    );
    lines.join("\n") + "\n"
}

fn rule_commands(rule: &Rule) -> Vec<String> {
    let action = match rule.action {
        Action::Allow => "allow",
        Action::Deny => "deny",
    };
    let set = |name: &str, value: &str| format!("uci set upnpd.@perm_rule[-1].{name}='{value}'");
    vec![
        "uci add upnpd perm_rule".into(),
        set("action", action),
        set("ext_ports", &rule.external.to_string()),
        set("int_addr", &rule.network.to_string()),
        set("int_ports", &rule.internal.to_string()),
        set("comment", "moshpunch"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_replaced_in_order() {
        let text = commands("wan", "lan", "192.168.1.0/24".parse().unwrap(), &Plan::new(None, &[]).unwrap());
        let rules = text.split("perm_rule[0]; done\n").nth(1).unwrap();
        assert!(
            rules.starts_with(
                "uci add upnpd perm_rule\n\
                 uci set upnpd.@perm_rule[-1].action='allow'\n\
                 uci set upnpd.@perm_rule[-1].ext_ports='60000-60023'\n\
                 uci set upnpd.@perm_rule[-1].int_addr='192.168.1.0/24'\n\
                 uci set upnpd.@perm_rule[-1].int_ports='60000-60023'\n\
                 uci set upnpd.@perm_rule[-1].comment='moshpunch'\n\
                 uci add upnpd perm_rule\n\
                 uci set upnpd.@perm_rule[-1].action='deny'\n\
                 uci set upnpd.@perm_rule[-1].ext_ports='0-65535'\n"
            ),
            "{text}"
        );
        assert!(text.starts_with("uci set upnpd.config.enabled='1'\n"), "{text}");
        assert!(
            text.ends_with("uci commit upnpd\n/etc/init.d/miniupnpd enable\n/etc/init.d/miniupnpd restart\n")
        );
    }
}
