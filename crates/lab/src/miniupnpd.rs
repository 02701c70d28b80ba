//! A real miniupnpd on a router: UPnP IGD, NAT-PMP and PCP.

use std::fs;
use std::time::Duration;

use anyhow::Result;

use crate::daemon::Daemon;
use crate::host::Host;
use crate::nat_rules::{TABLE, UPNP_FORWARD, UPNP_POSTROUTING, UPNP_PREROUTING};
use crate::wait::wait_until;

const CONFIGURATION: &str = "/etc/miniupnpd/lab.conf";
const DIRECTORY: &str = "/var/lib/miniupnpd";
pub(crate) const LEASE_FILE: &str = "/var/lib/miniupnpd/upnp.leases";
const SSDP_PORT: u16 = 1900;
pub(crate) const TIME_TO_START: Duration = Duration::from_secs(30);

/// How miniupnpd is configured. Its router must have a [`Nat`](crate::Nat), in whose chains its rules go.
#[derive(Clone, Debug)]
pub struct Miniupnpd {
    pub outside: String,
    pub inside: String,
    /// Whether a client may map for nobody but itself.
    pub secure_mode: bool,
    pub upnp: bool,
    pub nat_pmp_and_pcp: bool,
    /// `allow` and `deny` lines; the first that fits decides, and without any all is allowed.
    pub permissions: Vec<String>,
    /// 0: another one at each start.
    pub http_port: u16,
    /// The shortest and longest lease that NAT-PMP and PCP grant, in seconds.
    pub lifetimes: (u32, u32),
    pub lease_file: bool,
    /// Further lines for miniupnpd.conf.
    pub extra: Vec<String>,
}

impl Miniupnpd {
    pub fn new(outside: &str, inside: &str) -> Self {
        Self {
            outside: outside.to_owned(),
            inside: inside.to_owned(),
            secure_mode: true,
            upnp: true,
            nat_pmp_and_pcp: true,
            permissions: Vec::new(),
            http_port: 0,
            lifetimes: (120, 86400),
            lease_file: true,
            extra: Vec::new(),
        }
    }

    /// As in the write-up: UPnP alone, for ports 60000 to 60023 of one network, such as `192.168.1.0/24`.
    pub fn write_up(outside: &str, inside: &str, network: &str) -> Self {
        let permissions = vec![
            format!("allow 60000-60023 {network} 60000-60023"),
            "deny 0-65535 0.0.0.0/0 0-65535".to_owned(),
        ];
        Self { permissions, nat_pmp_and_pcp: false, ..Self::new(outside, inside) }
    }

    fn configuration(&self) -> String {
        let yes_or_no = |on: bool| if on { "yes" } else { "no" };
        let mut lines = vec![
            format!("ext_ifname={}", self.outside),
            format!("listening_ip={}", self.inside),
            format!("http_port={}", self.http_port),
            format!("enable_upnp={}", yes_or_no(self.upnp)),
            format!("enable_natpmp={}", yes_or_no(self.nat_pmp_and_pcp)),
            format!("secure_mode={}", yes_or_no(self.secure_mode)),
            format!("min_lifetime={}", self.lifetimes.0),
            format!("max_lifetime={}", self.lifetimes.1),
            "system_uptime=yes".to_owned(),
            "uuid=6d6f7368-7075-6e63-6820-6c6162206777".to_owned(),
            format!("upnp_table_name={TABLE}"),
            format!("upnp_nat_table_name={TABLE}"),
            format!("upnp_forward_chain={UPNP_FORWARD}"),
            format!("upnp_nat_chain={UPNP_PREROUTING}"),
            format!("upnp_nat_postrouting_chain={UPNP_POSTROUTING}"),
        ];
        if self.lease_file {
            lines.push(format!("lease_file={LEASE_FILE}"));
        }
        lines.extend(self.extra.iter().chain(&self.permissions).cloned());
        lines.join("\n") + "\n"
    }
}

impl Host {
    /// Starts miniupnpd; it answers when this returns.
    ///
    /// # Errors
    /// When it does not start; the error shows its log.
    pub fn miniupnpd(&self, miniupnpd: &Miniupnpd) -> Result<Daemon> {
        self.inside(|| {
            fs::create_dir_all(DIRECTORY)?;
            Ok(fs::write(CONFIGURATION, miniupnpd.configuration())?)
        })?;
        let command = self.command("/usr/sbin/miniupnpd");
        let daemon =
            self.spawn("miniupnpd", &command.args(["-d", "-f", CONFIGURATION, "-P", "/run/miniupnpd.pid"]))?;
        self.wait_for_miniupnpd(&daemon, miniupnpd.upnp, miniupnpd.nat_pmp_and_pcp)?;
        Ok(daemon)
    }

    pub(crate) fn wait_for_miniupnpd(
        &self,
        daemon: &Daemon,
        upnp: bool,
        nat_pmp_and_pcp: bool,
    ) -> Result<()> {
        if nat_pmp_and_pcp {
            daemon.wait_for_log("Listening for NAT-PMP/PCP", TIME_TO_START)?;
        }
        if upnp {
            daemon.wait_for_log("HTTP listening", TIME_TO_START)?;
            wait_until("miniupnpd to listen for SSDP", TIME_TO_START, || {
                Ok(self.udp_ports()?.contains(&SSDP_PORT).then_some(()))
            })?;
        }
        Ok(())
    }
}
