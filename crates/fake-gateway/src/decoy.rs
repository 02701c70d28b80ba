//! The other host: it must never be asked anything.

use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Listens where nobody has any business, and counts who comes all the same.
///
/// It has no thread: the kernel completes a connection, and keeps it until it is counted.
#[derive(Debug)]
pub struct Decoy {
    listener: TcpListener,
    address: SocketAddr,
    connections: Cell<usize>,
}

impl Decoy {
    /// # Errors
    /// The address is not this host's.
    pub fn bind(address: Ipv4Addr) -> io::Result<Self> {
        let listener = TcpListener::bind((address, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self { address: listener.local_addr()?, listener, connections: Cell::new(0) })
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `path` begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All that have ever connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        while self.listener.accept().is_ok() {
            self.connections.set(self.connections.get() + 1);
        }
        self.connections.get()
    }
}
