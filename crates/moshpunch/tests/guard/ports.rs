//! The ports that a server is configured to use.

use anyhow::{Result, ensure};
use lab::Lab;

use crate::common::{PATIENCE, computes};
use crate::home::Home;

const CONFIGURATION: &str = "/home/alice/.config/moshpunch/config.toml";

pub(crate) fn configured_ports_hold_inside_and_outside_and_the_clients_own_win(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let _guard = home.guard(&[])?;
    home.servers[0].write_file(CONFIGURATION, "[server]\nbudget = 20\nports = \"60006-60010\"\n")?;
    let first = home.open_on_server(0, &[], &[])?;
    assert_eq!(first.port, 60006);
    assert_eq!(home.router.leases()?[0].internal_port, 60006);

    // The router has the next one, and another host the one after.
    home.open_on_router(&["-s", "-p", "60007"])?;
    let other = ["-e", "a game", "-a", "192.168.1.11", "60008", "60008", "UDP", "600"];
    home.servers[1].command("upnpc").args(other).run(PATIENCE)?;
    let second = home.open_on_server(0, &[], &[])?;
    let leases = home.router.leases()?;
    let lease = leases.iter().find(|lease| lease.external_port == second.port);
    ensure!([60009, 60010].contains(&second.port), "{leases:?}");
    ensure!(lease.is_some_and(|lease| lease.internal_port == 60007), "{leases:?}");
    computes(&mut home.join(&first)?, 2101)?;
    computes(&mut home.join(&second)?, 2102)?;

    assert_eq!(home.open_on_server(0, &[], &["-p", "60001"])?.port, 60001);
    Ok(())
}
