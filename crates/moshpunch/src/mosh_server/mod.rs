//! The stock mosh-server: what its arguments ask for, and what it answers.

mod arguments;
pub(crate) mod locale;
mod process;
mod roaming;
mod start;

pub(crate) use arguments::{Bind, Listening, with_bind, with_ports};
pub(crate) use process::{Outcome, ProcessIdentity, Started, with_port};
pub(crate) use roaming::bind as roaming_bind;
#[cfg(test)]
pub(crate) use start::places;
pub(crate) use start::start;
