//! One file a command.

pub(crate) mod clean;
pub(crate) mod demo;
pub(crate) mod list;
pub(crate) mod measure_guard;
pub(crate) mod measure_mapping;
pub(crate) mod raise;
