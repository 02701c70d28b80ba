//! The stock mosh-server: what its arguments ask for, and what it answers.

mod address;
mod arguments;
mod complaint;
mod connect_line;
mod locale;
mod owner;
mod process;
mod reaper;
mod roaming;
mod start;
mod starting;
mod streams;
mod unbuffered;
mod watched;

pub(crate) use address::address;
pub(crate) use arguments::{Listening, external, with_bind, with_ports};
pub(crate) use connect_line::ConnectLine;
pub(crate) use process::{ProcessIdentity, Stat};
pub(crate) use reaper::Reaper;
pub(crate) use roaming::bind as roaming_bind;
pub(crate) use start::start;
pub use starting::OFFER_VARIABLE;
pub(crate) use starting::{Detached, Outcome, Started};
pub(crate) use watched::Watched;
