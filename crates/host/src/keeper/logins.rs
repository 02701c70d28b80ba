//! The logins that are told what the keeper finds: the one that has started it, and later ones that have come by its socket.

use anyhow::Result;
use rustix::event::{PollFd, PollFlags};

use crate::session::{FromKeeper, Link, Socket, ToKeeper};

/// A laptop on a bad network leaves some behind, each for a quarter of an hour. Beyond these the oldest is told nothing more.
const LOGINS_MAXIMUM: usize = 16;

/// In one turn.
const MESSAGES_MAXIMUM: usize = 32;

pub(super) struct Logins {
    socket: Option<Socket>,
    /// The oldest first.
    links: Vec<Login>,
}

struct Login {
    link: Link,
    /// It has started the keeper, and may tell it what to keep.
    is_first: bool,
}

pub(super) enum Heard {
    Message(ToKeeper),
    /// The login that has started the keeper is over.
    EndOfFirst,
}

impl Logins {
    pub(super) fn new(first: Link) -> Self {
        Self { socket: None, links: vec![Login { link: first, is_first: true }] }
    }

    pub(super) fn listen(&mut self, id: &str) -> Result<()> {
        self.socket = Some(Socket::listen(id)?);
        Ok(())
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        let socket = self.socket.iter().map(|socket| PollFd::new(socket, PollFlags::IN));
        socket.chain(self.links.iter().map(|login| PollFd::new(&login.link, PollFlags::IN)))
    }

    /// A new one is told what is known so far.
    pub(super) fn accept(&mut self, known: &[FromKeeper]) {
        let Some(mut link) = self.socket.as_ref().and_then(Socket::accept) else { return };
        if known.iter().try_for_each(|message| link.send(message)).is_err() {
            return;
        }
        if self.links.len() == LOGINS_MAXIMUM {
            self.links.remove(0);
        }
        self.links.push(Login { link, is_first: false });
    }

    pub(super) fn tell(&mut self, message: &FromKeeper) {
        self.links.retain_mut(|login| {
            let sent = login.link.send(message);
            sent.inspect_err(|error| tracing::debug!(%error, "nobody to tell")).is_ok()
        });
    }

    /// What the first has said. The others are looked after here.
    pub(super) fn hear(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        let mut at = 0;
        for _ in 0..MESSAGES_MAXIMUM {
            let Some(Login { link, is_first }) = self.links.get_mut(at) else { break };
            match link.receive() {
                Ok(None) => at += 1,
                Ok(Some(ToKeeper::Delivered)) => {
                    self.supersede(at);
                    at = 0;
                }
                Ok(Some(message)) if *is_first => heard.push(Heard::Message(message)),
                Ok(Some(_)) => {}
                Err(error) => {
                    tracing::debug!(%error, "a login has ended");
                    if self.links.remove(at).is_first {
                        heard.push(Heard::EndOfFirst);
                    }
                }
            }
        }
        heard
    }

    /// The laptop is at the end of that one by now.
    fn supersede(&mut self, newest: usize) {
        for mut older in self.links.drain(..newest) {
            let _it_may_be_gone = older.link.send(&FromKeeper::Superseded);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::session::Name;

    /// With the id of a session of its own, whatever runs on this machine.
    fn listening() -> (Logins, Link, String) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut logins = Logins::new(Link::new(ours).unwrap());
        let id = Name::new().unwrap().id;
        logins.listen(&id).unwrap();
        (logins, Link::new(theirs).unwrap(), id)
    }

    fn join(logins: &mut Logins, id: &str) -> Link {
        let link = Socket::connect(id).unwrap();
        logins.accept(&[FromKeeper::Hears]);
        link
    }

    fn told(link: &mut Link) -> Vec<String> {
        std::iter::from_fn(|| link.receive::<FromKeeper>().ok().flatten())
            .map(|message| format!("{message:?}"))
            .collect()
    }

    #[test]
    fn only_older_logins_are_superseded_and_only_once_a_datagram_has_come() {
        let (mut logins, mut first, id) = listening();
        let mut second = join(&mut logins, &id);
        let mut third = join(&mut logins, &id);
        assert!(logins.hear().is_empty());
        assert_eq!(told(&mut first), [""; 0]);
        second.send(&ToKeeper::Delivered).unwrap();
        assert!(logins.hear().is_empty());
        assert_eq!(told(&mut first), ["Superseded"]);
        assert_eq!(told(&mut second), ["Hears"]);
        assert_eq!(told(&mut third), ["Hears"]);
        logins.tell(&FromKeeper::Hears);
        assert_eq!([told(&mut second), told(&mut third)], [["Hears"], ["Hears"]]);
    }

    #[test]
    fn what_to_keep_is_for_the_first_alone_to_say() {
        let (mut logins, mut first, id) = listening();
        let mut second = join(&mut logins, &id);
        let told = ToKeeper::Told { port: 7.try_into().unwrap() };
        second.send(&told).unwrap();
        assert!(logins.hear().is_empty());
        first.send(&told).unwrap();
        assert!(matches!(logins.hear()[..], [Heard::Message(ToKeeper::Told { .. })]));
        drop((first, second));
        assert!(matches!(logins.hear()[..], [Heard::EndOfFirst]));
        assert!(logins.links.is_empty());
    }

    #[test]
    fn of_too_many_the_oldest_is_told_nothing_more() {
        let (mut logins, mut first, id) = listening();
        let links: Vec<_> = (0..LOGINS_MAXIMUM).map(|_| join(&mut logins, &id)).collect();
        assert_eq!(logins.links.len(), links.len());
        assert!(first.receive::<FromKeeper>().is_err());
    }

    #[test]
    fn one_that_floods_leaves_the_others_their_turns() {
        let (mut logins, mut first, _) = listening();
        for _ in 0..3 * MESSAGES_MAXIMUM {
            first.send(&ToKeeper::Delivered).unwrap();
        }
        logins.hear();
        let left = std::iter::from_fn(|| logins.links[0].link.receive::<ToKeeper>().unwrap());
        assert_eq!(left.count(), 2 * MESSAGES_MAXIMUM);
    }
}
