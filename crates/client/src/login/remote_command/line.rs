//! One line that every login shell reads alike: sh, dash, bash, zsh, ksh, csh, fish, xonsh, and by their manuals nu and
//! elvish.
//!
//! The first word is bare, since to some a quoted one is a string and no command. The others are in single quotes, since
//! `and` is an operator of xonsh, and hold nothing there that any of them reads otherwise: that travels as `%0` and three
//! octal digits, and a loop in plain sh turns it back.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Turns the words back, and runs the first as a script with the others as its arguments. Four backslashes arrive as four, or as
/// two in fish and xonsh, and mean two or one; the first of them is kept, and joins what stands between the `%`. `$NAME` is
/// written `${NAME}`, since xonsh puts its own value in place of the former. The full stop keeps the ends of lines that
/// stand last in a word.
const READER: &str = concat!(
    r#"moshpunch_escape="\\\\"; moshpunch_escape=${moshpunch_escape%"${moshpunch_escape#?}"}; "#,
    r#"for moshpunch_word; do shift; case ${moshpunch_word} in *%*) moshpunch_word=$(set -f; IFS=%; "#,
    r#"set -- ${moshpunch_word}; IFS=${moshpunch_escape}; printf %b "${*}."); "#,
    r#"moshpunch_word=${moshpunch_word%.};; esac; "#,
    r#"set -- "$@" "${moshpunch_word}"; done; moshpunch_word=${1}; shift; eval "${moshpunch_word}""#
);

/// What runs `script` by sh, with `words` as its arguments.
pub(super) fn running(script: &str, words: &[OsString]) -> OsString {
    let mut line = b"sh -c '".to_vec();
    line.extend_from_slice(READER.as_bytes());
    line.extend_from_slice(b"' moshpunch");
    for word in [OsStr::new(script)].into_iter().chain(words.iter().map(OsString::as_os_str)) {
        line.push(b' ');
        write_word(&mut line, word.as_bytes());
    }
    OsString::from_vec(line)
}

fn write_word(line: &mut Vec<u8>, word: &[u8]) {
    line.push(b'\'');
    for &byte in word {
        if is_read_alike(byte) {
            line.push(byte);
        } else {
            write!(line, "%0{byte:03o}").expect("memory takes every byte");
        }
    }
    line.push(b'\'');
}

/// Within single quotes.
fn is_read_alike(byte: u8) -> bool {
    let to_some = b"'\\!^$~%`{}";
    (byte == b' ' || byte.is_ascii_graphic()) && !to_some.contains(&byte)
}
