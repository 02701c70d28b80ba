//! The stock mosh-server: what its arguments ask for, and what it answers.

mod arguments;
mod process;

pub(crate) use arguments::{Bind, Listening, with_ports};
pub(crate) use process::{ProcessIdentity, Started, start, with_port};
