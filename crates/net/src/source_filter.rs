//! What the kernel is to throw away before it wakes anybody, as a program of its packet filter.

use std::net::IpAddr;

use socket2::SockFilter;

/// linux/filter.h: what a program for UDP sees begins with the UDP header; from here on, with the IP header.
const NETWORK_HEADER: u32 = 0xfff0_0000;
/// Where the source is in the IP header: RFC 791 §3.1, RFC 8200 §3.
const SOURCE_V4: u32 = NETWORK_HEADER + 12;
const SOURCE_V6: u32 = NETWORK_HEADER + 8;
const UDP_HEADER_BYTES: u32 = 8;

/// linux/bpf_common.h: load a word at that place; go on if it is equal, else skip; say how many bytes are kept.
const LOAD_WORD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// Lets through what comes from `source` and begins as a notification of SSDP does.
pub(crate) fn notifications_of(source: IpAddr) -> Vec<SockFilter> {
    let (place, bytes) = match source {
        IpAddr::V4(source) => (SOURCE_V4, source.octets().to_vec()),
        IpAddr::V6(source) => (SOURCE_V6, source.octets().to_vec()),
    };
    let words = bytes.chunks_exact(4).map(|word| [word[0], word[1], word[2], word[3]]);
    let of_source = words.zip((place..).step_by(4));
    let conditions: Vec<_> = of_source.chain([(*b"NOTI", UDP_HEADER_BYTES)]).collect();
    let mut program = Vec::new();
    for (index, &(word, place)) in conditions.iter().enumerate() {
        // Past the conditions that are left, two instructions each but for this one's load, and the first return.
        let to_the_end = u8::try_from(2 * (conditions.len() - index) - 1).expect("five conditions at most");
        program.push(SockFilter::new(LOAD_WORD, 0, 0, place));
        program.push(SockFilter::new(JUMP_IF_EQUAL, 0, to_the_end, u32::from_be_bytes(word)));
    }
    program.push(SockFilter::new(RETURN, 0, 0, u32::MAX));
    program.push(SockFilter::new(RETURN, 0, 0, 0));
    program
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};
    use std::time::Duration;

    use socket2::SockRef;

    use super::*;

    /// What a socket on loopback hears with the filter for `source`, of what is sent to it.
    fn heard(source: &str, sent: &[(&str, &str)]) -> Vec<String> {
        let any = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let socket = UdpSocket::bind(any(source)).unwrap();
        SockRef::from(&socket).attach_filter(&notifications_of(source.parse().unwrap())).unwrap();
        let to = socket.local_addr().unwrap();
        for (from, text) in sent.iter().chain(&[(source, "NOTIFY the last")]) {
            UdpSocket::bind(any(from)).unwrap().send_to(text.as_bytes(), to).unwrap();
        }
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut heard = Vec::new();
        while heard.last().is_none_or(|last| last != "NOTIFY the last") {
            let mut buffer = [0; 64];
            let length = socket.recv(&mut buffer).unwrap();
            heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        heard
    }

    #[test]
    fn only_what_the_gateway_notifies_is_let_through() {
        let sent = [
            ("127.0.0.2", "NOTIFY of another"),
            ("127.0.0.1", "M-SEARCH of the gateway"),
            ("127.0.0.1", "NOTIFY * HTTP/1.1"),
            ("127.0.0.1", "NO"),
            ("127.0.0.1", ""),
        ];
        assert_eq!(heard("127.0.0.1", &sent), ["NOTIFY * HTTP/1.1", "NOTIFY the last"]);
    }

    #[test]
    fn the_same_in_ipv6() {
        let sent = [("::1", "M-SEARCH of the gateway"), ("::1", "NOTIFY * HTTP/1.1")];
        assert_eq!(heard("::1", &sent), ["NOTIFY * HTTP/1.1", "NOTIFY the last"]);
    }

    /// Loopback has one address of IPv6; that all of another is compared is told by the program.
    #[test]
    fn all_of_an_ipv6_address_is_compared() {
        let program = notifications_of("fe80::102:304:5".parse().unwrap());
        assert_eq!(program.len(), 12);
        assert_ne!(
            format!("{program:?}"),
            format!("{:?}", notifications_of("fe80::102:304:6".parse().unwrap()))
        );
    }
}
