use super::*;

const SOCKET: SocketId = SocketId(0);
const OTHER: SocketId = SocketId(1);

#[expect(clippy::disallowed_methods, reason = "a starting point; nothing here waits")]
fn start() -> Instant {
    Instant::now()
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn address(number: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], number))
}

fn with_puncher() -> Rounds {
    let mut rounds = Rounds::default();
    rounds.puncher_came();
    rounds
}

/// With one socket, and asked for.
fn asked(known: &[SocketAddr], now: Instant) -> Rounds {
    let mut rounds = with_puncher();
    ask_again(&mut rounds, known, now);
    rounds
}

fn ask_again(rounds: &mut Rounds, known: &[SocketAddr], now: Instant) -> Option<u32> {
    rounds.begin(vec![SOCKET], now);
    rounds.gather(SOCKET, true);
    rounds.ask(known, now)
}

/// How long it is to the next one.
fn wait(rounds: &Rounds, now: Instant) -> Duration {
    rounds.next(now).expect("there is a puncher and no round") - now
}

fn host_is_first(rounds: &Rounds) -> bool {
    rounds.primed() != Some(Primed::Router)
}

#[test]
fn none_begins_without_a_puncher_nor_beside_another() {
    let now = start();
    assert_eq!(Rounds::default().next(now), None);
    let mut rounds = with_puncher();
    assert_eq!(rounds.next(now), Some(now));
    rounds.begin(vec![SOCKET], now);
    assert_eq!(rounds.next(now), None);
    assert_eq!(rounds.end(), [SOCKET]);
    rounds.puncher_went();
    assert_eq!(rounds.next(now), None);
}

#[test]
fn one_that_fails_is_followed_by_others_ever_more_rarely() {
    let (mut now, mut rounds) = (start(), with_puncher());
    let waits: Vec<_> = (0..6)
        .map(|_| {
            ask_again(&mut rounds, &[], now);
            now += ROUND_SPAN;
            rounds.fail(now);
            let waited = wait(&rounds, now);
            now += waited;
            waited.as_secs()
        })
        .collect();
    assert_eq!(waits, [30, 120, 600, 1_800, 1_800, 1_800]);
}

/// As one that fails once the host's openers were under way.
fn fail_proving(rounds: &mut Rounds, now: Instant) {
    ask_again(rounds, &[], now);
    rounds.prove();
    rounds.fail(now);
}

/// Whether the host is first in each of some rounds that fail, and how long it is from one to the next.
fn orders(rounds: &mut Rounds, count: usize, mut now: Instant) -> Vec<(bool, Duration)> {
    let fail = |_| {
        let host_is_first = host_is_first(rounds);
        fail_proving(rounds, now);
        now += ROUND_SPAN;
        let waited = wait(rounds, now);
        now += waited;
        (host_is_first, waited)
    };
    (0..count).map(fail).collect()
}

/// The wait is counted from the failure, which [`orders`] has a span earlier.
fn rest_of(failures: usize) -> Duration {
    ROUND_WAITS[failures] - ROUND_SPAN
}

#[test]
fn one_that_fails_is_tried_in_the_other_order_at_once_and_then_with_a_mapping() {
    let mut rounds = with_puncher();
    let expected = [
        (false, Duration::ZERO),
        (true, Duration::ZERO),
        (true, rest_of(1)),
        (true, Duration::ZERO),
        (false, Duration::ZERO),
        (true, rest_of(2)),
    ];
    assert_eq!(orders(&mut rounds, 6, start()), expected);
}

#[test]
fn after_a_change_the_laptop_begins() {
    let (now, mut rounds) = (start(), with_puncher());
    orders(&mut rounds, 6, now);
    rounds.hurry(now);
    let expected = [(false, Duration::ZERO), (true, Duration::ZERO), (true, rest_of(1))];
    assert_eq!(orders(&mut rounds, 3, now + ms(600_000)), expected);
}

/// In both orders.
fn until_mapped(now: Instant) -> Rounds {
    let mut rounds = with_puncher();
    (0..2).for_each(|_| fail_proving(&mut rounds, now));
    assert!(rounds.are_mapped() && host_is_first(&rounds));
    rounds
}

