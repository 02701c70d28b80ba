//! The URLs that UPnP needs: plain http to a numeric address.
//!
//! A host *name* is refused on purpose. Every URL here comes from an unauthenticated datagram or document,
//! and resolving a name that a stranger chose is how a router client is turned against other hosts.
//!
//! *Invariant*: a description or control URL is requested only if [`Url::served_by`] holds for the gateway
//! that announced it.

use std::fmt::{self, Display, Formatter, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

use thiserror::Error;

/// The longest URL that is accepted, in bytes. Real control URLs stay below 200.
pub const MAXIMUM_LENGTH: usize = 2048;
const DEFAULT_PORT: NonZeroU16 = NonZeroU16::new(80).expect("80 is not zero");
/// How much of a refused text an error repeats, in characters.
const QUOTED_CHARACTERS: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UrlError {
    #[error("url is empty")]
    Empty,
    #[error("url of {found} bytes, at most {MAXIMUM_LENGTH} are accepted")]
    TooLong { found: usize },
    #[error("expected an http:// url, got {found:?}")]
    NotHttp { found: String },
    #[error("expected a numeric host, got {found:?}")]
    NotNumericHost { found: String },
    #[error("expected a port from 1 to 65535, got {found:?}")]
    InvalidPort { found: String },
    #[error("url contains the control character {found:#04x}")]
    ControlCharacter { found: u32 },
}

/// An absolute `http` URL whose host is an IP address without zone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    host: IpAddr,
    port: NonZeroU16,
    path: String,
}

impl Url {
    /// Reads an absolute URL. White space around it and a fragment are dropped; the query is kept; spaces and
    /// non-ASCII characters in the path are percent-encoded.
    ///
    /// # Errors
    ///
    /// Any other scheme than http, a host that is not an IP literal, user information, port 0, a control
    /// character, or more than [`MAXIMUM_LENGTH`] bytes.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = checked(text)?;
        let not_http = || UrlError::NotHttp { found: quote(text) };
        let (scheme, rest) = text.split_once("://").ok_or_else(not_http)?;
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(not_http());
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = parse_authority(authority)?;
        let path = if path.starts_with('/') { encode(path) } else { encode(&format!("/{path}")) };
        Self { host, port, path }.bounded()
    }

    /// Resolves `reference` as written in a document that came from `self` (UDA 1.1 §2.3, RFC 3986 §5.2).
    ///
    /// Paths that begin with `/` are kept exactly as the router wrote them, doubled slashes included, because
    /// it compares them as text. `//host/path` counts as a network path only if the host is numeric.
    ///
    /// # Errors
    ///
    /// An empty reference, and all that [`Url::parse`] refuses.
    pub fn resolve(&self, reference: &str) -> Result<Self, UrlError> {
        let reference = checked(reference)?;
        if has_scheme(reference) {
            return Self::parse(reference);
        }
        if let Some(Ok(network_path)) =
            reference.starts_with("//").then(|| Self::parse(&format!("http:{reference}")))
        {
            return Ok(network_path);
        }
        let path = match reference.as_bytes().first() {
            Some(b'/') => reference.to_owned(),
            Some(b'?') => format!("{}{reference}", self.path_without_query()),
            _ => merge(self.path_without_query(), reference),
        };
        Self { path: encode(&path), ..*self }.bounded()
    }

    /// The other place that a relative reference may mean: beside the root of the same host, whatever directory the
    /// document is in. `None` for what is not relative, and where both are the same.
    #[must_use]
    pub fn resolve_at_root(&self, reference: &str) -> Option<Self> {
        let beside = self.resolve(reference).ok()?;
        let reference = checked(reference).ok()?;
        if has_scheme(reference) || reference.starts_with(['/', '?']) {
            return None;
        }
        let root = Self { path: encode(&merge("/", reference)), ..*self }.bounded().ok()?;
        (root != beside).then_some(root)
    }

    /// The same port and path at another host: for a gateway that answers from one address and writes another
    /// into its URLs (docs/routers.md, quirk 5).
    #[must_use]
    pub fn at(&self, host: IpAddr) -> Self {
        Self { host, port: self.port, path: self.path.clone() }
    }

    pub fn host(&self) -> IpAddr {
        self.host
    }

    pub fn port(&self) -> u16 {
        self.port.get()
    }

    /// Where to connect. For a link-local IPv6 host the caller sets the scope.
    pub fn socket_address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port())
    }

    /// Path and query, as they go into the request line. Begins with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value of the `Host` header: numeric, IPv6 in brackets, with the port when it is not 80.
    pub fn authority(&self) -> String {
        let host = match self.host {
            IpAddr::V4(host) => host.to_string(),
            IpAddr::V6(host) => format!("[{host}]"),
        };
        if self.port == DEFAULT_PORT { host } else { format!("{host}:{}", self.port) }
    }

    /// Whether the URL lives on `gateway` itself; an IPv4-mapped IPv6 address equals its IPv4 address.
    pub fn served_by(&self, gateway: IpAddr) -> bool {
        self.host.to_canonical() == gateway.to_canonical()
    }

    fn path_without_query(&self) -> &str {
        self.path.split_once('?').map_or(&self.path, |(path, _)| path)
    }

    fn bounded(self) -> Result<Self, UrlError> {
        match self.path.len() {
            found if found > MAXIMUM_LENGTH => Err(UrlError::TooLong { found }),
            _ => Ok(self),
        }
    }
}

