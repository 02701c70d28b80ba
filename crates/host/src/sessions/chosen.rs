//! Which sessions are meant.

use std::time::Duration;

use super::seen::{Contact, Session};

/// No session has such an ID.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotFound;

/// By mosh-server's process, as the list and mosh itself name it, or by the name of ours: that has more digits than any
/// process.
pub(super) fn by_id<'a>(sessions: &'a [Session], id: &str) -> Result<&'a Session, NotFound> {
    let is_meant = |session: &&Session| session.id() == id || session.name.as_deref() == Some(id);
    sessions.iter().find(is_meant).ok_or(NotFound)
}

/// Whether `clean` passes over it: all but one that is known to have been silent for so long.
pub(super) fn is_left_alone(session: &Session, older_than: Duration, now: u64) -> bool {
    match session.contact {
        Contact::Silent { since } => now.saturating_sub(since) < older_than.as_secs(),
        Contact::Attached | Contact::Never | Contact::Unknown => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::seen::tests::session;
    use super::*;

    #[test]
    fn an_id_is_a_process_or_a_name_and_no_part_of_one() {
        let ours = Session { name: Some("12345678".into()), ..session(4711) };
        let sessions = [session(47), ours.clone(), session(471)];
        assert_eq!(by_id(&sessions, "4711"), Ok(&ours));
        assert_eq!(by_id(&sessions, "12345678"), Ok(&ours));
        for id in ["4", "1234", "", "4711 ", "04711", "pts/7"] {
            assert_eq!(by_id(&sessions, id), Err(NotFound), "{id}");
        }
    }

    #[test]
    fn only_what_is_known_to_have_been_silent_for_long_is_not_left_alone() {
        let left = |contact, older_than| {
            let session = Session { contact, ..session(4711) };
            is_left_alone(&session, Duration::from_secs(older_than), 10_000)
        };
        assert!(!left(Contact::Silent { since: 9_000 }, 1_000));
        assert!(left(Contact::Silent { since: 9_001 }, 1_000));
        assert!(left(Contact::Silent { since: 20_000 }, 1), "the clock was set back");
        for contact in [Contact::Attached, Contact::Never, Contact::Unknown] {
            assert!(left(contact, 0), "{contact:?}");
        }
    }
}
