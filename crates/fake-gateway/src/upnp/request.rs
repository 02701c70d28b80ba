//! HTTP requests, read as strictly as the strictest router does (docs/routers.md, quirks 14 and 26 to 29).

use super::action::Invocation;

/// A request this long is no request of ours.
const BYTES_MAXIMUM: usize = 64 * 1024;

/// What has come over a connection so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawRequest {
    bytes: Vec<u8>,
    pieces: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: String,
    headers: Vec<(String, String)>,
}

/// What is answered by an HTTP status alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unacceptable {
    pub(super) status: u16,
    pub(super) complaint: String,
}

impl Unacceptable {
    pub(super) fn new(status: u16, complaint: impl Into<String>) -> Self {
        Self { status, complaint: complaint.into() }
    }
}

fn bad(complaint: impl Into<String>) -> Unacceptable {
    Unacceptable::new(400, complaint)
}

impl RawRequest {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.pieces += 1;
    }

    /// Whether there is enough to answer, be it with an error.
    pub(crate) fn is_complete(&self) -> bool {
        if self.bytes.len() > BYTES_MAXIMUM {
            return true;
        }
        let Some(head) = self.head_length() else { return false };
        let text = String::from_utf8_lossy(&self.bytes[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.and_then(|length| length.trim().parse::<usize>().ok()).unwrap_or_default();
        self.bytes.len() >= head.saturating_add(length)
    }

    /// `authority` is what the client must have written into `Host`.
    pub(super) fn parse(&self, authority: &str) -> Result<Request, Unacceptable> {
        if self.pieces > 1 {
            return Err(bad(format!("request in {} segments", self.pieces)));
        }
        let head = self.head_length().ok_or_else(|| bad("request without an end"))?;
        let text = std::str::from_utf8(&self.bytes).map_err(|_| bad("request is not UTF-8"))?;
        let (head, body) = text.split_at_checked(head).ok_or_else(|| bad("request is not UTF-8"))?;
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let (method, path) = request_line(lines.next().unwrap_or_default())?;
        let headers = lines.map(header).collect::<Result<_, _>>()?;
        let request = Request { method, path, body: body.to_owned(), headers };
        request.check(authority)?;
        Ok(request)
    }

    fn head_length(&self) -> Option<usize> {
        self.bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
    }
}

fn request_line(line: &str) -> Result<(Method, String), Unacceptable> {
    let words: Vec<_> = line.split(' ').collect();
    let [method, path, "HTTP/1.1"] = words[..] else { return Err(bad(format!("request line {line:?}"))) };
    let method = match method {
        "GET" => Method::Get,
        "POST" => Method::Post,
        _ => return Err(Unacceptable::new(405, format!("method {method:?}"))),
    };
    if !path.starts_with('/') {
        return Err(bad(format!("path {path:?} does not begin with /")));
    }
    Ok((method, path.to_owned()))
}

fn header(line: &str) -> Result<(String, String), Unacceptable> {
    match line.split_once(": ") {
        Some((name, value)) if !name.is_empty() && !name.contains(char::is_whitespace) => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(bad(format!("header {line:?}"))),
    }
}

impl Request {
    fn check(&self, authority: &str) -> Result<(), Unacceptable> {
        match self.header("Host")? {
            Some(host) if host == authority => {}
            // miniupnpd: "DNS rebinding attack suspected"
            host => return Err(Unacceptable::new(404, format!("Host {host:?}, not {authority}"))),
        }
        if self.method == Method::Get {
            return if self.body.is_empty() { Ok(()) } else { Err(bad("GET with a body")) };
        }
        let length = self.header("Content-Length")?.ok_or_else(|| bad("POST without Content-Length"))?;
        if length != self.body.len().to_string() {
            return Err(bad(format!("Content-Length {length} for {} bytes", self.body.len())));
        }
        match self.header("Content-Type")? {
            Some(kind) if kind.starts_with("text/xml") => {}
            kind => return Err(bad(format!("Content-Type {kind:?}"))),
        }
        if self.body.starts_with('<') { Ok(()) } else { Err(bad("body does not begin with <")) }
    }

    /// What the header `SOAPAction`, whose name some routers compare by case, asks for.
    pub(super) fn invocation(&self) -> Result<Invocation<'_>, Unacceptable> {
        let exact = self.headers.iter().find(|(name, _)| name == "SOAPAction");
        let (_, value) = exact.ok_or_else(|| bad("no header that is spelled SOAPAction"))?;
        let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let parts = unquoted.and_then(|value| value.split_once('#'));
        let (service_type, name) =
            parts.ok_or_else(|| bad(format!("SOAPAction {value}, expected \"type#Action\" in quotes")))?;
        Ok(Invocation { service_type, name })
    }

    fn header(&self, name: &str) -> Result<Option<&str>, Unacceptable> {
        let mut values = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (Some(_), Some(_)) => Err(bad(format!("more than one {name}"))),
            (value, _) => Ok(value.map(|(_, value)| value.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "POST /ctl HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nContent-Type: text/xml\r\n\
                        SOAPAction: \"urn:x#Y\"\r\nContent-Length: 4\r\n\r\n<a/>";

    fn raw(text: &str) -> RawRequest {
        let mut raw = RawRequest::default();
        raw.push(text.as_bytes());
        raw
    }

    fn status(text: &str) -> u16 {
        let raw = raw(text);
        assert!(raw.is_complete(), "{text}");
        let invoked = raw.parse("127.0.0.1:5000").and_then(|request| request.invocation().map(drop));
        invoked.map_or_else(|unacceptable| unacceptable.status, |()| 200)
    }

    #[test]
    fn a_request_without_fault_is_accepted() {
        assert_eq!(status(GOOD), 200);
    }

    #[test]
    fn every_fault_that_some_router_minds_is_minded() {
        for (fault, expected, from, to) in [
            ("host without port", 404, "127.0.0.1:5000", "127.0.0.1"),
            ("host by name", 404, "127.0.0.1:5000", "router:5000"),
            ("two hosts", 400, "Host:", "Host: a\r\nHost:"),
            ("no quotes", 400, "\"urn:x#Y\"", "urn:x#Y"),
            ("another case", 400, "SOAPAction", "SoapAction"),
            ("leading space", 400, "<a/>", " <a>"),
            ("too short a length", 400, "Length: 4", "Length: 3"),
            ("another content type", 400, "text/xml", "text/html"),
            ("HTTP/1.0", 400, "HTTP/1.1", "HTTP/1.0"),
            ("an absolute path", 400, "/ctl", "http://127.0.0.1:5000/ctl"),
            ("another method", 405, "POST", "PUT"),
        ] {
            assert_eq!(status(&GOOD.replacen(from, to, 1)), expected, "{fault}");
        }
    }

    #[test]
    fn a_request_in_two_pieces_is_waited_for_and_refused() {
        let (one, other) = GOOD.split_at(40);
        let mut request = raw(one);
        assert!(!request.is_complete());
        request.push(other.as_bytes());
        assert!(request.is_complete());
        assert_eq!(request.parse("127.0.0.1:5000").unwrap_err().complaint, "request in 2 segments");
    }
}
