//! The stock mosh-server: what its arguments ask for, and what it answers.

mod arguments;
mod process;

pub(crate) use arguments::{Bind, Listening, on_every_address, with_ports};
pub(crate) use process::{Outcome, ProcessIdentity, Started, start, with_port};
