//! "A router that answers garbage": never a hang past the time-outs, never a crash, never a request to another host.

use std::time::Duration;

use fake_gateway::{Decoy, Effect, FakeGateway, Fault, MessageKind, Protocol};
use net::clock;
use portmap::upnp::EXCHANGE_TIMEOUT;

use crate::host::{Host, WITHIN};

const REPLIES: [MessageKind; 5] = [
    MessageKind::Description,
    MessageKind::Action("GetStatusInfo"),
    MessageKind::Action("GetExternalIPAddress"),
    MessageKind::Action("GetSpecificPortMappingEntry"),
    MessageKind::Action("AddPortMapping"),
];

fn upnp_gateway() -> FakeGateway {
    FakeGateway::builder().protocols(&[Protocol::Upnp]).bind_loopback().unwrap()
}

/// How a mapping ends when that answer is always bad.
fn outcome(on: MessageKind, effects: &[Effect]) -> String {
    let gateway = upnp_gateway();
    let [first, others @ ..] = effects else { panic!("no effect") };
    let fault = others.iter().cloned().fold(Fault::always(on, first.clone()), Fault::and);
    gateway.script(fault);
    let told = Host::behind(&gateway, 10).map(60001);
    assert_eq!(gateway.complaints(), [""; 0]);
    let [told] = &told[..] else { panic!("one end: {told:?}") };
    told.replace(&gateway.address().to_string(), "GATEWAY").replace(&gateway.http_port().to_string(), "PORT")
}

/// Of each reply, side by side.
fn outcomes(effects: &[Effect]) -> Vec<String> {
    std::thread::scope(|scope| {
        let running = REPLIES.map(|on| scope.spawn(move || outcome(on, effects)));
        running.map(|thread| thread.join().unwrap()).to_vec()
    })
}

const MAPPED: &str = "mapped 20.0.0.1:60001";
const MAPPED_SOMEWHERE: &str = "mapped ?:60001";
const NO_SERVICE: &str = "failed: GATEWAY:PORT answers UPnP, but offers no service that maps ports";
const NO_ANSWER: &str = "failed: the router GATEWAY gave no usable answer in time";

/// Without each of the replies in their order. What was added without a word is found in the table.
const WITHOUT_REPLY: [&str; 5] = [NO_SERVICE, MAPPED, MAPPED_SOMEWHERE, NO_ANSWER, MAPPED];

/// Where the requests are lost too.
const WITHOUT_REQUEST: [&str; 5] = [NO_SERVICE, MAPPED, MAPPED_SOMEWHERE, NO_ANSWER, NO_ANSWER];

#[test]
fn a_reply_that_ends_in_its_head_is_no_reply() {
    for at in [0, 1, 40] {
        assert_eq!(outcomes(&[Effect::Truncate(at)]), WITHOUT_REPLY, "at byte {at}");
        assert_eq!(outcomes(&[Effect::Truncate(at), Effect::Reset]), WITHOUT_REPLY, "reset at byte {at}");
    }
}

#[test]
fn a_body_that_breaks_off_says_nothing() {
    // Who has the port is unknown then, and the router is asked to add all the same.
    let expected = [NO_SERVICE, MAPPED, MAPPED_SOMEWHERE, MAPPED, MAPPED];
    assert_eq!(outcomes(&[Effect::Truncate(200)]), expected);
}

#[test]
fn an_oversized_reply_is_no_reply() {
    assert_eq!(outcomes(&[Effect::Oversize(400_000)]), WITHOUT_REPLY);
    assert_eq!(outcomes(&[Effect::Endless]), WITHOUT_REPLY);
}

#[test]
fn a_content_length_that_is_too_short_costs_what_it_cuts_off() {
    let expected = [MAPPED, MAPPED, MAPPED_SOMEWHERE, MAPPED, MAPPED];
    assert_eq!(outcomes(&[Effect::ContentLengthOffBy(-100)]), expected);
    assert_eq!(outcomes(&[Effect::ContentLengthOffBy(-1_000_000)]), [MAPPED; 5]);
}

#[test]
fn replies_that_never_end_are_cut_by_the_time_out_of_an_exchange() {
    let endings = [
        (vec![Effect::Silence], WITHOUT_REQUEST),
        (vec![Effect::Drip(Duration::from_secs(1))], WITHOUT_REPLY),
        (vec![Effect::Truncate(200), Effect::HoldOpen], WITHOUT_REPLY),
    ];
    std::thread::scope(|scope| {
        for (effects, expected) in &endings {
            scope.spawn(move || {
                let started = clock::now();
                assert_eq!(outcomes(effects), *expected, "{effects:?}");
                assert!(clock::now() - started >= EXCHANGE_TIMEOUT, "{effects:?}");
            });
        }
    });
}

#[test]
fn quirk_83_a_whole_body_is_read_though_its_end_is_never_told() {
    assert_eq!(outcomes(&[Effect::NoContentLength, Effect::HoldOpen]), [MAPPED; 5]);
    assert_eq!(outcomes(&[Effect::ContentLengthOffBy(100), Effect::HoldOpen]), [MAPPED; 5]);
}

#[test]
fn quirk_79_a_connection_that_is_reset_without_a_word_is_made_once_more() {
    let questions = REPLIES.into_iter().filter(|on| *on != MessageKind::Action("AddPortMapping"));
    for on in questions {
        let gateway = upnp_gateway();
        gateway.script(Fault::once(on, Effect::Truncate(0)).and(Effect::Reset));
        assert_eq!(Host::behind(&gateway, 10).map(60001), [MAPPED], "{on:?}");
        assert_eq!(gateway.counters().faulty, 1, "{on:?}");
    }
}

