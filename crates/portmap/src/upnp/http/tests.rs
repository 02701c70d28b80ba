use super::*;
use crate::upnp::mutation::{Xorshift, mutants};

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// Feeds `pieces` and then the end of the stream.
fn read_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Reply, ReplyError> {
    let mut reader = ReplyReader::new();
    for piece in pieces {
        if let Progress::Complete(reply) = reader.push(piece)? {
            return Ok(reply);
        }
    }
    reader.end_of_stream()
}

fn read(stream: impl AsRef<[u8]>) -> Result<Reply, ReplyError> {
    read_pieces([stream.as_ref()])
}

/// The reply that is complete without the end of the stream.
fn complete(stream: impl AsRef<[u8]>) -> Option<Reply> {
    match ReplyReader::new().push(stream.as_ref()).unwrap() {
        Progress::Complete(reply) => Some(reply),
        Progress::More => None,
    }
}

fn reply(status: u16, body: &str) -> Reply {
    Reply { status, body: body.as_bytes().to_vec() }
}

#[test]
fn a_get_asks_for_path_and_query_at_the_numeric_host() {
    assert_eq!(
        String::from_utf8(get(&url("http://192.168.1.1:5000/rootDesc.xml?a=b"))).unwrap(),
        "GET /rootDesc.xml?a=b HTTP/1.1\r\nHost: 192.168.1.1:5000\r\nConnection: close\r\n\r\n"
    );
}

#[test]
fn quirk_26_a_post_is_one_buffer_with_head_and_body() {
    let request = post(
        &url("http://192.168.1.1:5000/ctl"),
        "urn:schemas-upnp-org:service:WANIPConnection:1#Do",
        "<a>\u{e9}</a>",
    );
    assert_eq!(
        String::from_utf8(request).unwrap(),
        "POST /ctl HTTP/1.1\r\nHost: 192.168.1.1:5000\r\nContent-Type: text/xml; charset=\"utf-8\"\r\n\
         SOAPAction: \"urn:schemas-upnp-org:service:WANIPConnection:1#Do\"\r\nContent-Length: 9\r\n\
         Connection: close\r\n\r\n<a>\u{e9}</a>"
    );
}

#[test]
fn quirk_14_the_host_header_has_the_port_unless_it_is_80() {
    let request = String::from_utf8(get(&url("http://[fd07::1]:80/"))).unwrap();
    assert!(request.contains("\r\nHost: [fd07::1]\r\n"), "{request}");
}

#[test]
fn quirk_25_requests_are_http_1_1_and_close_the_connection() {
    let url = url("http://192.168.1.1/");
    for request in [get(&url), post(&url, "urn:x#y", "")] {
        let request = String::from_utf8(request).unwrap();
        assert!(request.lines().next().unwrap().ends_with(" HTTP/1.1"), "{request}");
        assert!(request.contains("\r\nConnection: close\r\n"), "{request}");
    }
}

#[test]
fn quirk_25_a_reply_in_http_1_0_is_read() {
    assert_eq!(read("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"), Ok(reply(200, "x")));
}

#[test]
fn quirk_28_the_action_header_is_spelled_and_quoted_exactly() {
    let request = String::from_utf8(post(&url("http://192.168.1.1/"), "urn:a:b:c:1#Do", "")).unwrap();
    assert!(request.contains("\r\nSOAPAction: \"urn:a:b:c:1#Do\"\r\n"), "{request}");
}

#[test]
fn a_service_type_cannot_add_headers() {
    let request =
        String::from_utf8(post(&url("http://192.168.1.1/"), "urn\"\r\nX-Evil: 1\r\n\r\n#Do", "")).unwrap();
    assert!(request.contains("\r\nSOAPAction: \"urnX-Evil:1#Do\"\r\n"), "{request}");
    assert_eq!(request.matches("\r\n\r\n").count(), 1);
}

#[test]
fn quirk_56_requests_do_not_claim_to_come_from_windows() {
    let url = url("http://192.168.1.1/");
    for request in [get(&url), post(&url, "urn:x#y", "")] {
        let request = String::from_utf8(request).unwrap().to_ascii_lowercase();
        assert!(!request.contains("windows") && !request.contains("microsoft"), "{request}");
    }
}

#[test]
fn a_reply_ends_with_its_content_length() {
    assert_eq!(complete("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<a/>\n"), Some(reply(200, "<a/>\n")));
    assert_eq!(complete("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<a/>"), None);
}

#[test]
fn a_status_other_than_200_keeps_its_body() {
    let stream = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\n<f/>";
    assert_eq!(complete(stream), Some(reply(500, "<f/>")));
}

