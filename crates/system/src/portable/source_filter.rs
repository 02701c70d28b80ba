//! Without a filter, who waits for a notification wakes up for others, too.

use std::io;
use std::net::IpAddr;

use socket2::Socket;

/// All that is sent to the socket is heard; whose it is the reader has to see.
///
/// # Errors
///
/// None here.
pub fn hear_only_notifications_of(_socket: &Socket, _source: IpAddr) -> io::Result<()> {
    Ok(())
}
