//! The stock mosh-server: what its arguments ask for, and what it answers.

mod arguments;
mod process;
mod roaming;

pub(crate) use arguments::{Bind, Listening, with_bind, with_ports};
pub(crate) use process::{Outcome, ProcessIdentity, Started, start, with_port};
pub(crate) use roaming::bind as roaming_bind;
