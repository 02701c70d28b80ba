//! What the kernel is to throw away before it wakes anybody, as a program of its packet filter.

use std::io;
use std::net::IpAddr;

use socket2::{SockFilter, Socket};

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

/// From now on `socket` hears only what `source` notifies, of what is sent to a group that it has joined itself.
///
/// # Errors
///
/// The kernel refuses.
pub fn hear_only_notifications_of(socket: &Socket, source: IpAddr) -> io::Result<()> {
    socket.attach_filter(&notifications_of(source))?;
    if source.is_ipv4() { socket.set_multicast_all_v4(false) } else { Ok(()) }
}

/// Lets through what comes from `source` and begins as a notification of SSDP does.
fn notifications_of(source: IpAddr) -> Vec<SockFilter> {
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

    /// A socket on loopback, and what it hears of what is sent to it.
    struct Ear(UdpSocket);

    impl Ear {
        fn at(address: &str) -> Self {
            let socket = UdpSocket::bind(any_port(address)).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            Self(socket)
        }

        fn open_to(&self, source: &str) {
            SockRef::from(&self.0).attach_filter(&notifications_of(source.parse().unwrap())).unwrap();
        }

        fn send(&self, from: &str, text: &str) {
            let to = self.0.local_addr().unwrap();
            UdpSocket::bind(any_port(from)).unwrap().send_to(text.as_bytes(), to).unwrap();
        }

        fn hear_until(&self, last: &str) -> Vec<String> {
            let mut heard = Vec::new();
            while heard.last().is_none_or(|heard| heard != last) {
                let mut buffer = [0; 64];
                let length = self.0.recv(&mut buffer).unwrap();
                heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
            heard
        }
    }

    fn any_port(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 0)
    }

    const OWN: &str = "NOTIFY * HTTP/1.1";
    const LAST: &str = "NOTIFY the last";

    #[test]
    fn only_what_the_gateway_notifies_is_let_through() {
        for (gateway, other) in [("127.0.0.1", "127.0.0.2"), ("::1", "::1")] {
            let ear = Ear::at(gateway);
            ear.open_to(gateway);
            if other != gateway {
                ear.send(other, "NOTIFY of another");
            }
            for text in ["M-SEARCH of the gateway", OWN, "NO", "", LAST] {
                ear.send(gateway, text);
            }
            assert_eq!(ear.hear_until(LAST), [OWN, LAST]);
        }
    }

    /// Loopback has one address of IPv6: it is the filter that is for others.
    #[test]
    fn all_of_an_address_is_compared() {
        let others = ["1::1", "0:0:1::1", "::1:0:0:1", "::2"];
        let ear = Ear::at("::1");
        for other in others {
            ear.open_to(other);
            ear.send("::1", "NOTIFY of another");
        }
        ear.open_to("::1");
        ear.send("::1", LAST);
        assert_eq!(ear.hear_until(LAST), [LAST]);
    }
}
