//! What the demo does, in order.

mod no_udp;
mod stock;
mod walk;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Host, Lab, Lease, WriteUp, wait_until};

use super::page::Page;

/// How soon after its session a mapping must be gone.
const AT_ONCE: Duration = Duration::from_secs(2);

const NETWORK: &str = "
    Server                     NAT router                     Laptop
   ┌──────────────┐           ┌────────────────────┐         ┌──────────────┐
   │ sshd         │           │ sshd, mosh-server  │         │ ssh, mosh    │
   │ mosh-server  ├─────┬─────┤ miniupnpd          ├────┬────┤ moshpunch    │
   │ moshpunch    │     ┆     │ TCP 8022 → Server  │    ┆    │              │
   └──────────────┘     ┆     └────────────────────┘    ┆    └──────────────┘
    192.168.1.10        ┆ 192.168.1.1      20.0.0.1     ┆     20.0.0.9
                        ┆                               ┆
             later, the laptop at home           in a café, behind its router,
             192.168.1.50                        20.0.0.50; and in a hotel, behind
                                                 20.0.0.80, which drops all UDP

   All programs but moshpunch are Debian's own, each in the network namespace
   of its host. Nothing leaves this machine.
";

pub(crate) fn tell(lab: &Lab, moshpunch: &Path, page: &mut Page) -> Result<()> {
    page.say("moshpunch: mosh to a server behind a NAT router");
    page.say(NETWORK);

    page.begin("Server, router and laptop are up");
    lab.install(moshpunch)?;
    let network = WriteUp::raise(lab)?;
    page.step_held();

    page.begin("miniupnpd serves the LAN: secure_mode=yes, ports 60000 to 60023");
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let before = network.router.leases()?;
    ensure!(before.is_empty(), "the router has leases before the first session: {before:?}");
    page.step_held();
    page.leases("The router's leases before", &before);

    page.heading("Two sessions of the stock client");
    stock::tell(&network, page)?;
    nothing_is_left(&network, page)?;

    page.heading("One session of our own client, on a walk");
    walk::tell(lab, &network, page)?;
    nothing_is_left(&network, page)?;

    page.heading("One more, from where no UDP gets through");
    no_udp::tell(lab, &network, page)?;
    nothing_is_left(&network, page)?;
    page.all_held();
    Ok(())
}

fn nothing_is_left(network: &WriteUp, page: &mut Page) -> Result<()> {
    page.begin("The mapping is gone, and with it all that moshpunch had started");
    let after = wait_until("an empty lease table, as before", AT_ONCE, || {
        let leases = network.router.leases()?;
        Ok(leases.is_empty().then_some(leases))
    })?;
    for host in [&network.server, &network.laptop] {
        let what = format!("the end of moshpunch on the {}", host.name());
        wait_until(&what, AT_ONCE, || Ok(is_idle(host)?.then_some(())))?;
    }
    page.step_held();
    page.leases("The router's leases after", &after);
    Ok(())
}

fn is_idle(host: &Host) -> Result<bool> {
    let names = ["moshpunch", "mosh-server", "mosh-client"];
    names.into_iter().try_fold(true, |idle, name| Ok(idle && host.processes(name)?.is_empty()))
}

/// The one that leads to the server's mosh-server.
fn only_lease(network: &WriteUp) -> Result<Lease> {
    let mut leases = network.router.leases()?;
    ensure!(leases.len() == 1, "one lease expected, not {}: {leases:?}", leases.len());
    let lease = leases.remove(0);
    let address = lease.internal_address.to_string();
    ensure!(address == WriteUp::SERVER, "the lease leads to {address}, not to {}", WriteUp::SERVER);
    ensure!(
        network.server.udp_ports()?.contains(&lease.internal_port),
        "nothing listens on port {} of the server",
        lease.internal_port
    );
    Ok(lease)
}
