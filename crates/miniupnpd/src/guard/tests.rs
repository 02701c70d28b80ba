use std::collections::BTreeSet;

use super::hairpin::{LATEST, QUIET};
use super::*;
use crate::lease_file::Lease;
use crate::mapping::{External, Transport};
use crate::rule::PortRange;

const UNIX_NOW: u64 = 1_795_343_934;
const SOON: Duration = Duration::from_millis(10);

fn port(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

fn internal(number: u16) -> SocketAddrV4 {
    SocketAddrV4::new([192, 168, 1, 10].into(), number)
}

/// A lease of an hour.
fn lease(number: u16) -> Lease {
    let external = External::udp(port(number));
    Lease { external, internal: internal(number), expires: Some(UNIX_NOW + 3_600) }
}

fn mappings(numbers: &[u16]) -> Mappings {
    numbers.iter().map(|&number| (External::udp(port(number)), internal(number))).collect()
}

fn reading(numbers: &[u16]) -> Reading {
    Reading { mappings: Some(mappings(numbers)), has_hairpin_table: true, ..Reading::default() }
}

fn hold(number: u16) -> Action {
    Action::Hold(port(number))
}

fn release(number: u16) -> Action {
    Action::Release(port(number))
}

const IN_USE: Extent = Extent::Nothing(ErrorKind::AddrInUse);

fn not_held(number: u16) -> Action {
    let (port, internal) = (port(number), internal(number));
    Action::Tell(Notice::NotHeld { port, internal, why: ErrorKind::AddrInUse })
}

/// A guard, and the time as it sees it.
struct Simulation {
    guard: Guard,
    now: Instant,
}

impl Simulation {
    #[expect(clippy::disallowed_methods, reason = "some instant to begin with")]
    fn new(hairpin: bool) -> Self {
        let scope = Scope { ports: PortRange::new(6000, 60999), rules: Vec::new(), hairpin };
        let now = Instant::now();
        Self { guard: Guard::new(scope, now), now }
    }

    /// With these ports mapped, held, and confirmed.
    fn settled(ports: &[u16]) -> Self {
        let mut simulation = Self::new(false);
        simulation.leases(ports);
        simulation.hold_all(ports, Extent::Whole);
        simulation.firewall(ports);
        assert_eq!(simulation.actions(), []);
        assert!(simulation.guard.is_ready());
        simulation
    }

    fn leases(&mut self, ports: &[u16]) -> Vec<Action> {
        self.lease_file(&ports.iter().copied().map(lease).collect::<Vec<_>>())
    }

    fn lease_file(&mut self, leases: &[Lease]) -> Vec<Action> {
        let mut claims = Claims::at(UNIX_NOW);
        leases.iter().for_each(|lease| claims.add(lease, self.guard.scope()));
        self.guard.handle_change(self.now);
        self.guard.handle_claims(claims, self.now);
        self.actions()
    }

    fn firewall(&mut self, ports: &[u16]) -> Vec<Action> {
        self.guard.handle_firewall(Some(&reading(ports)), self.now);
        self.actions()
    }

    fn hold_all(&mut self, ports: &[u16], extent: Extent) {
        ports.iter().for_each(|&number| self.guard.handle_hold(port(number), extent, self.now));
    }

    fn after(&mut self, time: Duration) -> Vec<Action> {
        self.now += time;
        self.guard.handle_timeout(self.now);
        self.actions()
    }

    /// Goes to where the guard wants to be called, and tells how far that was.
    fn next(&mut self) -> (Duration, Vec<Action>) {
        let time = self.guard.poll_timeout().unwrap() - self.now;
        (time, self.after(time))
    }

    fn actions(&mut self) -> Vec<Action> {
        let timeout = self.guard.poll_timeout();
        assert!(timeout.is_none_or(|timeout| timeout > self.now), "it would never rest");
        std::iter::from_fn(|| self.guard.poll_action()).collect()
    }
}

#[test]
fn what_is_mapped_is_held_at_once() {
    let mut it = Simulation::new(false);
    assert_eq!(it.leases(&[60001, 60002]), [hold(60001), hold(60002), Action::ReadFirewall]);
    assert_eq!(it.leases(&[60001, 60002, 60003]), [hold(60003)]);
}

#[test]
fn nothing_is_asked_before_the_lease_file_was_read() {
    let mut it = Simulation::new(true);
    assert_eq!(it.after(SOON), []);
    assert!(!it.guard.is_ready());
    assert_eq!(it.leases(&[]), [Action::ReadFirewall]);
}

#[test]
fn it_is_ready_once_every_port_was_tried_and_the_firewall_read() {
    let mut it = Simulation::new(false);
    it.leases(&[60001]);
    assert!(!it.guard.is_ready());
    it.hold_all(&[60001], Extent::Whole);
    assert!(!it.guard.is_ready());
    it.firewall(&[60001]);
    assert!(it.guard.is_ready());
    assert_eq!(it.guard.count(), (1, 0));
}

#[test]
fn a_renewal_which_removes_and_adds_changes_nothing() {
    let mut it = Simulation::settled(&[60001]);
    assert_eq!(it.leases(&[]), []);
    assert_eq!(it.after(SOON), []);
    assert_eq!(it.leases(&[60001]), []);
    assert_eq!(it.next(), (RECONCILE - SOON, vec![Action::ReadFirewall]));
}

#[test]
fn a_port_is_released_once_the_firewall_does_not_have_it_either() {
    let mut it = Simulation::settled(&[60001, 60002]);
    assert_eq!(it.leases(&[60002]), []);
    assert_eq!(it.next(), (GRACE, vec![Action::ReadFirewall]));
    assert_eq!(it.after(SOON), []);
    assert_eq!(it.firewall(&[60002]), [release(60001)]);
    assert_eq!(it.guard.count(), (1, 0));
}

#[test]
fn a_reading_from_before_the_end_of_the_mapping_does_not_count() {
    let mut it = Simulation::settled(&[60001]);
    assert_eq!(it.next(), (RECONCILE, vec![Action::ReadFirewall]));
    assert_eq!(it.leases(&[]), []);
    assert_eq!(it.firewall(&[]), [], "it may be a renewal");
    assert_eq!(it.next(), (GRACE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[]), [release(60001)]);
}

#[test]
fn what_the_lease_file_dropped_by_mistake_stays_held_while_the_firewall_has_it() {
    let mut it = Simulation::settled(&[6000, 60001]);
    it.leases(&[]);
    assert_eq!(it.next(), (GRACE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[60001]), [release(6000)]);
    assert_eq!(it.next(), (RECHECK, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[60001]), []);
    assert_eq!(it.next(), (RECHECK, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[]), [release(60001)]);
}

#[test]
fn what_only_the_firewall_knows_is_held_too() {
    let mut it = Simulation::settled(&[]);
    assert_eq!(it.next(), (RECONCILE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[60001]), [hold(60001)]);
    assert_eq!(it.leases(&[60001]), []);
    assert_eq!(it.next(), (GRACE, vec![Action::ReadFirewall]), "the file tells something new");
    assert_eq!(it.firewall(&[60001]), []);
    assert_eq!(it.next(), (RECONCILE, vec![Action::ReadFirewall]));
}

#[test]
fn a_line_that_the_firewall_does_not_have_is_let_go_and_not_held_again() {
    let mut it = Simulation::new(false);
    assert_eq!(it.leases(&[60001, 60002]), [hold(60001), hold(60002), Action::ReadFirewall]);
    it.hold_all(&[60001, 60002], Extent::Whole);
    assert_eq!(it.firewall(&[60002]), [release(60001)]);
    assert_eq!(it.guard.count(), (1, 0));
    assert_eq!(it.leases(&[60001, 60002]), [], "the file was written, the line is still there");
    assert_eq!(it.next(), (PAUSE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[60002]), []);
    assert_eq!(it.next(), (RECONCILE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[60002]), []);
    // A result of before does not make it held.
    it.hold_all(&[60001], IN_USE);
    assert_eq!((it.actions(), it.guard.count()), (vec![], (1, 0)));
}

#[test]
fn what_was_let_go_is_held_once_the_firewall_has_it() {
    let mut it = Simulation::new(false);
    it.leases(&[60001]);
    assert_eq!(it.firewall(&[]), [release(60001)]);
    it.leases(&[60001]);
    assert_eq!(it.next(), (PAUSE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[60001]), [hold(60001)]);
    it.hold_all(&[60001], Extent::Whole);
    assert_eq!(it.guard.count(), (1, 0));
    // And when its line is taken away and put back, which may not be seen.
    it.leases(&[]);
    assert_eq!(it.next(), (GRACE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[]), [release(60001)]);
    it.after(PAUSE);
    assert_eq!(it.leases(&[60001]), [hold(60001), Action::ReadFirewall]);
}

#[test]
fn a_line_that_comes_during_a_reading_is_judged_by_the_next() {
    let mut it = Simulation::new(false);
    it.leases(&[]);
    it.after(SOON);
    assert_eq!(it.leases(&[60001]), [hold(60001)]);
    assert_eq!(it.firewall(&[]), []);
    assert_eq!(it.next(), (PAUSE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[]), [release(60001)]);
}

#[test]
fn a_file_that_changes_during_a_reading_is_no_less_looked_after() {
    let mut it = Simulation::new(false);
    it.leases(&[60001]);
    it.firewall(&[]);
    it.leases(&[60001]);
    it.next();
    it.after(SOON);
    assert_eq!(it.leases(&[60001]), []);
    assert_eq!(it.firewall(&[]), [], "the reading may have come before the mapping");
    assert_eq!(it.next(), (PAUSE, vec![Action::ReadFirewall]));
}

#[test]
fn a_mapping_of_a_port_that_is_being_refuted_is_held_soon() {
    let mut it = Simulation::new(false);
    assert_eq!(it.lease_file(&[forged(60001)]), [hold(60001), Action::ReadFirewall]);
    it.after(SOON);
    assert_eq!(it.lease_file(&[forged(60001), lease(60001)]), []);
    assert_eq!(it.firewall(&[]), [release(60001)], "it was read before");
    assert_eq!(it.next(), (PAUSE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[60001]), [hold(60001)]);
}

/// Another host is said to have the port.
fn forged(number: u16) -> Lease {
    let internal = SocketAddrV4::new([192, 168, 1, 66].into(), 53);
    Lease { internal, expires: None, ..lease(number) }
}

#[test]
fn a_forged_line_keeps_no_port_after_its_mapping() {
    let mut it = Simulation::settled(&[]);
    it.after(PAUSE);
    assert_eq!(it.lease_file(&[lease(60001), forged(60001)]), [hold(60001), Action::ReadFirewall]);
    it.hold_all(&[60001], Extent::Whole);
    assert_eq!(it.firewall(&[60001]), []);
    assert_eq!(it.lease_file(&[forged(60001)]), []);
    assert_eq!(it.next(), (GRACE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[]), [], "it may be a renewal");
    assert_eq!(it.next(), (GRACE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[]), [release(60001)]);
}

#[test]
fn a_line_that_comes_and_goes_keeps_no_port_that_the_firewall_has_not() {
    let mut it = Simulation::settled(&[60001]);
    it.next();
    assert_eq!(it.firewall(&[]), []);
    let missed = it.now;
    let mut released = Vec::new();
    while released.is_empty() {
        it.leases(&[]);
        it.leases(&[60001]);
        let actions = it.after(SOON);
        if actions.contains(&Action::ReadFirewall) {
            released = it.firewall(&[]);
        }
        assert!(it.now - missed <= GRACE + SOON, "it is held for ever");
    }
    assert_eq!(released, [release(60001)]);
}

#[test]
fn rules_that_were_flushed_lead_nowhere_whatever_the_lease_file_says() {
    for flushed in [reading(&[]), Reading { mappings: None, ..reading(&[]) }] {
        let mut it = Simulation::settled(&[60001, 60002]);
        assert_eq!(it.next(), (RECONCILE, vec![Action::ReadFirewall]));
        it.guard.handle_firewall(Some(&flushed), it.now);
        assert_eq!(it.actions(), []);
        assert_eq!(it.next(), (GRACE, vec![Action::ReadFirewall]));
        it.guard.handle_firewall(Some(&flushed), it.now);
        assert_eq!(it.actions(), [release(60001), release(60002)]);
        // miniupnpd starts again, and makes them again.
        it.after(PAUSE);
        assert_eq!(it.leases(&[]), [Action::ReadFirewall]);
        assert_eq!(it.leases(&[60001]), [hold(60001)]);
        assert_eq!(it.firewall(&[60001]), []);
    }
}

#[test]
fn where_no_chain_was_ever_seen_the_lease_file_has_to_do() {
    let mut it = Simulation::new(true);
    let nothing = Reading { mappings: None, ..reading(&[]) };
    it.leases(&[60001]);
    it.guard.handle_firewall(Some(&nothing), it.now);
    assert_eq!(it.actions(), [Action::Tell(Notice::NoChain), Action::Hairpin(Mappings::new())]);
    it.guard.handle_hairpin(true, it.now);
    assert_eq!(it.next(), (RECONCILE, vec![Action::ReadFirewall]));
    it.guard.handle_firewall(Some(&nothing), it.now);
    assert_eq!(it.actions(), [], "it is told once");
    // Now there is one.
    it.next();
    assert_eq!(it.firewall(&[]), []);
    assert_eq!(it.next(), (GRACE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[]), [release(60001)]);
}

#[test]
fn a_file_that_is_too_long_leaves_the_firewall() {
    let mut it = Simulation::settled(&[]);
    let mut claims = Claims::at(UNIX_NOW);
    claims.cut_off();
    it.guard.handle_claims(claims, it.now);
    assert_eq!(it.next(), (PAUSE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[]), []);
    it.guard.handle_change(it.now);
    assert_eq!(it.next(), (PAUSE, vec![Action::ReadFirewall]), "it changed, and it is not known how");
    assert_eq!(it.firewall(&[60001]), [hold(60001)]);
}

#[test]
fn however_often_the_file_changes_the_firewall_is_read_no_more_than_a_third_of_the_time() {
    const TOOK: Duration = Duration::from_millis(200);
    let mut it = Simulation::new(false);
    it.leases(&[60001]);
    let (start, mut readings) = (it.now, 0);
    while it.now - start < Duration::from_secs(60) {
        readings += 1;
        it.after(TOOK);
        it.leases(&[60001]);
        it.firewall(&[]);
        it.leases(&[60001]);
        while !it.after(SOON).contains(&Action::ReadFirewall) {
            it.leases(&[60001]);
        }
    }
    assert_eq!(readings, 100);
}

#[test]
fn no_port_is_held_that_no_mosh_server_may_take() {
    let mut it = Simulation::settled(&[]);
    it.after(PAUSE);
    assert_eq!(it.leases(&[53, 5999, 61000]), []);
    assert_eq!(it.next(), (RECONCILE - PAUSE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[53, 5999, 61000]), [], "even if they are mapped");
    assert_eq!(it.guard.count(), (0, 0));
}

#[test]
fn a_firewall_that_cannot_be_read_leaves_the_lease_file() {
    let mut it = Simulation::new(false);
    it.leases(&[60001]);
    it.guard.handle_firewall(None, it.now);
    assert_eq!(it.actions(), []);
    assert_eq!(it.leases(&[]), []);
    assert_eq!(it.next(), (GRACE, vec![Action::ReadFirewall]));
    it.guard.handle_firewall(None, it.now);
    assert_eq!(it.actions(), [release(60001)]);
}

#[test]
fn a_reading_that_fails_once_gives_no_port_up() {
    let mut it = Simulation::settled(&[60001, 60002]);
    it.leases(&[]);
    assert_eq!(it.next(), (GRACE, vec![Action::ReadFirewall]));
    it.guard.handle_firewall(None, it.now);
    assert_eq!(it.actions(), []);
    assert_eq!(it.next(), (REREAD, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[60001]), [release(60002)]);
    assert_eq!(it.next(), (RECHECK, vec![Action::ReadFirewall]));
}

#[test]
fn however_many_mappings_end_a_reading_that_fails_is_repeated_once_a_second() {
    let mut it = Simulation::settled(&[60001, 60002]);
    it.leases(&[60002]);
    it.after(SOON);
    it.leases(&[]);
    assert_eq!(it.next(), (GRACE - SOON, vec![Action::ReadFirewall]));
    it.guard.handle_firewall(None, it.now);
    assert_eq!(it.next(), (REREAD, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[]), [release(60001), release(60002)]);
}

#[test]
fn a_reading_that_fails_is_repeated_soon_for_what_only_the_firewall_knows() {
    let mut it = Simulation::settled(&[]);
    assert_eq!(it.next(), (RECONCILE, vec![Action::ReadFirewall]));
    it.guard.handle_firewall(None, it.now);
    assert_eq!(it.next(), (REREAD, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[60001]), [hold(60001)]);
}

#[test]
fn a_firewall_that_can_be_read_no_longer_is_given_up_in_the_end() {
    let mut it = Simulation::settled(&[60001]);
    it.leases(&[]);
    it.next();
    let mut readings = 0;
    let released = loop {
        it.guard.handle_firewall(None, it.now);
        match it.actions() {
            actions if actions.is_empty() => assert_eq!(it.next(), (REREAD, vec![Action::ReadFirewall])),
            actions => break actions,
        }
        readings += 1;
        assert!(readings <= TRUST.as_secs(), "it never gives up");
    };
    assert_eq!((readings, released), (TRUST.as_secs(), vec![release(60001)]));
    assert_eq!(it.next(), (RECONCILE, vec![Action::ReadFirewall]));
    // And is believed again once it answers.
    it.firewall(&[60002]);
    it.hold_all(&[60002], Extent::Whole);
    it.next();
    it.guard.handle_firewall(None, it.now);
    assert_eq!(it.actions(), []);
}

#[test]
fn a_dead_miniupnpds_leases_end_unless_its_rules_are_there() {
    let mut it = Simulation::settled(&[60001, 60002]);
    it.after(Duration::from_secs(3_600));
    it.firewall(&[60001, 60002]);
    assert_eq!(it.next(), (GRACE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[60001]), [release(60002)]);
}

#[test]
fn a_lease_that_is_over_when_the_file_is_read_is_none() {
    let mut it = Simulation::settled(&[]);
    let over = Lease { expires: Some(UNIX_NOW), ..lease(60001) };
    assert_eq!(it.lease_file(&[over]), []);
    let endless = Lease { expires: None, ..lease(60002) };
    assert_eq!(it.lease_file(&[endless]), [hold(60002)]);
}

#[test]
fn a_port_that_is_somebody_elses_is_told_once_and_tried_again() {
    let mut it = Simulation::new(false);
    it.leases(&[60001]);
    it.firewall(&[60001]);
    it.hold_all(&[60001], IN_USE);
    assert_eq!(it.actions(), [not_held(60001)]);
    assert_eq!(it.guard.count(), (1, 1));
    for _ in 0..3 {
        assert_eq!(it.next(), (RETRY, vec![hold(60001)]));
        it.hold_all(&[60001], IN_USE);
        assert_eq!(it.actions(), []);
    }
    it.next();
    it.hold_all(&[60001], Extent::Whole);
    assert_eq!(it.actions(), [Action::Tell(Notice::NowHeld { port: port(60001) })]);
    assert_eq!(it.guard.count(), (1, 0));
}

#[test]
fn what_is_only_claimed_is_no_news() {
    let mut it = Simulation::new(false);
    it.leases(&[60001, 60002]);
    it.hold_all(&[60001, 60002], IN_USE);
    assert_eq!(it.actions(), []);
    assert_eq!(it.firewall(&[60002]), [release(60001), not_held(60002)]);
    it.hold_all(&[60002], IN_USE);
    assert_eq!(it.actions(), []);
}

#[test]
fn a_hold_that_depends_on_the_outside_address_follows_it() {
    let mut it = Simulation::new(false);
    it.leases(&[60001, 60002]);
    it.hold_all(&[60001], Extent::Outside);
    it.hold_all(&[60002], Extent::Whole);
    it.firewall(&[60001, 60002]);
    it.guard.handle_addresses(it.now);
    assert_eq!(it.actions(), [hold(60001)]);
}

#[test]
fn a_result_for_a_port_that_was_released_meanwhile_is_dropped() {
    let mut it = Simulation::settled(&[]);
    it.hold_all(&[60001], IN_USE);
    assert_eq!(it.actions(), []);
}

#[test]
fn tcp_is_not_held() {
    let mut it = Simulation::settled(&[]);
    let external = External { transport: Transport::Tcp, port: port(60001) };
    assert_eq!(it.lease_file(&[Lease { external, ..lease(60001) }]), []);
    assert!(it.guard.is_ready());
    assert_eq!(it.guard.count(), (0, 0));
}

/// With a hairpin for these.
fn with_hairpin(ports: &[u16]) -> Simulation {
    let mut it = Simulation::new(true);
    it.leases(ports);
    it.hold_all(ports, Extent::Whole);
    assert_eq!(it.firewall(ports), [Action::Hairpin(mappings(ports))]);
    it.guard.handle_hairpin(true, it.now);
    assert_eq!(it.actions(), []);
    assert!(it.guard.is_ready());
    it
}

#[test]
fn the_first_hairpin_knows_what_the_firewall_has() {
    let mut it = Simulation::new(true);
    it.leases(&[60001]);
    assert_eq!(it.firewall(&[60001, 60002]), [hold(60002), Action::Hairpin(mappings(&[60001, 60002]))]);
}

#[test]
fn clients_inside_are_led_where_the_firewall_says_and_nowhere_else() {
    let mut it = Simulation::new(true);
    let external = External { transport: Transport::Tcp, port: port(443) };
    it.lease_file(&[lease(60001), forged(60002), Lease { external, ..forged(60001) }]);
    it.hold_all(&[60001, 60002], Extent::Whole);
    let other = External { transport: Transport::Tcp, port: port(8022) };
    let mut mapped = mappings(&[60001]);
    mapped.insert(other, internal(22));
    let limited = External::udp(port(60003));
    let all = mapped.clone().into_iter().chain(mappings(&[60003])).collect();
    let reading = Reading { mappings: Some(all), limited: [limited].into(), has_hairpin_table: true };
    it.guard.handle_firewall(Some(&reading), it.now);
    assert_eq!(it.actions(), [release(60002), hold(60003), Action::Hairpin(mapped)]);
}

#[test]
fn a_line_for_another_port_has_the_firewall_read_for_clients_inside() {
    let mut it = with_hairpin(&[]);
    let external = External { transport: Transport::Tcp, port: port(8022) };
    assert_eq!(it.lease_file(&[Lease { external, ..lease(60001) }]), []);
    assert_eq!(it.next(), (QUIET, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[]), []);
    assert_eq!(it.next(), (RECONCILE, vec![Action::ReadFirewall]));
}

#[test]
fn the_hairpin_follows_once_the_mappings_are_quiet() {
    let mut it = with_hairpin(&[60001]);
    assert_eq!(it.leases(&[60001, 60002]), [hold(60002)]);
    assert_eq!(it.next(), (PAUSE, vec![Action::ReadFirewall]));
    assert_eq!(it.firewall(&[60001, 60002]), []);
    it.after(SOON);
    it.hold_all(&[60002], Extent::Whole);
    assert_eq!(it.next(), (QUIET - SOON, vec![Action::Hairpin(mappings(&[60001, 60002]))]));
    it.guard.handle_hairpin(true, it.now);
    assert_eq!(it.actions(), []);
}

#[test]
fn the_hairpin_follows_in_a_second_if_they_never_are() {
    let mut it = with_hairpin(&[]);
    it.leases(&[60001]);
    assert_eq!(it.next(), (PAUSE, vec![Action::ReadFirewall]));
    let first = it.now;
    for last in 60001.. {
        let ports: Vec<_> = (60001..=last).collect();
        if let [Action::Hairpin(applied)] = &it.firewall(&ports)[..] {
            assert_eq!(*applied, mappings(&ports));
            break;
        }
        assert!(it.now - first < LATEST, "it never follows");
        it.hold_all(&ports, Extent::Whole);
        it.leases(&(60001..=last + 1).collect::<Vec<_>>());
        assert_eq!(it.next(), (PAUSE, vec![Action::ReadFirewall]));
    }
    assert_eq!(it.now - first, LATEST);
}

#[test]
fn a_change_during_a_transaction_waits_for_the_next_one() {
    let mut it = with_hairpin(&[]);
    it.leases(&[60001]);
    it.next();
    it.firewall(&[60001]);
    assert_eq!(it.next(), (QUIET, vec![Action::Hairpin(mappings(&[60001]))]));
    assert_eq!(it.leases(&[60001, 60002]), [hold(60002), Action::ReadFirewall]);
    assert_eq!(it.firewall(&[60001, 60002]), []);
    assert_eq!(it.after(LATEST), []);
    it.guard.handle_hairpin(true, it.now);
    assert_eq!(it.actions(), [Action::Hairpin(mappings(&[60001, 60002]))]);
}

#[test]
fn the_guard_rests_while_the_firewall_is_read() {
    let mut it = with_hairpin(&[60001]);
    it.leases(&[60001, 60002]);
    it.next();
    assert_eq!(it.firewall(&[60001, 60002]), []);
    it.leases(&[60001, 60002, 60003]);
    assert_eq!(it.next(), (QUIET, vec![Action::ReadFirewall]), "and no hairpin");
    it.hold_all(&[60002, 60003], Extent::Whole);
    assert_eq!(it.after(LATEST), []);
    let expected = [release(60003), Action::Hairpin(mappings(&[60001, 60002]))];
    assert_eq!(it.firewall(&[60001, 60002]), expected);
}

#[test]
fn a_renewal_changes_no_rule() {
    let mut it = with_hairpin(&[60001]);
    it.leases(&[]);
    it.after(SOON);
    it.leases(&[60001]);
    assert_eq!(it.next(), (RECONCILE - SOON, vec![Action::ReadFirewall]));
}

#[test]
fn a_hairpin_that_was_flushed_or_failed_is_made_again() {
    let mut it = Simulation::new(true);
    it.leases(&[]);
    assert_eq!(it.firewall(&[]), [Action::Hairpin(mappings(&[]))]);
    it.guard.handle_hairpin(false, it.now);
    assert_eq!(it.actions(), []);
    assert_eq!(it.next(), (RECHECK, vec![Action::Hairpin(mappings(&[]))]));
    it.guard.handle_hairpin(true, it.now);
    assert_eq!(it.next(), (RECONCILE - RECHECK, vec![Action::ReadFirewall]));
    let flushed = Reading { has_hairpin_table: false, ..reading(&[]) };
    it.guard.handle_firewall(Some(&flushed), it.now);
    assert_eq!(it.actions(), [Action::Hairpin(mappings(&[]))]);
}

#[test]
fn another_outside_address_is_another_hairpin() {
    let mut it = Simulation::new(true);
    it.leases(&[]);
    it.firewall(&[]);
    it.guard.handle_hairpin(true, it.now);
    it.guard.handle_addresses(it.now);
    assert_eq!(it.actions(), [Action::Hairpin(mappings(&[]))]);
}

#[test]
fn what_was_made_for_an_address_that_is_gone_is_made_again() {
    let mut it = with_hairpin(&[60001]);
    it.guard.handle_addresses(it.now);
    assert_eq!(it.actions(), [Action::Hairpin(mappings(&[60001]))], "without the address");
    it.guard.handle_addresses(it.now);
    assert_eq!(it.actions(), [], "nft still runs");
    it.guard.handle_hairpin(true, it.now);
    assert!(!it.guard.is_ready());
    assert_eq!(it.actions(), [Action::Hairpin(mappings(&[60001]))], "with the new one");
    it.guard.handle_hairpin(true, it.now);
    assert_eq!(it.actions(), []);
    assert!(it.guard.is_ready());
}

/// A guard to which anything happens.
struct Life {
    it: Simulation,
    state: u64,
    /// Or tried for.
    held: BTreeSet<NonZeroU16>,
    is_read: bool,
}

impl Life {
    /// A small generator (Knuth, MMIX), so that a failure can be repeated.
    fn below(&mut self, limit: u64) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % limit
    }

    fn some_ports(&mut self) -> Vec<u16> {
        (60001..=60005).filter(|_| self.below(2) == 0).collect()
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Hold(port) => {
                    self.held.insert(port);
                    let extents = [Extent::Whole, Extent::Outside, IN_USE];
                    let extent = extents[usize::try_from(self.below(3)).unwrap()];
                    self.it.guard.handle_hold(port, extent, self.it.now);
                }
                Action::Release(port) => assert!(self.held.remove(&port), "{port} was not held"),
                Action::ReadFirewall => {
                    assert!(!self.is_read, "one reading at a time");
                    self.is_read = true;
                }
                Action::Hairpin(_) => self.it.guard.handle_hairpin(true, self.it.now),
                Action::Tell(_) => {}
            }
        }
    }

    fn step(&mut self) {
        let actions = match self.below(4) {
            0 => {
                let ports = self.some_ports();
                self.it.leases(&ports)
            }
            1 if self.is_read => {
                self.is_read = false;
                let some = reading(&self.some_ports());
                let answer = match self.below(3) {
                    0 => None,
                    1 => Some(Reading::default()),
                    _ => Some(some),
                };
                self.it.guard.handle_firewall(answer.as_ref(), self.it.now);
                self.it.actions()
            }
            _ => {
                let time = Duration::from_millis(self.below(3_000));
                self.it.after(time)
            }
        };
        self.perform(actions);
    }

    /// Until the file and the firewall have been as they are for long.
    fn settle(&mut self, mapped: &[u16]) {
        let end = self.it.now + Duration::from_secs(60);
        while self.it.now < end {
            let actions = match std::mem::take(&mut self.is_read) {
                true => self.it.firewall(mapped),
                false => self.it.next().1,
            };
            self.perform(actions);
        }
    }
}

#[test]
fn whatever_has_happened_what_the_firewall_has_is_held_in_the_end_and_nothing_else() {
    for seed in 0..2_000 {
        let it = Simulation::new(seed % 2 == 0);
        let mut life = Life { it, state: seed, held: BTreeSet::new(), is_read: false };
        (0..40).for_each(|_| life.step());
        let (listed, mapped) = (life.some_ports(), life.some_ports());
        let actions = life.it.leases(&listed);
        life.perform(actions);
        life.settle(&mapped);
        let expected: BTreeSet<_> = mapped.iter().copied().map(port).collect();
        assert_eq!(life.held, expected, "{seed}: {listed:?} listed");
        assert_eq!(life.it.guard.count().0, mapped.len(), "{seed}");
    }
}