#[test]
fn where_no_port_is_mapped_the_next_one_waits_as_if_that_had_not_been_tried() {
    let now = start();
    let mut rounds = until_mapped(now);
    rounds.begin(vec![SOCKET], now + ROUND_SPAN);
    rounds.fail_unmapped(now + ROUND_SPAN);
    assert_eq!((rounds.are_mapped(), wait(&rounds, now + ROUND_SPAN)), (false, ROUND_WAITS[1]));
    rounds.hurry(now + ROUND_SPAN);
    assert_eq!(wait(&rounds, now + ROUND_SPAN), Duration::ZERO, "the host was not asked");
}

#[test]
fn a_mapped_one_leads_to_where_openers_come_from_alone() {
    let now = start();
    let mut rounds = until_mapped(now);
    assert!(ask_again(&mut rounds, &[address(1)], now).is_some());
    rounds.tell(&[address(2)]);
    assert!(rounds.remotes().is_empty());
    assert!(rounds.takes_source(address(2)), "though the host has told it");
}

#[test]
fn a_mapping_that_worked_is_asked_for_first_until_the_network_changes() {
    let now = start();
    let mut rounds = until_mapped(now);
    ask_again(&mut rounds, &[], now);
    rounds.hold(now);
    assert!(rounds.are_mapped());
    rounds.forget();
    for _ in 0..2 {
        assert!(!rounds.are_mapped());
        fail_proving(&mut rounds, now);
    }
    assert!(rounds.are_mapped());
}

/// In which the host tells of `addresses` once it was asked.
fn fail_told(rounds: &mut Rounds, addresses: &[SocketAddr], now: Instant) {
    ask_again(rounds, &[address(1)], now);
    rounds.tell(addresses);
    rounds.prove();
    rounds.fail(now + ROUND_SPAN);
}

#[test]
fn one_that_has_learnt_where_the_host_is_seen_is_begun_again_with_that() {
    let (now, mut rounds) = (start(), with_puncher());
    fail_told(&mut rounds, &[address(2)], now);
    let later = now + ROUND_SPAN;
    assert_eq!((host_is_first(&rounds), wait(&rounds, later)), (false, Duration::ZERO));
    ask_again(&mut rounds, &[address(1)], later);
    assert_eq!(rounds.remotes(), [address(2), address(1)], "to be primed");
    rounds.tell(&[address(2)]);
    rounds.prove();
    rounds.fail(later);
    assert!(host_is_first(&rounds), "nothing was learnt in that one");
}

#[test]
fn what_is_learnt_has_a_second_to_be_proven_and_the_host_its_time_between_rounds() {
    let (now, mut rounds) = (start(), with_puncher());
    ask_again(&mut rounds, &[address(1)], now);
    rounds.tell(&[address(1)]);
    assert_eq!(rounds.begins_again(now), None, "nothing was learnt");
    rounds.tell(&[address(2)]);
    assert_eq!(rounds.begins_again(now + ms(100)), Some(now + ROUND_GAP));
    assert_eq!(rounds.begins_again(now + ms(700)), Some(now + ms(700) + LEARNT_SPAN));
    rounds.fail(now + ROUND_GAP);
    ask_again(&mut rounds, &[address(1)], now + ROUND_GAP);
    rounds.tell(&[address(3)]);
    assert_eq!(rounds.begins_again(now + ROUND_GAP), None, "once is enough");
}

#[test]
fn an_address_that_is_learnt_in_the_proof_counts_as_well() {
    let (now, mut rounds) = (start(), with_puncher());
    ask_again(&mut rounds, &[address(1)], now);
    rounds.tell(&[address(1)]);
    rounds.prove();
    rounds.tell(&[address(2), address(1)]);
    assert_eq!(rounds.remotes(), [address(1), address(2)]);
    rounds.fail(now);
    assert!(!host_is_first(&rounds));
}

#[test]
fn a_host_that_is_seen_elsewhere_each_time_is_not_asked_more_often() {
    let (mut now, mut rounds) = (start(), with_puncher());
    let waits: Vec<_> = (0..8)
        .map(|number| {
            fail_told(&mut rounds, &[address(10 + number)], now);
            now += ROUND_SPAN;
            let waited = wait(&rounds, now);
            now += waited;
            waited.as_secs()
        })
        .collect();
    // In three ways, and once more with what was learnt.
    assert_eq!(waits, [0, 0, 0, 30, 0, 0, 0, 120]);
}

