//! UPnP Internet gateways (IGD:1 and IGD:2).
//!
//! [`ssdp`] finds a gateway, [`http`] fetches its [`description`], and [`soap`] invokes the actions of the
//! services in it. These modules, with [`url`] and [`xml`] below them, turn bytes into values and back, and
//! nothing else.

pub mod description;
pub mod http;
pub mod soap;
pub mod ssdp;
pub mod url;
pub mod xml;

mod answer;
mod attempt;
pub mod client;
mod control;
mod dialogue;
mod exchanges;
mod gateway;
mod location;
mod pinhole;
mod presence;
mod search;
pub mod table;

pub use attempt::{Listing, Ours};
pub use control::Control;
pub use exchanges::{EXCHANGE_TIMEOUT, EXCHANGE_TIMEOUT_ONCE_HEARD};
pub use gateway::{Found, FoundConnection};
pub use search::SEARCH_WINDOW;

#[cfg(test)]
mod mutation;
