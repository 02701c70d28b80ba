//! One mosh session, as its server, its keeper and a later sweep know it.

mod link;
mod socket;
mod state_file;

pub(crate) use link::{Answer, FromKeeper, Link, Listens, Mapped, Opening, ToKeeper, Toward};
pub(crate) use socket::Socket;
pub(crate) use state_file::{Kept, State, StateFile};

use std::env;

use anyhow::Result;
use net::random;
use serde::{Deserialize, Serialize};

/// What a session is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Name {
    /// Eight hexadecimal digits; names the state file.
    pub(crate) id: String,
    /// In the router's table, for its owner to read: program, user, host, and the id that tells ours from others'.
    pub(crate) description: String,
}

/// WANIPConnection:1 sets no limit, some routers cut at 64 (miniupnpd, AVM).
const NAME_CHARACTERS_MAXIMUM: usize = 15;

/// With the id behind it, [`MAXIMUM_DESCRIPTION`](portmap::upnp::soap::MAXIMUM_DESCRIPTION).
const TITLE_CHARACTERS_MAXIMUM: usize = 51;

impl Name {
    pub(crate) fn new() -> Result<Self> {
        let user = env::var("USER").or_else(|_| env::var("LOGNAME")).unwrap_or_else(|_| "user".into());
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self::titled(&format!("moshpunch {}@{}", short(&user), short(&host)))
    }

    /// Cut to what every router keeps, without the characters that some stumble over.
    pub(crate) fn titled(title: &str) -> Result<Self> {
        let id = format!("{:08x}", random::u32()?);
        let plain = |character: &char| {
            (character.is_ascii_graphic() || *character == ' ') && !":;".contains(*character)
        };
        let title: String = title.chars().filter(plain).take(TITLE_CHARACTERS_MAXIMUM).collect();
        Ok(Self { description: format!("{} {id}", title.trim()), id })
    }
}

/// Routers take ASCII for granted, and use `:` and `;` in their own files.
fn short(name: &str) -> String {
    let plain =
        name.chars().filter(|character| character.is_ascii_alphanumeric() || "-_.".contains(*character));
    plain.take(NAME_CHARACTERS_MAXIMUM).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_fits_into_every_routers_table() {
        let name = Name::new().unwrap();
        assert!(name.description.len() <= 60 && name.description.is_ascii(), "{name:?}");
        assert!(name.description.starts_with("moshpunch ") && name.description.ends_with(&name.id));
    }

    #[test]
    fn a_title_of_ones_own_is_told_from_others_by_the_id_behind_it() {
        let name = Name::titled("a game: \x1b[2Jünï").unwrap();
        assert_eq!(name.description, format!("a game [2Jn {}", name.id));
        assert_eq!(Name::titled(&"x".repeat(99)).unwrap().description.len(), 60);
    }

    #[test]
    fn names_are_cut_to_plain_short_words() {
        assert_eq!(short("Ünï:x;a b\n"), "nxab");
        assert_eq!(short("a-very-long-host.name.example"), "a-very-long-hos");
    }
}
