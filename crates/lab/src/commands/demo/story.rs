//! What the demo does, in order.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Host, Lab, Lease, WriteUp, wait_until};

use super::page::Page;
use super::session::Session;

/// How soon after its session a mapping must be gone.
const AT_ONCE: Duration = Duration::from_secs(2);

const NETWORK: &str = "
    Server                     NAT router                     Laptop
   ┌──────────────┐           ┌────────────────────┐         ┌──────────────┐
   │ sshd         │           │ sshd, mosh-server  │         │ ssh          │
   │ mosh-server  ├───────────┤ miniupnpd          ├─────────┤ mosh         │
   │ moshpunch    │           │ TCP 8022 → Server  │         │              │
   └──────────────┘           └────────────────────┘         └──────────────┘
    192.168.1.10     192.168.1.1                20.0.0.1      20.0.0.9

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

    page.begin("`mosh router` opens a session on the router");
    let to_router = Session::open(&network.laptop, &["mosh", "router"], "router")?;
    page.step_held();

    page.begin("mosh through TCP 8022, with moshpunch, opens one on the server");
    let words = ["mosh", "--ssh=ssh -p 8022", "--server=moshpunch server", "router"];
    let to_server = Session::open(&network.laptop, &words, "server")?;
    page.step_held();

    let [to_router, to_server] = [show(to_router, page)?, show(to_server, page)?];

    page.begin("The router leads one UDP port to the server's mosh-server");
    let during = network.router.leases()?;
    let lease = only_lease_of_the_server(&during)?;
    ensure!(
        network.server.udp_ports()?.contains(&lease.internal_port),
        "nothing listens on port {} of the server",
        lease.internal_port
    );
    page.step_held();
    page.leases("The router's leases while both sessions are open", &during);
    page.note(&both_sides_of_the_port(lease, &network.router)?);

    page.begin("Both sessions end by `exit`");
    to_server.exit()?;
    to_router.exit()?;
    page.step_held();

    page.begin("The mapping is gone, and with it all that moshpunch had started");
    let after = wait_until("the lease table as it was before", AT_ONCE, || {
        let leases = network.router.leases()?;
        Ok((leases == before).then_some(leases))
    })?;
    wait_until(
        "the end of moshpunch on the server",
        AT_ONCE,
        || Ok(is_idle(&network.server)?.then_some(())),
    )?;
    page.step_held();
    page.leases("The router's leases after", &after);
    page.all_held();
    Ok(())
}

fn show(mut session: Session, page: &mut Page) -> Result<Session> {
    page.begin(&format!("What is typed into the session on the {} is answered there", session.host()));
    let screen = session.type_command()?;
    page.step_held();
    page.screen(session.command_line(), &screen);
    Ok(session)
}

fn only_lease_of_the_server(leases: &[Lease]) -> Result<&Lease> {
    let [lease] = leases else { anyhow::bail!("one lease expected, not {}: {leases:?}", leases.len()) };
    let address = lease.internal_address.to_string();
    ensure!(address == WriteUp::SERVER, "the lease leads to {address}, not to {}", WriteUp::SERVER);
    Ok(lease)
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

/// A keeper runs as /proc/self/exe, and that is its name.
fn is_idle(server: &Host) -> Result<bool> {
    let names = ["exe", "moshpunch", "mosh-server"];
    names.into_iter().try_fold(true, |idle, name| Ok(idle && server.processes(name)?.is_empty()))
}
