//! Sessions through the router: real mosh, real ssh, real miniupnpd.

mod common;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use common::program;
use common::{
    AT_ONCE, PATIENCE, be_patient, computes, end_sessions, keeper, leave, mosh_through, mosh_to_router,
    mosh_to_server, no_moshpunch_is_left, process, raise, server_over_ssh, signal, state_files,
    wait_for_empty_table,
};
use lab::{Host, Lab, Miniupnpd, Nat, Protocol, Sshd, Terminal, WriteUp, scenario, wait_until};
use rustix::process::Signal;

fn the_write_ups_two_commands_work_at_the_same_time(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let other = ["-e", "a game", "-a", WriteUp::SERVER, "60020", "60020", "UDP", "600"];
    network.server.command("upnpc").args(other).run(PATIENCE)?;
    let before = network.router.leases()?;

    let mut to_router = mosh_to_router(&network.laptop)?;
    let mut to_server = mosh_to_server(&network.laptop, "moshpunch server")?;
    computes(&mut to_router, 1234)?;
    computes(&mut to_server, 4321)?;
    let during = network.router.leases()?;
    assert_eq!(during.len(), before.len() + 1, "{during:?}");
    assert!(during[1].description.starts_with("moshpunch alice@server "), "{during:?}");

    leave(to_server)?;
    leave(to_router)?;
    wait_until("the lease table as it was before", AT_ONCE, || {
        Ok((network.router.leases()? == before).then_some(()))
    })?;
    no_moshpunch_is_left(&network.server)?;
    assert_eq!(state_files(&network.server)?, [""; 0]);
    Ok(())
}

fn a_session_survives_the_end_of_ssh_and_the_keeper_killed(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let mut terminal = mosh_to_server(&network.laptop, "moshpunch server")?;
    wait_until("the end of the ssh connection", PATIENCE, || {
        Ok(network.laptop.processes("ssh")?.is_empty().then_some(()))
    })?;
    computes(&mut terminal, 2001)?;
    signal(&keeper(&network.server)?, Signal::KILL)?;
    no_moshpunch_is_left(&network.server)?;
    computes(&mut terminal, 2002)?;
    assert_eq!(network.router.leases()?.len(), 1);

    leave(terminal)?;
    assert_eq!(network.router.leases()?.len(), 1, "nobody is left to remove the mapping");
    assert_eq!(state_files(&network.server)?.len(), 1);
    let next = mosh_to_server(&network.laptop, "moshpunch server")?;
    wait_until("the dead session's mapping and state file to go", PATIENCE, || {
        let (mappings, files) = (network.router.leases()?.len(), state_files(&network.server)?.len());
        Ok((mappings == 1 && files == 1).then_some(()))
    })?;
    leave(next)?;
    wait_for_empty_table(&network.router, AT_ONCE)
}

/// Nobody renews it and nobody deletes it, while the session goes on.
fn after_the_keeper_is_killed_the_lease_runs_out_by_itself(lab: &Lab) -> Result<()> {
    const LEASE: Duration = Duration::from_secs(2);
    let network = raise(lab)?;
    for (upnp, nat_pmp_and_pcp) in [(true, false), (false, true)] {
        let granting = Miniupnpd { upnp, nat_pmp_and_pcp, lifetimes: (2, 60), ..WriteUp::miniupnpd() };
        let _miniupnpd = network.router.miniupnpd(&granting)?;
        server_over_ssh(&network.laptop, "moshpunch server --lease 2 new -s")?;
        wait_until("a renewed lease", PATIENCE, renewal(&network.router)?)?;
        signal(&keeper(&network.server)?, Signal::KILL)?;
        wait_for_empty_table(&network.router, LEASE + AT_ONCE)?;
        ensure!(!network.server.processes("mosh-server")?.is_empty(), "the session had ended");
        end_sessions(&network.server)?;
    }
    Ok(())
}

/// Whether the only lease ends later than it does now.
fn renewal(router: &Host) -> Result<impl FnMut() -> Result<Option<()>>> {
    let first = router.leases()?;
    ensure!(first.len() == 1, "one lease expected: {first:?}");
    let expires = first[0].expires;
    Ok(move || Ok(router.leases()?.iter().any(|lease| lease.expires > expires).then_some(())))
}

/// As many leases of two seconds as half an hour has of two minutes.
fn a_session_lives_through_thirty_renewals(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let mut terminal = mosh_to_server(&network.laptop, "moshpunch server --lease 2")?;
    let mut expiries = Vec::new();
    wait_until("thirty renewals in the router's table", Duration::from_secs(180), || {
        for lease in network.router.leases()? {
            if expiries.last() != Some(&lease.expires) {
                expiries.push(lease.expires);
            }
        }
        Ok((expiries.len() > 30).then_some(()))
    })?;
    assert!(expiries.is_sorted(), "{expiries:?}");
    computes(&mut terminal, 3001)?;
    leave(terminal)?;
    wait_for_empty_table(&network.router, AT_ONCE)
}

fn the_mapping_goes_when_mosh_server_exits(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let terminal = mosh_to_server(&network.laptop, "moshpunch server")?;
    assert_eq!(network.router.leases()?.len(), 1);
    leave(terminal)?;
    wait_for_empty_table(&network.router, AT_ONCE)
}

fn the_mapping_goes_when_mosh_server_is_killed(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let _terminal = mosh_to_server(&network.laptop, "moshpunch server")?;
    assert_eq!(network.router.leases()?.len(), 1);
    signal(&process(&network.server, "mosh-server")?, Signal::KILL)?;
    wait_for_empty_table(&network.router, AT_ONCE)?;
    no_moshpunch_is_left(&network.server)
}

