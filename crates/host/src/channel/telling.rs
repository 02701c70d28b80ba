//! What our own client is told of what the keeper finds: a way to the session, or why there is none.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use wire::channel::Frame;
use wire::offer::{Candidate, Kind, Offer};

use crate::cause::{Cause, Trouble};
use crate::session::{Answer, Mapped, Opening};

/// How long the address of a mapping is waited for that came without: the keeper asks for it again within four seconds.
const PATIENCE_FOR_AN_ADDRESS: Duration = Duration::from_secs(6);

/// Until somebody reads it. A gateway that changes its mind faster is nobody's way in.
const UNREAD_MAXIMUM: usize = 16;

/// What there is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Offer(Offer),
    Trouble(report::Trouble),
}

impl Said {
    pub(super) fn frame(self) -> Frame {
        match self {
            Self::Offer(offer) => Frame::Offer(offer),
            Self::Trouble(report::Trouble { machine, step, cause }) => {
                Frame::Trouble(wire::channel::Trouble {
                    machine: machine.word().to_owned(),
                    step: step.word().to_owned(),
                    what: cause.what,
                    cure: cause.cure,
                })
            }
        }
    }
}

/// The offer is complete once every opening was answered, or none is waited for any more. Then only what is new is said.
#[derive(Debug)]
pub(crate) struct Telling {
    /// Not yet answered.
    openings: Vec<Opening>,
    /// What to say of a mapping that is there, should its address not become known.
    nowhere: Option<Trouble>,
    deadline: Instant,
    is_complete: bool,
    /// The latest that was said of each opening.
    told: Vec<(Opening, Said)>,
    unread: VecDeque<Said>,
}

impl Telling {
    /// Waits for `openings` until `deadline`.
    pub(crate) fn of(openings: Vec<Opening>, deadline: Instant) -> Self {
        let is_complete = openings.is_empty();
        Self { openings, nowhere: None, deadline, is_complete, told: Vec::new(), unread: VecDeque::new() }
    }

