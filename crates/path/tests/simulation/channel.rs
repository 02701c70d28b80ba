//! Channels to the host that carry datagrams, in order and without loss, until they die.

use std::net::SocketAddr;
use std::time::Duration;

use path::WayId;

/// Where the host's end of a channel writes to mosh-server.
const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) way: WayId,
    /// One way.
    pub(crate) delay: Duration,
    /// Nothing comes through any more, and neither end has noticed.
    pub(crate) stuck: bool,
    pub(crate) up: bool,
}

/// All that there have been.
#[derive(Debug, Default)]
pub(crate) struct Channels(Vec<Channel>);

impl Channels {
    pub(crate) fn add(&mut self, way: WayId, delay: Duration) {
        self.0.push(Channel { way, delay, stuck: false, up: true });
    }

    pub(crate) fn up(&mut self) -> impl Iterator<Item = &mut Channel> {
        self.0.iter_mut().filter(|channel| channel.up)
    }

    pub(crate) fn working(&self) -> impl Iterator<Item = &Channel> {
        self.0.iter().filter(|channel| channel.up && !channel.stuck)
    }

    /// What mosh-server sees of the one that this way stands for, and how long it takes to there.
    pub(crate) fn source(&self, way: WayId) -> Option<(SocketAddr, Duration)> {
        let (number, channel) = self.0.iter().enumerate().find(|(_, channel)| channel.way == way)?;
        let port = 50_000 + u16::try_from(number).ok()?;
        (channel.up && !channel.stuck).then_some((SocketAddr::from((LOOPBACK, port)), channel.delay))
    }

    pub(crate) fn behind(&self, source: SocketAddr) -> Option<&Channel> {
        self.working().find(|channel| self.source(channel.way).is_some_and(|(seen, _)| seen == source))
    }
}
