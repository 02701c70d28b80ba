//! The logins that are told what the keeper finds: the one that has started it, and later ones that have come by its socket.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags};
use wire::opener::Cookie;

use crate::session::{FromKeeper, Link, Socket, ToKeeper};

/// A laptop on a bad network leaves some behind, each for a quarter of an hour. Beyond these the oldest is told nothing more.
const LOGINS_MAXIMUM: usize = 16;

/// In one turn.
const MESSAGES_MAXIMUM: usize = 32;

pub(super) struct Logins {
    socket: Option<Socket>,
    /// The oldest first.
    links: Vec<Login>,
    /// How many there were.
    count: u64,
}

/// One of them, whoever else has gone meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(u64);

struct Login {
    number: Number,
    link: Link,
    /// It has started the keeper, and may tell it what to keep.
    is_first: bool,
}

pub(super) enum Heard {
    /// Of the login that has started the keeper, and what came with it.
    Message(ToKeeper, Option<OwnedFd>),
    /// A round is asked for.
    Punch { by: Number, round: u32, cookie: Cookie, to: Vec<SocketAddr>, stun: Vec<SocketAddr> },
    /// The login that has started the keeper is over.
    EndOfFirst,
}

impl Logins {
    pub(super) fn new(first: Link) -> Self {
        let first = Login { number: Number(0), link: first, is_first: true };
        Self { socket: None, links: vec![first], count: 1 }
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
        self.links.push(Login { number: Number(self.count), link, is_first: false });
        self.count += 1;
    }

    pub(super) fn tell(&mut self, message: &FromKeeper) {
        self.links.retain_mut(|login| {
            let sent = login.link.send(message);
            sent.inspect_err(|error| tracing::debug!(%error, "nobody to tell")).is_ok()
        });
    }

    pub(super) fn answer(&mut self, to: Number, message: &FromKeeper) {
        let login = self.links.iter_mut().find(|login| login.number == to);
        let sent = login.map_or(Ok(()), |login| login.link.send(message));
        let _whoever_is_gone_is_found_by_hearing = sent.inspect_err(|error| tracing::debug!(%error));
    }

    /// What the first has said, and what anyone may ask for. The rest is looked after here.
    pub(super) fn hear(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        let mut at = 0;
        for _ in 0..MESSAGES_MAXIMUM {
            let Some(Login { number, link, is_first }) = self.links.get_mut(at) else { break };
            match link.receive_with() {
                Ok(None) => at += 1,
                Ok(Some((ToKeeper::Delivered, _))) => {
                    self.supersede(at);
                    at = 0;
                }
                Ok(Some((ToKeeper::Punch { round, cookie, to, stun }, _))) => {
                    heard.push(Heard::Punch { by: *number, round, cookie, to, stun });
                }
                Ok(Some((message, descriptor))) if *is_first => {
                    heard.push(Heard::Message(message, descriptor));
                }
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
        assert!(matches!(logins.hear()[..], [Heard::Message(ToKeeper::Told { .. }, None)]));
        drop((first, second));
        assert!(matches!(logins.hear()[..], [Heard::EndOfFirst]));
        assert!(logins.links.is_empty());
    }

    #[test]
    fn a_round_is_anyones_to_ask_for_and_the_answer_is_for_no_other() {
        let (mut logins, mut first, id) = listening();
        let mut second = join(&mut logins, &id);
        let mut third = join(&mut logins, &id);
        told(&mut second);
        let round = |round| ToKeeper::Punch {
            round,
            cookie: Cookie::new([7; 16]),
            to: vec![([20, 0, 0, 9], 5).into()],
            stun: Vec::new(),
        };
        second.send(&round(1)).unwrap();
        third.send(&round(2)).unwrap();
        let heard = logins.hear();
        let [Heard::Punch { by, round: 1, .. }, Heard::Punch { by: gone, round: 2, .. }] = heard[..] else {
            panic!("two rounds were asked for")
        };
        drop(third);
        logins.hear();
        let answer = |round| FromKeeper::Punched { round, outcome: Ok(Vec::new()) };
        logins.answer(by, &answer(1));
        logins.answer(gone, &answer(2));
        assert_eq!(told(&mut first), [""; 0]);
        assert_eq!(told(&mut second), ["Punched { round: 1, outcome: Ok([]) }"]);
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