#[test]
fn a_reply_without_a_body_ends_with_its_head() {
    assert_eq!(complete("HTTP/1.1 204 No Content\r\n\r\n"), Some(reply(204, "")));
    assert_eq!(complete("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Some(reply(200, "")));
}

#[test]
fn quirk_23_a_reply_without_content_length_ends_with_the_stream() {
    let stream = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n<a/>";
    assert_eq!(complete(stream), None);
    assert_eq!(read(stream), Ok(reply(200, "<a/>")));
}

#[test]
fn quirk_23_heads_with_bare_line_feeds_are_read() {
    assert_eq!(complete("HTTP/1.1 200 OK\nContent-Length: 4\n\n<a/>"), Some(reply(200, "<a/>")));
}

#[test]
fn quirk_23_header_names_are_read_in_any_case() {
    assert_eq!(complete("HTTP/1.1 200 OK\r\ncontent-LENGTH: 4\r\n\r\n<a/>"), Some(reply(200, "<a/>")));
    assert_eq!(
        complete("HTTP/1.1 200 OK\r\ntransfer-encoding: CHUNKED\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
        Some(reply(200, "x"))
    );
}

#[test]
fn quirk_23_a_content_length_that_is_too_small_cuts_the_body() {
    assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<a/><b/>"), Ok(reply(200, "<a/>")));
}

#[test]
fn quirk_23_a_content_length_that_is_too_large_yields_what_came() {
    assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n<a/>"), Ok(reply(200, "<a/>")));
    let absurd = "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n<a/>";
    assert_eq!(read(absurd), Ok(reply(200, "<a/>")));
}

#[test]
fn quirk_23_a_content_length_without_sense_counts_as_none() {
    for length in ["-1", "abc", "", "99999999999999999999999"] {
        let stream = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n<a/>");
        assert_eq!(read(&stream), Ok(reply(200, "<a/>")), "{length}");
    }
}

#[test]
fn quirk_23_slovenly_heads_are_read() {
    for head in [
        "HTTP/1.1 200\r\nContent-Length: 1\r\n",
        "HTTP/1.1  200  OK\r\nContent-Length: 1\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 1 \r\n",
        "HTTP/1.1 200 OK\r\n  Content-Length: 1\r\n",
        "HTTP/1.1 200 OK\r\nnot a header\r\nContent-Length: 1\r\n",
        "HTTP/1.1 200 OK\r\nServer: x\r\n folded\r\nContent-Length: 1\r\n",
        "HTTP/1.1 200 OK\r\nServer: caf\u{e9}\r\nContent-Length: 1\r\n",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n",
    ] {
        assert_eq!(complete(format!("{head}\r\nx")), Some(reply(200, "x")), "{head}");
    }
}

#[test]
fn quirk_84_status_lines_of_any_make_are_read() {
    for line in [
        "http/1.1 200 ok",
        "Http/1.0 200 Ok",
        "HTTP/2.0 200 OK",
        "HTTP/1.1 200 \u{1} \u{e9}",
        "HTTP/1.1 200OK",
        "HTTP/1 200",
        "\r\n\nHTTP/1.1 200 OK",
    ] {
        let stream = format!("{line}\r\nContent-Length: 1\r\n\r\nx");
        assert_eq!(complete(&stream), Some(reply(200, "x")), "{line}");
        assert_eq!(read_pieces(stream.as_bytes().chunks(1)), Ok(reply(200, "x")), "{line}");
    }
}

#[test]
fn quirk_84_a_length_is_the_digits_that_it_begins_with() {
    for length in ["4 bytes", "4;x", "4, 4"] {
        let stream = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n<a/>");
        assert_eq!(complete(&stream), Some(reply(200, "<a/>")), "{length}");
    }
}

#[test]
fn quirk_24_chunks_are_joined() {
    let stream =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<a/>\r\nA\r\n0123456789\r\n0\r\n\r\n";
    assert_eq!(complete(stream), Some(reply(200, "<a/>0123456789")));
}

#[test]
fn quirk_24_chunked_with_extensions_is_decoded() {
    let stream = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                  004 ;name=\"a;b\"\r\n<a/>\r\n1;x\r\n!\r\n0;last\r\nTrailer: y\r\n\r\n";
    assert_eq!(complete(stream), Some(reply(200, "<a/>!")));
}

#[test]
fn quirk_24_chunked_outranks_content_length() {
    let stream =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<a/>\r\n0\r\n\r\n";
    assert_eq!(complete(stream), Some(reply(200, "<a/>")));
}

#[test]
fn quirk_24_chunks_with_bare_or_missing_line_ends_are_decoded() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(complete(format!("{head}4\n<a/>\n1\n!\n0\n")), Some(reply(200, "<a/>!")));
    assert_eq!(complete(format!("{head}4\r\n<a/>1\r\n!0\r\n")), Some(reply(200, "<a/>!")));
}

#[test]
fn quirk_24_chunks_that_break_off_yield_what_came() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(read(format!("{head}4\r\n<a/>\r\n")), Ok(reply(200, "<a/>")));
    assert_eq!(read(format!("{head}ff\r\n<a/>")), Ok(reply(200, "<a/>")));
}

#[test]
fn quirk_24_what_is_no_chunk_size_is_refused() {
    for size in ["<a/>", "-1", "+1", "0x4", "", "11111111111111111"] {
        let result = read(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nx\r\n"));
        assert!(matches!(result, Err(ReplyError::InvalidChunk { .. })), "{size}: {result:?}");
    }
}

#[test]
fn interim_replies_are_skipped() {
    let stream = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: y\r\n\r\n\
                  HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    assert_eq!(complete(stream), Some(reply(200, "x")));
    assert_eq!(read_pieces(stream.as_bytes().chunks(1)), Ok(reply(200, "x")));
}

#[test]
fn garbage_is_refused_at_its_first_bytes() {
    for garbage in
        ["SSH-2.0-dropbear\r\n", "<html>", "\0", "HTTP/1.1 20 OK\r\n", "HTTP/1.1 abc\r\n", "HTTP/1.1\r\n"]
    {
        let result = ReplyReader::new().push(garbage.as_bytes());
        assert!(matches!(result, Err(ReplyError::Garbage { .. })), "{garbage}: {result:?}");
    }
}

#[test]
fn errors_quote_little() {
    let Err(ReplyError::Garbage { found, .. }) = read("x".repeat(100_000)) else {
        panic!("garbage was accepted")
    };
    assert_eq!(found.len(), 64);
}

#[test]
fn a_stream_that_ends_within_the_head_is_no_reply() {
    assert_eq!(read(""), Err(ReplyError::HeadCutOff { received: 0 }));
    assert_eq!(read("HTTP/1.1 200 OK\r\n"), Err(ReplyError::HeadCutOff { received: 17 }));
}

#[test]
fn a_reply_is_handed_out_once() {
    let mut reader = ReplyReader::new();
    assert!(matches!(reader.push(b"HTTP/1.1 204 No Content\r\n\r\n"), Ok(Progress::Complete(_))));
    assert_eq!(reader.push(b"more"), Err(ReplyError::AlreadyComplete));
    assert_eq!(reader.end_of_stream(), Err(ReplyError::AlreadyComplete));
}

#[test]
fn quirk_34_the_head_is_capped() {
    let head = |bytes: usize| format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(bytes - 24));
    assert_eq!(read(head(MAXIMUM_HEAD)), Ok(reply(200, "")));
    assert_eq!(read(head(MAXIMUM_HEAD + 1)), Err(ReplyError::HeadTooLong));
    let endless = "HTTP/1.1 200 OK\r\nX: ".to_owned() + &"x".repeat(MAXIMUM_HEAD);
    assert_eq!(read(endless), Err(ReplyError::HeadTooLong));
}

#[test]
fn quirk_34_interim_replies_count_towards_the_head() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let endless = interim.repeat(MAXIMUM_HEAD / interim.len() + 1);
    assert_eq!(read_pieces(endless.as_bytes().chunks(1000)), Err(ReplyError::HeadTooLong));
}

