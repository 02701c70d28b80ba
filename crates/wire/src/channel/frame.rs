//! One line of the channel.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use base64ct::{Base64, Encoding as _};

use super::{LONGEST, Side, VERSION};
use crate::datagram;
use crate::offer::Offer;
use crate::opener::{Cookie, is_target};
use crate::stun::SERVERS_MAXIMUM;

const MARKER: &[u8] = b"MOSHPUNCH ";

/// Of what and cure together, in characters: what one line of a terminal's history is worth.
const TROUBLE_CHARACTERS_MAXIMUM: usize = 600;

/// Of one round, on either side.
pub const TARGETS_MAXIMUM: usize = 8;

/// A reason is a word of this many letters at most.
const WORD_MAXIMUM: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The host's first.
    Hello(Hello),
    /// The host's: where it can be reached, and later what has changed.
    Offer(Offer),
    /// The host's: what failed there.
    Trouble(Trouble),
    /// A datagram of mosh, the `number`th of this side on this channel, counted from 1.
    Datagram {
        number: u64,
        tos: u8,
        datagram: Vec<u8>,
    },
    /// All datagrams of the other side up to this number were handed on.
    Delivered {
        number: u64,
    },
    Ping {
        number: u64,
    },
    /// Answers the ping of the same number.
    Pong {
        number: u64,
    },
    /// The laptop's: send openers to these addresses, the [targets](is_target) among them and no more than [`TARGETS_MAXIMUM`].
    /// These STUN servers, [targets](is_target) as well and no more than [`SERVERS_MAXIMUM`], can tell from where they come.
    Punch {
        round: u32,
        cookie: Cookie,
        to: Vec<SocketAddr>,
        stun: Vec<SocketAddr>,
    },
    /// The host's: what became of that round; once more for each address that it has learnt since.
    Punched {
        round: u32,
        outcome: Punched,
    },
    /// The last one. `reason` is a word in small letters that a reader may not know, such as `gone`: the session asked for is
    /// not here.
    Bye {
        reason: Option<String>,
    },
}

/// Who is at the host's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    pub session: SessionId,
    /// In bytes of lines: see [`credit`](super::credit).
    pub window: usize,
    /// The address from which ssh came, as the host sees it; no scope.
    pub seen: Option<IpAddr>,
    pub carrying: Carrying,
    /// Whether [rounds](Frame::Punch) are taken.
    pub punches: bool,
}

/// What a host answers to a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Punched {
    /// The openers are under way. To others they come from one of these addresses, as far as is known; again
    /// [targets](is_target) alone, and no more than [`TARGETS_MAXIMUM`].
    Sent { from: Vec<SocketAddr> },
    /// None is sent, for a reason in small letters that a reader may not know, such as `busy`.
    Refused { reason: String },
}

/// Whether datagrams are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrying {
    Offered,
    /// By the host's administrator, or because it cannot.
    Refused,
}

/// Of one session, in all of its logins: eight hexadecimal digits. It is no secret; who may attach is decided by the user that
/// ssh has let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(u32);

/// A trouble of the host's. Machine and step are words in small letters that a reader may not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub machine: String,
    pub step: String,
    pub what: String,
    pub cure: Option<String>,
}

impl Frame {
    /// The line, with its end.
    #[must_use]
    pub fn encode(&self) -> String {
        match self {
            Self::Hello(hello) => format!("MOSHPUNCH CHANNEL {VERSION} {hello}\n"),
            Self::Offer(offer) => offer.encode() + "\n",
            Self::Trouble(trouble) => format!("MOSHPUNCH TROUBLE {trouble}\n"),
            Self::Datagram { number, tos, datagram } => {
                format!("MOSHPUNCH D {number} {tos} {}\n", Base64::encode_string(datagram))
            }
            Self::Delivered { number } => format!("MOSHPUNCH A {number}\n"),
            Self::Ping { number } => format!("MOSHPUNCH PING {number}\n"),
            Self::Pong { number } => format!("MOSHPUNCH PONG {number}\n"),
            Self::Punch { round, cookie, to, stun } => {
                format!("MOSHPUNCH PUNCH {round} {cookie}{}{}\n", TO.of(to), STUN.of(stun))
            }
            Self::Punched { round, outcome } => format!("MOSHPUNCH PUNCHED {round}{outcome}\n"),
            Self::Bye { reason: None } => "MOSHPUNCH BYE\n".to_owned(),
            Self::Bye { reason: Some(reason) } => format!("MOSHPUNCH BYE {reason}\n"),
        }
    }

