//! The datagram of mosh, as it is on the network.
//!
//! ```text
//! 0        8                                         length - 16      length
//! ├────────┼─────────────────────────────────────────┼────────────────┤
//! │ nonce  │ ciphertext: timestamps (2 + 2), payload │ tag            │
//! └────────┴─────────────────────────────────────────┴────────────────┘
//! ```
//!
//! All numbers are in network byte order. The highest bit of the nonce tells the [`Direction`], the other 63 are the
//! sequence number. It begins with 0 in each direction and grows by one with each datagram, so that no nonce is used
//! twice under the key that both directions share. The rest is AES-128-OCB (RFC 7253) with a tag of 16 bytes and no
//! associated data; its nonce of 12 bytes is 4 zero bytes and the 8 of the datagram.
//!
//! In front of the payload stand two [`Timestamp`]s: when the sender sent this, and the last one that it received,
//! advanced by how long it has held it. The payload is a fragment of mosh's transport protocol, which is nothing to
//! us.
//!
//! Two things are left to who opens datagrams. One that comes again opens again: compare its sequence number with
//! the highest seen. And each side knows the whole key: compare the direction with the one that a socket expects, or
//! a sender is played what it said itself.
//!
//! Read in mosh 1.4.0, `src/crypto/crypto.{h,cc}` (key, nonce, bounds), `src/network/network.{h,cc}` (direction,
//! timestamps) and `src/crypto/ocb_internal.cc`, and measured: `tests/stock_mosh.rs` opens every datagram of a
//! session.

mod session_key;

use ocb3::aead::AeadInOut as _;
use ocb3::aead::inout::InOutBuf;
use thiserror::Error;

pub use session_key::{NotASessionKey, SessionKey};

/// In bytes. What nonce, timestamps and tag take; mosh drops what is shorter.
pub const SHORTEST: usize = NONCE_LENGTH + TIMESTAMPS_LENGTH + TAG_LENGTH;
/// In bytes. mosh receives into a buffer of this size and drops what does not fit. What it sends is shorter: at most
/// 1252 bytes over IPv4 and 1216 over IPv6.
pub const LONGEST: usize = 2048;
/// In bytes.
pub const LONGEST_PAYLOAD: usize = LONGEST - SHORTEST;
/// In bytes: timestamps and payload.
pub const LONGEST_PLAINTEXT: usize = TIMESTAMPS_LENGTH + LONGEST_PAYLOAD;
/// The sequence number has 63 bits.
pub const HIGHEST_SEQUENCE: u64 = u64::MAX >> 1;

const NONCE_LENGTH: usize = 8;
const TIMESTAMPS_LENGTH: usize = 2 + 2;
const TAG_LENGTH: usize = 16;
const NO_TIMESTAMP: u16 = u16::MAX;

/// Room for what is in the longest datagram, to be used again for each.
pub type Plaintext = [u8; LONGEST_PLAINTEXT];

/// Milliseconds of the sender's clock modulo 65536, of which 65535 is left out.
pub type Timestamp = u16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// What a datagram tells beside its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub direction: Direction,
    /// At most [`HIGHEST_SEQUENCE`].
    pub sequence: u64,
    pub timestamp: Option<Timestamp>,
    /// The other side's timestamp, unless it was received more than a second before, or answered already.
    pub timestamp_reply: Option<Timestamp>,
}

/// An authentic datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened<'plaintext> {
    pub header: Header,
    pub payload: &'plaintext [u8],
}

/// Why a datagram is not one of this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Rejected {
    #[error("too short: at least {SHORTEST} bytes expected, got {0}")]
    TooShort(usize),
    #[error("too long: at most {LONGEST} bytes expected, got {0}")]
    TooLong(usize),
    /// Damaged, forged, or of another session.
    #[error("not authentic")]
    NotAuthentic,
}

