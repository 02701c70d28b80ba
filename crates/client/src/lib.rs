//! The laptop's part: from the words of the user to a session over the best path.
//!
//! [`connect()`] is the whole: `connecting` is the time until the connect line, in which a `login` starts mosh-server on
//! the host while `terminal` shows how far it is; then the `session`, in which a forwarder stands between mosh-client
//! and the paths of a [`path::Agent`]. `addresses` finds where the host may be; `children` are the programs that are
//! started for all this, and how they end. [`install`] puts this program onto a host; [`sessions`] asks one what runs there.

#![cfg_attr(not(test), warn(unused_crate_dependencies))]

mod addresses;
mod children;
pub mod configuration;
mod connect;
mod connecting;
pub mod install;
mod login;
mod session;
pub mod sessions;
mod terminal;
pub mod tmux;

pub use children::{asked, attend, part, whole};
pub use connect::run as connect;
pub use terminal::eraser;
