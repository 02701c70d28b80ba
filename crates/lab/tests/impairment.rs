//! Loss, silent outages, delays and slow lines, switched on and off under running programs.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Direction, Host, Impairment, Lab, Link, UdpPeer, scenario};

const LIMIT: Duration = Duration::from_secs(5);
const DELAY: Duration = Duration::from_millis(40);
/// How much longer than said a round trip may take at its best.
const LATENESS: Duration = Duration::from_millis(30);

const LEFT: &str = "[::ffff:10.0.0.1]:7000";
const RIGHT: &str = "[::ffff:10.0.0.2]:7000";

struct Pair {
    link: Link,
    left: Host,
    right: Host,
    left_peer: UdpPeer,
    right_peer: UdpPeer,
}

impl Pair {
    fn raise(lab: &Lab) -> Result<Self> {
        let link = lab.link("wire")?;
        let left = lab.host("left").attach("eth0", &link, &["10.0.0.1/24", "2001:db8::1/64"]).start()?;
        let right = lab.host("right").attach("eth0", &link, &["10.0.0.2/24", "2001:db8::2/64"]).start()?;
        let (left_peer, right_peer) = (left.udp("[::]:7000")?, right.udp("[::]:7000")?);
        Ok(Self { link, left, right, left_peer, right_peer })
    }

    fn round_trip(&self) -> Result<Duration> {
        self.best_round_trip_to(RIGHT)
    }

    fn round_trip_by_ipv6(&self) -> Result<Duration> {
        self.best_round_trip_to("[2001:db8::2]:7000")
    }

    /// The shortest of five: a busy machine lets single frames wait.
    fn best_round_trip_to(&self, address: &str) -> Result<Duration> {
        let trips = (0..5).map(|_| self.left_peer.round_trip(&self.right_peer, address, LIMIT));
        Ok(trips.collect::<Result<Vec<_>>>()?.into_iter().min().unwrap_or_default())
    }

    /// How many of 1000 datagrams from left arrive at the right, in rounds that a socket's buffer can hold.
    fn arrivals(&self) -> Result<usize> {
        let mut arrived = 0;
        for _ in 0..10 {
            for _ in 0..100 {
                self.left_peer.send("loss", RIGHT)?;
            }
            while self.right_peer.receive_if_any(Duration::from_millis(50))?.is_some() {
                arrived += 1;
            }
        }
        Ok(arrived)
    }
}

fn assert_delayed(took: Duration, delay: Duration) {
    assert!(took >= delay, "{took:?} is less than {delay:?}");
    assert!(took < delay + LATENESS, "{took:?} is much more than {delay:?}");
}

/// With 30 % loss of 1000, one run in a billion is further than 90 from 700.
fn a_loss_takes_its_share_of_datagrams(lab: &Lab) -> Result<()> {
    let pair = Pair::raise(lab)?;
    assert_eq!(pair.arrivals()?, 1000);
    pair.link.impair(Impairment::NONE.loss(300))?;
    let arrived = pair.arrivals()?;
    ensure!((610..=790).contains(&arrived), "{arrived} of 1000 arrived");
    pair.link.impair(Impairment::NONE)?;
    assert_eq!(pair.arrivals()?, 1000);
    Ok(())
}

fn an_outage_is_silent_and_ends(lab: &Lab) -> Result<()> {
    let pair = Pair::raise(lab)?;
    pair.round_trip()?;
    pair.link.impair(Impairment::OUTAGE)?;
    pair.left_peer.send("lost", RIGHT)?;
    pair.right_peer.send("lost too", LEFT)?;
    assert_eq!(pair.right_peer.receive_if_any(Duration::from_millis(200))?, None);
    assert_eq!(pair.left_peer.receive_if_any(Duration::from_millis(200))?, None);
    let state = pair.left.command("ip").args(["link", "show", "eth0"]).run(LIMIT)?.stdout;
    ensure!(state.contains("state UP"), "{state}");
    pair.link.impair(Impairment::NONE)?;
    pair.round_trip()?;
    Ok(())
}

fn an_outage_may_be_of_one_direction(lab: &Lab) -> Result<()> {
    let pair = Pair::raise(lab)?;
    for (direction, arriving) in [(Direction::FromHost, [true, false]), (Direction::ToHost, [false, true])] {
        pair.round_trip()?;
        pair.left.impair("eth0", direction, Impairment::OUTAGE)?;
        pair.right_peer.send("to left", LEFT)?;
        pair.left_peer.send("to right", RIGHT)?;
        let silence = Duration::from_millis(100);
        let arrived = [&pair.left_peer, &pair.right_peer].map(|peer| peer.receive_if_any(silence));
        let [at_left, at_right] = arrived;
        assert_eq!([at_left?.is_some(), at_right?.is_some()], arriving, "{direction:?}");
        pair.left.impair("eth0", direction, Impairment::NONE)?;
    }
    Ok(())
}

