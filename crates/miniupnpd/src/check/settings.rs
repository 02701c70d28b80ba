//! What the configuration says by itself.

use super::{Finding, LeasePlace, Router};
use crate::setup::LEASE_FILE;

pub(super) fn lines(router: &Router<'_>) -> Finding {
    const NAME: &str = "configuration";
    let path = &router.facts.configuration_path;
    let Some(bad) = router.configuration.bad_lines().next() else {
        return Finding::ok(NAME, format!("{path} can be read"));
    };
    let why =
        bad.rule.map_or("it is neither a rule nor name=value".to_owned(), |malformed| malformed.to_string());
    Finding::fault(
        NAME,
        format!("line {} of {path}, '{}', keeps miniupnpd from starting: {why}", bad.number, bad.text),
        "correct the line, or put # before it",
    )
}

pub(super) fn secure_mode(router: &Router<'_>) -> Finding {
    const NAME: &str = "secure-mode";
    match router.configuration.is_on("secure_mode") {
        true => Finding::ok(NAME, "a host may map ports to itself only"),
        false => Finding::fault(
            NAME,
            "a host of the LAN may map ports to any other host by UPnP",
            "secure_mode=yes, and restart miniupnpd",
        ),
    }
}

pub(super) fn protocols(router: &Router<'_>) -> Finding {
    const NAME: &str = "protocols";
    match (router.configuration.speaks_pcp(), router.configuration.speaks_upnp()) {
        (true, true) => Finding::ok(NAME, "PCP, NAT-PMP and UPnP are on"),
        (true, false) => Finding::warning(
            NAME,
            "UPnP is off, and nobody but PCP and NAT-PMP clients is served",
            "enable_upnp=yes, if older programs are to map ports, too",
        ),
        (false, upnp) => Finding::fault(
            NAME,
            format!(
                "PCP and NAT-PMP are off{}",
                if upnp { ", and UPnP alone does not tell of restarts" } else { ", and so is UPnP" }
            ),
            "enable_natpmp=yes (it means PCP, too; enable_pcp_pmp=yes since miniupnpd 2.3.4), and restart miniupnpd",
        ),
    }
}

pub(super) fn lease_file(router: &Router<'_>) -> Finding {
    const NAME: &str = "lease-file";
    let cure = format!("lease_file={LEASE_FILE}, and restart miniupnpd");
    let Some(path) = router.configuration.option("lease_file") else {
        return Finding::fault(
            NAME,
            "there is no lease file: every mapping is lost when miniupnpd restarts",
            cure,
        );
    };
    match router.facts.lease_place {
        Some(LeasePlace::Lasting) => Finding::ok(NAME, format!("{path} survives a restart of the router")),
        Some(LeasePlace::Volatile) => Finding::fault(
            NAME,
            format!("{path} is in memory: every mapping is lost when the router restarts"),
            cure,
        ),
        Some(LeasePlace::Missing) => Finding::fault(
            NAME,
            format!("the directory of {path} does not exist: miniupnpd cannot write there"),
            "make the directory, and restart miniupnpd",
        ),
        None => Finding::unknown(NAME, format!("it cannot be seen where {path} lies"), "run this as root"),
    }
}

/// miniupnpd can remove rules that nobody used for a while, whatever their lease: a sleeping laptop's session goes.
pub(super) fn cleaning(router: &Router<'_>) -> Finding {
    const NAME: &str = "cleaning";
    match router.configuration.option("clean_ruleset_interval").filter(|interval| interval != "0") {
        None => Finding::ok(NAME, "a mapping stays until its lease ends"),
        Some(interval) => Finding::warning(
            NAME,
            format!(
                "clean_ruleset_interval={interval}: with many mappings, idle ones go before their lease ends"
            ),
            "clean_ruleset_interval=0, and restart miniupnpd",
        ),
    }
}
