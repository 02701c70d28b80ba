use super::*;

const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n<a><b>1</b></a>";

#[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
fn start() -> Instant {
    Instant::now()
}

fn url(host: &str) -> Url {
    Url::parse(&format!("http://{host}:5000/control")).unwrap()
}

fn exchanges() -> Exchanges<&'static str> {
    Exchanges::new("192.168.1.10".parse().unwrap())
}

fn ask(exchanges: &mut Exchanges<&'static str>, host: &str, purpose: &'static str, now: Instant) {
    exchanges.ask(&url(host), purpose.into(), purpose, IfBroken::AskOnceMore, Duration::ZERO, now);
}

/// What is to be asked now, in words.
fn asked(exchanges: &mut Exchanges<&'static str>) -> Vec<(ExchangeId, String)> {
    let next = || exchanges.poll_start().map(|it| (it.id, String::from_utf8(it.request).unwrap()));
    std::iter::from_fn(next).collect()
}

fn only(exchanges: &mut Exchanges<&'static str>, expected: &str) -> ExchangeId {
    let asked = asked(exchanges);
    assert_eq!(asked.iter().map(|(_, request)| request.as_str()).collect::<Vec<_>>(), [expected]);
    asked[0].0
}

fn answer(
    exchanges: &mut Exchanges<&'static str>,
    id: ExchangeId,
    now: Instant,
) -> Option<(&'static str, Result<Reply, NoReply>)> {
    let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    exchanges.handle_input(id, ExchangeInput::Received(reply), now)
}

#[test]
fn a_server_is_asked_one_question_at_a_time_in_order_and_others_beside_it() {
    let (mut exchanges, now) = (exchanges(), start());
    for purpose in ["first", "second", "third"] {
        ask(&mut exchanges, "192.168.1.1", purpose, now);
    }
    ask(&mut exchanges, "192.168.1.2", "another", now);
    let begun = asked(&mut exchanges);
    assert_eq!(begun.iter().map(|(_, request)| request.as_str()).collect::<Vec<_>>(), ["first", "another"]);
    assert_eq!(answer(&mut exchanges, begun[0].0, now).unwrap().0, "first");
    let second = only(&mut exchanges, "second");
    assert_eq!(answer(&mut exchanges, second, now).unwrap().0, "second");
    only(&mut exchanges, "third");
}

#[test]
fn the_time_of_a_question_begins_when_it_is_sent() {
    let (mut exchanges, now) = (exchanges(), start());
    ask(&mut exchanges, "192.168.1.1", "first", now);
    ask(&mut exchanges, "192.168.1.1", "second", now);
    let first = only(&mut exchanges, "first");
    let later = now + Duration::from_secs(3);
    assert!(answer(&mut exchanges, first, later).is_some());
    only(&mut exchanges, "second");
    assert_eq!(exchanges.poll_timeout(), Some(later + EXCHANGE_TIMEOUT_ONCE_HEARD));
}

#[test]
fn a_silent_question_makes_way_at_its_deadline() {
    let (mut exchanges, now) = (exchanges(), start());
    ask(&mut exchanges, "192.168.1.1", "first", now);
    ask(&mut exchanges, "192.168.1.1", "second", now);
    only(&mut exchanges, "first");
    let end = exchanges.poll_timeout().unwrap();
    assert_eq!(end, now + EXCHANGE_TIMEOUT);
    assert_eq!(exchanges.next_ended(end), Some(("first", Err(NoReply))));
    assert_eq!(exchanges.next_ended(end), None);
    only(&mut exchanges, "second");
}

#[test]
fn quirk_79_what_broke_without_a_word_is_asked_once_more_before_what_waits() {
    for end in [ExchangeInput::Broken, ExchangeInput::Ended] {
        let (mut exchanges, now) = (exchanges(), start());
        ask(&mut exchanges, "192.168.1.1", "first", now);
        ask(&mut exchanges, "192.168.1.1", "second", now);
        let first = only(&mut exchanges, "first");
        assert_eq!(exchanges.handle_input(first, end, now), None);
        assert_eq!(asked(&mut exchanges), []);
        let again = exchanges.poll_timeout().unwrap();
        assert_eq!(again, now + PAUSE_AFTER_A_BREAK);
        assert_eq!(exchanges.next_ended(again), None);
        let first = only(&mut exchanges, "first");
        assert_eq!(exchanges.handle_input(first, end, again), Some(("first", Err(NoReply))));
        only(&mut exchanges, "second");
    }
}

#[test]
fn what_a_server_may_have_done_is_not_asked_again() {
    let (mut exchanges, now) = (exchanges(), start());
    exchanges.ask(&url("192.168.1.1"), b"add".to_vec(), "add", IfBroken::Tell, Duration::ZERO, now);
    let add = only(&mut exchanges, "add");
    assert_eq!(exchanges.handle_input(add, ExchangeInput::Broken, now), Some(("add", Err(NoReply))));
}

