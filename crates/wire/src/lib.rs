//! What moshpunch reads and writes without I/O: bytes come in as arguments, values come out.
//!
//! [`datagram`] is mosh's own datagram as it travels by UDP. moshpunch never changes one; it opens it to know that it
//! is authentic, which way it goes, and whether it is newer than another. [`offer`] is the line by which
//! `moshpunch server` tells our own client, over ssh, where its mosh-server can be reached. [`channel`] is what both say to each
//! other over ssh from then on, and [`opener`] what the host sends by UDP because it was asked to there. [`stun`] asks a server
//! that the user has named where one is seen. [`Bind`], [`locale`],
//! [`places`] and [`shell`] are what both do alike, since either may start mosh-server. By [`presence`] a login finds ours.
//!
//! *Outside this crate*: sockets, the choice among the candidates of an offer, the memory of which sequence numbers
//! have been seen, and mosh's transport protocol inside of a datagram's payload.

mod bind;
pub mod channel;
pub mod datagram;
pub mod locale;
pub mod offer;
pub mod opener;
pub mod places;
pub mod presence;
pub mod shell;
pub mod stun;

pub use self::bind::Bind;
