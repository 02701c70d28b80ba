//! How what mosh-server prints is written where the user, or the client, reads it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use rustix::stdio;

/// That nobody reads these is no reason to keep the rest back.
pub(super) fn pass_on_errors(errors: &[u8]) {
    let _unread = write_unbuffered(stdio::stderr(), errors);
}

/// A buffer would keep what passed through it.
pub(super) fn write_unbuffered(to: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    File::from(to.try_clone_to_owned()?).write_all(bytes)
}
