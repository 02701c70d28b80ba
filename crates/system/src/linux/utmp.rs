//! Who is on which terminal: utmp(5). The file is glibc's, whichever library this program has; where nobody keeps one, such as
//! in most containers, there is none.

use std::fs::File;
use std::io::Read;

/// `_PATH_UTMP`, paths.h.
const FILE: &str = "/var/run/utmp";

/// Ten thousand entries; a host has as many as it has terminals.
const FILE_BYTES_MAXIMUM: u64 = 4 * 1024 * 1024;

/// `USER_PROCESS`, utmp.h.
const USER_PROCESS: u16 = 7;

const LINE: std::ops::Range<usize> = 8..40;
const HOST: std::ops::Range<usize> = 76..332;

/// What differs: where `long` is 64 bits wide, glibc keeps the record of 32 bits on most machines
/// (`__WORDSIZE_TIME64_COMPAT32`), but not on 64-bit ARM.
#[derive(Debug, Clone, Copy)]
struct Layout {
    record: usize,
    /// Of the seconds, 32 bits or the lower half of 64.
    time: usize,
}

const COMPATIBLE: Layout = Layout { record: 384, time: 340 };
const WIDE: Layout = Layout { record: 400, time: 344 };
const HERE: Layout = if cfg!(target_arch = "aarch64") { WIDE } else { COMPATIBLE };

/// A terminal that somebody is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Below `/dev`: `pts/7`.
    pub line: String,
    /// Whatever the program says that has made the entry.
    pub host: String,
    /// In seconds since 1970.
    pub since: u64,
}

/// `None`: nobody keeps such a file here, or it is not of glibc's layout.
#[must_use]
pub fn read() -> Option<Vec<Entry>> {
    let mut bytes = Vec::new();
    File::open(FILE).ok()?.take(FILE_BYTES_MAXIMUM).read_to_end(&mut bytes).ok()?;
    entries(&bytes, HERE)
}

fn entries(bytes: &[u8], layout: Layout) -> Option<Vec<Entry>> {
    let (records, rest) = (bytes.chunks_exact(layout.record), bytes.len() % layout.record);
    (rest == 0).then(|| records.filter_map(|record| entry(record, layout)).collect())
}

fn entry(record: &[u8], layout: Layout) -> Option<Entry> {
    let kind = u16::from_ne_bytes(record.get(..2)?.try_into().ok()?);
    let seconds = record.get(layout.time..layout.time + 4)?;
    (kind == USER_PROCESS).then_some(())?;
    Some(Entry {
        line: text(record.get(LINE)?),
        host: text(record.get(HOST)?),
        since: u32::from_ne_bytes(seconds.try_into().ok()?).into(),
    })
}

/// Up to the first zero, if there is one.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u16, line: &str, host: &str, seconds: u32, layout: Layout) -> Vec<u8> {
        let mut record = vec![0; layout.record];
        record[..2].copy_from_slice(&kind.to_ne_bytes());
        record[LINE.start..LINE.start + line.len()].copy_from_slice(line.as_bytes());
        record[HOST.start..HOST.start + host.len()].copy_from_slice(host.as_bytes());
        record[layout.time..layout.time + 4].copy_from_slice(&seconds.to_ne_bytes());
        record
    }

    #[test]
    fn whoever_is_on_a_terminal_is_read_in_either_layout() {
        for layout in [COMPATIBLE, WIDE] {
            let ended = record(8, "pts/1", "gone", 1, layout);
            let here = record(USER_PROCESS, "pts/7", "mosh [4711]", 1_796_000_000, layout);
            let long = record(USER_PROCESS, "pts/8", &"x".repeat(256), 2, layout);
            let read = entries(&[ended, here, long].concat(), layout).unwrap();
            let expected = Entry { line: "pts/7".into(), host: "mosh [4711]".into(), since: 1_796_000_000 };
            assert_eq!((read.len(), &read[0]), (2, &expected));
            assert_eq!(read[1].host.len(), 256);
        }
    }

    #[test]
    fn a_file_of_another_layout_is_not_read() {
        let wide = record(USER_PROCESS, "pts/7", "mosh [4711]", 1, WIDE);
        assert_eq!(entries(&wide, COMPATIBLE), None);
        assert_eq!(entries(&[], COMPATIBLE), Some(Vec::new()));
    }
}
