use crate::interfaces::Interface;
use crate::mapping::Transport;

/// What a shell reads of a router. `None` is always: it could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub configuration_path: String,
    pub configuration: Option<Vec<u8>>,
    /// /etc/default/miniupnpd; empty if there is none.
    pub defaults: Option<Vec<u8>>,
    /// What `miniupnpd --version` prints.
    pub version: Option<String>,
    /// Who has a socket of IPv4 on UDP 1900 or 5351, or listens on TCP at the HTTP port that the configuration names, in
    /// this network namespace.
    pub listeners: Option<Vec<Listener>>,
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
pub struct Listener {
    pub transport: Transport,
    pub port: u16,
    /// One that several have is several listeners.
    pub owner: Option<Process>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// The file that it runs; `None`: it cannot be seen.
    pub program: Option<String>,
    pub arguments: Vec<String>,
    /// In seconds since 1970.
    pub started: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeasePlace {
    Lasting,
    /// It is in memory.
    Volatile,
    /// There is no such directory.
    Missing,
}
