//! IPv6: addresses, routes, forwarding, and what a home router lets in.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Host, Lab, Nat, scenario};

const LIMIT: Duration = Duration::from_secs(30);
const INSIDE: (&str, u16) = ("2001:db8:1::10", 7000);
const OUTSIDE: (&str, u16) = ("2001:db8:2::9", 7000);

struct Network {
    router: Host,
    inside: Host,
    outside: Host,
}

impl Network {
    fn raise(lab: &Lab) -> Result<Self> {
        let (internet, home) = (lab.link("internet")?, lab.link("home")?);
        let router = lab.host("router").attach("wan0", &internet, &["2001:db8:2::1/64"]);
        let router = router.attach("lan0", &home, &["2001:db8:1::1/64"]).start()?;
        let inside = lab.host("inside").attach("eth0", &home, &["2001:db8:1::10/64"]);
        let outside = lab.host("outside").attach("eth0", &internet, &["2001:db8:2::9/64"]);
        Ok(Self {
            router,
            inside: inside.default_route("2001:db8:1::1").start()?,
            outside: outside.route("2001:db8:1::/64", "2001:db8:2::1").start()?,
        })
    }
}

fn a_router_forwards_once_it_is_told_to(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    let (inside, outside) = (network.inside.udp("[::]:7000")?, network.outside.udp("[::]:7000")?);
    outside.send("too early", INSIDE)?;
    assert_eq!(inside.receive_if_any(Duration::from_millis(100))?, None);
    network.router.forward_packets()?;
    outside.round_trip(&inside, INSIDE, LIMIT)?;
    inside.round_trip(&outside, OUTSIDE, LIMIT)?;
    Ok(())
}

fn a_home_router_forwards_untranslated_and_lets_in_answers_alone(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    network.router.nat(&Nat::home("wan0"))?;
    let (inside, outside) = (network.inside.udp("[::]:7000")?, network.outside.udp("[::]:7000")?);
    outside.send("not asked for", INSIDE)?;
    assert_eq!(inside.receive_if_any(Duration::from_millis(100))?, None);
    inside.send("question", OUTSIDE)?;
    let (_, from) = outside.receive(LIMIT)?;
    assert_eq!(from.to_string(), "[2001:db8:1::10]:7000");
    outside.send("answer", from)?;
    assert_eq!(inside.receive(LIMIT)?.0, "answer");
    Ok(())
}

fn a_router_that_rejects_says_so_of_what_it_does_not_let_in(lab: &Lab) -> Result<()> {
    let network = Network::raise(lab)?;
    network.router.nat(&Nat::home("wan0").rejects())?;
    let (inside, outside) = (network.inside.udp("[::]:7000")?, network.outside.udp("[::]:7000")?);
    ensure!(!network.outside.udp("[::]:0")?.reaches(&inside, INSIDE, LIMIT)?);
    inside.send("question", OUTSIDE)?;
    outside.receive(LIMIT)?;
    ensure!(outside.reaches(&inside, INSIDE, LIMIT)?, "an answer");
    Ok(())
}

fn main() -> ExitCode {
    lab::harness::run([
        scenario!(a_router_forwards_once_it_is_told_to),
        scenario!(a_home_router_forwards_untranslated_and_lets_in_answers_alone),
        scenario!(a_router_that_rejects_says_so_of_what_it_does_not_let_in),
    ])
}
