//! The key that a session's two ends share.

use std::fmt;
use std::str::FromStr;

use aes::Aes128;
use base64ct::{Base64Unpadded, Encoding as _};
use ocb3::consts::{U12, U16};
use ocb3::{KeyInit as _, Ocb3};
use thiserror::Error;
use zeroize::{Zeroizing, optimization_barrier};

/// AES-128-OCB with a nonce of 12 and a tag of 16 bytes, and tables for the 2^7 blocks of the longest datagram.
pub(super) type Cipher = Ocb3<Aes128, U12, U16, 7>;

/// In bytes.
const LENGTH: usize = 16;
/// In characters: base64 without the two `=` at its end.
const TEXT_LENGTH: usize = 22;

/// The key of one session, ready to open its datagrams: made once, as that takes longer than opening one.
///
/// It is read from the text of the `MOSH CONNECT` line, shown by nothing, and overwritten when it is dropped. Copies
/// that the compiler leaves where a value has been moved from are beyond our reach.
pub struct SessionKey(Cipher);

/// Why a text is no session key. It does not show the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotASessionKey {
    #[error("a session key has {TEXT_LENGTH} characters, got {0} bytes")]
    Length(usize),
    #[error("a session key is base64 of {LENGTH} bytes, got something else")]
    NotBase64,
}

impl SessionKey {
    pub(super) fn cipher(&self) -> &Cipher {
        &self.0
    }

    /// The block cipher clears its round keys itself; OCB does not clear what it derives from them.
    pub(super) fn forget(&mut self) {
        self.0 = Cipher::new(&[0; LENGTH].into());
        optimization_barrier(&self.0);
    }
}

impl FromStr for SessionKey {
    type Err = NotASessionKey;

    /// Takes what mosh takes: the standard alphabet, no padding, and no bits set after the 128th.
    fn from_str(text: &str) -> Result<Self, NotASessionKey> {
        if text.len() != TEXT_LENGTH {
            return Err(NotASessionKey::Length(text.len()));
        }
        let mut key = Zeroizing::new([0; LENGTH]);
        match Base64Unpadded::decode(text, key.as_mut()) {
            Ok(_) => Ok(Self(Cipher::new((&*key).into()))),
            Err(_) => Err(NotASessionKey::NotBase64),
        }
    }
}

impl Drop for SessionKey {
    fn drop(&mut self) {
        self.forget();
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
