//! STUN (RFC 8489), as far as it takes to be told one's own address: a server answers a binding request with where it came
//! from, which is what all NATs on the way have made of it.
//!
//! A [`Transaction`] is what is written and read, a [`Question`] when it is written. Nothing is signed: that an answer belongs to
//! a question is known by 96 bits that only who is on the way can have seen.

mod message;
mod question;

pub use self::message::{Answer, REQUEST_LENGTH, Transaction};
pub use self::question::Question;

/// Where no other port is named (RFC 8489, §8.6).
pub const PORT: u16 = 3478;

/// That are asked beside each other.
pub const SERVERS_MAXIMUM: usize = 4;