    /// Of a session whose offer has been told with `candidates`.
    pub(crate) fn after(candidates: &[Candidate], now: Instant) -> Self {
        let mut telling = Self::of(Vec::new(), now);
        telling.told =
            candidates.iter().filter_map(|&candidate| Some((opening(candidate)?, only(candidate)))).collect();
        telling
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The next thing to say.
    pub(crate) fn poll(&mut self) -> Option<Said> {
        self.unread.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        (!self.is_complete).then_some(self.deadline)
    }

    pub(crate) fn trouble(&mut self, trouble: report::Trouble) {
        self.say(Said::Trouble(trouble));
    }

    /// This host can be reached there, too, whatever its gateways open.
    pub(crate) fn offer(&mut self, candidates: Vec<Candidate>) {
        if !candidates.is_empty() {
            self.say(Said::Offer(Offer { candidates, more: !self.is_complete }));
        }
    }

    pub(crate) fn handle_answer(&mut self, Answer { opening, outcome, more }: Answer, now: Instant) {
        let candidate = match outcome {
            Ok(Mapped { external_address: None, caution, .. }) => {
                self.nowhere = caution;
                self.deadline = self.deadline.min(now + PATIENCE_FOR_AN_ADDRESS);
                return;
            }
            Ok(Mapped { external_address, external_port, caution }) => {
                caution.into_iter().for_each(|caution| self.trouble_about(opening, caution));
                opened(opening, external_address, external_port)
            }
            Err(failure) => {
                self.trouble_about(opening, failure);
                None
            }
        };
        self.openings.retain(|open| *open != opening);
        if self.is_complete {
            candidate.into_iter().for_each(|candidate| self.news(opening, only(candidate)));
        } else if candidate.is_some() || !more {
            self.tell(candidate, more);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if !self.is_complete && now >= self.deadline {
            self.give_up(&Cause::TooSlow.trouble());
        }
    }

    /// The keeper says nothing any more.
    pub(crate) fn handle_end_of_keeper(&mut self, error: &anyhow::Error) {
        if !self.is_complete {
            self.give_up(&Cause::broken(error).trouble());
        }
    }

    /// There is nobody who could answer.
    pub(crate) fn abandon(&mut self, failure: &Trouble) {
        self.trouble(failure.put_into_words());
        if !self.is_complete {
            self.openings.clear();
            self.tell(None, false);
        }
    }

    fn give_up(&mut self, failure: &Trouble) {
        for opening in std::mem::take(&mut self.openings) {
            let nowhere = self.nowhere.take_if(|_| opening == Opening::Mapping);
            self.trouble_about(opening, nowhere.unwrap_or_else(|| failure.clone()));
        }
        self.tell(None, false);
    }

    fn tell(&mut self, candidate: Option<Candidate>, more: bool) {
        let told = candidate.and_then(|candidate| Some((opening(candidate)?, only(candidate))));
        self.told.extend(told);
        self.is_complete = !more;
        self.say(Said::Offer(Offer { candidates: candidate.into_iter().collect(), more }));
    }

    /// Many networks let IPv6 in without being asked, so that a pinhole that cannot be had says little.
    fn trouble_about(&mut self, opening: Opening, trouble: Trouble) {
        match opening {
            Opening::Mapping => self.news(opening, Said::Trouble(trouble.put_into_words())),
            Opening::Pinhole => tracing::debug!(?trouble, "no pinhole"),
        }
    }

    fn news(&mut self, opening: Opening, said: Said) {
        let is_alike = |told: &Said| matches!(told, Said::Offer(_)) == matches!(said, Said::Offer(_));
        let latest = self.told.iter().position(|(of, told)| *of == opening && is_alike(told));
        if latest.is_some_and(|latest| self.told[latest].1 == said) {
            return;
        }
        latest.into_iter().for_each(|latest| drop(self.told.remove(latest)));
        self.told.push((opening, said.clone()));
        self.say(said);
    }

    fn say(&mut self, said: Said) {
        if self.unread.len() == UNREAD_MAXIMUM {
            self.unread.pop_front();
        }
        self.unread.push_back(said);
    }
}

/// Where a gateway says that it listens for us.
pub(crate) fn opened(opening: Opening, address: Option<IpAddr>, port: NonZeroU16) -> Option<Candidate> {
    let kind = match opening {
        Opening::Mapping => Kind::Mapped,
        Opening::Pinhole => Kind::Pinhole,
    };
    let address = address.filter(|address| !address.is_unspecified())?;
    Some(Candidate { kind, address, port })
}

fn opening(candidate: Candidate) -> Option<Opening> {
    match candidate.kind {
        Kind::Host => None,
        Kind::Mapped => Some(Opening::Mapping),
        Kind::Pinhole => Some(Opening::Pinhole),
    }
}

fn only(candidate: Candidate) -> Said {
    Said::Offer(Offer { candidates: vec![candidate], more: false })
}

#[cfg(test)]
mod tests {
    use net::clock;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn answer(opening: Opening, outcome: Result<Mapped, Trouble>, more: bool) -> Answer {
        Answer { opening, outcome, more }
    }

    fn mapped(address: Option<[u8; 4]>) -> Mapped {
        let external_port = NonZeroU16::new(60017).unwrap();
        Mapped { external_address: address.map(IpAddr::from), external_port, caution: None }
    }

    fn told(telling: &mut Telling) -> Vec<String> {
        std::iter::from_fn(|| telling.poll())
            .map(|said| said.frame().encode().trim_end().to_owned())
            .collect()
    }

    const TOO_SLOW: &str = "MOSHPUNCH TROUBLE router mapping the router did not answer in time";

    #[test]
    fn each_line_says_whether_another_comes() {
        let now = clock::now();
        let mut telling = Telling::of(vec![Opening::Mapping, Opening::Pinhole], now + SOON);
        telling.handle_answer(answer(Opening::Mapping, Ok(mapped(Some([20, 0, 0, 1]))), true), now);
        assert!(!telling.is_complete());
        telling.handle_answer(answer(Opening::Pinhole, Err(Cause::TooSlow.trouble()), false), now);
        let expected = ["MOSHPUNCH OFFER 1 mapped=20.0.0.1:60017 more", "MOSHPUNCH OFFER 1"];
        assert_eq!(told(&mut telling), expected, "of a pinhole that cannot be had nothing is told");
        assert!(telling.is_complete() && telling.poll_timeout().is_none());
    }

    #[test]
    fn where_nobody_can_answer_the_cause_is_told_and_nothing_is_waited_for() {
        let mut telling = Telling::of(vec![Opening::Mapping, Opening::Pinhole], clock::now() + SOON);
        telling.abandon(&Cause::TooSlow.trouble());
        let told = told(&mut telling);
        assert!(told[0].starts_with(TOO_SLOW) && told[1..] == ["MOSHPUNCH OFFER 1"], "{told:?}");
        assert!(telling.is_complete() && telling.poll_timeout().is_none());
    }

    #[test]
    fn a_new_address_of_this_host_completes_nothing() {
        let now = clock::now();
        let mut telling = Telling::of(vec![Opening::Mapping], now + SOON);
        let port = NonZeroU16::new(60001).unwrap();
        let own = || vec![Candidate { kind: Kind::Host, address: [192, 168, 7, 7].into(), port }];
        telling.offer(own());
        telling.handle_answer(answer(Opening::Mapping, Ok(mapped(Some([20, 0, 0, 1]))), false), now);
        telling.offer(own());
        telling.offer(Vec::new());
        let expected = [
            "MOSHPUNCH OFFER 1 host=192.168.7.7:60001 more",
            "MOSHPUNCH OFFER 1 mapped=20.0.0.1:60017",
            "MOSHPUNCH OFFER 1 host=192.168.7.7:60001",
        ];
        assert_eq!(told(&mut telling), expected);
    }

    #[test]
    fn who_is_waited_for_in_vain_is_named() {
        let now = clock::now();
        let mut telling = Telling::of(vec![Opening::Mapping, Opening::Pinhole], now + SOON);
        telling.handle_timeout(now);
        assert_eq!(told(&mut telling), [""; 0]);
        telling.handle_timeout(now + SOON);
        let lines = told(&mut telling);
        assert!(lines.len() == 2 && lines[0].starts_with(TOO_SLOW), "{lines:?}");
        assert_eq!(lines[1], "MOSHPUNCH OFFER 1");
    }

    #[test]
    fn an_address_that_comes_later_is_waited_for_a_little() {
        let now = clock::now();
        let mut telling = Telling::of(vec![Opening::Mapping], now + SOON);
        let caution = Some(Cause::TooSlow.trouble());
        let nowhere = Mapped { caution, ..mapped(None) };
        telling.handle_answer(answer(Opening::Mapping, Ok(nowhere), false), now);
        assert_eq!(telling.poll_timeout(), Some(now + PATIENCE_FOR_AN_ADDRESS));
        telling.handle_end_of_keeper(&anyhow::anyhow!("gone"));
        assert!(told(&mut telling)[0].starts_with(TOO_SLOW), "what was known of it, not what followed");
    }

    #[test]
    fn a_mapping_that_comes_late_or_moves_is_told_and_no_failure_twice() {
        let now = clock::now();
        let mut telling = Telling::of(vec![Opening::Mapping], now);
        telling.handle_timeout(now);
        told(&mut telling);
        for _ in 0..3 {
            telling.handle_answer(answer(Opening::Mapping, Err(Cause::TooSlow.trouble()), false), now);
        }
        assert_eq!(told(&mut telling), [""; 0], "it was told at the deadline");
        for (address, expected) in
            [([20, 0, 0, 1], 1), ([20, 0, 0, 1], 0), ([20, 0, 0, 2], 1), ([20, 0, 0, 1], 1)]
        {
            telling.handle_answer(answer(Opening::Mapping, Ok(mapped(Some(address))), true), now);
            let lines = told(&mut telling);
            assert_eq!(lines.len(), expected, "{lines:?}");
            assert!(lines.iter().all(|line| !line.ends_with("more")), "{lines:?}");
        }
        telling.handle_end_of_keeper(&anyhow::anyhow!("killed"));
        assert_eq!(told(&mut telling), [""; 0]);
    }

    #[test]
    fn of_what_nobody_reads_little_is_kept() {
        let now = clock::now();
        let mut telling = Telling::after(&[], now);
        for last in 0..=255 {
            telling.handle_answer(answer(Opening::Mapping, Ok(mapped(Some([20, 0, 0, last]))), false), now);
        }
        let lines = told(&mut telling);
        assert_eq!(lines.len(), UNREAD_MAXIMUM);
        assert_eq!(lines.last().unwrap(), "MOSHPUNCH OFFER 1 mapped=20.0.0.255:60017");
        assert!(telling.told.len() <= 2);
    }
}