    /// Reads one line that `from` has written, with or without its end. `None`: it is not for us, or of the other side alone.
    #[must_use]
    pub fn parse(line: &[u8], from: Side) -> Option<Self> {
        if line.len() > LONGEST {
            return None;
        }
        let starts = line.windows(MARKER.len()).enumerate().filter(|(_, window)| *window == MARKER);
        let rests =
            starts.filter_map(|(at, _)| str::from_utf8(line[at + MARKER.len()..].trim_ascii_end()).ok());
        rests.filter_map(Self::read).find(|frame| frame.is_of(from))
    }

    fn read(text: &str) -> Option<Self> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        match verb {
            "CHANNEL" => Hello::read(rest).map(Self::Hello),
            "OFFER" => {
                Offer::parse(format!("MOSHPUNCH OFFER {rest}").as_bytes()).ok().flatten().map(Self::Offer)
            }
            "TROUBLE" => Trouble::read(rest).map(Self::Trouble),
            "D" => read_datagram(rest),
            "A" => Some(Self::Delivered { number: number(rest)? }),
            "PING" => Some(Self::Ping { number: number(rest)? }),
            "PONG" => Some(Self::Pong { number: number(rest)? }),
            "PUNCH" => read_punch(rest),
            "PUNCHED" => read_punched(rest),
            "BYE" if rest.is_empty() => Some(Self::Bye { reason: None }),
            "BYE" => Some(Self::Bye { reason: Some(word(rest)?) }),
            _ => None,
        }
    }

    fn is_of(&self, side: Side) -> bool {
        match self {
            Self::Hello(_) | Self::Offer(_) | Self::Trouble(_) | Self::Punched { .. } => side == Side::Host,
            Self::Punch { .. } => side == Side::Laptop,
            Self::Datagram { .. }
            | Self::Delivered { .. }
            | Self::Ping { .. }
            | Self::Pong { .. }
            | Self::Bye { .. } => true,
        }
    }
}

fn read_datagram(text: &str) -> Option<Frame> {
    let mut fields = text.split(' ');
    let (number, tos) = (number(fields.next()?)?, fields.next()?.parse().ok()?);
    let datagram = Base64::decode_vec(fields.next()?).ok()?;
    let is_mosh = (datagram::SHORTEST..=datagram::LONGEST).contains(&datagram.len());
    is_mosh.then_some(Frame::Datagram { number, tos, datagram })
}

fn read_punch(text: &str) -> Option<Frame> {
    let mut fields = text.split(' ');
    let (round, cookie) = (round(fields.next()?)?, fields.next()?.parse().ok()?);
    let (to, stun) = (TO.read(fields.clone()), STUN.read(fields));
    (!to.is_empty()).then_some(Frame::Punch { round, cookie, to, stun })
}

fn read_punched(text: &str) -> Option<Frame> {
    let mut fields = text.split(' ');
    let round = round(fields.next()?)?;
    let refused = fields.clone().find_map(|field| word(field.strip_prefix("no=")?));
    let outcome = match refused {
        Some(reason) => Punched::Refused { reason },
        None => Punched::Sent { from: FROM.read(fields) },
    };
    Some(Frame::Punched { round, outcome })
}

fn round(text: &str) -> Option<u32> {
    number(text)?.try_into().ok()
}