impl SessionKey {
    /// Authenticates and decrypts `datagram` into `plaintext`, which the payload then borrows. Allocates nothing.
    ///
    /// # Errors
    /// Where mosh itself would drop the datagram. Nothing of it is then in `plaintext`.
    pub fn open<'plaintext>(
        &self,
        datagram: &[u8],
        plaintext: &'plaintext mut Plaintext,
    ) -> Result<Opened<'plaintext>, Rejected> {
        let length = datagram.len();
        if length > LONGEST {
            return Err(Rejected::TooLong(length));
        }
        if length < SHORTEST {
            return Err(Rejected::TooShort(length));
        }
        let (nonce, sealed) = datagram.split_first_chunk().expect("at least the shortest");
        let plaintext = &mut plaintext[..sealed.len() - TAG_LENGTH];
        self.decrypt(*nonce, sealed, plaintext)?;
        Ok(read(*nonce, plaintext))
    }

    fn decrypt(
        &self,
        nonce: [u8; NONCE_LENGTH],
        sealed: &[u8],
        plaintext: &mut [u8],
    ) -> Result<(), Rejected> {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_LENGTH>().expect("at least the shortest");
        let in_and_out = InOutBuf::new(ciphertext, plaintext).expect("cut to the same length");
        let nonce = padded(nonce).into();
        let opened = self.cipher().decrypt_inout_detached(&nonce, &[], in_and_out, tag.into());
        opened.map_err(|_| {
            plaintext.fill(0);
            Rejected::NotAuthentic
        })
    }

    /// Makes the datagram that mosh would make, for tests and simulations: a nonce that is used for a second
    /// payload undoes the encryption of both.
    ///
    /// `None` for a payload over [`LONGEST_PAYLOAD`] or a sequence number over [`HIGHEST_SEQUENCE`].
    #[must_use]
    pub fn seal(&self, header: Header, payload: &[u8]) -> Option<Vec<u8>> {
        if payload.len() > LONGEST_PAYLOAD || header.sequence > HIGHEST_SEQUENCE {
            return None;
        }
        let nonce = nonce(header.direction, header.sequence);
        let mut datagram = nonce.to_vec();
        for timestamp in [header.timestamp, header.timestamp_reply] {
            datagram.extend(timestamp.unwrap_or(NO_TIMESTAMP).to_be_bytes());
        }
        datagram.extend(payload);
        let text = InOutBuf::from(&mut datagram[NONCE_LENGTH..]);
        let tag = self.cipher().encrypt_inout_detached(&padded(nonce).into(), &[], text).ok()?;
        datagram.extend(tag);
        Some(datagram)
    }
}

fn read(nonce: [u8; NONCE_LENGTH], plaintext: &[u8]) -> Opened<'_> {
    let (&[first, second, third, fourth], payload) =
        plaintext.split_first_chunk::<TIMESTAMPS_LENGTH>().expect("at least the shortest");
    let told = |bytes| Some(u16::from_be_bytes(bytes)).filter(|&timestamp| timestamp != NO_TIMESTAMP);
    let nonce = u64::from_be_bytes(nonce);
    let header = Header {
        direction: if nonce > HIGHEST_SEQUENCE { Direction::ToClient } else { Direction::ToServer },
        sequence: nonce & HIGHEST_SEQUENCE,
        timestamp: told([first, second]),
        timestamp_reply: told([third, fourth]),
    };
    Opened { header, payload }
}

fn nonce(direction: Direction, sequence: u64) -> [u8; NONCE_LENGTH] {
    let to_client = match direction {
        Direction::ToServer => 0,
        Direction::ToClient => HIGHEST_SEQUENCE + 1,
    };
    (to_client | sequence).to_be_bytes()
}

/// As the cipher takes it.
fn padded(nonce: [u8; NONCE_LENGTH]) -> [u8; 12] {
    let mut padded = [0; 12];
    padded[12 - NONCE_LENGTH..].copy_from_slice(&nonce);
    padded
}

#[cfg(test)]
mod tests;
