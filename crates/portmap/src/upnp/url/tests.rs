use super::*;
use crate::upnp::mutation::mutants;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn resolved(base: &str, reference: &str) -> String {
    url(base).resolve(reference).unwrap_or_else(|error| panic!("{reference}: {error}")).to_string()
}

#[test]
fn a_url_is_taken_apart() {
    let url = url("http://192.168.1.1:5000/rootDesc.xml?x=1");
    assert_eq!(url.host(), ip("192.168.1.1"));
    assert_eq!(url.socket_address(), "192.168.1.1:5000".parse().unwrap());
    assert_eq!(url.path(), "/rootDesc.xml?x=1");
}

#[test]
fn scheme_case_white_space_and_fragment_do_not_matter() {
    assert_eq!(url(" HTTP://192.168.1.1/a#b \r\n").to_string(), "http://192.168.1.1/a");
}

#[test]
fn a_missing_path_is_the_root() {
    assert_eq!(url("http://192.168.1.1").path(), "/");
    assert_eq!(url("http://192.168.1.1:/").port(), 80);
    assert_eq!(url("http://192.168.1.1?q").path(), "/?q");
}

#[test]
fn an_ipv6_literal_is_bracketed_and_has_no_zone() {
    let url = url("http://[fd07::1]:5000/d.xml");
    assert_eq!(url.authority(), "[fd07::1]:5000");
    assert_eq!(url.socket_address(), "[fd07::1]:5000".parse().unwrap());
    assert!(matches!(Url::parse("http://[fe80::1%25eth0]/"), Err(UrlError::NotNumericHost { .. })));
}

#[test]
fn quirk_14_the_authority_is_numeric_and_names_every_port_but_80() {
    assert_eq!(url("http://192.168.1.1/").authority(), "192.168.1.1");
    assert_eq!(url("http://192.168.1.1:80/").authority(), "192.168.1.1");
    assert_eq!(url("http://192.168.1.1:5000/").authority(), "192.168.1.1:5000");
    assert_eq!(url("http://[fd07::1]/").authority(), "[fd07::1]");
}

#[test]
fn host_names_and_ambiguous_numbers_are_no_hosts() {
    for text in [
        "router.lan",
        "localhost",
        "user@192.168.1.1",
        "192.168.1.1\\@10.0.0.1",
        "0x7f.1",
        "2130706433",
        "127.1",
        "010.0.0.1",
        "[::1",
        "",
        "192.168.1.1 ",
    ] {
        let result = Url::parse(&format!("http://{text}/"));
        assert!(matches!(result, Err(UrlError::NotNumericHost { .. })), "{text}: {result:?}");
    }
}

#[test]
fn quirk_15_a_url_is_served_by_its_own_host_only() {
    let url = url("http://192.168.1.1:5000/");
    assert!(url.served_by(ip("192.168.1.1")));
    assert!(url.served_by(ip("::ffff:192.168.1.1")));
    assert!(!url.served_by(ip("192.168.1.2")));
}

#[test]
fn quirk_5_a_url_is_pointed_at_the_gateway_that_answered() {
    let moved = url("http://192.168.1.2:5000/d.xml?a").at(ip("192.168.1.1"));
    assert_eq!(moved.to_string(), "http://192.168.1.1:5000/d.xml?a");
}

#[test]
fn quirk_16_port_0_and_other_ports_that_do_not_exist_are_refused() {
    for port in ["0", "65536", "99999999999", "-1", "+80", "80a", "80@10.0.0.1"] {
        let result = Url::parse(&format!("http://192.168.1.1:{port}/"));
        assert!(matches!(result, Err(UrlError::InvalidPort { .. })), "{port}: {result:?}");
    }
}

#[test]
fn quirk_16_only_http_is_spoken() {
    for text in [
        "https://192.168.1.1/",
        "ftp://192.168.1.1/",
        "192.168.1.1/a",
        "//192.168.1.1/",
        "http:/192.168.1.1/",
    ] {
        let result = Url::parse(text);
        assert!(matches!(result, Err(UrlError::NotHttp { .. })), "{text}: {result:?}");
    }
}

#[test]
fn quirk_16_long_urls_are_kept_up_to_the_cap() {
    let long = format!("http://192.168.1.1/{}", "a".repeat(MAXIMUM_LENGTH - 19));
    assert_eq!(url(&long).to_string(), long);
    assert_eq!(Url::parse(&format!("{long}a")), Err(UrlError::TooLong { found: MAXIMUM_LENGTH + 1 }));
}

#[test]
fn quirk_16_a_url_that_grows_over_the_cap_is_refused() {
    let spaces = format!("http://192.168.1.1/a{}b", " ".repeat(MAXIMUM_LENGTH / 2));
    assert!(matches!(Url::parse(&spaces), Err(UrlError::TooLong { .. })));
    let base = url(&format!("http://192.168.1.1/{}/", "a".repeat(1500)));
    assert!(matches!(base.resolve(&"b".repeat(1500)), Err(UrlError::TooLong { .. })));
}

#[test]
fn a_line_break_cannot_enter_a_request() {
    let result = Url::parse("http://192.168.1.1/a\r\nX-Evil: 1");
    assert_eq!(result, Err(UrlError::ControlCharacter { found: 13 }));
    assert_eq!(url("http://192.168.1.1/").resolve("/a\nb"), Err(UrlError::ControlCharacter { found: 10 }));
}

