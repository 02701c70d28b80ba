//! Our own client where no UDP gets through, and then where it does again.

use std::time::Duration;

use anyhow::Result;
use lab::{Host, Lab, Link, Nat, WriteUp};

use super::walk;
use crate::commands::demo::page::Page;
use crate::commands::demo::session::Session;

const PATIENCE: Duration = Duration::from_secs(20);

/// Names the address that mosh-server now sends to.
const TYPED: &str = "who";

const SSH: &str = "--ssh=ssh -p 8022";

pub(super) fn tell(lab: &Lab, network: &WriteUp, page: &mut Page) -> Result<()> {
    let hotel = lab.link("hotel")?;
    let _hotels_router = hotels_router(lab, &network.internet, &hotel)?;

    page.begin("In a hotel whose network lets no UDP through, mosh waits in vain");
    network.laptop.join("eth0", &hotel, &["10.3.0.5/24"], &["10.3.0.1"])?;
    let words = ["mosh", SSH, "--server=moshpunch server", "router"];
    let stock = Session::waits(&network.laptop, &words, "Nothing received from server")?;
    page.step_held();
    page.screen(stock.command_line(), "", &stock.screen());
    drop(stock);
    end_what_nobody_has_joined(&network.server)?;

    page.begin("`moshpunch` opens a session there, over the connection of its ssh");
    let words = ["moshpunch", SSH, "router"];
    let mut session = Session::open(&network.laptop, &words, "server")?;
    walk::is_followed(&network.server, "127.0.0.1")?;
    let screen = session.type_command(TYPED)?;
    page.step_held();
    page.screen(session.command_line(), "in the hotel", &screen);
    page.note("What ssh brings comes from the server itself: 127.0.0.1.");

    page.begin("The laptop goes to the street; the idle session goes on by UDP");
    network.laptop.join("eth0", &network.internet, &["20.0.0.9/24"], &[])?;
    walk::is_followed(&network.server, WriteUp::LAPTOP)?;
    page.step_held();

    page.begin("The session ends by `exit`, and tells how it went");
    let command_line = session.command_line().to_owned();
    let farewell = session.exit("(mapped by its router), after ")?;
    page.step_held();
    page.screen(&command_line, "on the internet", &farewell);
    Ok(())
}

/// It would wait a minute for its client.
fn end_what_nobody_has_joined(server: &Host) -> Result<()> {
    let waiting = server.processes("mosh-server")?;
    let numbers = waiting.iter().map(|process| process.pid_inside.to_string());
    server.command("kill").args(numbers).run(PATIENCE).map(drop)
}

fn hotels_router(lab: &Lab, internet: &Link, hotel: &Link) -> Result<Host> {
    let router = lab.host("hotel");
    let router = router.attach("wan0", internet, &["20.0.0.80/24"]).attach("lan0", hotel, &["10.3.0.1/24"]);
    let router = router.start()?;
    router.nat(&Nat::home("wan0"))?;
    let chain = "type filter hook forward priority -10; meta l4proto udp drop;";
    let rules = format!("table inet hotel {{ chain forward {{ {chain} }}; }}\n");
    router.command("nft").args(["-f", "-"]).input(rules).run(PATIENCE)?;
    Ok(router)
}