const TO: AddressField = AddressField { name: "to", maximum: TARGETS_MAXIMUM };
const STUN: AddressField = AddressField { name: "stun", maximum: SERVERS_MAXIMUM };
const FROM: AddressField = AddressField { name: "from", maximum: TARGETS_MAXIMUM };

/// One that may stand there several times, with an address each.
struct AddressField {
    name: &'static str,
    maximum: usize,
}

impl AddressField {
    fn read<'a>(&self, fields: impl Iterator<Item = &'a str>) -> Vec<SocketAddr> {
        let values = fields.filter_map(|field| field.strip_prefix(self.name)?.strip_prefix('='));
        let targets = values.filter_map(|value| value.parse().ok()).filter(|&target| is_target(target));
        targets.take(self.maximum).collect()
    }

    fn of(&self, addresses: &[SocketAddr]) -> String {
        addresses.iter().take(self.maximum).map(|address| format!(" {}={address}", self.name)).collect()
    }
}

impl fmt::Display for Punched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { from } => f.write_str(&FROM.of(from)),
            Self::Refused { reason } => write!(f, " no={reason}"),
        }
    }
}

/// No sign, which [`str::parse`] takes.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn word(text: &str) -> Option<String> {
    let is_word =
        text.len() <= WORD_MAXIMUM && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase());
    is_word.then(|| text.to_owned())
}

impl Hello {
    /// With what is not told: a window of nothing, nothing carried, no rounds.
    fn read(text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        if fields.next()? != VERSION.to_string() {
            return None;
        }
        let (mut session, mut window, mut seen) = (None, 0, None);
        let (mut carrying, mut punches) = (Carrying::Refused, false);
        for field in fields {
            match field.split_once('=') {
                Some(("session", id)) => session = id.parse().ok(),
                Some(("window", bytes)) => window = bytes.parse().unwrap_or(0),
                Some(("seen", address)) => seen = address.parse().ok(),
                None if field == "carry" => carrying = Carrying::Offered,
                None if field == "punch" => punches = true,
                _ => {}
            }
        }
        Some(Self { session: session?, window, seen, carrying, punches })
    }
}

impl fmt::Display for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session={} window={}", self.session, self.window)?;
        if let Some(seen) = self.seen {
            write!(f, " seen={seen}")?;
        }
        if self.carrying == Carrying::Offered {
            write!(f, " carry")?;
        }
        if self.punches { write!(f, " punch") } else { Ok(()) }
    }
}

impl SessionId {
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self(number)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Not eight hexadecimal digits in small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("eight hexadecimal digits expected")]
pub struct NotASessionId;

impl FromStr for SessionId {
    type Err = NotASessionId;

    fn from_str(text: &str) -> Result<Self, NotASessionId> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let digits = Some(text).filter(|text| text.len() == 8 && text.bytes().all(is_digit));
        digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).map(Self).ok_or(NotASessionId)
    }
}

impl Trouble {
    /// `machine step what`, and behind a tab the cure.
    fn read(text: &str) -> Option<Self> {
        let (machine, rest) = text.split_once(' ')?;
        let (step, told) = rest.split_once(' ')?;
        let (what, cure) = told.split_once('\t').map_or((told, None), |(what, cure)| (what, Some(cure)));
        let cure = cure.map(cut).filter(|cure| !cure.is_empty());
        let what = Some(cut(what)).filter(|what| !what.is_empty())?;
        Some(Self { machine: word(machine)?, step: word(step)?, what, cure })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.machine, self.step, cut(&self.what))?;
        self.cure.iter().try_for_each(|cure| write!(f, "\t{}", cut(cure)))
    }
}

/// Half of what is allowed for both, of one line.
fn cut(text: &str) -> String {
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    let cut: String = text.chars().take(TROUBLE_CHARACTERS_MAXIMUM / 2).map(plain).collect();
    cut.trim_end().to_owned()
}