#[test]
fn the_order_that_worked_is_the_first_to_be_tried_again() {
    for failed in 0..6 {
        let (now, mut rounds) = (start(), with_puncher());
        orders(&mut rounds, failed, now);
        let worked = host_is_first(&rounds);
        ask_again(&mut rounds, &[], now);
        rounds.prove();
        (0..2).for_each(|_| drop(rounds.hold(now)));
        assert_eq!(orders(&mut rounds, 1, now), [(worked, Duration::ZERO)], "after {failed}");
    }
}

#[test]
fn a_change_begins_anew_and_is_not_forgotten_by_a_round_that_began_before() {
    let (now, mut rounds) = (start(), with_puncher());
    for _ in 0..3 {
        ask_again(&mut rounds, &[], now);
        rounds.fail(now);
    }
    rounds.hurry(now + ms(10_000));
    assert_eq!(wait(&rounds, now + ms(9_000)), ms(1_000));
    ask_again(&mut rounds, &[], now + ms(10_000));
    rounds.hurry(now + ms(11_000));
    rounds.fail(now + ms(13_000));
    assert_eq!(wait(&rounds, now + ms(13_000)), Duration::ZERO);
    ask_again(&mut rounds, &[], now + ms(13_000));
    rounds.fail(now + ms(16_000));
    assert_eq!(wait(&rounds, now + ms(16_000)), ROUND_WAITS[1]);
}

#[test]
fn changes_without_end_bring_no_more_than_the_host_takes() {
    let (now, mut rounds) = (start(), with_puncher());
    rounds.begin(vec![SOCKET], now);
    rounds.end();
    rounds.hurry(now);
    assert_eq!(wait(&rounds, now), ROUND_GAP);
}

#[test]
fn one_that_is_refused_is_tried_once_more_soon() {
    let (mut now, mut rounds) = (start(), with_puncher());
    let mut refused = || {
        ask_again(&mut rounds, &[], now);
        rounds.refuse(now);
        let waited = wait(&rounds, now);
        now += waited;
        waited
    };
    assert_eq!([refused(), refused(), refused()], [ROUND_WAITS[0], ROUND_WAITS[1], ROUND_WAITS[2]]);
}

#[test]
fn one_that_nobody_was_asked_for_is_no_reason_to_wait() {
    let now = start();
    let mut rounds = asked(&[], now);
    assert_eq!(rounds.give_up(), [SOCKET]);
    assert_eq!(wait(&rounds, now), Duration::ZERO);
}

#[test]
fn what_a_host_has_not_answered_waits_for_no_longer_than_another_channel() {
    let unanswered: [fn(&mut Rounds, Instant); 2] =
        [|rounds, now| drop(rounds.fail(now)), |rounds, now| drop(rounds.refuse(now))];
    for fail in unanswered {
        let mut now = start();
        let mut rounds = asked(&[], now);
        fail(&mut rounds, now);
        now += ROUND_GAP;
        ask_again(&mut rounds, &[], now);
        fail(&mut rounds, now);
        now += ROUND_GAP;
        assert!(wait(&rounds, now) > ROUND_GAP);
        rounds.puncher_came();
        assert_eq!(wait(&rounds, now), Duration::ZERO);
    }
}

#[test]
fn what_was_tried_in_vain_is_not_tried_sooner_by_another_channel() {
    let now = start();
    let mut rounds = until_mapped(now);
    fail_proving(&mut rounds, now);
    rounds.puncher_came();
    assert_eq!(wait(&rounds, now), ROUND_WAITS[1]);
}

#[test]
fn it_is_asked_for_once_all_sockets_are_there_or_cannot_be() {
    let (now, mut rounds) = (start(), with_puncher());
    rounds.begin(vec![SOCKET, OTHER], now);
    rounds.gather(SOCKET, true);
    assert_eq!(rounds.ask(&[address(1)], now), None);
    rounds.gather(OTHER, false);
    assert_eq!(rounds.ask(&[address(1)], now), Some(1));
    assert_eq!((rounds.sockets(), rounds.remotes()), ([SOCKET].as_slice(), [address(1)].as_slice()));
    assert_eq!(rounds.ask(&[address(2)], now), None, "and once only");
}

#[test]
fn one_without_any_socket_is_never_asked_for() {
    let (now, mut rounds) = (start(), with_puncher());
    rounds.begin(vec![SOCKET], now);
    rounds.gather(SOCKET, false);
    assert_eq!(rounds.ask(&[address(1)], now), None);
}

