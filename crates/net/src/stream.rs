//! One TCP exchange: a request written at once, then everything that comes back.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use portmap::effects::{Exchange, ExchangeInput};
use rustix::event::PollFlags;
use socket2::{Domain, Protocol, Socket, Type};

use crate::link::Link;

/// A router's whole reply usually fits; larger ones come in pieces.
const BUFFER_BYTES: usize = 8 * 1024;

/// A router that sends without end is not read without end: it gets its next turn after the timers.
const READS_PER_TURN: usize = 64;

#[derive(Debug)]
pub(crate) struct Stream {
    socket: Socket,
    unsent: Vec<u8>,
}

impl Stream {
    pub(crate) fn connect(exchange: Exchange, link: &Link) -> io::Result<Self> {
        let destination = link.scoped(exchange.destination);
        let domain = Domain::for_address(destination);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&SocketAddr::new(exchange.source, 0).into())?;
        match socket.connect(&destination.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        Ok(Self { socket, unsent: exchange.request })
    }

    pub(crate) fn interest(&self) -> PollFlags {
        if self.unsent.is_empty() { PollFlags::IN } else { PollFlags::OUT }
    }

    /// Writes and reads what can be without waiting; `pass_on` says whether the exchange goes on.
    pub(crate) fn progress(&mut self, mut pass_on: impl FnMut(ExchangeInput<'_>)) {
        if self.send().is_err() {
            return pass_on(ExchangeInput::Broken);
        }
        let mut buffer = [0; BUFFER_BYTES];
        for _ in 0..READS_PER_TURN {
            if !self.unsent.is_empty() {
                return;
            }
            match self.socket.read(&mut buffer) {
                Ok(0) => return pass_on(ExchangeInput::Ended),
                Ok(length) => pass_on(ExchangeInput::Received(&buffer[..length])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return pass_on(ExchangeInput::Broken),
            }
        }
    }

    fn send(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use portmap::effects::ExchangeId;
    use rustix::event::PollFd;

    use super::*;
    use crate::wait::wait;

    /// On loopback the end of a stream is there as soon as the call that sent it returns.
    #[test]
    fn quirk_27_the_sending_side_is_not_shut_down_behind_the_request() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let exchange = Exchange {
            id: ExchangeId(0),
            source: Ipv4Addr::LOCALHOST.into(),
            destination: listener.local_addr().unwrap(),
            request: b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        };
        let length = exchange.request.len();
        let mut stream = Stream::connect(exchange, &Link::default()).unwrap();
        let (mut router, _) = listener.accept().unwrap();
        while stream.interest() == PollFlags::OUT {
            wait(&mut [PollFd::new(&stream, PollFlags::OUT)], None).unwrap();
            stream.progress(|input| panic!("{input:?}"));
        }
        router.read_exact(&mut vec![0; length]).unwrap();
        router.set_nonblocking(true).unwrap();
        assert_eq!(router.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
