//! Which way a session's datagrams go, without I/O: time and replies come in, copies to send come out.
//!
//! A *path*, or [`Way`], has an id, a [`Kind`], which ranks it, and a [`Route`]: one of our UDP sockets and one candidate address
//! of the server, or a channel to the host that *carries* datagrams, and has no address. Ways by UDP come of sockets and
//! candidates, or of a [`round`] of hole punching; carried ones come and go as the owner tells. The [`Agent`] never sees a
//! datagram: a [`Transmit`] always means "the newest datagram of mosh-client, over this path". One is enough, for mosh sends what
//! changed since the last state that the server acknowledged. Nothing of our own is ever sent, but what makes this machine and
//! our router expect the host ([`Event::Prime`]).
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
//! *Silence.* When no reply comes though one is due ([`rhythm`] says when that is, and the round trip, by mosh's own timestamps,
//! how much later at most), or one from which it is seen that the
//! server has not heard us, the newest datagram is copied to all other paths, and so is each one after it. If that is not
//! answered either, mosh-client is [nudged](Event::Nudge) for a fresh one, for a server that has seen a datagram does not
//! move to a copy of it. Then new sockets are opened, as mosh-client's port hop would do, again and again ([`silence`] says
//! when), for a router that restarts may get stuck with every port that it hears before it maps the server's. They wait where
//! the kernel has no way for what is sent. What goes over the newest sockets goes over the flows that worked, too, however
//! long the silence lasts: the NATs on their way may know these alone. The owner is [told](Event::Silent) to look for other
//! candidates.
//!
//! A silence costs no more than a datagram a candidate in 1.5 s by new sockets, in 10 s after five minutes, and beside it
//! one a candidate and flow for each of mosh-client's, which are one in 3 s while nobody types: with two candidates 2.3 a
//! second, then 1.2; never more than [`MAX_COPIES`] each time.
//!
//! *Change.* A change of the network, or a gap between two `now`s that only a suspended machine explains, starts a new
//! race with a nudge, so that an idle session moves in one round trip.
//!
//! # A last resort
//!
//! A carried way goes by TCP, and often around. While a way by UDP works it gets nothing, and must not win by chance either.
//! mosh-server follows the copy of a new datagram that arrives first, and none that comes behind. So:
//!
//! *Head start.* In a race, ways by UDP have a datagram for themselves for [`HEAD_START`]; unless it is answered by then, the
//! newest goes over the channel, too. There is no wait where no way by UDP takes it.
//!
//! *Once more.* Where a way by UDP falls silent, mosh-client is nudged, and UDP has the fresh datagram for itself for a head
//! start: one that was lost is no reason to leave for the channel.
//!
//! *Turns.* UDP may come through to the server and not back. Then the copy by the channel is one that the server has seen. So
//! in a silence, and after two that were not answered in time, each second new datagram goes by the channel alone, and a
//! nudge asks for it ([`turns`]). What was alone goes the other way, too, after a head start.
//!
//! *Trials.* While a channel is followed, datagrams go by it alone. Better ways get some of their own now and then
//! ([`trial`]): for ten seconds after a move, a change or new candidates, then once a minute. New sockets are opened for it, and
//! mosh-client is nudged; what comes within a head start is theirs, then another nudge brings one for the channel; and so three
//! times, for any may be lost. An answer moves the session, with a nudge, and what then still comes over the channel moves it
//! back no more: the server had not heard of the better way. A way whose round trip is longer than the channel's by more than a
//! head start is never taken: who types would wait for it.
//!
//! *Falls.* A way that falls silent within two minutes after it was taken, and not for the first time, gets no trials for a
//! minute, then for two, up to ten; until the network changes ([`damping`]). In a silence it is used like any other.
//!
//! *Channels.* A second one may be opened beside one that is slow. It is tried once, at once, and takes over if it answers; a
//! channel gets no datagram twice. [`Agent::standing`] tells for how long the host's help has been needed, or not.
//!
//! Without a channel nothing of this is done.
//!
//! # Holes
//!
//! Where a host takes rounds of hole punching ([`round`]), and no way by UDP answers, it is asked for one: at once while the
//! session is carried, half a second into a silence or after a change, a second after the first datagram. What it opens is
//! reached by sockets of its own, over [punched](Kind::Punched) ways, which are better than a channel and worse than any other:
//! they do not outlive a sleep, and need the host again. Once one is followed it costs nothing but mosh-client's datagrams. What
//! works again and again for less than two minutes rests as addresses do.
//!
//! Where that has failed in both orders, our own router is asked to map a port for it.
//!
//! Without such a host nothing of this is done.
//!
//! # A relay
//!
//! Where the user has named a [`relay`], and a round has not opened a hole within a second, it is asked for an address, and the
//! host for openers to there. [Relayed](Kind::Relayed) ways are better than a channel and worse than any other. Without a relay
//! nothing of this is done.
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
pub mod relay;
pub mod rhythm;
pub mod round;
pub mod silence;
mod sockets;
mod standing;
mod timer;
pub mod trial;
pub mod turns;
mod ways;

pub use self::agent::{Agent, CLOCK_JUMP, Counters, MAX_COPIES, NUDGE_GAP};
pub use self::allowance::{ADDRESSES_SPAN, Allowance, MAX_ADDRESSES, MAX_NEW_ADDRESSES, NEW_ADDRESSES_SPAN};
pub use self::candidate::{Binding, Candidate, Family, Kind, MAX_CANDIDATES_PER_KIND, Rank};
pub use self::event::{Event, Primed, Reply, Route, SocketId, Transmit, WayId};
pub use self::log::{Entry, MAX_LOG, Reason};
pub use self::policy::HEAD_START;
pub use self::race::RACE_SPAN;
pub use self::sockets::{FLOW_LINGER, MAX_BINDINGS, MAX_SOCKETS, SOCKET_LINGER};
pub use self::standing::Standing;
pub use self::ways::{MAX_CARRIERS, MAX_FLOWS, Way};
