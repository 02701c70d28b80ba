//! What makes a host a router.

use anyhow::Result;

use crate::configure::{nft, write_sysctl};
use crate::host::Host;
use crate::nat::Nat;

impl Host {
    /// Forwards packets, and translates them as `nat` says. May be called again, with another NAT.
    ///
    /// # Errors
    /// When the kernel does not take the rules; the error shows them.
    pub fn nat(&self, nat: &Nat) -> Result<()> {
        self.inside(|| {
            nft(&nat.rules())?;
            nat.sysctls().iter().try_for_each(|(name, value)| write_sysctl(name, value))
        })
    }

    /// Forwards packets untranslated, IPv4 and IPv6.
    ///
    /// # Errors
    /// When the host has ended.
    pub fn forward_packets(&self) -> Result<()> {
        self.inside(|| {
            write_sysctl("net.ipv4.ip_forward", "1")?;
            write_sysctl("net.ipv6.conf.all.forwarding", "1")
        })
    }
}
