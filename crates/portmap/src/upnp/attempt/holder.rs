//! Whose an entry of the router's table is.

use std::net::IpAddr;

use crate::upnp::soap::{InternalClient, PortMappingEntry};

/// How the router's table lists what we added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Listing {
    /// With our address, our port and the name that was sent, perhaps cut.
    #[default]
    AsAsked,
    /// Nobody had the port before we asked for it. What stands there now was not read yet.
    Unread,
    /// As the router wrote it instead: some rewrite the name, some the address.
    Rewritten { client: InternalClient, internal_port: u16, description: String },
}

/// A mapping of ours, as an entry of the table is compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ours<'a> {
    pub internal: IpAddr,
    pub internal_port: u16,
    /// As it was sent.
    pub description: &'a str,
    pub listing: &'a Listing,
}

impl Ours<'_> {
    /// Another session's entry is another's, even with our address: a second NAT makes two hosts look like one
    /// (ARCHITECTURE, invariant 2).
    #[must_use]
    pub fn is(&self, entry: &PortMappingEntry) -> bool {
        match self.listing {
            Listing::AsAsked => self.is_as_asked(entry),
            Listing::Unread => match id(&entry.description) {
                Some(theirs) => id(self.description) == Some(theirs),
                None => self.is_target_of(entry),
            },
            rewritten @ Listing::Rewritten { .. } => {
                self.is_as_asked(entry) || *rewritten == Listing::of_rewritten(entry)
            }
        }
    }

    /// Whether what the entry says may well reach us: the name that a router gives to a host may be ours.
    pub(super) fn may_be_target_of(&self, entry: &PortMappingEntry) -> bool {
        let client = match entry.internal_client {
            InternalClient::Address(address) => address == self.internal || address.is_unspecified(),
            InternalClient::Name(_) => true,
        };
        client && entry.internal_port == self.internal_port
    }

    /// How the entry, which is this mapping's, is listed. What was rewritten once may be read so again.
    pub(super) fn listed(&self, entry: &PortMappingEntry) -> Listing {
        match (self.is_as_asked(entry), self.listing) {
            (false, _) => Listing::of_rewritten(entry),
            (true, rewritten @ Listing::Rewritten { .. }) => rewritten.clone(),
            (true, Listing::AsAsked | Listing::Unread) => Listing::AsAsked,
        }
    }

    fn is_as_asked(&self, entry: &PortMappingEntry) -> bool {
        self.is_target_of(entry) && is_named(&entry.description, self.description)
    }

    fn is_target_of(&self, entry: &PortMappingEntry) -> bool {
        entry.internal_client == InternalClient::Address(self.internal)
            && entry.internal_port == self.internal_port
    }
}

impl Listing {
    fn of_rewritten(entry: &PortMappingEntry) -> Self {
        let (client, description) = (entry.internal_client.clone(), entry.description.clone());
        Self::Rewritten { client, internal_port: entry.internal_port, description }
    }
}

/// Whether an entry with this description in the router's table may be the one that was added as `ours`.
///
/// Routers cut descriptions, leave them out, or put a word before them.
fn is_named(description: &str, ours: &str) -> bool {
    let description = description.trim();
    ours.starts_with(description) || description.contains(ours)
}

/// Whether the description is that of another moshpunch: ours ends with an id, as every other's does.
pub(super) fn names_another(description: &str, ours: &str) -> bool {
    id(description).is_some_and(|theirs| id(ours) != Some(theirs))
}

fn id(description: &str) -> Option<&str> {
    let is_id = |word: &&str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    description.split_whitespace().last().filter(is_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "moshpunch alice@server 1a2b3c4d";
    const ANOTHERS: &str = "moshpunch bob@server 99999999";

    fn entry(client: &str, internal_port: u16, description: &str) -> PortMappingEntry {
        PortMappingEntry {
            external_port: None,
            transport: None,
            internal_client: match client.parse() {
                Ok(address) => InternalClient::Address(address),
                Err(_) => InternalClient::Name(client.into()),
            },
            internal_port,
            enabled: true,
            description: description.into(),
            lease_seconds: None,
        }
    }

    fn is_ours(listing: &Listing, entry: &PortMappingEntry) -> bool {
        let internal = "192.168.1.10".parse().unwrap();
        Ours { internal, internal_port: 60001, description: OURS, listing }.is(entry)
    }

    #[test]
    fn an_entry_is_ours_by_address_port_and_name() {
        let ours = |client, port, description| is_ours(&Listing::AsAsked, &entry(client, port, description));
        assert!(ours("192.168.1.10", 60001, OURS));
        assert!(ours("192.168.1.10", 60001, "moshpunch alice@ser"));
        assert!(ours("192.168.1.10", 60001, ""));
        assert!(!ours("192.168.1.10", 60001, "UPnP"));
        assert!(!ours("192.168.1.10", 60001, ANOTHERS));
        assert!(!ours("192.168.1.10", 60002, OURS));
        assert!(!ours("192.168.1.20", 60001, OURS));
    }

    #[test]
    fn quirk_46_on_a_port_that_was_free_what_leads_to_us_or_has_our_name_is_ours() {
        let ours = |client, port, description| is_ours(&Listing::Unread, &entry(client, port, description));
        assert!(ours("192.168.1.10", 60001, "UPnP"));
        assert!(ours("192.168.1.10", 60001, "moshpunch_alice@server_1a2b3c4d"));
        assert!(!ours("192.168.1.10", 60001, ANOTHERS));
        assert!(ours("192.168.1.20", 60001, OURS), "whatever it leads to");
        assert!(!ours("192.168.1.20", 60001, "UPnP"));
        assert!(!ours("server.lan", 60001, "UPnP"));
    }

    #[test]
    fn quirk_39_what_was_rewritten_once_is_known_again_and_nothing_else() {
        let listing = Listing::of_rewritten(&entry("server.lan", 60001, "UPnP"));
        let ours = |client, port, description| is_ours(&listing, &entry(client, port, description));
        assert!(ours("server.lan", 60001, "UPnP"));
        assert!(ours("192.168.1.10", 60001, OURS));
        assert!(!ours("server.lan", 60001, "another"));
        assert!(!ours("server.lan", 60002, "UPnP"));
        assert!(!ours("laptop.lan", 60001, "UPnP"));
    }

    #[test]
    fn what_was_rewritten_is_known_as_that_after_it_was_once_read_as_asked() {
        let listing = Listing::of_rewritten(&entry("192.168.1.10", 60001, "UPnP"));
        let internal = "192.168.1.10".parse().unwrap();
        let ours = Ours { internal, internal_port: 60001, description: OURS, listing: &listing };
        assert_eq!(ours.listed(&entry("192.168.1.10", 60001, "")), listing);
    }
}
