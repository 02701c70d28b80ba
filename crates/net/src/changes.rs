//! That this host's addresses or routes have changed; what they are now is [`interfaces`](crate::interfaces)' to read.

use std::time::Duration;

pub use system::network::Changes;

/// One change comes as several: an address goes, another comes, routes follow.
pub const SETTLE: Duration = Duration::from_millis(250);
