//! Lists that the kernel gives by rtnetlink(7).

use std::io;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use super::NETLINK_ROUTE;

/// netlink(7): length, type, flags, sequence number and port.
const HEADER_BYTES: usize = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const REQUEST: u16 = 0x1;
const DUMP: u16 = 0x300;
/// What is listed changed meanwhile.
const INTERRUPTED: u16 = 0x10;

/// Length and type.
const ATTRIBUTE_HEADER_BYTES: usize = 4;
/// Whether it is nested, and its byte order.
const ATTRIBUTE_FLAGS: u16 = 0xc000;

/// All families.
const UNSPECIFIED: [u8; 4] = [0; 4];

/// The kernel makes no longer datagram of a list.
const BUFFER_BYTES: usize = 32 * 1024;

/// A network that never comes to rest is told as it was seen; of the next change one hears.
const TRIES: usize = 8;

/// What `read` makes of each message of the type `told` that answers `question`.
///
/// # Errors
///
/// The kernel does not tell.
pub(super) fn list<T>(question: u16, told: u16, read: impl Fn(&[u8]) -> Vec<T>) -> io::Result<Vec<T>> {
    let mut tries = TRIES;
    loop {
        let (found, is_interrupted) = list_once(question, told, &read)?;
        tries -= 1;
        if !is_interrupted || tries == 0 {
            return Ok(found);
        }
    }
}

fn list_once<T>(question: u16, told: u16, read: impl Fn(&[u8]) -> Vec<T>) -> io::Result<(Vec<T>, bool)> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, NETLINK_ROUTE)?;
    send(&socket, &asked(question), SendFlags::empty())?;
    let (mut found, mut is_interrupted) = (Vec::new(), false);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let (length, _) = retry_on_intr(|| recv(&socket, &mut *buffer, RecvFlags::empty()))?;
        for message in messages(&buffer[..length]) {
            is_interrupted |= message.flags & INTERRUPTED != 0;
            match message.kind {
                DONE => return Ok((found, is_interrupted)),
                ERROR => return Err(error(message.body)),
                kind if kind == told => found.extend(read(message.body)),
                _ => {}
            }
        }
    }
}

fn asked(question: u16) -> Vec<u8> {
    let length = u32::try_from(HEADER_BYTES + UNSPECIFIED.len()).expect("twenty");
    let flags = REQUEST | DUMP;
    let sequence_and_port = [0; 8];
    [
        &length.to_ne_bytes()[..],
        &question.to_ne_bytes(),
        &flags.to_ne_bytes(),
        &sequence_and_port,
        &UNSPECIFIED,
    ]
    .concat()
}

/// The negative number.
fn error(body: &[u8]) -> io::Error {
    let number = word(body, 0).map(u32::cast_signed).and_then(i32::checked_neg);
    Errno::from_raw_os_error(number.filter(|number| *number > 0).unwrap_or(Errno::PROTO.raw_os_error()))
        .into()
}

struct Message<'a> {
    kind: u16,
    flags: u16,
    body: &'a [u8],
}

fn messages(bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let length = |bytes: &[u8]| word(bytes, 0).and_then(|length| usize::try_from(length).ok());
    blocks(bytes, HEADER_BYTES, length).filter_map(|block| {
        Some(Message { kind: half(block, 4)?, flags: half(block, 6)?, body: &block[HEADER_BYTES..] })
    })
}

/// Each by its type.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let blocks = blocks(bytes, ATTRIBUTE_HEADER_BYTES, |bytes| half(bytes, 0).map(usize::from));
    blocks.filter_map(|block| Some((half(block, 2)? & !ATTRIBUTE_FLAGS, &block[ATTRIBUTE_HEADER_BYTES..])))
}

/// What stands one behind the other, aligned to four bytes, each with its length in its header; up to the first that does
/// not fit.
pub(super) fn blocks(
    mut rest: &[u8],
    header_bytes: usize,
    length: impl Fn(&[u8]) -> Option<usize>,
) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = length(rest).filter(|length| (header_bytes..=rest.len()).contains(length))?;
        let block = &rest[..length];
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(block)
    })
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(super) fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Four bytes or sixteen.
pub(super) fn address(bytes: &[u8]) -> Option<std::net::IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from)).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An attribute as the kernel writes it.
    pub(crate) fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(ATTRIBUTE_HEADER_BYTES + payload.len()).unwrap();
        let padding = vec![0; payload.len().next_multiple_of(4) - payload.len()];
        [&length.to_ne_bytes(), &kind.to_ne_bytes(), payload, &padding].concat()
    }

    #[test]
    fn attributes_are_read_up_to_the_first_that_does_not_fit() {
        let mut bytes = [attribute(1, b"abcde"), attribute(2 | 0x8000, b""), attribute(3, b"ab")].concat();
        let read = |bytes: &[u8]| attributes(bytes).map(|(kind, it)| (kind, it.to_vec())).collect::<Vec<_>>();
        let all = [(1, b"abcde".to_vec()), (2, Vec::new()), (3, b"ab".to_vec())];
        assert_eq!(read(&bytes), all);
        bytes.truncate(bytes.len() - 3);
        assert_eq!(read(&bytes), all[..2]);
        assert_eq!(read(&[3, 0, 1, 0]), []);
        assert_eq!(read(&[0; 64]), []);
    }

    #[test]
    fn what_the_kernel_refuses_is_its_error() {
        assert_eq!(error(&(-1_i32).to_ne_bytes()).raw_os_error(), Some(Errno::PERM.raw_os_error()));
        assert_eq!(error(&[]).raw_os_error(), Some(Errno::PROTO.raw_os_error()));
        // Of no type of message that there is.
        assert!(list::<()>(0x7ffe, 0, |_| Vec::new()).is_err());
    }
}
