//! An HTTP reply, with what is to go wrong with it.

use std::fmt::Write as _;

use crate::effect::{self, Effect};
use crate::server::{End, Plan};

const CHUNK_BYTES: usize = 100;

#[derive(Debug, Clone)]
pub(super) struct Reply {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Reply {
    pub(super) fn xml(status: u16, body: String) -> Self {
        Self { status, content_type: "text/xml; charset=\"utf-8\"", body: body.into_bytes() }
    }

    pub(super) fn html(status: u16, text: &str) -> Self {
        let body = format!("<html><body><h1>{status}</h1>{text}</body></html>").into_bytes();
        Self { status, content_type: "text/html", body }
    }

    /// How it is written, effects included.
    pub(super) fn plan(mut self, effects: &[Effect]) -> Plan {
        if effect::is_silent(effects) {
            return Plan { end: End::HoldOpen, ..Plan::of(Vec::new()) };
        }
        for effect in effects {
            match effect {
                Effect::Status(status) => self.status = *status,
                Effect::Body(body) => self.body.clone_from(body),
                Effect::Oversize(length) => self.body.resize(self.body.len().max(*length), b' '),
                _ => {}
            }
        }
        let mut plan = Plan::of(effect::disfigured(self.encode(effects), effects));
        plan.delay = effect::delay(effects);
        for effect in effects {
            match effect {
                Effect::Drip(pace) => plan.pace = Some(*pace),
                Effect::Endless => plan.endless = true,
                Effect::HoldOpen => plan.end = End::HoldOpen,
                Effect::Reset => plan.end = End::Reset,
                _ => {}
            }
        }
        plan
    }

    fn encode(&self, effects: &[Effect]) -> Vec<u8> {
        let Self { status, content_type, body } = self;
        let mut head = format!("HTTP/1.1 {status} {}\r\nContent-Type: {content_type}\r\n", reason(*status));
        let chunked = effects.contains(&Effect::Chunked);
        if chunked {
            head += "Transfer-Encoding: chunked\r\n";
        } else if let Some(length) = content_length(body.len(), effects) {
            let _ = write!(head, "Content-Length: {length}\r\n");
        }
        head += "Server: fake/1 UPnP/1.1 gateway/1\r\nConnection: close\r\n\r\n";
        let mut bytes = head.into_bytes();
        if chunked {
            bytes.extend(in_chunks(body));
        } else {
            bytes.extend(body);
        }
        bytes
    }
}

impl Plan {
    fn of(bytes: Vec<u8>) -> Self {
        Self { bytes, delay: std::time::Duration::ZERO, pace: None, endless: false, end: End::Close }
    }
}

/// What is told; `None`: nothing.
fn content_length(length: usize, effects: &[Effect]) -> Option<i128> {
    let mut told = i128::try_from(length).ok()?;
    for effect in effects {
        match effect {
            Effect::ContentLengthOffBy(difference) => told += i128::from(*difference),
            Effect::NoContentLength | Effect::Endless => return None,
            _ => {}
        }
    }
    Some(told)
}

fn in_chunks(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(CHUNK_BYTES) {
        bytes.extend(format!("{:x};name=value\r\n", chunk.len()).into_bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        _ => "Whatever",
    }
}