fn the_mapping_goes_when_no_client_came_for_a_minute(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    server_over_ssh(&network.laptop, "moshpunch server new -s")?;
    assert_eq!(network.router.leases()?.len(), 1);
    wait_until("mosh-server to give up", Duration::from_secs(120), || {
        Ok(network.server.processes("mosh-server")?.is_empty().then_some(()))
    })?;
    wait_for_empty_table(&network.router, AT_ONCE)
}

fn the_mapping_goes_when_the_keeper_is_terminated(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let mut terminal = mosh_to_server(&network.laptop, "moshpunch server")?;
    signal(&keeper(&network.server)?, Signal::TERM)?;
    wait_for_empty_table(&network.router, AT_ONCE)?;
    no_moshpunch_is_left(&network.server)?;
    assert_eq!(state_files(&network.server)?, [""; 0]);
    // What is connected stays so: the router goes on translating what it knows.
    computes(&mut terminal, 5001)
}

/// Another server beside the write-up's, through the router's port 8023, and room for forty sessions.
fn raise_two_servers(lab: &Lab) -> Result<(Host, [Host; 2], Host)> {
    lab.install(&program::path())?;
    let (internet, home) = (lab.link("internet")?, lab.link("home")?);
    let router = lab.host("router").attach("wan0", &internet, &["20.0.0.1/24"]);
    let router = router.attach("lan0", &home, &["192.168.1.1/24"]).start()?;
    let nat = Nat::home("wan0").forward(Protocol::Tcp, 8022, "192.168.1.10:22");
    router.nat(&nat.forward(Protocol::Tcp, 8023, "192.168.1.11:22"))?;
    let server = |name: &str, address: &str| {
        lab.host(name).attach("eth0", &home, &[address]).default_route("192.168.1.1").start()
    };
    let servers = [server("server1", "192.168.1.10/24")?, server("server2", "192.168.1.11/24")?];
    servers.iter().try_for_each(be_patient)?;
    let laptop = lab.host("laptop").attach("eth0", &internet, &["20.0.0.9/24"]).start()?;
    Ok((router, servers, laptop))
}

fn forty_sessions_on_two_servers_at_the_same_moment_all_work(lab: &Lab) -> Result<()> {
    let (router, servers, laptop) = raise_two_servers(lab)?;
    let _sshds = [servers[0].sshd(&Sshd::default())?, servers[1].sshd(&Sshd::default())?];
    let permissions = ["allow 60000-60999 192.168.1.0/24 60000-60999", "deny 0-65535 0.0.0.0/0 0-65535"];
    let permissions = permissions.map(str::to_owned).to_vec();
    let _miniupnpd = router.miniupnpd(&Miniupnpd { permissions, ..Miniupnpd::new("wan0", "lan0") })?;

    let open = |number: u16| {
        mosh_through(&laptop, "router", 8022 + number % 2, "moshpunch server --budget 60")
            .with_context(|| format!("session {number}; in the router's table: {:?}", router.leases()))
    };
    let mut terminals: Vec<Terminal> = thread::scope(|scope| {
        let openings: Vec<_> = (0..40).map(|number| scope.spawn(move || open(number))).collect();
        openings.into_iter().map(|opening| opening.join().expect("no panic")).collect::<Result<_>>()
    })?;
    for (number, terminal) in (7001..).zip(&mut terminals) {
        computes(terminal, number)?;
    }

    let leases = router.leases()?;
    let mut external: Vec<_> = leases.iter().map(|lease| lease.external_port).collect();
    external.sort_unstable();
    external.dedup();
    assert_eq!((leases.len(), external.len()), (40, 40), "{leases:?}");
    let mut internal: Vec<_> =
        leases.iter().map(|lease| (lease.internal_address, lease.internal_port)).collect();
    internal.sort_unstable();
    internal.dedup();
    assert_eq!(internal.len(), 40, "{leases:?}");

    for terminal in terminals {
        leave(terminal)?;
    }
    wait_for_empty_table(&router, PATIENCE)
}

fn a_client_inside_the_lan_gets_what_mosh_server_gives_and_no_mapping(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    // The router would be a client from inside too, but it is also the gateway, which may stand for anybody.
    let ssh = network.server.command("ssh").args(["server", "moshpunch server new -s"]).as_user(lab::USER);
    let output = ssh.run(PATIENCE)?;
    ensure!(output.stdout.contains("MOSH CONNECT 60001 "), "{output:?}");
    assert!(!output.stderr.contains("moshpunch:"), "{output:?}");
    assert_eq!(network.router.leases()?, []);
    no_moshpunch_is_left(&network.server)
}

fn main() -> ExitCode {
    let programs = &["mosh", "sshd", "miniupnpd", "upnpc"];
    lab::harness::run(
        [
            scenario!(the_mapping_goes_when_no_client_came_for_a_minute).within(Duration::from_secs(240)),
            scenario!(forty_sessions_on_two_servers_at_the_same_moment_all_work)
                .within(Duration::from_secs(240)),
            scenario!(a_session_lives_through_thirty_renewals).within(Duration::from_secs(240)),
            scenario!(after_the_keeper_is_killed_the_lease_runs_out_by_itself),
            scenario!(the_write_ups_two_commands_work_at_the_same_time),
            scenario!(a_session_survives_the_end_of_ssh_and_the_keeper_killed),
            scenario!(the_mapping_goes_when_mosh_server_exits),
            scenario!(the_mapping_goes_when_mosh_server_is_killed),
            scenario!(the_mapping_goes_when_the_keeper_is_terminated),
            scenario!(a_client_inside_the_lan_gets_what_mosh_server_gives_and_no_mapping),
        ]
        .map(|scenario| scenario.needs(programs)),
    )
}
