//! What becomes mosh-client is given, by a socket that nobody else has: the session's key, which is to stand in no
//! argument list and in no environment but mosh-client's own, and the user's terminal. Its attendant passes the socket on.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result, ensure};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use zeroize::Zeroizing;

/// A key has 22.
const KEY_BYTES_MAXIMUM: usize = 64;

#[derive(Debug)]
pub(crate) struct Handover {
    pub(crate) key: Zeroizing<String>,
    pub(crate) terminal: OwnedFd,
}

pub(crate) fn give(to: impl AsFd, key: &str, terminal: BorrowedFd<'_>) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    let terminal = [terminal];
    ensure!(beside.push(SendAncillaryMessage::ScmRights(&terminal)), "no room for a descriptor");
    sendmsg(to, &[IoSlice::new(key.as_bytes())], &mut beside, SendFlags::empty())?;
    Ok(())
}

/// `None`: nothing is given any more.
pub(crate) fn take(from: impl AsFd) -> Result<Option<Handover>> {
    let mut key = Zeroizing::new(vec![0; KEY_BYTES_MAXIMUM]);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(from, &mut [IoSliceMut::new(&mut key)], &mut beside, RecvFlags::empty())?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let descriptors = beside.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let terminal = descriptors.flatten().next().context("a terminal")?;
    fcntl_setfd(&terminal, FdFlags::CLOEXEC)?;
    let key = str::from_utf8(&key[..received.bytes]).context("a key")?;
    Ok(Some(Handover { key: Zeroizing::new(key.to_owned()), terminal }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn key_and_terminal_arrive_together() {
        let (here, there) = UnixStream::pair().unwrap();
        let (terminal, other_end) = UnixStream::pair().unwrap();
        give(&here, "4NeCCgvZFe2RnPgrcU1PQw", terminal.as_fd()).unwrap();
        let handover = take(&there).unwrap().unwrap();
        assert_eq!(*handover.key, "4NeCCgvZFe2RnPgrcU1PQw");
        drop((terminal, handover.terminal));
        assert_eq!(std::io::Read::read(&mut &other_end, &mut [0]).unwrap(), 0, "nobody else has it");
    }

    #[test]
    fn without_a_terminal_nothing_is_taken() {
        let (here, there) = UnixStream::pair().unwrap();
        std::io::Write::write_all(&mut &here, b"key").unwrap();
        assert!(take(&there).is_err());
    }

    #[test]
    fn who_ends_has_nothing_to_give() {
        let (here, there) = UnixStream::pair().unwrap();
        drop(here);
        assert!(take(&there).unwrap().is_none());
    }
}
