//! Our own client, while the laptop goes from network to network.

use std::fs;
use std::slice;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Host, Lab, Link, Nat, WriteUp, wait_until};

use super::only_lease;
use crate::commands::demo::page::Page;
use crate::commands::demo::session::Session;

/// Names the address that mosh-server now sends to.
const TYPED: &str = "who";

/// What an idle session may take to follow its laptop. mosh alone would tell of itself within 3 s, if it knew where.
const TO_FOLLOW: Duration = Duration::from_secs(3);

/// A network that the laptop comes to, and what the server sees of it.
struct Stop<'a> {
    place: &'static str,
    arrival: &'static str,
    answered: &'static str,
    link: &'a Link,
    address: &'static str,
    gateway: &'static str,
    seen_as: &'static str,
}

pub(super) fn tell(lab: &Lab, network: &WriteUp, page: &mut Page) -> Result<()> {
    let cafe = lab.link("cafe")?;
    let _cafes_router = cafes_router(lab, &network.internet, &cafe)?;
    let_sessions_tell_their_clients(&network.server)?;

    page.begin("`moshpunch` with the same ssh opens a session on the server");
    let words = ["moshpunch", "--ssh=ssh -p 8022", "router"];
    let mut session = Session::open(&network.laptop, &words, "server")?;
    page.step_held();
    page.begin("It goes through the port that the router leads to the server");
    let lease = only_lease(network)?;
    let mapped = format!("{}:{}", WriteUp::ROUTER_OUTSIDE, lease.external_port);
    is_followed(&network.server, WriteUp::LAPTOP)?;
    let screen = session.type_command(TYPED)?;
    page.step_held();
    page.screen(session.command_line(), "on the internet", &screen);
    page.note("`who` names the login by ssh, too. It ends once a direct path has held for 30 s.");
    page.leases("The router's leases while it is open", slice::from_ref(&lease));

    for stop in [home(&network.home), in_the_cafe(&cafe)] {
        go_on(&stop, network, &mut session, page)?;
    }

    page.begin("The session ends by `exit`, and tells how it went");
    let command_line = session.command_line().to_owned();
    let farewell = session.exit(&format!("the session went over {mapped} (mapped by its router), after "))?;
    page.step_held();
    page.screen(&command_line, "in the café", &farewell);
    Ok(())
}

fn home(link: &Link) -> Stop<'_> {
    Stop {
        place: "at home",
        arrival: "The laptop walks home; the idle session follows within 3 s",
        answered: "What is typed is answered, straight over the server's own LAN",
        link,
        address: "192.168.1.50/24",
        gateway: WriteUp::ROUTER_INSIDE,
        seen_as: "192.168.1.50",
    }
}

fn in_the_cafe(link: &Link) -> Stop<'_> {
    Stop {
        place: "in the café",
        arrival: "On to a café, behind another NAT; the session follows again",
        answered: "What is typed is answered, through the mapped port again",
        link,
        address: "10.1.0.5/24",
        gateway: "10.1.0.1",
        seen_as: "20.0.0.50",
    }
}

fn go_on(stop: &Stop<'_>, network: &WriteUp, session: &mut Session, page: &mut Page) -> Result<()> {
    page.begin(stop.arrival);
    network.laptop.join("eth0", stop.link, &[stop.address], &[stop.gateway])?;
    is_followed(&network.server, stop.seen_as)?;
    page.step_held();
    page.begin(stop.answered);
    let screen = session.type_command(TYPED)?;
    ensure!(
        screen.contains(&format!(":{} via mosh", stop.seen_as)),
        "{} is not named:\n{screen}",
        stop.seen_as
    );
    page.step_held();
    page.screen(session.command_line(), stop.place, &screen);
    Ok(())
}

fn cafes_router(lab: &Lab, internet: &Link, cafe: &Link) -> Result<Host> {
    let router = lab.host("cafe");
    let router = router.attach("wan0", internet, &["20.0.0.50/24"]).attach("lan0", cafe, &["10.1.0.1/24"]);
    let router = router.start()?;
    router.nat(&Nat::home("wan0"))?;
    Ok(router)
}

/// mosh-server names its client's address in utmp, by a program that may write there on a real host.
fn let_sessions_tell_their_clients(server: &Host) -> Result<()> {
    server.command("chmod").args(["666", "/run/utmp"]).run(TO_FOLLOW).map(drop)
}

/// As who(1) reads it. mosh-server has one IPv6 socket for both families.
pub(super) fn is_followed(server: &Host, address: &str) -> Result<()> {
    let client = format!("::ffff:{address} via mosh");
    wait_until(&format!("{address} as the client's address on the server"), TO_FOLLOW, || {
        let logged_in = server.inside(|| Ok(fs::read("/run/utmp")?))?;
        Ok(String::from_utf8_lossy(&logged_in).contains(&client).then_some(()))
    })
}
