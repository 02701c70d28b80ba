//! What a router answers: out-arguments by name, or a fault.

use thiserror::Error;

use crate::upnp::xml::{self, Element};

/// Out-arguments beyond these are dropped; no action has more than 10.
pub const MAXIMUM_ARGUMENTS: usize = 64;
/// Longer values and fault descriptions are cut.
pub const MAXIMUM_VALUE_CHARACTERS: usize = 256;

/// The out-arguments of a successful action, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    arguments: Vec<(String, String)>,
}

impl Reply {
    /// The value of an argument, without regard to the case of its name. Bounded, but otherwise as received.
    pub fn argument(&self, name: &str) -> Option<&str> {
        let mut matching = self.arguments.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        matching.next().map(|(_, value)| value.as_str())
    }
}

/// Why an action failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// The router refused, with a code of UDA 1.1 §3 (4xx, 5xx, 6xx) or of the service (7xx).
    #[error("router refused with upnp error {code} {description:?}")]
    Upnp { code: u16, description: String },
    /// Some other failure than UPnP knows: no such page, or an HTML page instead of an answer.
    #[error("expected a soap reply, got http status {0}")]
    Http(u16),
    /// Status 2xx, but the body is no SOAP reply, as with the login page of a router.
    #[error("expected a soap reply, got a document that begins with {found:?}")]
    Malformed { found: String },
}

/// Reads the reply to an action, whatever its content type.
///
/// A UPnP error is looked for under every status, because routers send it with 200 as well; then in the plain
/// text, because some send it in broken XML. What follows the beginning of a response cannot turn it into an
/// error: a router may copy descriptions of mappings, which any LAN host chooses, into it. An empty 2xx reply
/// counts as success without arguments.
///
/// # Errors
///
/// The router refused, or what came is no SOAP reply.
pub fn parse_reply(status: u16, body: &[u8]) -> Result<Reply, Fault> {
    let elements = xml::elements(body).unwrap_or_default();
    let success = (200..300).contains(&status);
    if success && let Some(reply) = response(&elements) {
        return Ok(reply);
    }
    let text = String::from_utf8_lossy(body);
    if let Some(fault) = fault(&elements).or_else(|| fault_in_text(&text)) {
        return Err(fault);
    }
    if !success {
        return Err(Fault::Http(status));
    }
    if text.trim_matches(|c: char| c.is_whitespace() || c == '\0').is_empty() {
        return Ok(Reply { arguments: Vec::new() });
    }
    renamed_response(&elements).ok_or_else(|| malformed(&elements, &text))
}

/// What follows `…Response`, unless an error came first.
fn response(elements: &[Element]) -> Option<Reply> {
    let decisive = elements.iter().position(|element| is_response(element) || is_fault(element))?;
    elements.get(decisive).filter(|element| is_response(element))?;
    Some(arguments(elements.get(decisive.saturating_add(1)..)?))
}

/// What follows the `Body` of an envelope (an HTML page has a body, too) without any error.
fn renamed_response(elements: &[Element]) -> Option<Reply> {
    if !elements.first()?.is("Envelope") || elements.iter().any(is_fault) {
        return None;
    }
    let body = elements.iter().position(|element| element.is("Body"))?;
    Some(arguments(elements.get(body.saturating_add(1)..)?))
}

fn arguments(elements: &[Element]) -> Reply {
    let arguments = elements.iter().take(MAXIMUM_ARGUMENTS).map(|e| (e.name.clone(), bounded(&e.text)));
    Reply { arguments: arguments.collect() }
}

fn is_response(element: &Element) -> bool {
    element.name.to_ascii_lowercase().ends_with("response")
}

fn is_fault(element: &Element) -> bool {
    ["Fault", "UPnPError", "errorCode"].iter().any(|name| element.is(name))
}

fn malformed(elements: &[Element], text: &str) -> Fault {
    Fault::Malformed { found: elements.first().map_or_else(|| bounded(text), |element| element.name.clone()) }
}

fn fault(elements: &[Element]) -> Option<Fault> {
    let mut codes = elements.iter().filter(|element| element.is("errorCode"));
    let code = codes.find_map(|element| code(&element.text))?;
    let description = elements.iter().find(|element| element.is("errorDescription"));
    let description = description.map(|element| bounded(&element.text)).unwrap_or_default();
    Some(Fault::Upnp { code, description })
}

/// Code 0 means that nothing is wrong.
fn code(text: &str) -> Option<u16> {
    let digits = text.trim_start().split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|&code| code > 0)
}

fn fault_in_text(text: &str) -> Option<Fault> {
    const TAG: &str = "errorcode>";
    let text = text.to_ascii_lowercase();
    let code = text.match_indices(TAG).find_map(|(at, _)| code(text.get(at + TAG.len()..)?))?;
    Some(Fault::Upnp { code, description: String::new() })
}

fn bounded(text: &str) -> String {
    text.chars().take(MAXIMUM_VALUE_CHARACTERS).collect()
}
