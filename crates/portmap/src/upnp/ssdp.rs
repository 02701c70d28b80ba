//! SSDP: finding gateways, and hearing them come and go (UDA 1.1 §1).
//!
//! A search is one datagram, sent to [`MULTICAST`] or straight to the gateway's port 1900. Answers arrive as
//! unicast replies or, from some routers, only as multicast notifications; [`parse`] reads both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use thiserror::Error;

/// Where searches go and notifications come from (UDA 1.1 §1.1).
pub const MULTICAST: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 255, 255, 250), 1900);
/// The same for IPv6 (UDA 1.1 Annex A): all devices of the link, and of the site, which some devices join alone.
pub const MULTICAST_V6: [SocketAddrV6; 2] = [group_v6(0xff02), group_v6(0xff05)];
/// The largest datagram that is looked at, in bytes; real ones stay below 700.
pub const MAXIMUM_DATAGRAM: usize = 8 * 1024;
/// The longest header value that is kept, in characters. Longer ones are cut, a longer location is dropped.
pub const MAXIMUM_VALUE_CHARACTERS: usize = 2048;
const MAXIMUM_HEADERS: usize = 64;
/// What a multicast search may ask for, in seconds (UDA 1.1 §1.3.2).
const MAXIMUM_WAIT_SECONDS: std::ops::RangeInclusive<u8> = 1..=5;

const fn group_v6(scope: u16) -> SocketAddrV6 {
    SocketAddrV6::new(Ipv6Addr::new(scope, 0, 0, 0, 0, 0, 0, 0xc), MULTICAST.port(), 0, 0)
}

/// What a search asks for. Routers that know only one of these exist for every one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SearchTarget {
    InternetGatewayDevice1,
    InternetGatewayDevice2,
    WanIpConnection1,
    WanIpConnection2,
    WanPppConnection1,
    WanIpv6FirewallControl1,
    /// Replies do not name the device: only its description tells whether it is a gateway.
    RootDevice,
    All,
}

impl SearchTarget {
    /// The value of the `ST` header (UDA 1.1 §1.3.2).
    pub fn text(self) -> &'static str {
        match self {
            Self::InternetGatewayDevice1 => "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
            Self::InternetGatewayDevice2 => "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
            Self::WanIpConnection1 => "urn:schemas-upnp-org:service:WANIPConnection:1",
            Self::WanIpConnection2 => "urn:schemas-upnp-org:service:WANIPConnection:2",
            Self::WanPppConnection1 => "urn:schemas-upnp-org:service:WANPPPConnection:1",
            Self::WanIpv6FirewallControl1 => "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1",
            Self::RootDevice => "upnp:rootdevice",
            Self::All => "ssdp:all",
        }
    }
}

/// A search request (UDA 1.1 §1.3.2).
///
/// `host` goes into the `HOST` header, without its scope: [`MULTICAST`], or the gateway for a unicast search.
/// Devices spread their replies over `maximum_wait_seconds`, which is brought into 1 to 5.
pub fn search(target: SearchTarget, host: SocketAddr, maximum_wait_seconds: u8) -> Vec<u8> {
    let wait = maximum_wait_seconds.clamp(*MAXIMUM_WAIT_SECONDS.start(), *MAXIMUM_WAIT_SECONDS.end());
    let host = match host.ip() {
        IpAddr::V4(address) => format!("{address}:{}", host.port()),
        IpAddr::V6(address) => format!("[{address}]:{}", host.port()),
    };
    let target = target.text();
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: {host}\r\nMAN: \"ssdp:discover\"\r\nMX: {wait}\r\nST: {target}\r\n\r\n"
    )
    .into_bytes()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    SearchReply,
    /// `ssdp:alive`: the device is there, and came back if its boot id grew.
    Alive,
    /// `ssdp:byebye`: the device leaves.
    ByeBye,
    /// `ssdp:update`: its boot id changes without a restart.
    Update,
}

/// A search reply or a notification (UDA 1.1 §1.2, §1.3.3). All texts are as received, but bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub kind: MessageKind,
    /// `ST` or `NT`; empty if the device left it out.
    pub target: String,
    pub location: Option<String>,
    pub server: Option<String>,
    pub unique_service_name: Option<String>,
    /// `BOOTID.UPNP.ORG`: grows each time the device starts (UDA 1.1 §1.2.2).
    pub boot_id: Option<u32>,
}

