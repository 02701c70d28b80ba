//! The first two bytes say in what pieces the rest arrives: that must change nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portmap::upnp::http::{MAXIMUM_BODY, Progress, Reply, ReplyError, ReplyReader};

fuzz_target!(|data: &[u8]| {
    let Some((lengths, stream)) = data.split_first_chunk::<2>() else { return };
    let whole = read([stream]);
    if let Ok(reply) = &whole {
        assert!(reply.body.len() <= MAXIMUM_BODY.min(stream.len()));
        assert!(!(100..200).contains(&reply.status), "an interim reply was handed out");
    }
    let [first, other] = lengths.map(|length| usize::from(length).max(1));
    let (head, rest) = stream.split_at(first.min(stream.len()));
    let pieces = read(std::iter::once(head).chain(rest.chunks(other)));
    assert_eq!(whole.as_ref().ok(), pieces.as_ref().ok());
});

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Reply, ReplyError> {
    let mut reader = ReplyReader::new();
    for piece in pieces {
        if let Progress::Complete(reply) = reader.push(piece)? {
            return Ok(reply);
        }
    }
    reader.end_of_stream()
}
