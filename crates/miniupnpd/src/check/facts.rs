use crate::interfaces::Interface;

/// What a shell reads of a router. `None` is always: it could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub configuration_path: String,
    pub configuration: Option<Vec<u8>>,
    /// /etc/default/miniupnpd; empty if there is none.
    pub defaults: Option<Vec<u8>>,
    pub daemon: Daemon,
    /// When the configuration was changed last, in seconds since 1970.
    pub configuration_changed: Option<u64>,
    pub interfaces: Vec<Interface>,
    /// The interfaces of the IPv4 default routes, the best one first.
    pub default_routes: Vec<String>,
    pub ip_forward: Option<bool>,
    /// Where the lease file that the configuration names lies.
    pub lease_place: Option<LeasePlace>,
    /// The lease file; empty if there is none.
    pub leases: Option<Vec<u8>>,
    /// `nft -j list ruleset`.
    pub ruleset: Option<String>,
    /// The ports of the router's own UDP sockets.
    pub udp_ports: Option<Vec<u16>>,
    /// Whether a `moshpunch router guard` runs.
    pub guard_runs: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Daemon {
    Runs {
        pid: u32,
        arguments: Vec<String>,
        /// In seconds since 1970.
        started: Option<u64>,
    },
    Stopped,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeasePlace {
    Lasting,
    /// It is in memory.
    Volatile,
    /// There is no such directory.
    Missing,
}
