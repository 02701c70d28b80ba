//! What a gateway is like.

use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::gateway::FakeGateway;
use crate::loopback;
use crate::simulation::Simulation;

/// Other tests' addresses that are stepped over before a loopback address is found.
const LOOPBACK_TRIES: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    Upnp,
    NatPmp,
    Pcp,
}

/// Lasting oddities of a router's UPnP service, by their numbers in docs/routers.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// 35: a lease other than 0 is error 725.
    OnlyPermanentLeases,
    /// 37: a lease of 0 is error 402.
    NoPermanentLeases,
    /// 40: an entry is not overwritten, not even by its owner: error 718.
    NoOverwriting,
    /// 42: another number outside than inside is error 724.
    SamePortsOnly,
    /// A mapping is confirmed, but never appears in the table.
    AddsNothing,
    /// Descriptions are cut to so many characters.
    CutsDescriptions(usize),
    /// The table shows lease 0 for every entry.
    HidesLeases,
    /// 46: the table shows this description for every entry.
    ShowsDescription(&'static str),
    /// 39: the table shows this client for every entry.
    ShowsClient(&'static str),
}

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) external_address: Option<Ipv4Addr>,
    pub(crate) allowed: RangeInclusive<u16>,
    pub(crate) allowed_internal: RangeInclusive<u16>,
    pub(crate) mappings_maximum: usize,
    pub(crate) igd_version: u8,
    pub(crate) service_type: String,
    pub(crate) description_file: Option<String>,
    pub(crate) description_path: String,
    pub(crate) lifetimes: Option<RangeInclusive<u32>>,
    pub(crate) secure_mode: bool,
    pub(crate) expires: bool,
    /// What each answer costs a server that works on one at a time.
    pub(crate) work: Duration,
    pub(crate) quirks: Vec<Quirk>,
}

/// Begins as an IGD:1 with all three protocols, connected as 20.0.0.1, that allows every port.
#[derive(Debug, Clone)]
#[must_use = "no gateway exists before it is bound"]
pub struct Builder {
    settings: Settings,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            settings: Settings {
                protocols: vec![Protocol::Upnp, Protocol::NatPmp, Protocol::Pcp],
                external_address: Some(Ipv4Addr::new(20, 0, 0, 1)),
                allowed: 1..=65535,
                allowed_internal: 1..=65535,
                mappings_maximum: usize::MAX,
                igd_version: 1,
                service_type: wan_ip_connection(1),
                description_file: None,
                description_path: "/rootDesc.xml".into(),
                lifetimes: None,
                secure_mode: true,
                expires: false,
                work: Duration::ZERO,
                quirks: Vec::new(),
            },
        }
    }

    /// What is not spoken has a closed port, except that a version which is not spoken on port 5351 is named there
    /// as unsupported where the other is spoken.
    pub fn protocols(mut self, protocols: &[Protocol]) -> Self {
        self.settings.protocols = protocols.to_vec();
        self
    }

    /// # Panics
    /// When it is neither an IPv4 address nor empty. Empty: not connected.
    pub fn external_address(mut self, address: &str) -> Self {
        self.settings.external_address = external_address(address);
        self
    }

    /// The external ports that may be mapped.
    pub fn allowed(mut self, ports: RangeInclusive<u16>) -> Self {
        self.settings.allowed = ports;
        self
    }

    /// The internal ports that may be mapped.
    pub fn allowed_internal(mut self, ports: RangeInclusive<u16>) -> Self {
        self.settings.allowed_internal = ports;
        self
    }

    pub fn max_mappings(mut self, count: usize) -> Self {
        self.settings.mappings_maximum = count;
        self
    }

    /// 1 or 2, with WANIPConnection of the same version.
    pub fn igd_version(mut self, version: u8) -> Self {
        self.settings.igd_version = version;
        self.service_type(&wan_ip_connection(version))
    }

    /// Of the service that maps, as for WANPPPConnection.
    pub fn service_type(mut self, service_type: &str) -> Self {
        self.settings.service_type = service_type.into();
        self
    }

    /// The description's text, with `{address}` and `{port}` for those of the HTTP server. Every path takes actions
    /// then, for every service type that the text names.
    pub fn description_file(mut self, text: &str) -> Self {
        self.settings.description_file = Some(text.into());
        self
    }

    /// Where the description is; begins with `/`.
    pub fn description_path(mut self, path: &str) -> Self {
        self.settings.description_path = path.into();
        self
    }

    /// The leases in seconds that NAT-PMP and PCP grant. By default NAT-PMP grants all, and PCP 120 to 86400, as
    /// miniupnpd does.
    pub fn lifetimes(mut self, seconds: RangeInclusive<u32>) -> Self {
        self.settings.lifetimes = Some(seconds);
        self
    }

    /// Whether a host may map only to itself. It may by default.
    pub fn secure_mode(mut self, secure: bool) -> Self {
        self.settings.secure_mode = secure;
        self
    }

    /// Leases end by the clock; without this only by [`FakeGateway::expire`].
    pub fn expiring(mut self) -> Self {
        self.settings.expires = true;
        self
    }

    /// Each answer takes that long, searches apart, and everything else waits meanwhile, as where one slow process
    /// serves all protocols. It works on what nobody waits for any more, too.
    pub fn one_at_a_time(mut self, work: Duration) -> Self {
        self.settings.work = work;
        self
    }

    pub fn quirk(mut self, quirk: Quirk) -> Self {
        self.settings.quirks.push(quirk);
        self
    }

    /// Binds every socket and begins to serve. The sockets belong to the calling thread's network namespace.
    ///
    /// Outside 127.0.0.0/8 the gateway also hears multicast searches; on loopback every test would hear every other.
    ///
    /// # Errors
    /// The address is not this host's, or one of the ports 1900 and 5351 is taken there.
    pub fn bind(self, address: Ipv4Addr) -> io::Result<FakeGateway> {
        FakeGateway::start(self.settings, address)
    }

    /// The gateway at 192.168.1.1 without any socket, with this host behind it.
    pub fn simulate(self, host: Ipv4Addr) -> Simulation {
        Simulation::new(self.settings, host)
    }

    /// Binds to a loopback address that no other test uses; its network has [`FakeGateway::host`]s, too.
    ///
    /// # Errors
    /// No such address has its ports free.
    pub fn bind_loopback(self) -> io::Result<FakeGateway> {
        for _ in 0..LOOPBACK_TRIES {
            match self.clone().bind(loopback::next_gateway()) {
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                bound => return bound,
            }
        }
        self.bind(loopback::next_gateway())
    }
}

pub(crate) fn external_address(text: &str) -> Option<Ipv4Addr> {
    (!text.is_empty()).then(|| text.parse().expect("an IPv4 address, or nothing"))
}

fn wan_ip_connection(version: u8) -> String {
    format!("urn:schemas-upnp-org:service:WANIPConnection:{version}")
}