impl Display for Url {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "http://{}{}", self.authority(), self.path)
    }
}

fn checked(text: &str) -> Result<&str, UrlError> {
    let text = text.trim();
    if text.len() > MAXIMUM_LENGTH {
        return Err(UrlError::TooLong { found: text.len() });
    }
    if let Some(found) = text.chars().find(|character| character.is_control()) {
        return Err(UrlError::ControlCharacter { found: found.into() });
    }
    let text = text.split_once('#').map_or(text, |(text, _)| text);
    if text.is_empty() { Err(UrlError::Empty) } else { Ok(text) }
}

fn has_scheme(reference: &str) -> bool {
    reference.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

fn parse_authority(authority: &str) -> Result<(IpAddr, NonZeroU16), UrlError> {
    let not_numeric = || UrlError::NotNumericHost { found: quote(authority) };
    let (host, port) = match authority.strip_prefix('[') {
        Some(literal) => {
            let (host, port) = literal.split_once(']').ok_or_else(not_numeric)?;
            (host.parse::<Ipv6Addr>().map_err(|_| not_numeric())?.into(), port)
        }
        None => {
            let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            (host.parse::<Ipv4Addr>().map_err(|_| not_numeric())?.into(), port)
        }
    };
    Ok((host, parse_port(port)?))
}

/// `text` is what follows the host: nothing, `:`, or `:` and digits (RFC 3986 §3.2.3).
fn parse_port(text: &str) -> Result<NonZeroU16, UrlError> {
    match text.strip_prefix(':') {
        None if text.is_empty() => Ok(DEFAULT_PORT),
        Some("") => Ok(DEFAULT_PORT),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map_err(|_| UrlError::InvalidPort { found: quote(digits) })
        }
        _ => Err(UrlError::InvalidPort { found: quote(text) }),
    }
}

/// Puts a relative path beside the last segment of `base` and removes dot segments (RFC 3986 §5.2.3, §5.2.4).
fn merge(base: &str, reference: &str) -> String {
    let (path, query) = reference.split_at(reference.find('?').unwrap_or(reference.len()));
    let mut segments: Vec<&str> = base.split('/').skip(1).collect();
    segments.pop();
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(part),
        }
        if last && matches!(part, "." | "..") {
            segments.push("");
        }
    }
    format!("/{}{query}", segments.join("/"))
}

fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for character in path.chars() {
        if character.is_ascii_graphic() {
            encoded.push(character);
        } else {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

fn quote(text: &str) -> String {
    text.chars().take(QUOTED_CHARACTERS).collect()
}

#[cfg(test)]
mod tests;