#[test]
fn quirk_85_a_relative_control_url_that_is_not_found_is_tried_at_the_root() {
    let gateway = FakeGateway::builder().protocols(&[Protocol::Upnp]).description_path("/upnp/rootDesc.xml");
    let gateway = gateway.bind_loopback().unwrap();
    gateway.script(Fault::always(MessageKind::Description, Effect::ControlUrl("ctl/IPConn".into())));
    assert_eq!(Host::behind(&gateway, 10).map(60001), [MAPPED]);
    assert_eq!(gateway.complaints(), ["HTTP: POST /upnp/ctl/IPConn, which is no control URL"]);
}

#[test]
fn pages_that_are_no_answer_are_no_reply() {
    let login_page = [Effect::Body(b"<html><body>Please log in</body></html>".to_vec())];
    let expected = [NO_SERVICE, MAPPED, MAPPED_SOMEWHERE, MAPPED, MAPPED];
    assert_eq!(outcomes(&login_page), expected);
    let [page] = login_page;
    assert_eq!(outcomes(&[page, Effect::Status(404)]), expected);
}

#[test]
fn a_location_on_another_host_is_never_fetched() {
    let gateway = upnp_gateway();
    let decoy = Decoy::bind(gateway.host(99)).unwrap();
    gateway.script(Fault::always(MessageKind::Search, Effect::Location(decoy.url("/rootDesc.xml"))));
    let no_service = format!("failed: {}:{} ", gateway.address(), decoy.address().port());
    let told = Host::behind(&gateway, 10).map(60001);
    assert!(told[0].starts_with(&no_service), "the same path of the gateway itself is asked: {told:?}");
    assert_eq!(decoy.connections(), 0);
}

#[test]
fn an_add_whose_answer_is_lost_leaves_nothing_that_nobody_keeps() {
    for effect in [Effect::LoseReply, Effect::Truncate(40), Effect::Status(404)] {
        let gateway = upnp_gateway();
        gateway.script(Fault::always(MessageKind::Action("AddPortMapping"), effect.clone()));
        assert_eq!(Host::behind(&gateway, 10).map(60001), [MAPPED], "{effect:?}");
        assert_eq!(gateway.mappings().len(), 1, "{effect:?}");
    }
}

#[test]
fn a_twin_of_the_default_gateway_may_answer_for_it() {
    let gateway = upnp_gateway();
    gateway.script(Fault::always(MessageKind::Search, Effect::ReplyFrom((gateway.host(2), 1900).into())));
    assert_eq!(Host::behind(&gateway, 10).map(60001), [MAPPED]);
}

#[test]
fn a_control_url_on_another_host_is_never_asked() {
    let gateway = upnp_gateway();
    let decoy = Decoy::bind(gateway.host(99)).unwrap();
    for effect in [
        Effect::ControlUrl(decoy.url("/ctl/IPConn")),
        Effect::ControlUrl(decoy.url("/ctl/IPConn").replace("http:", "")),
    ] {
        gateway.clear_script();
        gateway.script(Fault::always(MessageKind::Description, effect));
        let told = Host::behind(&gateway, 10).map(60001);
        let expected = format!(
            "failed: {}:{} answers UPnP, but offers no service that maps ports",
            gateway.address(),
            gateway.http_port()
        );
        assert_eq!(told, [expected]);
    }
    assert_eq!(decoy.connections(), 0);
}

#[test]
fn a_url_base_on_another_host_is_ignored() {
    let gateway = upnp_gateway();
    let decoy = Decoy::bind(gateway.host(99)).unwrap();
    gateway.script(Fault::always(MessageKind::Description, Effect::UrlBase(decoy.url("/"))));
    assert_eq!(Host::behind(&gateway, 10).map(60001), [MAPPED]);
    assert_eq!(decoy.connections(), 0);
}

#[test]
fn a_decoy_counts_who_comes() {
    let decoy = Decoy::bind(std::net::Ipv4Addr::LOCALHOST).unwrap();
    let _one = std::net::TcpStream::connect(decoy.address()).unwrap();
    let _two = std::net::TcpStream::connect(decoy.address()).unwrap();
    assert_eq!((decoy.connections(), decoy.connections()), (2, 2));
}

#[test]
fn searches_answered_with_garbage_are_as_if_unanswered() {
    for effect in [
        Effect::Truncate(20),
        Effect::Garbage { seed: 7, bytes: 900 },
        Effect::Location("http://127.0.0.1:99999/".into()),
        Effect::Reply(b"HTTP/1.1 500 No\r\n\r\n".to_vec()),
    ] {
        assert_eq!(
            outcome(MessageKind::Search, std::slice::from_ref(&effect)),
            "failed: no router here answers PCP, NAT-PMP or UPnP",
            "{effect:?}"
        );
    }
}

#[test]
fn random_bytes_never_hang_the_mapper() {
    std::thread::scope(|scope| {
        for seed in 0..8 {
            scope.spawn(move || {
                let started = clock::now();
                outcome(MessageKind::Http, &[Effect::Garbage { seed, bytes: 2_000 }]);
                assert!(clock::now() - started < WITHIN);
            });
        }
    });
}
