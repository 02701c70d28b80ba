//! Where a user's files are: XDG Base Directory Specification 0.8, on every system.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// What the user has written. `None`: nobody knows where this user is at home.
pub fn configuration() -> Option<PathBuf> {
    directory(env::var_os("XDG_CONFIG_HOME"), ".config")
}

/// What can be found out again. `None`: as for [`configuration`].
pub fn cache() -> Option<PathBuf> {
    directory(env::var_os("XDG_CACHE_HOME"), ".cache")
}

/// "All paths must be absolute"; another "should be ignored".
fn directory(said: Option<OsString>, below_home: &str) -> Option<PathBuf> {
    let said = said.map(PathBuf::from).filter(|path| path.is_absolute());
    said.or_else(|| Some(env::home_dir()?.join(below_home)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_counts_if_it_is_absolute() {
        let at_home = env::home_dir().map(|home| home.join(".config"));
        assert_eq!(directory(Some("/elsewhere".into()), ".config"), Some("/elsewhere".into()));
        for ignored in [None, Some(""), Some("elsewhere"), Some("./elsewhere")] {
            assert_eq!(directory(ignored.map(OsString::from), ".config"), at_home);
        }
    }
}
