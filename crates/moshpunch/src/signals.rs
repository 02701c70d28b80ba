//! Signals as something to wait for.

use std::os::unix::net::UnixStream;

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Can be read from once somebody wants this process to end.
pub(crate) fn of_the_end() -> Result<UnixStream> {
    let (signals, signalled) = UnixStream::pair()?;
    signals.set_nonblocking(true)?;
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::low_level::pipe::register(signal, signalled.try_clone()?)?;
    }
    Ok(signals)
}
