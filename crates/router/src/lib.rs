//! The part of a router that runs miniupnpd. docs/router.md and docs/guard.md are its manuals.
//!
//! [`setup`] changes its files, [`check`] says what is wrong with it, and [`guard`] holds its mapped ports.

#![cfg_attr(not(test), warn(unused_crate_dependencies))]

pub mod check;
mod diff;
mod exit_code;
mod facts;
mod files;
pub mod guard;
mod installed;
mod listeners;
mod processes;
mod service_manager;
pub mod setup;
mod system;

pub use exit_code::CHECK_EXIT_CODES;
pub use miniupnpd::plan::{MOSH_PORTS, Server};
pub use miniupnpd::rule::{Network, PortRange};