#[test]
fn who_has_cut_off_a_question_is_left_alone_before_each_further_one() {
    let (mut exchanges, now) = (exchanges(), start());
    exchanges.ask(&url("192.168.1.1"), b"add".to_vec(), "add", IfBroken::Tell, Duration::ZERO, now);
    let add = only(&mut exchanges, "add");
    exchanges.handle_input(add, ExchangeInput::Broken, now);
    ask(&mut exchanges, "192.168.1.1", "verify", now);
    ask(&mut exchanges, "192.168.1.2", "another", now);
    only(&mut exchanges, "another");
    assert_eq!(exchanges.poll_timeout(), Some(now + PAUSE_BETWEEN));
    assert_eq!(exchanges.next_ended(now + PAUSE_BETWEEN), None);
    only(&mut exchanges, "verify");
}

#[test]
fn what_broke_after_its_first_bytes_is_not_asked_again() {
    let (mut exchanges, now) = (exchanges(), start());
    ask(&mut exchanges, "192.168.1.1", "first", now);
    let first = only(&mut exchanges, "first");
    assert_eq!(exchanges.handle_input(first, ExchangeInput::Received(b"HTTP/1.1 200"), now), None);
    assert_eq!(exchanges.handle_input(first, ExchangeInput::Broken, now), Some(("first", Err(NoReply))));
}

#[test]
fn quirk_83_a_whole_document_without_an_end_of_the_stream_is_read_once_nothing_more_comes() {
    for head in ["", "Content-Length: 999\r\n"] {
        let (mut exchanges, now) = (exchanges(), start());
        ask(&mut exchanges, "192.168.1.1", "first", now);
        let first = only(&mut exchanges, "first");
        let (one, other) = ("<a><b>1</b>", "</a>");
        let begin = format!("HTTP/1.1 200 OK\r\n{head}\r\n{one}");
        assert_eq!(exchanges.handle_input(first, ExchangeInput::Received(begin.as_bytes()), now), None);
        let quiet = now + HEARD_OUT;
        assert_eq!(exchanges.poll_timeout(), Some(quiet));
        assert_eq!(exchanges.next_ended(quiet), None, "half a document");
        assert_eq!(exchanges.poll_timeout(), Some(now + EXCHANGE_TIMEOUT));
        assert_eq!(exchanges.handle_input(first, ExchangeInput::Received(other.as_bytes()), quiet), None);
        let reply = Reply { status: 200, body: format!("{one}{other}").into_bytes() };
        assert_eq!(exchanges.next_ended(quiet + HEARD_OUT), Some(("first", Ok(reply))), "{head}");
        assert_eq!(exchanges.poll_close(), Some(first));
    }
}

#[test]
fn half_a_document_is_no_reply_when_its_time_is_up() {
    let (mut exchanges, now) = (exchanges(), start());
    ask(&mut exchanges, "192.168.1.1", "first", now);
    let first = only(&mut exchanges, "first");
    let half = &WHOLE[..WHOLE.len() - 1];
    assert_eq!(exchanges.handle_input(first, ExchangeInput::Received(half), now), None);
    assert_eq!(exchanges.next_ended(now + EXCHANGE_TIMEOUT), Some(("first", Err(NoReply))));
}

#[test]
fn a_reset_behind_a_whole_document_takes_nothing_from_it() {
    let (mut exchanges, now) = (exchanges(), start());
    ask(&mut exchanges, "192.168.1.1", "first", now);
    let first = only(&mut exchanges, "first");
    assert_eq!(exchanges.handle_input(first, ExchangeInput::Received(WHOLE), now), None);
    let (_, reply) = exchanges.handle_input(first, ExchangeInput::Broken, now).unwrap();
    assert_eq!(reply.unwrap().body, b"<a><b>1</b></a>");
}

#[test]
fn what_is_abandoned_is_neither_asked_nor_waited_for() {
    let (mut exchanges, now) = (exchanges(), start());
    ask(&mut exchanges, "192.168.1.1", "first", now);
    ask(&mut exchanges, "192.168.1.1", "second", now);
    exchanges.abandon();
    assert_eq!(asked(&mut exchanges), []);
    assert_eq!(exchanges.poll_timeout(), None);
}

#[test]
fn of_the_servers_that_have_answered_the_last_sixteen_are_known() {
    let (mut exchanges, now) = (exchanges(), start());
    for number in 1..=40 {
        ask(&mut exchanges, &format!("192.168.1.{number}"), "question", now);
        let id = only(&mut exchanges, "question");
        answer(&mut exchanges, id, now);
        assert!(exchanges.heard.len() <= HEARD_MAXIMUM);
    }
    ask(&mut exchanges, "192.168.1.40", "question", now);
    assert_eq!(exchanges.poll_timeout(), Some(now + EXCHANGE_TIMEOUT_ONCE_HEARD));
}
