//! What a router remembers of the connections through it.

use anyhow::{Context as _, Result, ensure};
use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

use crate::host::Host;

/// A message of netlink(7) alone, and then of nfnetlink: of connection tracking (1), "delete" (2). It names none, so all
/// are meant.
const LENGTH: usize = 20;
const DELETE: u16 = 1 << 8 | 2;
const REQUEST_AND_ACKNOWLEDGE: u16 = 0x1 | 0x4;

/// In its answer, after the header: 0, or the negative error number.
const ERROR: std::ops::Range<usize> = 16..20;

impl Host {
    /// Forgets every connection, translated or not, as a router does that restarts.
    ///
    /// # Errors
    /// When the kernel cannot.
    pub fn forget_connections(&self) -> Result<()> {
        self.inside(|| {
            let socket =
                socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(NETFILTER))?;
            sendto(&socket, &message(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
            let mut answer = [0; 64];
            let (length, _) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
            let error = answer[..length].get(ERROR).context("a short answer")?;
            ensure!(error == [0; 4], "connections are not forgotten: {error:?}");
            Ok(())
        })
    }
}

fn message() -> [u8; LENGTH] {
    let mut message = [0; LENGTH];
    message[..4].copy_from_slice(&20_u32.to_ne_bytes());
    message[4..6].copy_from_slice(&DELETE.to_ne_bytes());
    message[6..8].copy_from_slice(&REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    message
}
