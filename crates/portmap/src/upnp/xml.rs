//! The tolerant XML reader behind every UPnP document; the only module that knows quick-xml.
//!
//! Routers write XML with byte-order marks, undeclared prefixes, Latin-1 bytes, missing end tags and junk
//! around it. What a client needs from such a document are a few named leaves, so [`elements`] returns the
//! elements as a flat list in the order of their start tags and repairs whatever can be repaired. Prefixes,
//! attributes, comments and DTDs are ignored; entities that a DTD defines are never expanded.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};
use thiserror::Error;

/// The largest document that is looked at, in bytes.
pub const MAXIMUM_BYTES: usize = 256 * 1024;
/// The most events (start tags, end tags, pieces of text) that are read from one document.
pub const MAXIMUM_EVENTS: usize = 20_000;
/// The deepest nesting of elements; descriptions of real gateways need 9.
pub const MAXIMUM_DEPTH: usize = 64;
/// Syntax errors that are stepped over before the rest of a document is given up.
const MAXIMUM_REPAIRS: usize = 64;
/// Longer names are cut: no name that UPnP defines comes near.
const MAXIMUM_NAME_CHARACTERS: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum XmlError {
    #[error("document of {found} bytes, at most {MAXIMUM_BYTES} are read")]
    TooLarge { found: usize },
    #[error("document has more than {MAXIMUM_EVENTS} tags and texts")]
    TooManyEvents,
    #[error("document nests deeper than {MAXIMUM_DEPTH} elements")]
    TooDeep,
}

/// One element: its local name and the text directly inside it, without surrounding white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Without namespace prefix, spelled as in the document.
    pub name: String,
    /// Entities decoded. Text of child elements is not included.
    pub text: String,
}

impl Element {
    /// Compares names without regard to case: routers write `controlUrl` and `ControlURL` as well.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Reads `document` and returns its elements in the order of their start tags.
///
/// Input that is not XML at all yields an empty list, and a document that breaks off yields what came before.
///
/// # Errors
///
/// Only when one of the caps of this module is exceeded.
pub fn elements(document: &[u8]) -> Result<Vec<Element>, XmlError> {
    if document.len() > MAXIMUM_BYTES {
        return Err(XmlError::TooLarge { found: document.len() });
    }
    let text = String::from_utf8_lossy(document);
    let mut rest: &str = &text;
    let mut tree = Tree::default();
    for _ in 0..MAXIMUM_REPAIRS {
        let stopped_at = tree.read(rest)?;
        match rest.get(stopped_at..) {
            Some(next) if stopped_at > 0 => rest = next,
            _ => break,
        }
        let Some(next_tag) = rest.find('<') else { break };
        rest = rest.get(next_tag..).unwrap_or_default();
    }
    Ok(tree.finish())
}

/// Whether `document` ends: its outermost element is closed, and nothing in it had to be repaired.
pub fn is_whole(document: &[u8]) -> bool {
    let mut tree = Tree::default();
    let read = document.len() <= MAXIMUM_BYTES && tree.read(&String::from_utf8_lossy(document)) == Ok(0);
    read && !tree.elements.is_empty() && tree.open.is_empty()
}

/// Writes `text` as XML character data or attribute value. Characters that XML 1.0 forbids are left out.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => {}
            _ if character.is_control() => {}
            _ => escaped.push(character),
        }
    }
    escaped
}

#[derive(Debug, Default)]
struct Tree {
    elements: Vec<Element>,
    /// Indices into `elements`, outermost first.
    open: Vec<usize>,
    events: usize,
}

impl Tree {
    /// Reads until the end (returns 0) or until a syntax error; then returns an offset from which to try
    /// again.
    fn read(&mut self, text: &str) -> Result<usize, XmlError> {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        loop {
            self.events += 1;
            if self.events > MAXIMUM_EVENTS {
                return Err(XmlError::TooManyEvents);
            }
            match reader.read_event() {
                Ok(Event::Eof) => return Ok(0),
                Ok(event) => self.take(&event)?,
                Err(_) => return Ok(after_error(text, reader.error_position())),
            }
        }
    }

    fn take(&mut self, event: &Event<'_>) -> Result<(), XmlError> {
        match event {
            Event::Start(tag) => {
                self.start(tag.local_name().into_inner());
                if self.open.len() >= MAXIMUM_DEPTH {
                    return Err(XmlError::TooDeep);
                }
                self.open.push(self.elements.len() - 1);
            }
            Event::Empty(tag) => self.start(tag.local_name().into_inner()),
            Event::End(tag) => self.end(tag.local_name().into_inner()),
            Event::Text(text) => self.text(text),
            Event::CData(text) => self.text(text),
            Event::GeneralRef(reference) => self.text(&decode(reference)),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Eof => {}
        }
        Ok(())
    }

    fn start(&mut self, name: &str) {
        let name = name.chars().take(MAXIMUM_NAME_CHARACTERS).collect();
        self.elements.push(Element { name, text: String::new() });
    }

    /// Closes the innermost open element of that name and all inside it; a misspelled end tag closes just
    /// one.
    fn end(&mut self, name: &str) {
        let matching =
            self.open.iter().rposition(|&index| self.elements.get(index).is_some_and(|e| e.is(name)));
        let keep = matching.unwrap_or(self.open.len().saturating_sub(1));
        self.open.truncate(keep);
    }

    fn text(&mut self, piece: &str) {
        if let Some(element) = self.open.last().and_then(|&index| self.elements.get_mut(index)) {
            element.text.push_str(piece);
        }
    }

    fn finish(mut self) -> Vec<Element> {
        for element in &mut self.elements {
            element.text = element.text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned();
        }
        self.elements
    }
}

fn after_error(text: &str, position: u64) -> usize {
    let position = usize::try_from(position).unwrap_or(text.len()).saturating_add(1);
    (position..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len())
}

fn decode<'a>(reference: &'a BytesRef<'_>) -> Cow<'a, str> {
    let name: &str = reference;
    match name {
        "amp" => "&".into(),
        "lt" => "<".into(),
        "gt" => ">".into(),
        "quot" => "\"".into(),
        "apos" => "'".into(),
        _ => match reference.resolve_char_ref() {
            Ok(Some(character)) => String::from(character).into(),
            _ => format!("&{name};").into(),
        },
    }
}

#[cfg(test)]
mod tests;
