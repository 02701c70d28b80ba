//! The first line of a reply, read as miniupnpc reads it: the name in any case, any version, and whatever reason.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatusLine {
    /// Three digits.
    pub(super) status: u16,
    /// Up to and including its line end, in bytes, empty lines before it included.
    pub(super) length: usize,
}

const NAME: &[u8] = b"HTTP/";

/// `None`: not complete yet.
///
/// # Errors
///
/// This is no status line, nor will it be one.
pub(super) fn read(received: &[u8]) -> Result<Option<StatusLine>, &'static str> {
    let empty = received.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let (_, line) = received.split_at(empty);
    let seen = line.get(..NAME.len()).unwrap_or(line);
    if !NAME.get(..seen.len()).is_some_and(|name| name.eq_ignore_ascii_case(seen)) {
        return Err("it does not begin with HTTP/");
    }
    let Some(end) = line.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
    let status = status(line.get(..end).unwrap_or_default()).ok_or("its status line has no status")?;
    Ok(Some(StatusLine { status, length: empty + end + 1 }))
}

/// What stands behind the first spaces.
fn status(line: &[u8]) -> Option<u16> {
    let behind_version = line.iter().position(|&byte| byte == b' ').map(|at| line.split_at(at).1)?;
    let digits = behind_version.trim_ascii_start();
    let digits = digits.split(|byte| !byte.is_ascii_digit()).next().filter(|digits| digits.len() == 3)?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|status| *status >= 100)
}
