//! miniupnpd on its own router, without I/O: its files, its rules, and what follows from them.
//!
//! Text and time come in as arguments, what to do comes out as values.

pub mod guard;
pub mod hairpin;
pub mod lease_file;
pub mod mapping;
pub mod redirections;
pub mod settings;
