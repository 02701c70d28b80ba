use super::*;
use crate::channel::credit::WINDOW;

#[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
fn start() -> Instant {
    Instant::now()
}

fn datagram(number: u64) -> Frame {
    Frame::Datagram { number, tos: 0, datagram: vec![0; 100] }
}

fn frames(talk: &mut Talk, now: Instant) -> Vec<Frame> {
    std::iter::from_fn(|| talk.poll_frame(now)).collect()
}

#[test]
fn many_datagrams_are_answered_by_one_line_and_before_all_else() {
    let (mut talk, now) = (Talk::new(WINDOW, start()), start());
    talk.carry(3, &[7; 30], now);
    talk.say(Frame::Bye { reason: None });
    for number in [1, 2, 9, 3] {
        assert_eq!(
            talk.handle(datagram(number), now),
            Some(Heard::Datagram { tos: 0, datagram: vec![0; 100] })
        );
    }
    let carried = Frame::Datagram { number: 1, tos: 3, datagram: vec![7; 30] };
    assert_eq!(
        frames(&mut talk, now),
        [Frame::Delivered { number: 9 }, Frame::Bye { reason: None }, carried]
    );
    talk.handle(datagram(4), now);
    assert_eq!(frames(&mut talk, now), [], "what was answered is not answered again");
}

#[test]
fn a_ping_is_answered_and_of_a_flood_not_all() {
    let (mut talk, now) = (Talk::new(WINDOW, start()), start());
    (0..10_000).for_each(|number| {
        assert_eq!(talk.handle(Frame::Ping { number }, now), None);
    });
    let answers = frames(&mut talk, now);
    assert_eq!(answers.len(), SAYINGS_MAXIMUM);
    assert_eq!(answers[1], Frame::Pong { number: 1 });
}

#[test]
fn an_idle_channel_is_pinged_once_a_minute_and_a_busy_one_is_not() {
    let begin = start();
    let mut talk = Talk::new(WINDOW, begin);
    let busy = begin + PING_INTERVAL / 2;
    talk.handle(Frame::Delivered { number: 0 }, busy);
    talk.handle_timeout(begin + PING_INTERVAL);
    assert_eq!(frames(&mut talk, begin + PING_INTERVAL), []);
    assert_eq!(talk.poll_timeout(), Some(busy + PING_INTERVAL));
    let due = busy + PING_INTERVAL;
    talk.handle_timeout(due);
    assert_eq!(frames(&mut talk, due), [Frame::Ping { number: 1 }]);
    let answered = due + Duration::from_millis(50);
    talk.handle(Frame::Pong { number: 1 }, answered);
    assert_eq!((talk.round_trip(), talk.is_suspect()), (Some(Duration::from_millis(50)), false));
    assert_eq!(talk.poll_timeout(), Some(answered + PING_INTERVAL));
}

#[test]
fn one_that_is_distrusted_is_suspect_until_it_answers() {
    let now = start();
    let mut talk = Talk::new(WINDOW, now);
    talk.distrust(now);
    assert!(talk.is_suspect());
    let line = talk.poll_line(now);
    assert_eq!(line.as_deref(), Some("MOSHPUNCH PING 1\n"));
    talk.handle_timeout(now);
    assert!(talk.is_suspect());
    talk.handle(Frame::Pong { number: 1 }, now);
    assert!(!talk.is_suspect());
}

#[test]
fn an_answer_that_is_overdue_makes_it_suspect_until_it_comes() {
    let begin = start();
    let mut talk = Talk::new(WINDOW, begin);
    talk.ping(begin);
    talk.ping(begin);
    assert_eq!(frames(&mut talk, begin), [Frame::Ping { number: 1 }], "one at a time");
    talk.handle_timeout(begin + PATIENCE - Duration::from_millis(1));
    assert!(!talk.is_suspect());
    assert_eq!(talk.poll_timeout(), Some(begin + PATIENCE));
    talk.handle_timeout(begin + PATIENCE);
    assert!(talk.is_suspect());
    assert_eq!(talk.poll_timeout(), None, "there is nothing to wait for");
    talk.handle(Frame::Pong { number: 2 }, begin + PATIENCE);
    assert!(talk.is_suspect(), "nobody has asked that");
    talk.handle(Frame::Pong { number: 1 }, begin + Duration::from_secs(2));
    assert!(!talk.is_suspect());
    talk.ping(begin + Duration::from_secs(2));
    assert_eq!(talk.poll_timeout(), Some(begin + Duration::from_secs(10)), "a slow channel has more time");
}

#[test]
fn what_the_owner_has_to_act_on_is_told() {
    let (mut talk, now) = (Talk::new(WINDOW, start()), start());
    let offer = Offer::default();
    assert_eq!(talk.handle(Frame::Offer(offer.clone()), now), Some(Heard::Offer(offer)));
    let reason = Some("gone".to_owned());
    assert_eq!(talk.handle(Frame::Bye { reason: reason.clone() }, now), Some(Heard::Bye { reason }));
}
