//! For which hosts a section is: the patterns of ssh_config(5).

/// One of the patterns is the host's, and none of those behind a `!`. They stand between spaces or commas.
pub(super) fn any_matches(patterns: &str, host: &str) -> bool {
    let mut found = false;
    for pattern in patterns.split([' ', '\t', ',']).filter(|pattern| !pattern.is_empty()) {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern.as_bytes(), host.as_bytes()) => return false,
            Some(_) => {}
            None => found |= matches(pattern.as_bytes(), host.as_bytes()),
        }
    }
    found
}

/// `*` is any text, `?` one character. What stands behind the last `*` decides, so that no star is tried twice.
fn matches(pattern: &[u8], host: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star = None;
    while seen < host.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, seen));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == host[seen] => (at, seen) = (at + 1, seen + 1),
            _ => {
                let Some((behind, from)) = star else { return false };
                star = Some((behind, from + 1));
                (at, seen) = (behind, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// What ssh matches by its `Host`: as the user wrote it, without the user's name, and of an ssh:// without all but the host.
pub(super) fn bare(host: &str) -> &str {
    let uri = host.strip_prefix("ssh://");
    let name = uri.unwrap_or(host);
    let name = name.rsplit_once('@').map_or(name, |(_, name)| name);
    let Some(name) = uri.map(|_| name.split('/').next().unwrap_or(name)) else { return name };
    match name.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or(address),
        None => name.split(':').next().unwrap_or(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_ssh_config() {
        for (patterns, host, expected) in [
            ("work", "work", true),
            ("work", "work2", false),
            ("Work", "work", false),
            ("*", "", true),
            ("*", "work", true),
            ("192.168.0.?", "192.168.0.7", true),
            ("192.168.0.?", "192.168.0.77", false),
            ("*.lan", "a.b.lan", true),
            ("*.lan", "lan", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("work home", "home", true),
            ("work,home", "home", true),
            ("*.lan !router.lan", "server.lan", true),
            ("*.lan !router.lan", "router.lan", false),
            ("!router.lan *.lan", "router.lan", false),
            ("!router", "server", false),
            ("", "work", false),
        ] {
            assert_eq!(any_matches(patterns, host), expected, "{patterns:?} {host:?}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        assert!(!any_matches(&"*a".repeat(2_000), &"a".repeat(1_000)));
    }

    #[test]
    fn only_the_host_is_matched() {
        for (host, expected) in [
            ("work", "work"),
            ("alice@work", "work"),
            ("alice@example.org@work", "work"),
            ("fe80::2%usb0", "fe80::2%usb0"),
            ("ssh://work", "work"),
            ("ssh://alice@work:2222", "work"),
            ("ssh://alice@[fe80::2]:2222", "fe80::2"),
        ] {
            assert_eq!(bare(host), expected, "{host}");
        }
    }
}