#[test]
fn what_is_told_of_another_round_counts_for_nothing() {
    let now = start();
    let mut rounds = asked(&[], now);
    assert!(rounds.is_asked(1) && !rounds.is_asked(0) && !rounds.is_asked(2));
    rounds.fail(now);
    assert!(!rounds.is_asked(1));
}

#[test]
fn a_host_that_tells_of_more_addresses_than_there_is_room_for_displaces_no_more_than_the_known_ones() {
    let now = start();
    let many: Vec<_> = (1..100).map(address).collect();
    let mut rounds = asked(&[address(200)], now);
    rounds.tell(&many);
    assert_eq!(rounds.remotes(), &many[..MAX_REMOTES]);
    let mut rounds = asked(&[address(200)], now);
    assert!(rounds.prove() && !rounds.prove());
    rounds.tell(&many);
    assert_eq!(rounds.remotes()[..2], [address(200), address(1)], "its ways are there");
    assert_eq!(rounds.remotes().len(), MAX_REMOTES);
}

#[test]
fn what_the_host_told_is_primed_in_the_next_round() {
    let now = start();
    let mut rounds = asked(&[address(1)], now);
    rounds.tell(&[address(2)]);
    rounds.fail(now);
    ask_again(&mut rounds, &[address(1)], now);
    assert_eq!(rounds.remotes(), [address(2), address(1)]);
}

#[test]
fn openers_lead_to_four_more_addresses_at_most() {
    let now = start();
    let mut rounds = asked(&[address(1)], now);
    assert!(!rounds.takes_source(address(1)), "it is known");
    let taken = (2..100).filter(|&number| rounds.takes_source(address(number)));
    assert_eq!(taken.count(), MAX_SOURCES);
    assert!(!rounds.takes_source(address(2)), "so is that by now");
}

#[test]
fn a_hole_that_is_lost_soon_and_again_rests() {
    let (mut now, mut rounds) = (start(), with_puncher());
    let mut rests = Vec::new();
    for _ in 0..4 {
        rounds.hold(now);
        now += ms(60_000);
        rounds.fall(now);
        rounds.fall(now);
        rests.push(wait(&rounds, now).as_secs());
        now += wait(&rounds, now);
    }
    assert_eq!(rests, [0, 60, 120, 240]);
    rounds.hold(now);
    rounds.fall(now);
    assert!(rounds.rest(now));
    rounds.forget();
    assert_eq!(wait(&rounds, now), Duration::ZERO);
}

/// After so long; how long the next one has to wait.
fn falls(rounds: &mut Rounds, lived: Duration, now: &mut Instant) -> Duration {
    rounds.hold(*now);
    *now += lived;
    rounds.fall(*now);
    wait(rounds, *now)
}

#[test]
fn a_hole_that_was_left_for_a_better_way_did_not_live_meanwhile() {
    let (mut now, mut rounds) = (start(), with_puncher());
    falls(&mut rounds, ms(10_000), &mut now);
    assert_eq!(falls(&mut rounds, ms(10_000), &mut now), ms(60_000));
    rounds.hold(now);
    rounds.leave();
    now += ms(600_000);
    assert_eq!(falls(&mut rounds, ms(10_000), &mut now), ms(120_000));
}

#[test]
fn a_hole_that_is_left_behind_in_another_network_has_not_fallen() {
    let (mut now, mut rounds) = (start(), with_puncher());
    rounds.hold(now);
    rounds.forget();
    rounds.fall(now + ms(10_000));
    now += ms(10_000);
    assert_eq!(falls(&mut rounds, ms(10_000), &mut now), Duration::ZERO, "the first time is forgiven");
}

#[test]
fn what_a_name_leads_to_is_a_hole_once_openers_have_come_from_there() {
    let mut rounds = with_puncher();
    let of_kind = |kind| Candidate { kind, address: address(1) };
    assert_eq!(rounds.kind_of(of_kind(Kind::Resolved)), Kind::Resolved);
    rounds.open(vec![address(1), address(2)], |known| known == address(1));
    assert_eq!(rounds.opened.len(), 1);
    assert_eq!(rounds.kind_of(of_kind(Kind::Resolved)), Kind::Punched);
    assert_eq!(rounds.kind_of(of_kind(Kind::Mapped)), Kind::Mapped, "the host itself has said so");
}
