use std::time::Duration;

use super::*;
use crate::upnp::EXCHANGE_TIMEOUT;
use crate::upnp::url::Url;

#[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
fn start() -> Instant {
    Instant::now()
}

fn control() -> Control {
    Control {
        gateway: "192.168.1.1".parse().unwrap(),
        url: Url::parse("http://192.168.1.1:5000/control").unwrap(),
        service_type: "urn:schemas-upnp-org:service:WANIPConnection:1".into(),
        external_address: None,
    }
}

fn reader() -> Reader {
    Reader::of_table(control(), "192.168.1.10".parse().unwrap(), start())
}

fn entry(port: usize) -> String {
    soap(&format!(
        "<NewRemoteHost></NewRemoteHost><NewExternalPort>{port}</NewExternalPort>\
         <NewProtocol>UDP</NewProtocol><NewInternalPort>{port}</NewInternalPort>\
         <NewInternalClient>192.168.1.20</NewInternalClient><NewEnabled>1</NewEnabled>\
         <NewPortMappingDescription>a game</NewPortMappingDescription><NewLeaseDuration>0</NewLeaseDuration>"
    ))
}

fn soap(arguments: &str) -> String {
    let body =
        format!("<s:Envelope><s:Body><u:GetResponse>{arguments}</u:GetResponse></s:Body></s:Envelope>");
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn fault(code: u16) -> String {
    let body = format!(
        "<s:Envelope><s:Body><s:Fault><detail><UPnPError><errorCode>{code}</errorCode></UPnPError></detail>\
         </s:Fault></s:Body></s:Envelope>"
    );
    format!("HTTP/1.1 500 Error\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Answers what is asked, by index, until there is a table; `None` is silence.
fn read(mut reader: Reader, answer: impl Fn(usize) -> Option<String>) -> (Table, usize) {
    let mut now = start();
    let mut asked = 0;
    loop {
        if let Some(table) = reader.poll_event() {
            return (table, asked);
        }
        while reader.poll_close().is_some() {}
        let Some(exchange) = reader.poll_exchange() else {
            now = reader.poll_timeout().expect("an open question has a deadline");
            reader.handle_timeout(now);
            continue;
        };
        asked += 1;
        let request = String::from_utf8(exchange.request).unwrap();
        let index = request.split_once("<NewPortMappingIndex>");
        let index = index.and_then(|(_, rest)| rest.split('<').next()?.parse().ok()).unwrap_or_default();
        if let Some(answer) = answer(index) {
            reader.handle_exchange(exchange.id, ExchangeInput::Received(answer.as_bytes()), now);
        }
    }
}

fn ports(table: &Table) -> Vec<u16> {
    table.entries.iter().filter_map(|entry| entry.external_port).collect()
}

#[test]
fn quirk_47_every_error_that_routers_end_their_table_with_ends_it() {
    for code in [713, 714, 402, 501] {
        let answer = |index| Some(if index < 3 { entry(index + 1) } else { fault(code) });
        let (table, asked) = read(reader(), answer);
        assert_eq!((ports(&table), table.end, asked), (vec![1, 2, 3], End::Complete, 4), "{code}");
    }
}

#[test]
fn an_empty_table_is_complete() {
    let (table, _) = read(reader(), |_| Some(fault(713)));
    assert_eq!(table, Table { entries: Vec::new(), end: End::Complete });
}

#[test]
fn a_router_that_repeats_its_last_or_first_entry_for_ever_is_noticed() {
    let (last, asked) = read(reader(), |index| Some(entry(index.min(4) + 1)));
    assert_eq!((ports(&last), last.end, asked), (vec![1, 2, 3, 4, 5], End::Complete, 6));
    let (round, _) = read(reader(), |index| Some(entry(index % 3 + 1)));
    assert_eq!((ports(&round), round.end), (vec![1, 2, 3], End::Complete));
}

#[test]
fn a_table_without_end_is_cut() {
    let (table, asked) = read(reader(), |index| Some(entry(index + 1)));
    assert_eq!((table.entries.len(), table.end, asked), (2_000, End::TooLong, 2_000));
}

#[test]
fn an_entry_that_cannot_be_read_does_not_hide_the_others() {
    let broken = "<NewExternalPort>2</NewExternalPort><NewProtocol>UDP</NewProtocol>";
    let answer = |index| {
        Some(match index {
            1 => soap(broken),
            index if index < 3 => entry(index + 1),
            _ => fault(713),
        })
    };
    let (table, _) = read(reader(), answer);
    assert_eq!((ports(&table), table.end), (vec![1, 3], End::Complete));
}

#[test]
fn a_refusal_and_silence_are_told_with_what_was_read_before() {
    let (table, _) = read(reader(), |index| Some(if index < 1 { entry(1) } else { fault(606) }));
    assert_eq!((ports(&table), table.end), (vec![1], End::Refused { code: 606 }));
    let (table, asked) = read(reader(), |index| (index < 1).then(|| entry(1)));
    assert_eq!((ports(&table), table.end, asked), (vec![1], End::NoAnswer, 3));
}

#[test]
fn every_question_has_a_deadline() {
    let mut reader = reader();
    reader.poll_exchange();
    let left = reader.poll_timeout().unwrap() - start();
    assert!(left <= EXCHANGE_TIMEOUT && left > EXCHANGE_TIMEOUT - Duration::from_secs(1));
}

#[test]
fn one_entry_is_asked_for_by_its_port() {
    let port = NonZeroU16::new(60001).unwrap();
    let one = || Reader::of_entry(control(), "192.168.1.10".parse().unwrap(), port, Transport::Udp, start());
    let target = "<NewInternalPort>7</NewInternalPort><NewInternalClient>192.168.1.20</NewInternalClient>";
    let (table, _) = read(one(), |_| Some(soap(target)));
    assert_eq!((ports(&table), table.entries[0].internal_port, table.end), (vec![60001], 7, End::Complete));
    let (table, _) = read(one(), |_| Some(fault(714)));
    assert_eq!(table, Table { entries: Vec::new(), end: End::Complete });
}
