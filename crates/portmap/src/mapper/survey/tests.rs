use super::*;
use crate::{pcp, upnp};

const ROUTER: [u8; 4] = [192, 168, 1, 1];

#[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
fn start() -> Instant {
    Instant::now()
}

fn settings() -> Settings {
    Settings {
        internal: [192, 168, 1, 10].into(),
        gateway: Some(ROUTER.into()),
        protocols: Protocol::ALL.to_vec(),
        remembered: None,
        description: String::new(),
        lease: Duration::ZERO,
        only_this_lease: false,
        search_window: upnp::SEARCH_WINDOW,
        nonce: pcp::Nonce([0; 12]),
        seed: 1,
    }
}

/// A survey, what its control port answers, and the time it took.
fn surveyed(extent: Extent, answers: &[&[u8]]) -> (Survey, Duration) {
    let begin = start();
    let mut survey = Survey::new(&settings(), extent, begin);
    let mut now = begin;
    for answer in answers {
        now += Duration::from_millis(2);
        survey.handle_datagram(Socket::Control, SocketAddr::from((ROUTER, 5351)), answer, now);
    }
    while survey.poll_event().is_none() {
        while survey.poll_transmit().is_some() {}
        now = survey.poll_timeout().expect("a survey that is not over has a deadline");
        survey.handle_timeout(now);
    }
    (survey, now - begin)
}

fn outcomes(survey: &Survey) -> Vec<(Protocol, Outcome)> {
    survey.findings().into_iter().map(|finding| (finding.protocol, finding.outcome)).collect()
}

const PCP_ANNOUNCE: [u8; 24] = [2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const NAT_PMP_ADDRESS: [u8; 12] = [0, 0x80, 0, 0, 0, 0, 0, 7, 20, 0, 0, 1];
const NAT_PMP_SWITCHED_OFF: [u8; 12] = [0, 0x80, 0, 2, 0, 0, 0, 7, 0, 0, 0, 0];

#[test]
fn silence_is_known_within_a_second_and_has_a_cause() {
    for extent in [Extent::UntilTable, Extent::Everybody] {
        let (survey, took) = surveyed(extent, &[]);
        assert!(took < Duration::from_secs(1), "{took:?}");
        let none = |protocol| (protocol, Outcome::Absent(Absence::NoAnswer));
        assert_eq!(outcomes(&survey), Protocol::ALL.map(none));
        assert_eq!(survey.cause(ROUTER.into()), Some(Cause::NoGateway));
        assert!(!survey.answers());
        assert_eq!(survey.control(), None);
    }
}

#[test]
fn what_each_protocol_tells_is_kept_with_its_time() {
    let (survey, _) = surveyed(Extent::Everybody, &[&PCP_ANNOUNCE, &NAT_PMP_ADDRESS]);
    let findings = survey.findings();
    assert_eq!(findings[0].outcome, Outcome::Answered { external_address: None });
    assert_eq!((findings[0].after, findings[0].epoch_seconds), (Some(Duration::from_millis(2)), Some(9)));
    let external_address = Some([20, 0, 0, 1].into());
    assert_eq!(findings[1].outcome, Outcome::Answered { external_address });
    assert_eq!((findings[1].after, findings[1].epoch_seconds), (Some(Duration::from_millis(4)), Some(7)));
    assert_eq!((survey.answers(), survey.cause(ROUTER.into())), (true, None));
}

#[test]
fn an_address_that_is_not_public_stands_against_the_mappings() {
    let behind: [u8; 12] = [0, 0x80, 0, 0, 0, 0, 0, 7, 100, 64, 0, 1];
    let (survey, _) = surveyed(Extent::Everybody, &[&PCP_ANNOUNCE, &behind]);
    let cause = Cause::CarrierNat { gateway: ROUTER.into(), external: [100, 64, 0, 1].into() };
    assert_eq!((survey.answers(), survey.cause(ROUTER.into())), (true, Some(cause)));
}

#[test]
fn a_protocol_that_refuses_is_no_answer_but_tells_more_than_silence() {
    let (survey, _) = surveyed(Extent::Everybody, &[&NAT_PMP_SWITCHED_OFF]);
    assert_eq!(outcomes(&survey)[1].1, Outcome::Refused(Refusal::NotAuthorized));
    assert!(!survey.answers());
    assert_eq!(survey.cause(ROUTER.into()), Some(Cause::SwitchedOff { gateway: ROUTER.into() }));
}

#[test]
fn a_closed_port_ends_the_wait_for_both_that_use_it() {
    let mut survey = Survey::new(&settings(), Extent::Everybody, start());
    survey.handle_unreachable(Socket::Control, start());
    let closed = |protocol| (protocol, Outcome::Absent(Absence::Refused));
    assert_eq!(outcomes(&survey)[..2], [Protocol::Pcp, Protocol::NatPmp].map(closed));
    assert_eq!(outcomes(&survey)[2], (Protocol::Upnp, Outcome::Pending));
}