#[test]
fn spaces_and_letters_beyond_ascii_are_percent_encoded() {
    assert_eq!(url("http://192.168.1.1/a b\u{e9}%20").path(), "/a%20b%C3%A9%20");
}

#[test]
fn quirk_17_an_absolute_reference_stands_alone() {
    let base = "http://192.168.1.1:5000/rootDesc.xml";
    assert_eq!(resolved(base, "http://192.168.1.1:49152/ctl"), "http://192.168.1.1:49152/ctl");
    assert_eq!(resolved(base, "HTTP://192.168.1.1/ctl"), "http://192.168.1.1/ctl");
}

#[test]
fn quirk_17_an_absolute_path_replaces_the_path() {
    assert_eq!(
        resolved("http://192.168.1.1:5000/a/b.xml?q", "/ctl/IPConn"),
        "http://192.168.1.1:5000/ctl/IPConn"
    );
}

#[test]
fn quirk_17_a_relative_path_stands_beside_the_document() {
    assert_eq!(resolved("http://192.168.1.1/rootDesc.xml", "ctl/IPConn"), "http://192.168.1.1/ctl/IPConn");
    assert_eq!(resolved("http://192.168.1.1/a/b.xml?q=/x", "ctl"), "http://192.168.1.1/a/ctl");
    assert_eq!(resolved("http://192.168.1.1/a/", "ctl"), "http://192.168.1.1/a/ctl");
}

#[test]
fn quirk_17_dot_segments_are_removed_from_relative_paths() {
    let base = "http://192.168.1.1/a/b/c.xml";
    assert_eq!(resolved(base, "./d"), "http://192.168.1.1/a/b/d");
    assert_eq!(resolved(base, "../d?e/../f"), "http://192.168.1.1/a/d?e/../f");
    assert_eq!(resolved(base, "../../../../d"), "http://192.168.1.1/d");
    assert_eq!(resolved(base, ".."), "http://192.168.1.1/a/");
}

#[test]
fn quirk_17_a_base_with_a_final_slash_does_not_double_it() {
    assert_eq!(resolved("http://192.168.1.1:5000/", "/ctl/IPConn"), "http://192.168.1.1:5000/ctl/IPConn");
    assert_eq!(resolved("http://192.168.1.1:5000", "ctl/IPConn"), "http://192.168.1.1:5000/ctl/IPConn");
}

#[test]
fn quirk_17_doubled_slashes_are_sent_as_written() {
    assert_eq!(
        resolved("http://192.168.1.1:5000/d.xml", "//ctl/IPConn"),
        "http://192.168.1.1:5000//ctl/IPConn"
    );
    assert_eq!(
        resolved("http://192.168.1.1:5000/d.xml", "/ctl//IPConn"),
        "http://192.168.1.1:5000/ctl//IPConn"
    );
}

#[test]
fn a_network_path_names_a_numeric_host() {
    assert_eq!(resolved("http://192.168.1.1/d.xml", "//192.168.1.1:81/ctl"), "http://192.168.1.1:81/ctl");
}

#[test]
fn quirk_19_the_query_is_kept() {
    let base = "http://192.168.1.1:5000/upnp/d.xml?base";
    assert_eq!(
        resolved(base, "/upnp/control?WANIPConnection"),
        "http://192.168.1.1:5000/upnp/control?WANIPConnection"
    );
    assert_eq!(
        resolved(base, "control?WANIPConnection"),
        "http://192.168.1.1:5000/upnp/control?WANIPConnection"
    );
    assert_eq!(resolved(base, "?WANIPConnection"), "http://192.168.1.1:5000/upnp/d.xml?WANIPConnection");
    assert_eq!(resolved(base, "/c?u=http://x/"), "http://192.168.1.1:5000/c?u=http://x/");
}

#[test]
fn an_empty_reference_resolves_to_nothing() {
    for reference in ["", "  ", "#fragment"] {
        assert_eq!(url("http://192.168.1.1/").resolve(reference), Err(UrlError::Empty));
    }
}

#[test]
fn errors_quote_little() {
    let Err(UrlError::NotNumericHost { found }) = Url::parse(&format!("http://{}/", "h".repeat(1000))) else {
        panic!("a host name was accepted");
    };
    assert_eq!(found.len(), QUOTED_CHARACTERS);
}

#[test]
fn mutants_are_survived_and_accepted_ones_are_read_back() {
    let originals: [&[u8]; 5] = [
        b"http://192.168.1.1:5000/rootDesc.xml",
        b"http://[fd07::1]:49152/a/b?c=d",
        b"/upnp/control?WANIPConnection",
        b"../ctl/./IPConn",
        b"//192.168.1.1/x",
    ];
    let tokens: [&[u8]; 10] = [b"://", b"//", b"..", b"[", b"]", b":0", b"@", b"?", b"#", b"\xc3\xa9"];
    let base = url("http://10.0.0.138:80/d/desc.xml?q");
    let mut accepted = 0;
    for mutant in mutants(16, &originals, &tokens) {
        let text = String::from_utf8_lossy(&mutant);
        for found in [Url::parse(&text), base.resolve(&text)].into_iter().flatten() {
            accepted += 1;
            assert!(
                found.path().starts_with('/') && found.path().bytes().all(|byte| byte.is_ascii_graphic()),
                "{text}"
            );
            assert_eq!(Url::parse(&found.to_string()), Ok(found), "{text}");
        }
    }
    assert!(accepted > 10_000, "only {accepted} accepted");
}
