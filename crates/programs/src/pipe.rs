//! What a program prints into a pipe or a terminal of ours, read without waiting.

use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags};

use crate::pseudo_terminal::set_nonblocking;

/// The most that is taken from a pipe at once.
pub const READ_BYTES: usize = 16 * 1024;

/// Until nobody writes any more.
#[derive(Debug)]
pub struct Pipe<R>(Option<R>);

impl<R: Read + AsFd> Pipe<R> {
    /// `None` is one that is closed already.
    ///
    /// # Errors
    ///
    /// It cannot be told not to wait.
    pub fn new(pipe: Option<R>) -> Result<Self> {
        if let Some(pipe) = &pipe {
            set_nonblocking(pipe)?;
        }
        Ok(Self(pipe))
    }

    /// What has arrived; nothing, if nothing has, or nothing ever will.
    pub fn read(&mut self) -> Vec<u8> {
        let Some(pipe) = &mut self.0 else { return Vec::new() };
        let mut bytes = vec![0; READ_BYTES];
        match pipe.read(&mut bytes) {
            Ok(length @ 1..) => {
                bytes.truncate(length);
                bytes
            }
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) => {
                Vec::new()
            }
            _ => {
                self.0 = None;
                Vec::new()
            }
        }
    }

    /// Nobody writes any more, and all was read.
    pub fn is_closed(&self) -> bool {
        self.0.is_none()
    }

    /// Can be read when [`Self::read`] has something, or has the end; `None` once it is closed.
    pub fn descriptor(&self) -> Option<PollFd<'_>> {
        self.0.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN))
    }
}
