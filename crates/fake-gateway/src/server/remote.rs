//! How a test tells the gateway's thread what to do.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;

use crate::gateway::Restart;

#[derive(Debug, Clone, Copy)]
pub(super) enum Command {
    Restart(Restart),
    Announce,
    Stop,
}

#[derive(Debug)]
pub(super) struct Order {
    pub(super) command: Command,
    pub(super) done: Sender<io::Result<()>>,
}

#[derive(Debug)]
pub(crate) struct Remote {
    orders: Sender<Order>,
    wake: Arc<OwnedFd>,
}

impl Remote {
    pub(super) fn new() -> io::Result<(Self, Receiver<Order>, Arc<OwnedFd>)> {
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (orders, received) = channel();
        Ok((Self { orders, wake: Arc::clone(&wake) }, received, wake))
    }

    pub(crate) fn restart(&self, restart: Restart) -> io::Result<()> {
        self.order(Command::Restart(restart))
    }

    pub(crate) fn announce(&self) -> io::Result<()> {
        self.order(Command::Announce)
    }

    /// Does not wait: the thread is joined.
    pub(crate) fn stop(&self) {
        let _ = self.send(Command::Stop);
    }

    fn order(&self, command: Command) -> io::Result<()> {
        let ended = || io::Error::other("the gateway's thread has ended");
        self.send(command).ok_or_else(ended)?.recv().map_err(|_| ended())?
    }

    fn send(&self, command: Command) -> Option<Receiver<io::Result<()>>> {
        let (done, result) = channel();
        self.orders.send(Order { command, done }).ok()?;
        rustix::io::write(&self.wake, &1u64.to_ne_bytes()).ok()?;
        Some(result)
    }
}
