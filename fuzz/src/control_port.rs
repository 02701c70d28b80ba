//! A client of port 5351 that lives through whatever the bytes say.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use portmap::client::{Event, Request};
use portmap::control_port::{Client, Protocol};
use portmap::mapping::Transport;

const INTERNAL_PORT: NonZeroU16 = NonZeroU16::new(60001).expect("not zero");
/// A client sends at most nine packets a question; with more deadlines than this it never comes to an end.
const DEADLINES_MAXIMUM: usize = 40;

/// Steps are one byte each; what comes from the gateway is a length and so many bytes after its step.
pub fn live<P: Protocol>(client: &mut Client<P>, gateway: IpAddr, story: &[u8], mut now: Instant) {
    let from = SocketAddr::new(gateway, 5351);
    let mut rest = story;
    while let Some((&step, behind)) = rest.split_first() {
        rest = behind;
        match step % 8 {
            0 => client.handle_datagram(from, piece(&mut rest), now),
            1 => client.handle_announcement(from, piece(&mut rest), now),
            2 => client.probe(now),
            3 => client.request(&wanted(step), now),
            4 => client.renew(now),
            5 => client.release(now),
            6 => client.handle_unreachable(now),
            _ => {
                now = client.poll_timeout().unwrap_or(now).max(now);
                client.handle_timeout(now);
            }
        }
        look(client);
    }
    end(client, now);
}

fn wanted(step: u8) -> Request {
    Request {
        transport: if step & 8 == 0 { Transport::Udp } else { Transport::Tcp },
        internal_port: INTERNAL_PORT,
        external_port: INTERNAL_PORT,
        exact: step & 16 != 0,
        lease: Duration::from_secs(7200),
    }
}

fn piece<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let Some((&length, behind)) = rest.split_first() else { return &[] };
    let (piece, behind) = behind.split_at(behind.len().min(length.into()));
    *rest = behind;
    piece
}

/// Unanswered, everything that was asked comes to an end.
fn end<P: Protocol>(client: &mut Client<P>, mut now: Instant) {
    for _ in 0..DEADLINES_MAXIMUM {
        look(client);
        let Some(at) = client.poll_timeout() else { return };
        now = now.max(at);
        client.handle_timeout(now);
    }
    panic!("{DEADLINES_MAXIMUM} deadlines without an answer, and still one more");
}

fn look<P: Protocol>(client: &mut Client<P>) {
    while client.poll_transmit().is_some() {}
    while let Some(event) = client.poll_event() {
        if let Event::Granted(grant) = event {
            assert_eq!(grant.internal_port, INTERNAL_PORT, "a mapping of another port was taken for ours");
            assert_ne!(grant.lease, Some(Duration::ZERO), "a deletion was taken for a mapping");
        }
    }
}
