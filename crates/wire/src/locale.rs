//! The other locale that mosh-server is started with where it finds none of UTF-8, neither its host's nor its client's:
//! scripts for sh on the host, whoever starts mosh-server there.

use crate::shell::without_comments;

const CLIENT: &str = include_str!("locale/client.sh");
const NEEDED: &str = include_str!("locale/needed.sh");
const SESSION: &str = include_str!("locale/session.sh");

/// In sh: `moshpunch_needed_locale`, which takes mosh-server's arguments and prints the name of the other locale, if one
/// is needed.
pub fn needed() -> String {
    [CLIENT, NEEDED].concat()
}

/// What mosh-server is to run in place of the shell or command, with its own arguments as those of the script.
pub fn session() -> String {
    without_comments(&[CLIENT, SESSION].concat())
}

/// What to tell the user, who is served all the same.
pub fn told(host: &str, name: &str) -> String {
    format!(
        "your locale does not serve on {host}, so mosh-server runs with {name} there; make it there (Debian: \
         dpkg-reconfigure locales), or set LC_ALL={name} here"
    )
}
