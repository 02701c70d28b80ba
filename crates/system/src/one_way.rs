//! What another process reads, as it would a pipe. That nobody reads any more is an error to its writer, and no SIGPIPE, which a
//! process may pass on to others.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{SendFlags, send};

/// The end that is written.
#[derive(Debug)]
pub struct OneWay(UnixStream);

impl OneWay {
    /// With the end that is read.
    ///
    /// # Errors
    ///
    /// The system gives no sockets.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        ours.shutdown(Shutdown::Read)?;
        #[cfg(target_vendor = "apple")]
        rustix::net::sockopt::set_socket_nosigpipe(&ours, true)?;
        Ok((Self(ours), theirs.into()))
    }

    /// How many bytes were taken, at once.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`], where none are; any other: nobody reads any more.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(&self.0, bytes, FLAGS)?)
    }
}

#[cfg(not(target_vendor = "apple"))]
const FLAGS: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const FLAGS: SendFlags = SendFlags::empty();

impl AsFd for OneWay {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_program_reads_it_to_its_end() {
        let (ours, theirs) = OneWay::new().unwrap();
        assert_eq!(ours.write(b"line\n").unwrap(), 5);
        let child = Command::new("cat").stdin(theirs).stdout(Stdio::piped()).spawn().unwrap();
        drop(ours);
        assert_eq!(child.wait_with_output().unwrap().stdout, b"line\n");
    }

    #[test]
    fn whoever_does_not_read_is_not_waited_for() {
        let (ours, _theirs) = OneWay::new().unwrap();
        let error = std::iter::repeat_with(|| ours.write(&[0; 4096])).find_map(Result::err).unwrap();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn nobody_is_killed_where_nobody_reads() {
        let (ours, theirs) = OneWay::new().unwrap();
        drop(theirs);
        let (mut heard, signal) = UnixStream::pair().unwrap();
        heard.set_nonblocking(true).unwrap();
        signal_hook::low_level::pipe::register(signal_hook::consts::SIGPIPE, signal).unwrap();
        assert_eq!(ours.write(b"line\n").unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(heard.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock, "SIGPIPE has come");
    }
}
