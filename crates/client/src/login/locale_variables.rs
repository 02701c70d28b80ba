//! The user's locale, for a host whose own will not do.

use std::env;
use std::ffi::OsString;

/// As mosh's script collects them.
const NAMES: [&str; 15] = [
    "LANG",
    "LANGUAGE",
    "LC_CTYPE",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_COLLATE",
    "LC_MONETARY",
    "LC_MESSAGES",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
    "LC_ALL",
];

/// `NAME=value` of each that is set.
pub(crate) fn settings() -> Vec<OsString> {
    let set = NAMES.iter().filter_map(|&name| Some((name, env::var_os(name)?)));
    let words = set.map(|(name, value)| {
        let mut word = OsString::from(name);
        word.push("=");
        word.push(value);
        word
    });
    words.collect()
}
