//! What a router forwards, counted; and how ssh alone is kept from passing.

use anyhow::{Context, Result};
use lab::Host;

use crate::common::PATIENCE;
use crate::common::home::nft;

/// Loaded again, it counts from zero.
const COUNTS: &str = "
table inet traffic
delete table inet traffic
table inet traffic {
    counter datagrams { }
    counter segments { }
    chain forward {
        type filter hook forward priority -10;
        meta l4proto udp counter name datagrams
        meta l4proto tcp counter name segments
    }
}
";

const CUT: &str =
    "table inet cut { chain forward { type filter hook forward priority -9; meta l4proto tcp drop; }; }\n";

/// Packets, both ways together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) udp: u64,
    pub(crate) tcp: u64,
}

pub(crate) fn count(router: &Host) -> Result<()> {
    nft(router, COUNTS)
}

pub(crate) fn counted(router: &Host) -> Result<Traffic> {
    let listed = router.command("nft").args(["list", "table", "inet", "traffic"]).run(PATIENCE)?.stdout;
    let packets = |protocol: &str| -> Result<u64> {
        let (_, rest) =
            listed.split_once(&format!("counter {protocol} {{")).with_context(|| listed.clone())?;
        let (_, rest) = rest.split_once("packets ").context("packets")?;
        Ok(rest.split(' ').next().context("a number")?.parse()?)
    };
    Ok(Traffic { udp: packets("datagrams")?, tcp: packets("segments")? })
}

/// As where a connection is lost without a word.
pub(crate) fn cut_ssh(router: &Host) -> Result<()> {
    nft(router, CUT)
}

pub(crate) fn let_ssh_through(router: &Host) -> Result<()> {
    nft(router, "delete table inet cut\n")
}
