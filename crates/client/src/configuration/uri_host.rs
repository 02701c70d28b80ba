//! The host of a URI by RFC 7064 or RFC 7065, which have no slashes.

/// `HOST`, `HOST:PORT`, `[ADDRESS]` or `[ADDRESS]:PORT`.
pub(super) fn host_and_port(text: &str, default: u16) -> Option<(&str, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|&port| port != 0)?,
        None if port.is_empty() => default,
        None => return None,
    };
    Some((host, port))
}

/// A name or an address, and no option of a program that looks it up.
pub(super) fn is_host(host: &str) -> bool {
    let is_of_a_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    !host.is_empty() && !host.starts_with('-') && host.bytes().all(is_of_a_host)
}
