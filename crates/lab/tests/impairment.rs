//! Loss, silent outages, delays and slow lines, switched on and off under running programs.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lab::{Direction, Host, Impairment, Lab, Link, UdpPeer, scenario, wait_until};

const LIMIT: Duration = Duration::from_secs(20);
const DELAY: Duration = Duration::from_millis(100);
/// How often a round trip is tried: a busy machine lets single frames wait.
const TRIPS: u8 = 20;
const BEFORE_IT_IS_SAID_AGAIN: Duration = Duration::from_millis(50);

/// What does not come is looked for that long.
const SILENCE: Duration = Duration::from_millis(200);

const LEFT: &str = "[::ffff:10.0.0.1]:7000";
const RIGHT: &str = "[::ffff:10.0.0.2]:7000";
const RIGHT_BY_IPV6: &str = "[2001:db8::2]:7000";

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

    fn takes(&self, delay: Duration) -> Result<()> {
        self.takes_to(RIGHT, delay)
    }

    /// No round trip is shorter than said, and one of them less than [`DELAY`] longer.
    fn takes_to(&self, address: &str, delay: Duration) -> Result<()> {
        for _ in 0..TRIPS {
            let took = self.left_peer.round_trip(&self.right_peer, address, LIMIT)?;
            ensure!(took >= delay, "{took:?} is less than {delay:?}");
            if took < delay + DELAY {
                return Ok(());
            }
        }
        bail!("none of {TRIPS} round trips took less than {:?}", delay + DELAY)
    }

    /// How many of 1000 datagrams from left arrive at the right, in rounds that a socket's buffer can hold. The wire keeps
    /// their order: what has not come before the end of its round, which is said until it is heard, was lost.
    fn arrivals(&self) -> Result<usize> {
        let mut arrived = 0;
        for round in 0..10 {
            for _ in 0..100 {
                self.left_peer.send("loss", RIGHT)?;
            }
            let end = format!("end of round {round}");
            wait_until(&end, LIMIT, || {
                self.left_peer.send(&end, RIGHT)?;
                while let Some((text, _)) = self.right_peer.receive_if_any(BEFORE_IT_IS_SAID_AGAIN)? {
                    if text == end {
                        return Ok(Some(()));
                    }
                    arrived += usize::from(text == "loss");
                }
                Ok(None)
            })?;
        }
        Ok(arrived)
    }
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
    pair.takes(Duration::ZERO)?;
    pair.link.impair(Impairment::OUTAGE)?;
    pair.left_peer.send("lost", RIGHT)?;
    pair.right_peer.send("lost too", LEFT)?;
    let state = pair.left.command("ip").args(["link", "show", "eth0"]).run(LIMIT)?.stdout;
    ensure!(state.contains("state UP"), "{state}");
    assert_eq!(pair.right_peer.receive_if_any(SILENCE)?, None);
    assert_eq!(pair.left_peer.receive_if_any(SILENCE)?, None);
    pair.link.impair(Impairment::NONE)?;
    pair.takes(Duration::ZERO)
}

fn an_outage_may_be_of_one_direction(lab: &Lab) -> Result<()> {
    let pair = Pair::raise(lab)?;
    let (left, right) = (&pair.left_peer, &pair.right_peer);
    for (direction, deaf, hearing) in [(Direction::FromHost, right, left), (Direction::ToHost, left, right)] {
        pair.takes(Duration::ZERO)?;
        pair.left.impair("eth0", direction, Impairment::OUTAGE)?;
        right.send("to left", LEFT)?;
        left.send("to right", RIGHT)?;
        hearing.receive(LIMIT)?;
        assert_eq!(deaf.receive_if_any(SILENCE)?, None, "{direction:?}");
        pair.left.impair("eth0", direction, Impairment::NONE)?;
    }
    Ok(())
}

fn a_links_delay_counts_both_ways_for_ipv4_and_ipv6(lab: &Lab) -> Result<()> {
    let pair = Pair::raise(lab)?;
    pair.link.impair(Impairment::NONE.delay(DELAY))?;
    pair.takes(2 * DELAY)?;
    pair.takes_to(RIGHT_BY_IPV6, 2 * DELAY)?;
    pair.link.impair(Impairment::NONE)?;
    pair.takes(Duration::ZERO)
}

fn an_interfaces_delay_counts_one_way_and_adds_to_its_links(lab: &Lab) -> Result<()> {
    let pair = Pair::raise(lab)?;
    pair.right.impair("eth0", Direction::ToHost, Impairment::NONE.delay(DELAY))?;
    pair.takes(DELAY)?;
    pair.link.impair(Impairment::NONE.delay(DELAY))?;
    pair.takes(3 * DELAY)
}

/// Another that is sent later overtakes what is delayed.
fn only_the_impaired_direction_is_delayed(lab: &Lab) -> Result<()> {
    let pair = Pair::raise(lab)?;
    let (to_right, to_left) =
        ((&pair.left_peer, RIGHT, &pair.right_peer), (&pair.right_peer, LEFT, &pair.left_peer));
    for (direction, slow, fast) in
        [(Direction::ToHost, to_right, to_left), (Direction::FromHost, to_left, to_right)]
    {
        pair.takes(Duration::ZERO)?;
        pair.right.impair("eth0", direction, Impairment::NONE.delay(3 * DELAY))?;
        let overtakes = || -> Result<bool> {
            slow.0.send("slow", slow.1)?;
            fast.0.send("fast", fast.1)?;
            fast.2.receive(LIMIT)?;
            let is_first = slow.2.receive_if_any(Duration::from_millis(1))?.is_none();
            if is_first {
                slow.2.receive(LIMIT)?;
            }
            Ok(is_first)
        };
        let overtaken = (0..TRIPS).map(|_| overtakes()).find(|overtaken| !matches!(overtaken, Ok(false)));
        ensure!(overtaken.transpose()?.is_some(), "{direction:?}");
        pair.right.impair("eth0", direction, Impairment::NONE)?;
    }
    Ok(())
}

/// What is sent behind twelve thousand bytes waits for them.
fn a_slow_link_lets_through_as_much_as_its_rate(lab: &Lab) -> Result<()> {
    let pair = Pair::raise(lab)?;
    let elsewhere = pair.right.udp("[::]:7001")?;
    pair.takes(Duration::ZERO)?;
    pair.link.impair(Impairment::NONE.rate(20_000))?;
    let filling = "x".repeat(1_000);
    (0..12).try_for_each(|_| pair.left_peer.send(&filling, "[::ffff:10.0.0.2]:7001"))?;
    let took = pair.left_peer.round_trip(&pair.right_peer, RIGHT, LIMIT)?;
    // It began a moment after they did.
    ensure!(took > Duration::from_millis(400), "{took:?}");
    (0..12).try_for_each(|_| elsewhere.receive(LIMIT).map(drop))?;
    pair.link.impair(Impairment::NONE)?;
    pair.takes(Duration::ZERO)
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