fn a_links_delay_counts_both_ways_for_ipv4_and_ipv6(lab: &Lab) -> Result<()> {
    let pair = Pair::raise(lab)?;
    pair.link.impair(Impairment::NONE.delay(DELAY))?;
    assert_delayed(pair.round_trip()?, 2 * DELAY);
    assert_delayed(pair.round_trip_by_ipv6()?, 2 * DELAY);
    pair.link.impair(Impairment::NONE)?;
    assert_delayed(pair.round_trip()?, Duration::ZERO);
    Ok(())
}

fn an_interfaces_delay_counts_one_way_and_adds_to_its_links(lab: &Lab) -> Result<()> {
    let pair = Pair::raise(lab)?;
    pair.right.impair("eth0", Direction::ToHost, Impairment::NONE.delay(DELAY))?;
    assert_delayed(pair.round_trip()?, DELAY);
    pair.link.impair(Impairment::NONE.delay(DELAY))?;
    assert_delayed(pair.round_trip()?, 3 * DELAY);
    Ok(())
}

fn only_the_impaired_direction_is_delayed(lab: &Lab) -> Result<()> {
    let pair = Pair::raise(lab)?;
    let (to_right, to_left) =
        ((&pair.left_peer, RIGHT, &pair.right_peer), (&pair.right_peer, LEFT, &pair.left_peer));
    let long = Impairment::NONE.delay(Duration::from_millis(300));
    for (direction, slow, fast) in
        [(Direction::ToHost, to_right, to_left), (Direction::FromHost, to_left, to_right)]
    {
        pair.round_trip()?;
        pair.right.impair("eth0", direction, long)?;
        slow.0.send("slow", slow.1)?;
        fast.0.send("fast", fast.1)?;
        fast.2.receive(LIMIT)?;
        assert_eq!(slow.2.receive_if_any(Duration::from_millis(1))?, None, "{direction:?}");
        slow.2.receive(LIMIT)?;
        pair.right.impair("eth0", direction, Impairment::NONE)?;
    }
    Ok(())
}

/// What is sent behind twelve thousand bytes waits for them.
fn a_slow_link_lets_through_as_much_as_its_rate(lab: &Lab) -> Result<()> {
    let pair = Pair::raise(lab)?;
    let elsewhere = pair.right.udp("[::]:7001")?;
    pair.round_trip()?;
    pair.link.impair(Impairment::NONE.rate(20_000))?;
    let filling = "x".repeat(1_000);
    (0..12).try_for_each(|_| pair.left_peer.send(&filling, "[::ffff:10.0.0.2]:7001"))?;
    let took = pair.left_peer.round_trip(&pair.right_peer, RIGHT, LIMIT)?;
    // It began a moment after they did.
    ensure!(took > Duration::from_millis(400), "{took:?}");
    (0..12).try_for_each(|_| elsewhere.receive(LIMIT).map(drop))?;
    pair.link.impair(Impairment::NONE)?;
    ensure!(pair.round_trip()? < LATENESS, "it is as fast as before");
    Ok(())
}

/// The kernel gives TCP's large writes to virtual Ethernet in one piece and without checksums.
fn a_delayed_tcp_stream_arrives_whole(lab: &Lab) -> Result<()> {
    let pair = Pair::raise(lab)?;
    pair.link.impair(Impairment::NONE.delay(Duration::from_millis(2)))?;
    let listener = pair.right.inside(|| Ok(std::net::TcpListener::bind("0.0.0.0:80")?))?;
    let sent: Vec<u8> = (0..2_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let mut received = Vec::new();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            pair.left.inside(|| {
                let mut stream = std::net::TcpStream::connect("10.0.0.2:80")?;
                Ok(std::io::Write::write_all(&mut stream, &sent)?)
            })
        });
        std::io::Read::read_to_end(&mut listener.accept()?.0, &mut received)?;
        sender.join().expect("the sender does not panic")
    })?;
    ensure!(received == sent, "{} of {} bytes arrived, or others", received.len(), sent.len());
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run([
        scenario!(a_loss_takes_its_share_of_datagrams),
        scenario!(an_outage_is_silent_and_ends),
        scenario!(an_outage_may_be_of_one_direction),
        scenario!(a_links_delay_counts_both_ways_for_ipv4_and_ipv6).needs_delays(),
        scenario!(an_interfaces_delay_counts_one_way_and_adds_to_its_links).needs_delays(),
        scenario!(only_the_impaired_direction_is_delayed).needs_delays(),
        scenario!(a_slow_link_lets_through_as_much_as_its_rate).needs_delays(),
        scenario!(a_delayed_tcp_stream_arrives_whole).needs_delays(),
    ])
}