impl Message {
    /// Whether the target or the unique service name speaks of an Internet gateway, of any version or vendor.
    pub fn names_gateway(&self) -> bool {
        const WORDS: [&str; 4] =
            ["internetgatewaydevice", "wanipconnection", "wanpppconnection", "wanipv6firewallcontrol"];
        [Some(&self.target), self.unique_service_name.as_ref()].into_iter().flatten().any(|text| {
            let text = text.to_ascii_lowercase();
            WORDS.iter().any(|word| text.contains(word))
        })
    }
}

/// Why a datagram is not a [`Message`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    #[error("datagram of {found} bytes, at most {MAXIMUM_DATAGRAM} are read")]
    TooLong { found: usize },
    #[error("expected a reply or notification, got {found:?}")]
    StartLine { found: String },
    #[error("expected status 200, got {found:?}")]
    Status { found: String },
    #[error("expected ssdp:alive, byebye or update, got {found:?}")]
    NotificationKind { found: String },
}

/// Reads a datagram that came to the search socket or to the multicast group.
///
/// # Errors
///
/// For everything that is neither a search reply with status 200 nor a notification; others' searches too.
pub fn parse(datagram: &[u8]) -> Result<Message, Malformed> {
    if datagram.len() > MAXIMUM_DATAGRAM {
        return Err(Malformed::TooLong { found: datagram.len() });
    }
    let text = String::from_utf8_lossy(datagram);
    let mut lines = text.lines().map(trim).skip_while(|line| line.is_empty());
    let start_line = lines.next().unwrap_or_default();
    let headers = Headers::read(lines);
    let kind = kind(start_line, &headers)?;
    let target = if kind == MessageKind::SearchReply { "ST" } else { "NT" };
    Ok(Message {
        kind,
        target: headers.value(target).map(bounded).unwrap_or_default(),
        location: headers
            .value("LOCATION")
            .filter(|location| location.chars().count() <= MAXIMUM_VALUE_CHARACTERS)
            .map(str::to_owned),
        server: headers.value("SERVER").map(bounded),
        unique_service_name: headers.value("USN").map(bounded),
        boot_id: headers.value("BOOTID.UPNP.ORG").and_then(|value| value.parse().ok()),
    })
}

fn kind(start_line: &str, headers: &Headers<'_>) -> Result<MessageKind, Malformed> {
    let mut words = start_line.split_ascii_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if first.eq_ignore_ascii_case("NOTIFY") {
        let found = headers.value("NTS").unwrap_or_default();
        return notification_kind(found).ok_or_else(|| Malformed::NotificationKind { found: quote(found) });
    }
    if !first.get(..5).is_some_and(|protocol| protocol.eq_ignore_ascii_case("HTTP/")) {
        return Err(Malformed::StartLine { found: quote(start_line) });
    }
    if second == "200" {
        Ok(MessageKind::SearchReply)
    } else {
        Err(Malformed::Status { found: quote(second) })
    }
}

fn notification_kind(text: &str) -> Option<MessageKind> {
    match text.to_ascii_lowercase().as_str() {
        "ssdp:alive" => Some(MessageKind::Alive),
        "ssdp:byebye" => Some(MessageKind::ByeBye),
        "ssdp:update" => Some(MessageKind::Update),
        _ => None,
    }
}

struct Headers<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Headers<'a> {
    fn read(lines: impl Iterator<Item = &'a str>) -> Self {
        let pairs = lines.take_while(|line| !line.is_empty()).take(MAXIMUM_HEADERS);
        Self(
            pairs
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (trim(name), trim(value)))
                .collect(),
        )
    }

    /// The first non-empty value of that name, whatever its case.
    fn value(&self, name: &str) -> Option<&'a str> {
        let mut pairs =
            self.0.iter().filter(|(found, value)| found.eq_ignore_ascii_case(name) && !value.is_empty());
        pairs.next().map(|&(_, value)| value)
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || character == '\0')
}

fn bounded(text: &str) -> String {
    text.chars().take(MAXIMUM_VALUE_CHARACTERS).collect()
}

fn quote(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests;
