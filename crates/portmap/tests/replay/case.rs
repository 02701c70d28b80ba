//! A folder of the corpus, read.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;

use portmap::upnp::http::ReplyReader;
use serde::Deserialize;

const FACTS: &str = "router.toml";
const EXPECTED: &str = "expected.txt";

/// What docs/routers.md numbers.
const QUIRKS: RangeInclusive<u8> = 1..=92;

/// What a file name says that a file is: a message, or the answer to an action.
pub(super) const SEARCH_REPLY: &str = "search-reply";
pub(super) const DESCRIPTION: &str = "description";
/// In the order in which they are asked for.
const SUBJECTS: [&str; 7] =
    [SEARCH_REPLY, DESCRIPTION, "status", "external-address", "specific-entry", "add", "delete"];

#[derive(Debug)]
pub(crate) struct Case {
    pub(super) facts: Facts,
    files: Vec<File>,
}

/// What the files cannot tell.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Facts {
    /// Where the facts come from.
    pub(super) report: String,
    /// Numbers of docs/routers.md.
    pub(super) quirks: Vec<u8>,
    /// The host's default gateway.
    #[serde(default = "default_gateway")]
    pub(super) gateway: IpAddr,
    /// The only search targets that are answered (the end of their names), or all.
    pub(super) answers: Option<Vec<String>>,
    /// The only destination of a search that is answered, or both.
    pub(super) hears: Option<Destination>,
    /// Where the first, second … search reply comes from, if not from port 1900 of its location.
    #[serde(default)]
    pub(super) replies_from: Vec<SocketAddr>,
    /// Files that nobody may ask for, as the default gateway serves.
    #[serde(default)]
    pub(super) unasked: Vec<String>,
    /// What stands in the table before we come.
    #[serde(default)]
    pub(super) table: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Destination {
    Unicast,
    Multicast,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Entry {
    pub(super) external_port: u16,
    pub(super) internal_client: String,
    pub(super) internal_port: u16,
    pub(super) description: String,
}

#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) subject: &'static str,
    /// Which search reply, location or WAN connection it is of; or which time that the action is asked for.
    pub(super) number: Option<usize>,
    /// As it comes over the wire.
    pub(super) stream: Vec<u8>,
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

fn default_gateway() -> IpAddr {
    IpAddr::from([192, 168, 1, 1])
}

impl Case {
    /// # Errors
    ///
    /// A file that is missing, not readable, or of no known name.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let facts = fs::read_to_string(folder.join(FACTS)).map_err(|error| format!("{FACTS}: {error}"))?;
        let facts: Facts = toml::from_str(&facts).map_err(|error| format!("{FACTS}: {error}"))?;
        if facts.report.is_empty() || facts.quirks.iter().any(|number| !QUIRKS.contains(number)) {
            return Err(format!("{FACTS}: expected where the report is, and quirks from {QUIRKS:?}"));
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name != FACTS && name != EXPECTED {
                files.push(File::read(name, &path)?);
            }
        }
        let place = |file: &File| SUBJECTS.iter().position(|subject| *subject == file.subject);
        files.sort_by_key(|file| (place(file), file.number));
        if files.is_empty() {
            return Err("no file of the router's".into());
        }
        Ok(Self { facts, files })
    }

    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// The file of that number, else the one for every number.
    pub(super) fn file(&self, subject: &str, number: usize) -> Option<&File> {
        let mut of_subject = self.files.iter().filter(|file| file.subject == subject).rev();
        of_subject.find(|file| file.number.is_none_or(|of| of == number))
    }

    pub(super) fn of(&self, subject: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.subject == subject)
    }

    pub(super) fn is_found_by_a_search(&self) -> bool {
        self.of(SEARCH_REPLY).next().is_some()
    }
}

impl File {
    fn read(name: String, path: &Path) -> Result<Self, String> {
        let bytes = fs::read(path).map_err(|error| format!("{name}: {error}"))?;
        let (stem, kind) = name.rsplit_once('.').unwrap_or((&name, ""));
        let (stem, number) = match stem.rsplit_once('-') {
            Some((stem, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                (stem, Some(digits.parse().map_err(|error| format!("{name}: {error}"))?))
            }
            _ => (stem, None),
        };
        let subject = SUBJECTS.iter().find(|subject| **subject == stem);
        let subject =
            *subject.ok_or_else(|| format!("{name}: expected one of {SUBJECTS:?}, and a number"))?;
        let (status, body, stream) = match (kind, subject) {
            ("txt", SEARCH_REPLY) => (0, Vec::new(), bytes),
            ("xml", _) if subject != SEARCH_REPLY => framed(bytes),
            ("http", _) if subject != SEARCH_REPLY => read_http(bytes),
            _ => return Err(format!("{name}: expected search-reply.txt, or .xml, or .http")),
        };
        Ok(Self { name, subject, number, stream, status, body })
    }
}

/// A body alone goes out as a router with good manners sends it: an error under status 500.
fn framed(body: Vec<u8>) -> (u16, Vec<u8>, Vec<u8>) {
    let is_error = String::from_utf8_lossy(&body).contains("<errorCode>");
    let (status, reason) = if is_error { (500, "Internal Server Error") } else { (200, "OK") };
    let head = format!("HTTP/1.1 {status} {reason}\r\nContent-Length: {}\r\n\r\n", body.len());
    let stream = [head.as_bytes(), &body].concat();
    (status, body, stream)
}

/// Status 0: not HTTP, or cut off.
fn read_http(stream: Vec<u8>) -> (u16, Vec<u8>, Vec<u8>) {
    let mut reader = ReplyReader::new();
    let reply = match reader.push(&stream) {
        Ok(portmap::upnp::http::Progress::Complete(reply)) => Ok(reply),
        Ok(portmap::upnp::http::Progress::More) => reader.end_of_stream(),
        Err(error) => Err(error),
    };
    match reply {
        Ok(reply) => (reply.status, reply.body, stream),
        Err(_) => (0, Vec::new(), stream),
    }
}
