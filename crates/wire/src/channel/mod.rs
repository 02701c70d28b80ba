//! The channel: what the laptop's ssh and the host's `moshpunch server` say to each other by stdin and stdout, once
//! mosh-server's connect line has been printed.
//!
//! ```text
//! host    MOSHPUNCH CHANNEL 1 session=5b1f0c3a window=16384 seen=20.0.0.9 carry punch
//! laptop  MOSHPUNCH A 0
//! host    MOSHPUNCH OFFER 1 mapped=20.0.0.1:60017
//! laptop  MOSHPUNCH D 1 2 gAAAAAAAAAAx…
//! host    MOSHPUNCH A 1
//! host    MOSHPUNCH D 1 0 AAAAAAAAAABy…
//! laptop  MOSHPUNCH A 1
//! laptop  MOSHPUNCH PING 7
//! host    MOSHPUNCH PONG 7
//! host    MOSHPUNCH TROUBLE router mapping the router refuses<TAB>allow the port in its rules
//! laptop  MOSHPUNCH PUNCH 1 6f1c…a0 to=20.0.0.9:41234 to=[2001:db8::9]:52345
//! host    MOSHPUNCH PUNCHED 1 from=20.0.0.1:60001
//! laptop  MOSHPUNCH BYE
//! ```
//!
//! Each line is printable ASCII or UTF-8, ends with a newline, perhaps behind a carriage return, and has at most
//! [`LONGEST`] bytes: a terminal in between takes no more (N_TTY's 4096). A line is found behind whatever a login shell
//! has printed before it, as an offer is; what follows a broken one is read again from the next line on. Nothing is written
//! before the host has said [`Hello`], and a host says it only to who asked by [`VARIABLE`]: whoever knows no channel
//! neither asks nor is asked. Then the laptop says something at once, for where ssh reads nothing the host may not see it.
//!
//! Each verb is taken from its own side alone ([`Side`]). Verbs and fields that a reader does not know are none to it, so that
//! both may be added without a new [`VERSION`].
//!
//! [`Talk`] is one end of it: what is said, how much may be under way, what is dropped. A datagram is one of mosh's, with its
//! TOS byte; see [`credit`] for how far the newest may lag behind.
//!
//! *Outside this crate*: pipes and terminals, the clock, who owns which end.

pub mod credit;
mod frame;
mod lines;
mod talk;

pub use self::frame::{Carrying, Frame, Hello, Punched, SessionId, TARGETS_MAXIMUM, Trouble};
pub use self::lines::Lines;
pub use self::talk::{Heard, Talk};

/// By which the laptop asks for a channel: `1` of a new session, else the [`SessionId`] of one that runs.
pub const VARIABLE: &str = "MOSHPUNCH_CHANNEL";

/// The value of [`VARIABLE`] with which a session begins.
pub const NEW: &str = "1";

/// What is written and read. A host of another version says so in its [`Hello`], and nothing else is read of it.
pub const VERSION: u32 = 1;

/// In bytes, with the end of the line.
pub const LONGEST: usize = 4000;

/// Which end of the channel says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Laptop,
    Host,
}
