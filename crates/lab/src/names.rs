//! Who is called what, as each host sees it: the lab's stand-in for DNS.

use std::fmt::Write as _;

use crate::place::{Attachment, Place};

/// The text of /etc/hosts for `viewer`. A name stands for the addresses on the links that the two share, or for
/// all of its addresses where they share none.
pub(crate) fn hosts_file(viewer: &Place, places: &[Place]) -> String {
    let mut text = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost\n");
    for (name, address) in &viewer.known {
        writeln!(text, "{address} {name}").expect("a String takes every write");
    }
    for place in places {
        for address in addresses_seen_by(viewer, place) {
            writeln!(text, "{address} {}", place.name).expect("a String takes every write");
        }
    }
    text
}

fn addresses_seen_by<'a>(viewer: &Place, place: &'a Place) -> Vec<&'a str> {
    let shared = |attachment: &&Attachment| viewer.attachments.iter().any(|own| own.link == attachment.link);
    let near = without_prefix(place.attachments.iter().filter(shared));
    if near.is_empty() { without_prefix(place.attachments.iter()) } else { near }
}

fn without_prefix<'a>(attachments: impl Iterator<Item = &'a Attachment>) -> Vec<&'a str> {
    attachments
        .flat_map(|attachment| &attachment.addresses)
        .map(|address| address.split_once('/').map_or(address.as_str(), |(bare, _)| bare))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str, attachments: &[(&str, &[&str])]) -> Place {
        let attachments = attachments.iter().map(|(link, addresses)| Attachment {
            interface: String::new(),
            link: (*link).to_owned(),
            addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
        });
        Place { name: name.to_owned(), attachments: attachments.collect(), ..Place::default() }
    }

    #[test]
    fn a_router_is_called_by_the_address_on_the_viewers_side() {
        let router =
            place("router", &[("internet", &["20.0.0.1/24", "2001:db8::1/64"]), ("home", &["10.0.0.1/8"])]);
        let laptop = place("laptop", &[("internet", &["20.0.0.9/24"])]);
        let server = place("server", &[("home", &["10.0.0.2/8"])]);
        let places = [router, laptop.clone(), server.clone()];
        assert!(
            hosts_file(&laptop, &places).contains("20.0.0.1 router\n2001:db8::1 router\n20.0.0.9 laptop\n")
        );
        assert!(hosts_file(&server, &places).contains("\n10.0.0.1 router\n20.0.0.9 laptop\n"));
        assert!(!hosts_file(&server, &places).contains("20.0.0.1"));
    }

    #[test]
    fn names_that_a_host_was_told_come_first() {
        let mut laptop = place("laptop", &[]);
        laptop.known.push(("router".to_owned(), "20.0.0.7".to_owned()));
        let router = place("router", &[("internet", &["20.0.0.1/24"])]);
        let text = hosts_file(&laptop, &[router]);
        assert!(text.find("20.0.0.7 router").unwrap() < text.find("20.0.0.1 router").unwrap());
    }
}