#[test]
fn quirk_34_too_many_headers_are_refused() {
    let head = |headers: usize| format!("HTTP/1.1 204 No Content\r\n{}\r\n", "A: b\r\n".repeat(headers));
    assert_eq!(read(head(MAXIMUM_HEADERS)), Ok(reply(204, "")));
    assert!(matches!(read(head(MAXIMUM_HEADERS + 1)), Err(ReplyError::Garbage { .. })));
}

#[test]
fn quirk_34_the_body_is_capped_in_every_framing() {
    let full = vec![b'x'; MAXIMUM_BODY];
    let chunked = [format!("{MAXIMUM_BODY:x}\r\n").as_bytes(), &full, b"\r\n"].concat();
    let length = format!("Content-Length: {}\r\n", usize::MAX);
    for (header, body) in
        [("", &full), (length.as_str(), &full), ("Transfer-Encoding: chunked\r\n", &chunked)]
    {
        let stream = [format!("HTTP/1.1 200 OK\r\n{header}\r\n").as_bytes(), body].concat();
        assert_eq!(read(&stream).unwrap().body.len(), MAXIMUM_BODY, "{header}");
        let more = [&stream, b"1\r\nx".as_slice()].concat();
        assert_eq!(read(&more), Err(ReplyError::BodyTooLong), "{header}");
    }
}

#[test]
fn quirk_34_the_size_line_of_a_chunk_is_capped() {
    let endless = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;{}", "x".repeat(2000));
    assert!(matches!(read(endless), Err(ReplyError::InvalidChunk { .. })));
}

#[test]
fn mutants_are_survived_and_read_the_same_in_any_pieces() {
    let originals: [&[u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 10\r\n\r\n<a>123</a>",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\n<a/>\r\n3\r\n<b>\r\n0\r\n\r\n",
        b"HTTP/1.0 500 Error\nServer: x\n\n<fault/>",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody",
    ];
    let tokens: [&[u8]; 9] = [
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"0\r\n",
        b"ffffffffffffffff\r\n",
        b"HTTP/1.1 100 C\r\n\r\n",
        b"chunked",
        b": ",
        b"\0",
    ];
    let mut random = Xorshift::new(9112);
    let mut accepted = 0;
    for mutant in mutants(23, &originals, &tokens) {
        let whole = read(&mutant).ok();
        let in_pieces = read_pieces(mutant.chunks(1 + random.below(20))).ok();
        assert_eq!(whole, in_pieces, "{}", String::from_utf8_lossy(&mutant));
        if let Some(reply) = whole {
            accepted += 1;
            assert!(reply.body.len() <= mutant.len());
        }
    }
    assert!((5_000..20_000).contains(&accepted), "{accepted} accepted");
}
