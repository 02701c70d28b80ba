//! The host's part: mosh-server, and a way to it from outside.
//!
//! [`server`] starts mosh-server and tells the client where it is; what this client `need`s of a gateway a [`keeper`]
//! gets and holds as long as the `session` lives. Our own
//! client may ask for a `channel` beside it. [`sweep`] removes what dead sessions left. [`sessions`]
//! shows a user's sessions and ends them. [`map`] is the engine by itself, for mappings by hand. `state` is what is on disk for all of them.

#![cfg_attr(not(test), warn(unused_crate_dependencies))]

mod cause;
mod channel;
pub mod configuration;
pub mod keeper;
pub mod map;
mod mosh_server;
mod need;
mod own_candidates;
mod punch;
mod release;
pub mod server;
mod session;
pub mod sessions;
mod ssh_connection;
mod state;
pub mod sweep;
