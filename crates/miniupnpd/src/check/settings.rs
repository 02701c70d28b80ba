//! What the configuration says by itself.

use super::daemon::{Daemon, has_surely_read_its_file};
use super::{Finding, LeasePlace, Router};
use crate::build::{SECURE_BY_DEFAULT, STOPS_AT_A_BAD_LINE};
use crate::configuration::BadLine;
use crate::setup::LEASE_FILE;

pub(super) fn lines(router: &Router<'_>) -> Finding {
    const NAME: &str = "configuration";
    let path = &router.facts.configuration_path;
    let bad: Vec<_> = router.configuration.bad_lines(&router.build).collect();
    // What distributions add to miniupnpd nobody tells; but what has started has understood its file.
    let has_proved = has_surely_read_its_file(router);
    let certain =
        bad.iter().find(|bad| bad.objection.is_certain() && !(has_proved && bad.objection.is_of_an_option()));
    if let Some(bad) = certain {
        return stops(router, NAME, bad);
    }
    match bad.iter().find(|bad| bad.objection.is_certain() || !has_proved) {
        None => Finding::ok(NAME, format!("{path} can be read")),
        Some(BadLine { number, text, objection }) => Finding::unknown(
            NAME,
            format!(
                "line {number} of {path}, '{text}': {objection}{}",
                if has_proved { "; yet it has started with it" } else { "" }
            ),
            "look what this miniupnpd's own manual says of it",
        ),
    }
}

fn stops(router: &Router<'_>, name: &'static str, bad: &BadLine) -> Finding {
    const CURE: &str = "correct the line, or put # before it";
    let Router { facts, build, .. } = router;
    let BadLine { number, text, objection } = bad;
    let line = format!("line {number} of {}, '{text}',", facts.configuration_path);
    match build.is_since(STOPS_AT_A_BAD_LINE) {
        Some(false) => Finding::warning(name, format!("{line} is passed over by {build}: {objection}"), CURE),
        Some(true) | None => {
            Finding::fault(name, format!("{line} keeps {build} from starting: {objection}"), CURE)
        }
    }
}

pub(super) fn secure_mode(router: &Router<'_>) -> Finding {
    const NAME: &str = "secure-mode";
    const CURE: &str = "secure_mode=yes, as the only such line, and restart miniupnpd";
    match secure_by_arguments(router).unwrap_or_else(|| router.configuration.is_secure(&router.build)) {
        Some(true) => Finding::ok(NAME, "a host may map ports to itself only"),
        Some(false) => {
            Finding::fault(NAME, "a host of the LAN may map ports to any other host by UPnP", CURE)
        }
        None => Finding::unknown(
            NAME,
            "whether a host of the LAN may map ports to others depends on miniupnpd's version, which is not known",
            CURE,
        ),
    }
}

/// What miniupnpd was called with comes after its file: `-S` before 2.3.4, `-S0` since.
fn secure_by_arguments(router: &Router<'_>) -> Option<Option<bool>> {
    let Daemon::Runs(process) = router.daemon else { return None };
    let has = |is_it: fn(&str) -> bool| process.arguments.iter().any(|argument| is_it(argument));
    match router.build.is_since(SECURE_BY_DEFAULT) {
        Some(true) => has(|argument| argument == "-S0").then_some(Some(false)),
        Some(false) => has(|argument| argument.starts_with("-S")).then_some(Some(true)),
        None => has(|argument| argument == "-S0").then_some(None),
    }
}

pub(super) fn protocols(router: &Router<'_>) -> Finding {
    const NAME: &str = "protocols";
    match (router.speaks_pcp(), router.configuration.speaks_upnp()) {
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
            "enable_natpmp=yes (it means PCP, too), and restart miniupnpd",
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
