//! The fake gateway on loopback, without root: as the engine sees it, and as raw packets do.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod garbage;
mod host;
mod lifecycle;
mod mapper;
mod nat_pmp;
mod pcp;
mod raw;
mod strictness;
mod upnp;
