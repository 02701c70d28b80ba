//! An agent between a model of mosh-client and a model of mosh-server, over links with NATs, loss and delay.
#![expect(clippy::unwrap_used, reason = "clippy allows it in tests, but not in what they share")]

mod carried;
mod carried_property;
mod channel;
mod laptop;
mod link;
mod mosh;
mod nat;
mod one_way;
mod outages;
mod property;
mod punched;
mod punched_property;
mod punching;
mod relay;
mod relayed;
mod router;
mod scenarios;
mod upgrades;
mod world;
