//! What a login is told: that sessions of the same user are there, and have been left.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::seen::{Contact, Session};
use super::{gather, seen, table};
use net::clock;

/// Beyond the time in which mosh-server starts, beside which it is looked: on a machine that is too busy nothing is told.
const PATIENCE: Duration = Duration::from_millis(20);

/// What is looked for while mosh-server starts.
pub(crate) struct Notice(Receiver<Option<String>>);

impl Notice {
    pub(crate) fn begin() -> Self {
        let (said, hears) = channel();
        thread::spawn(move || {
            let sessions = seen::sessions(gather::facts(false));
            said.send(text(&sessions, clock::unix_seconds()))
        });
        Self(hears)
    }

    /// In one line, if it is known by now.
    pub(crate) fn tell(self) {
        if let Ok(Some(text)) = self.0.recv_timeout(PATIENCE) {
            report::note(text);
        }
    }
}

fn text(sessions: &[Session], now: u64) -> Option<String> {
    let silent = sessions.iter().filter_map(|session| match session.contact {
        Contact::Silent { since } => Some(since),
        Contact::Attached | Contact::Never | Contact::Unknown => None,
    });
    let longest = table::span(now.saturating_sub(silent.clone().min()?));
    let what = match silent.count() {
        1 => format!("a detached session of yours is here, silent for {longest}"),
        count => format!("{count} detached sessions of yours are here, the oldest silent for {longest}"),
    };
    Some(format!("{what}; `moshpunch sessions list` on this host shows what is here, `clean` ends old ones"))
}

#[cfg(test)]
mod tests {
    use super::super::seen::tests::session;
    use super::*;

    #[test]
    fn only_what_is_known_to_be_left_is_told() {
        let with = |contact| Session { contact, ..session(7) };
        let none = [with(Contact::Attached), with(Contact::Never), with(Contact::Unknown)];
        assert_eq!(text(&none, 10_000), None);
        let one = [with(Contact::Silent { since: 9_400 }), with(Contact::Attached)];
        assert_eq!(
            text(&one, 10_000).unwrap(),
            "a detached session of yours is here, silent for 10 min; `moshpunch sessions list` on this host shows \
             what is here, `clean` ends old ones"
        );
        let two = [with(Contact::Silent { since: 9_400 }), with(Contact::Silent { since: 2_800 })];
        assert!(
            text(&two, 10_000)
                .unwrap()
                .starts_with("2 detached sessions of yours are here, the oldest silent for 2 h")
        );
    }
}
