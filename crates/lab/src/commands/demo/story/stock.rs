//! The write-up's two commands, at the same time.

use std::slice;

use anyhow::{Context as _, Result};
use lab::{Host, Lease, WriteUp};

use super::only_lease;
use crate::commands::demo::page::Page;
use crate::commands::demo::session::Session;

/// Says where one is.
const TYPED: &str = "hostname; ip -brief -4 address";

const LAST_WORDS: &str = "[mosh is exiting.]";

pub(super) fn tell(network: &WriteUp, page: &mut Page) -> Result<()> {
    page.begin("`mosh router` opens a session on the router");
    let to_router = Session::open(&network.laptop, &["mosh", "router"], "router")?;
    page.step_held();

    page.begin("mosh through TCP 8022, with moshpunch, opens one on the server");
    let words = ["mosh", "--ssh=ssh -p 8022", "--server=moshpunch server", "router"];
    let to_server = Session::open(&network.laptop, &words, "server")?;
    page.step_held();

    let [to_router, to_server] = [show(to_router, page)?, show(to_server, page)?];

    page.begin("The router leads one UDP port to the server's mosh-server");
    let lease = only_lease(network)?;
    page.step_held();
    page.leases("The router's leases while both sessions are open", slice::from_ref(&lease));
    page.note(&both_sides_of_the_port(&lease, &network.router)?);

    page.begin("Both sessions end by `exit`");
    to_server.exit(LAST_WORDS)?;
    to_router.exit(LAST_WORDS)?;
    page.step_held();
    Ok(())
}

fn show(mut session: Session, page: &mut Page) -> Result<Session> {
    page.begin(&format!("What is typed into the session on the {} is answered there", session.host()));
    let screen = session.type_command(TYPED)?;
    page.step_held();
    page.screen(session.command_line(), "", &screen);
    Ok(session)
}

/// Router and server share the ports outside, and a mosh-server sees only those of its own host.
fn both_sides_of_the_port(lease: &Lease, router: &Host) -> Result<String> {
    let (outside, inside) = (lease.external_port, lease.internal_port);
    let ports = router.udp_ports()?;
    let own = ports.iter().find(|port| (60001..=60999).contains(*port));
    let own = own.context("the router's mosh-server has no port")?;
    Ok(format!(
        "The server's mosh-server listens on its host's port {inside}, the router's on port {own}.\n\
         They share the router's outside: there, {outside} leads to the server."
    ))
}
