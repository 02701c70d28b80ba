//! Every option of miniupnpd.conf, with the release that brought it. None was ever taken away.

use super::Version;

pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) since: Version,
    pub(super) needs: Needs,
}

/// What has to be compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    /// What every package has, unless its build options tell them without this word.
    Packaged(&'static str),
    /// The start of the firewall's name.
    Backend(&'static str),
    /// It then tells the version of OpenSSL.
    Tls,
}

/// The oldest release that was looked at is 1.7.
const FIRST: Version = Version([1, 7, 0]);
const V1_9: Version = Version([1, 9, 0]);
const V2_0: Version = Version([2, 0, 0]);
const V2_1: Version = Version([2, 1, 0]);
const V2_2_0: Version = Version([2, 2, 0]);
const V2_2_3: Version = Version([2, 2, 3]);
const V2_3_0: Version = Version([2, 3, 0]);
const V2_3_4: Version = Version([2, 3, 4]);
const V2_3_6: Version = Version([2, 3, 6]);
const V2_3_9: Version = Version([2, 3, 9]);

/// The firewall that one has which does not tell.
pub(super) const LINUX: &str = "netfilter";

const NETFILTER: Needs = Needs::Backend(LINUX);
const PF: Needs = Needs::Backend("pf");
const IPV6: Needs = Needs::Packaged("ipv6");
const NAT_PMP: Needs = Needs::Packaged("NAT-PMP");
const PCP: Needs = Needs::Packaged("PCP");
const LEASE_FILE: Needs = Needs::Packaged("leasefile");
const IGD_2: Needs = Needs::Packaged("igdv2");

const fn known(name: &'static str, since: Version, needs: Needs) -> Known {
    Known { name, since, needs }
}

pub(super) const OPTIONS: [Known; 51] = [
    known("ext_ifname", FIRST, Needs::Nothing),
    known("ext_ifname6", V2_2_0, IPV6),
    known("ext_ip", FIRST, Needs::Nothing),
    known("ext_allow_private_ipv4", V2_3_9, Needs::Nothing),
    known("ext_perform_stun", V2_2_0, Needs::Nothing),
    known("ext_stun_host", V2_2_0, Needs::Nothing),
    known("ext_stun_port", V2_2_0, Needs::Nothing),
    known("listening_ip", FIRST, Needs::Nothing),
    known("ipv6_listening_ip", V1_9, IPV6),
    known("ipv6_disable", V2_2_0, IPV6),
    known("port", FIRST, Needs::Nothing),
    known("http_port", V1_9, Needs::Nothing),
    known("https_port", V1_9, Needs::Tls),
    known("bitrate_up", FIRST, Needs::Nothing),
    known("bitrate_down", FIRST, Needs::Nothing),
    known("presentation_url", FIRST, Needs::Nothing),
    // For these six a build needs more, which no package leaves away and none tells.
    known("friendly_name", FIRST, Needs::Nothing),
    known("manufacturer_name", V1_9, Needs::Nothing),
    known("manufacturer_url", V1_9, Needs::Nothing),
    known("model_name", V1_9, Needs::Nothing),
    known("model_description", V1_9, Needs::Nothing),
    known("model_url", V1_9, Needs::Nothing),
    known("notify_interval", FIRST, Needs::Nothing),
    known("system_uptime", FIRST, Needs::Nothing),
    known("packet_log", FIRST, Needs::Nothing),
    known("uuid", FIRST, Needs::Nothing),
    known("serial", FIRST, Needs::Nothing),
    known("model_number", FIRST, Needs::Nothing),
    known("clean_ruleset_threshold", FIRST, Needs::Nothing),
    known("clean_ruleset_interval", FIRST, Needs::Nothing),
    known("upnp_table_name", V2_3_0, NETFILTER),
    known("upnp_nat_table_name", V2_3_0, NETFILTER),
    known("upnp_forward_chain", FIRST, NETFILTER),
    known("upnp_nat_chain", FIRST, NETFILTER),
    known("upnp_nat_postrouting_chain", V2_0, NETFILTER),
    known("upnp_nftables_family_split", V2_3_6, NETFILTER),
    known("enable_natpmp", FIRST, NAT_PMP),
    known("enable_pcp_pmp", V2_3_4, NAT_PMP),
    known("min_lifetime", V1_9, PCP),
    known("max_lifetime", V1_9, PCP),
    known("pcp_allow_thirdparty", V1_9, PCP),
    known("enable_upnp", FIRST, Needs::Nothing),
    known("anchor", FIRST, PF),
    known("queue", FIRST, PF),
    known("tag", FIRST, PF),
    known("quickrules", FIRST, PF),
    known("lease_file", FIRST, LEASE_FILE),
    known("lease_file6", V2_2_3, LEASE_FILE),
    known("force_igd_desc_v1", V2_1, IGD_2),
    known("minissdpdsocket", FIRST, Needs::Nothing),
    known("secure_mode", FIRST, Needs::Nothing),
];
