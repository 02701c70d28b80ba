//! A child, and a thread that waits for it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::thread;

use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// It calls one function.
const STACK_BYTES: usize = 64 * 1024;

/// A child. Its descriptor can be read from once it has ended, and from then on.
#[derive(Debug)]
pub struct Handle {
    pid: Pid,
    /// The thread has the other end, and closes it.
    end: UnixStream,
}

impl Handle {
    /// # Errors
    ///
    /// The kernel gives no thread.
    pub fn of(child: Pid) -> io::Result<Self> {
        let (end, others) = UnixStream::pair()?;
        let thread = thread::Builder::new().name("wait".to_owned()).stack_size(STACK_BYTES);
        thread.spawn(move || {
            // An error tells as well that it has ended: somebody has waited for it.
            let _ended =
                retry_on_intr(|| waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
            drop(others);
        })?;
        Ok(Self { pid: child, end })
    }

    /// Nobody gets it in place of one that was waited for: as long as it was not, its number is nobody else's.
    ///
    /// # Errors
    ///
    /// It has ended, or belongs to another user by now.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match waitid(self.wait_id(), options)? {
            None => Ok(kill_process(self.pid, signal)?),
            Some(_) => Err(Errno::SRCH.into()),
        }
    }

    #[must_use]
    pub fn wait_id(&self) -> WaitId<'_> {
        WaitId::Pid(self.pid)
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}
