//! What a login is told: that sessions of the same user are there, and have been left.

use net::clock;

use super::seen::{self, Contact};
use super::{gather, table};
use crate::session::{FromKeeper, Link};

/// How many are looked at: more need not be counted.
const SESSIONS_MAXIMUM: usize = 16;

/// What is looked for while mosh-server starts.
pub(crate) struct Notice {
    /// Since when, each in seconds since 1970.
    silent: Vec<u64>,
    /// Where no mosh-server writes that down. Who has not answered once mosh-server is up is not waited for.
    asked: Vec<Link>,
}

impl Notice {
    pub(crate) fn begin() -> Self {
        let begun = clock::now();
        let notice = match gather::facts_of_the_left(SESSIONS_MAXIMUM) {
            Some(facts) => {
                let contacts = seen::sessions(facts).into_iter().map(|session| session.contact);
                Self { silent: contacts.filter_map(silent).collect(), asked: Vec::new() }
            }
            None => Self { silent: Vec::new(), asked: gather::asked_keepers(SESSIONS_MAXIMUM) },
        };
        tracing::debug!(took = ?clock::now() - begun, "looked for sessions that were left");
        notice
    }

    /// In one line, if there are any.
    pub(crate) fn tell(self) {
        let now = clock::unix_seconds();
        let answers = self.asked.into_iter().filter_map(|mut link| link.receive().ok().flatten());
        let by_keepers = answers.filter_map(|answer| match answer {
            FromKeeper::Session { last_traffic, .. } => silent(seen::by_traffic(last_traffic, now)),
            _ => None,
        });
        if let Some(text) = text(&by_keepers.chain(self.silent).collect::<Vec<_>>(), now) {
            report::note(text);
        }
    }
}

fn silent(contact: Contact) -> Option<u64> {
    match contact {
        Contact::Silent { since } => Some(since),
        Contact::Attached | Contact::Never | Contact::Unknown => None,
    }
}

fn text(silent: &[u64], now: u64) -> Option<String> {
    let longest = table::span(now.saturating_sub(*silent.iter().min()?));
    let what = match silent.len() {
        1 => format!("a detached session of yours is here, silent for {longest}"),
        count => {
            let more = if count >= SESSIONS_MAXIMUM { " or more" } else { "" };
            format!("{count}{more} detached sessions of yours are here, the oldest silent for {longest}")
        }
    };
    Some(format!("{what}; `moshpunch sessions list` on this host shows what is here, `clean` ends old ones"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_in_one_line() {
        assert_eq!(text(&[], 10_000), None);
        assert_eq!(
            text(&[9_400], 10_000).unwrap(),
            "a detached session of yours is here, silent for 10 min; `moshpunch sessions list` on this host shows \
             what is here, `clean` ends old ones"
        );
        let two = text(&[9_400, 2_800], 10_000).unwrap();
        assert!(
            two.starts_with("2 detached sessions of yours are here, the oldest silent for 2 h; "),
            "{two}"
        );
        assert!(text(&[9_400; 16], 10_000).unwrap().starts_with("16 or more detached sessions"));
    }

    #[test]
    fn only_what_is_known_to_be_left_counts() {
        for contact in [Contact::Attached, Contact::Never, Contact::Unknown] {
            assert_eq!(silent(contact), None);
        }
        assert_eq!(silent(Contact::Silent { since: 7 }), Some(7));
    }
}
