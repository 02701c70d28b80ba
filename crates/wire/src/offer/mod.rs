//! The offer: where `moshpunch server` can be reached, told to our own client over the ssh channel.
//!
//! ```text
//! MOSHPUNCH OFFER 1 host=192.168.1.10:60001 host=[2001:db8::10]:60001 more
//! MOSHPUNCH OFFER 1 mapped=20.0.0.1:60017
//! ```
//!
//! The number is the version. Then come fields, separated by spaces: `kind=address:port` for each candidate, the
//! server's best first, and `more` if another line is to follow, because a mapping is still under way. Candidates
//! of a later line are added to those before. A last line may have none.
//!
//! An offer is one line of printable ASCII, so that a user to whom stock mosh shows it can read it. The reader takes
//! single lines, and finds an offer behind whatever a login shell has printed before it. The writer should begin a
//! new line first, as mosh-server does, and has to be done with all lines before `MOSH CONNECT` if stock mosh
//! may read them, which stops there.
//!
//! # What may change without a new version
//! Fields may be added; a reader ignores those that it does not know, and candidates of a kind or an address form
//! that it does not know are just such fields. What an older reader must not ignore needs a new [`VERSION`]; it then
//! does what stock mosh would do.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use thiserror::Error;

/// The version that is written, and the only one that is read.
pub const VERSION: u32 = 1;
/// Of one line. A host with many networks has about ten addresses that are worth a try.
pub const MOST_CANDIDATES: usize = 16;
/// In bytes, from the marker on. The longest offer that is written has 918.
pub const LONGEST: usize = 1024;

/// For how long another line may follow the first. The session runs meanwhile, and ssh's channel costs nothing. A slow
/// router takes about five seconds for its description and its table; one that is silent is given up before this is over.
pub const PATIENCE: Duration = Duration::from_secs(10);

const MARKER: &str = "MOSHPUNCH OFFER ";
const MORE: &str = "more";

/// One line of an offer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    /// The best first. Those after [`MOST_CANDIDATES`] are neither written nor read.
    pub candidates: Vec<Candidate>,
    /// Whether another line will follow.
    pub more: bool,
}

/// An address and port to which datagrams for the session can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Candidate {
    pub kind: Kind,
    /// One host's, and known outside of its own link: what is unspecified, multicast, broadcast, or link-local in
    /// IPv6 is not read.
    pub address: IpAddr,
    pub port: NonZeroU16,
}

/// How a candidate came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An address of the host itself, which its network lets through or not (RFC 8445 §5.1.1).
    Host,
    /// The external address and port of a gateway that maps them to the host.
    Mapped,
    /// An address of the host itself, for which a gateway's firewall was opened.
    Pinhole,
}

/// The line is an offer, but this client cannot use it: fall back to what stock mosh would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unusable {
    /// A number that no `u32` can hold counts as the highest.
    #[error("version {VERSION} of the offer expected, got {0}")]
    Version(u32),
    #[error("an offer of at most {LONGEST} bytes expected, got {0}")]
    TooLong(usize),
}

impl Offer {
    /// The line, without an end of line.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut line = format!("{MARKER}{VERSION}");
        for Candidate { kind, address, port } in self.candidates.iter().take(MOST_CANDIDATES) {
            let endpoint = SocketAddr::new(*address, port.get());
            write!(line, " {}={endpoint}", kind.name()).expect("a string takes all");
        }
        if self.more {
            line.extend([" ", MORE]);
        }
        line
    }

    /// Reads one line of what a server prints, with or without its end of line. `None` is a line that is no offer.
    ///
    /// # Errors
    /// An offer that is too long or of another version.
    pub fn parse(line: &[u8]) -> Result<Option<Self>, Unusable> {
        let Some((version, fields)) = find(line) else { return Ok(None) };
        let length = MARKER.len() + version.len() + fields.len();
        if length > LONGEST {
            return Err(Unusable::TooLong(length));
        }
        match number(version) {
            VERSION => Ok(Some(Self::read(fields))),
            other => Err(Unusable::Version(other)),
        }
    }

    fn read(fields: &[u8]) -> Self {
        let mut offer = Self::default();
        let words = fields.split(u8::is_ascii_whitespace).filter_map(|word| str::from_utf8(word).ok());
        for word in words {
            if word == MORE {
                offer.more = true;
            } else if offer.candidates.len() < MOST_CANDIDATES {
                offer.candidates.extend(Candidate::parse(word));
            }
        }
        offer
    }
}

impl Candidate {
    fn parse(field: &str) -> Option<Self> {
        let (name, endpoint) = field.split_once('=')?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
        let endpoint: SocketAddr = endpoint.parse().ok()?;
        let address = endpoint.ip().to_canonical();
        let scoped = matches!(endpoint, SocketAddr::V6(endpoint) if endpoint.scope_id() != 0);
        let port = NonZeroU16::new(endpoint.port())?;
        (!scoped && is_one_hosts(address)).then_some(Self { kind, address, port })
    }
}

impl Kind {
    const ALL: [Self; 3] = [Self::Host, Self::Mapped, Self::Pinhole];

    fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Mapped => "mapped",
            Self::Pinhole => "pinhole",
        }
    }
}

/// The version and the fields of the first marker that a number follows.
fn find(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let starts = line.windows(MARKER.len()).enumerate().filter(|(_, window)| *window == MARKER.as_bytes());
    starts.map(|(at, _)| &line[at + MARKER.len()..]).find_map(|rest| {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (version, fields) = rest.split_at(digits);
        let ends = fields.first().is_none_or(u8::is_ascii_whitespace);
        (digits > 0 && ends).then_some((version, fields.trim_ascii_end()))
    })
}

fn number(digits: &[u8]) -> u32 {
    let value = |digit: &u8| u32::from(digit - b'0');
    digits.iter().fold(0, |number: u32, digit| number.saturating_mul(10).saturating_add(value(digit)))
}

fn is_one_hosts(address: IpAddr) -> bool {
    let beyond = match address {
        IpAddr::V4(address) => address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !address.is_unspecified() && !address.is_multicast() && !beyond
}

#[cfg(test)]
mod tests;
