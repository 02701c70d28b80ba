//! miniupnpd on its own router, without I/O: its files, its rules, and what follows from them.
//!
//! Text and time come in as arguments, what to do comes out as values.

pub mod build;
pub mod check;
pub mod configuration;
pub mod document;
pub mod firewall;
pub mod guard;
pub mod hairpin;
pub mod interfaces;
pub mod lease_file;
pub mod mapping;
pub mod openwrt;
pub mod pace;
pub mod plan;
pub mod redirections;
pub mod rule;
pub mod ruleset;
pub mod setup;
