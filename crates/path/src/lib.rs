//! Which way a session's datagrams go, without I/O: time and replies come in, copies to send come out.
//!
//! A *path*, or [`Way`], is one of our UDP sockets and one candidate address of the server. The [`Agent`] never sees a
//! datagram: a [`Transmit`] always means "the newest datagram of mosh-client, over this path". One is enough, for mosh sends
//! what changed since the last state that the server acknowledged. Nothing of our own is ever sent.
//!
//! # The life of a session
//!
//! *Race.* The first datagrams go over every path, best rank first. mosh-server answers to the source of the newest
//! datagram, so the first copy to arrive wins, and the later ones change nothing.
//!
//! *Follow.* The newest authentic reply, by its sequence number, names the path that the server uses; from then on
//! only that one gets datagrams. An old sequence number, replayed or reordered, changes nothing. A race goes on for
//! [`RACE_SPAN`] after its first datagram even if it is answered: right after a change the answer may be a late one
//! of the path that has just gone. The first reply of all is answered by a [nudge](Event::Nudge), which tells mosh-server
//! the round trip: the first prompt is on the screen 200 ms sooner.
//!
//! *Probe.* Three real datagrams in a row are copied to the paths that rank better than the followed one: soon after
//! it was chosen, then ever more rarely ([`probe`]). A probe that overtakes the followed path moves the session.
//!
//! *Silence.* When no reply comes though one is due ([`rhythm`] says when that is), the newest datagram is copied to
//! all other paths, and so is each one after it. If that is not answered either, mosh-client is [nudged](Event::Nudge)
//! for a fresh one, for a server that has seen a datagram does not move to a copy of it. Then new sockets are opened, as
//! mosh-client's port hop would do, again and again ([`silence`] says when), for a router that restarts may get stuck with
//! every port that it hears before it maps the server's. They wait where the kernel has no way for what is sent. What goes
//! over the newest sockets goes over the flows that worked, too, however long the silence lasts: the NATs on their way may
//! know these alone. The owner is [told](Event::Silent) to look for other candidates.
//!
//! A silence costs no more than a datagram a candidate in 1.5 s by new sockets, in 10 s after five minutes, and beside it
//! one a candidate and flow for each of mosh-client's, which are one in 3 s while nobody types: with two candidates 2.3 a
//! second, then 1.2; never more than [`MAX_COPIES`] each time.
//!
//! *Change.* A change of the network, or a gap between two `now`s that only a suspended machine explains, starts a new
//! race with a nudge, so that an idle session moves in one round trip.
//!
//! # What drives it
//!
//! The owner calls `handle_*` with what happened, takes everything from `poll_transmit` and `poll_event` before it
//! waits or calls [`Agent::handle_outgoing`] again, and calls [`Agent::handle_timeout`] at [`Agent::poll_timeout`].
//!
//! An [`Allowance`] bounds what its owner lets in as candidates.
//!
//! *Outside this crate*: sockets, the clock (one that goes on while the machine sleeps, or no suspend is seen), the
//! session key and with it what is authentic, finding candidates, watching the network, sending SIGWINCH.

mod agent;
mod allowance;
mod candidate;
pub mod damping;
mod event;
mod log;
mod policy;
pub mod probe;
mod race;
pub mod rhythm;
pub mod silence;
mod sockets;
mod standing;
mod timer;
pub mod trial;
pub mod turns;
mod ways;

pub use self::agent::{Agent, CLOCK_JUMP, Counters, MAX_COPIES, NUDGE_GAP};
pub use self::allowance::{Allowance, MAX_ADDRESSES, MAX_NEW_ADDRESSES, NEW_ADDRESSES_SPAN};
pub use self::candidate::{Binding, Candidate, Family, Kind, MAX_CANDIDATES_PER_KIND, Rank};
pub use self::event::{Event, Reply, Route, SocketId, Transmit, WayId};
pub use self::log::{Entry, MAX_LOG, Reason};
pub use self::policy::HEAD_START;
pub use self::race::RACE_SPAN;
pub use self::sockets::{FLOW_LINGER, MAX_BINDINGS, MAX_SOCKETS, SOCKET_LINGER};
pub use self::standing::Standing;
pub use self::ways::{MAX_CARRIERS, MAX_FLOWS, Way};
