//! What our own client is told: where the session can be reached, at once and as it becomes known.

#[path = "../common/mod.rs"]
mod common;
mod home;
mod later;
mod told;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use common::{
    AT_ONCE, PATIENCE, computes, end_sessions, keeper, leave, no_moshpunch_is_left, raise, secret,
    server_over_ssh, state_files, wait_for_empty_table,
};
use lab::{Host, Lab, Miniupnpd, Output, Signal, WriteUp, scenario, wait_until};

use crate::told::{join, key, on_lan, told};

const AT_HOME: &str = "host=192.168.1.10:60001";

fn own_addresses_are_told_at_once_and_the_mapping_when_it_is_there(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let output = server_over_ssh(&network.laptop, "moshpunch server --offer new")?;
    let expected = [&format!("{AT_HOME} more"), "connect 60001", "mapped=20.0.0.1:60001"];
    assert_eq!(told(&output.stdout), expected, "{output}");
    ensure!(!output.stderr.contains("moshpunch:"), "{output}");

    let mut terminal = join(&network.laptop, WriteUp::ROUTER_OUTSIDE, 60001, &output)?;
    computes(&mut terminal, 9001)?;
    leave(terminal)?;
    wait_for_empty_table(&network.router, AT_ONCE)?;
    no_moshpunch_is_left(&network.server)?;
    assert_eq!(state_files(&network.server)?, [""; 0]);
    Ok(())
}

fn the_environment_asks_for_an_offer_too_and_the_session_does_not_see_it(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let command = "MOSHPUNCH_OFFER=1 moshpunch server --budget 0.1 new -- sh -c 'env >/tmp/seen; sleep 60'";
    let output = server_over_ssh(&network.laptop, command)?;
    assert_eq!(told(&output.stdout)[..2], [&format!("{AT_HOME} more"), "connect 60001"], "{output}");
    let _terminal = network.server.terminal(&mosh_client(&network.server, &output)?, 24, 80)?;
    let seen = wait_until("the session's environment", PATIENCE, || {
        Ok(Some(network.server.read_file("/tmp/seen")?).filter(|seen| seen.contains("PATH=")))
    })?;
    ensure!(!seen.contains("MOSHPUNCH"), "{seen}");
    end_sessions(&network.server)
}

fn mosh_client(host: &Host, output: &Output) -> Result<lab::Command> {
    let command = host.command("mosh-client").args(["192.168.1.10", "60001"]).as_user(lab::USER);
    Ok(command.env("MOSH_KEY", key(output)?).env("LC_ALL", "C.UTF-8"))
}

/// A bridge with a guest on it, as Docker has it, and a VPN.
fn networks_of_containers_are_not_offered_and_a_vpn_is(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let links = "link add docker0 type bridge\naddress add 172.17.0.1/16 dev docker0\nlink set docker0 up\n\
                 link add veth0 type veth peer name guest0\nlink set veth0 master docker0\nlink set veth0 up\n\
                 link set guest0 up\nlink add vpn0 type veth peer name vpn1\naddress add 10.8.0.2/32 dev vpn0\nlink set vpn0 up\nlink set vpn1 up\n";
    network.server.command("ip").args(["-batch", "-"]).input(links).run(PATIENCE)?;
    let output = server_over_ssh(&network.laptop, "moshpunch server --offer new")?;
    let expected = format!("{AT_HOME} host=10.8.0.2:60001 more");
    assert_eq!(told(&output.stdout)[0], expected, "{output}");
    let output = server_over_ssh(&network.laptop, "moshpunch server --offer new -i 10.8.0.2")?;
    assert_eq!(told(&output.stdout), ["host=10.8.0.2:60002", "connect 60002"], "{output}");
    end_sessions(&network.server)
}

fn of_the_address_that_ssh_came_in_on_no_other_is_offered(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let second = ["address", "add", "192.168.1.11/24", "dev", "eth0"];
    network.server.command("ip").args(second).run(PATIENCE)?;
    let output = server_over_ssh(&network.laptop, "moshpunch server --offer new -s")?;
    let expected = [&format!("{AT_HOME} more"), "connect 60001", "mapped=20.0.0.1:60001"];
    assert_eq!(told(&output.stdout), expected, "{output}");
    end_sessions(&network.server)
}

fn a_client_inside_the_lan_is_given_a_mapping_for_when_it_leaves(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let output = on_lan(&network.server, "moshpunch server --offer new")?;
    let expected = [&format!("{AT_HOME} more"), "connect 60001", "mapped=20.0.0.1:60001"];
    assert_eq!(told(&output.stdout), expected, "{output}");
    assert_eq!(network.router.leases()?.len(), 1);
    end_sessions(&network.server)?;
    wait_for_empty_table(&network.router, AT_ONCE)
}

fn the_connect_line_is_there_while_the_router_has_not_answered(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let ssh = network.laptop.command("ssh").args(["-p", "8022", "router", "moshpunch server --offer new"]);
    let ssh = network.laptop.spawn("ssh", &ssh.as_user(lab::USER))?;
    ssh.wait_for_log("MOSH CONNECT 60001 ", PATIENCE)?;
    keeper(&network.server)?;
    assert_eq!(told(&ssh.log()), [&format!("{AT_HOME} more"), "connect 60001"], "{}", ssh.log());

    let _miniupnpd = network.router.miniupnpd(&Miniupnpd::new(WriteUp::OUTSIDE, WriteUp::INSIDE))?;
    ssh.wait_for_log("MOSHPUNCH OFFER 1 mapped=20.0.0.1:60001\n", PATIENCE)?;
    ensure!(ssh.wait_exit(PATIENCE)?.success());
    end_sessions(&network.server)?;
    wait_for_empty_table(&network.router, AT_ONCE)
}

fn where_no_mapping_is_to_be_had_the_cause_comes_before_the_last_line(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let output = server_over_ssh(&network.laptop, "moshpunch server --offer new 2>&1")?;
    assert_eq!(told(&output.stdout), [&format!("{AT_HOME} more"), "connect 60001", ""], "{output}");
    let (before, last) = output.stdout.trim_end().rsplit_once('\n').unwrap_or_default();
    assert_eq!(last, "MOSHPUNCH OFFER 1");
    ensure!(before.contains("\nmoshpunch: no router here answers PCP, NAT-PMP or UPnP; "), "{output}");
    ensure!(!network.server.processes("mosh-server")?.is_empty(), "mosh-server is up all the same");
    keeper(&network.server)?;
    end_sessions(&network.server)?;
    no_moshpunch_is_left(&network.server)?;
    assert_eq!(state_files(&network.server)?, [""; 0]);
    Ok(())
}

/// With a terminal and without, as ssh has it.
fn all_but_the_session_ends_with_the_channel(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for (terminal, port) in [("-T", 60001), ("-tt", 60002)] {
        let ssh = ["-p", "8022", terminal, "router", "moshpunch server --offer new"];
        let ssh = network.laptop.command("ssh").args(ssh).as_user(lab::USER);
        let ssh = network.laptop.spawn("ssh", &ssh)?;
        ssh.wait_for_log(&format!("MOSH CONNECT {port} "), PATIENCE)?;
        ssh.signal(Signal::KILL)?;
        wait_until("the end of the server command", AT_ONCE, || {
            let commands = network.server.processes("moshpunch")?;
            Ok(commands
                .iter()
                .all(|it| it.arguments.get(1).is_none_or(|word| word != "server"))
                .then_some(()))
        })?;
    }
    let _miniupnpd = network.router.miniupnpd(&Miniupnpd::new(WriteUp::OUTSIDE, WriteUp::INSIDE))?;
    wait_until("the mappings of both sessions", PATIENCE, || {
        Ok((network.router.leases()?.len() == 2).then_some(()))
    })?;
    end_sessions(&network.server)?;
    wait_for_empty_table(&network.router, PATIENCE)
}

fn the_session_key_is_in_no_argument_list_and_no_file(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let output = server_over_ssh(&network.laptop, "moshpunch server --log /tmp/keeper.log --offer new")?;
    let current = server_over_ssh(&network.laptop, "moshpunch server offer 60001")?;
    assert_eq!(told(&current.stdout), [format!("{AT_HOME} mapped=20.0.0.1:60001")]);
    assert_eq!(state_files(&network.server)?.len(), 1);
    secret::is_nowhere(&network.server, &key(&output)?)?;
    // mosh-server waits a minute for a client, and no longer.
    keeper(&network.server)?;
    for host in [&network.router, &network.laptop] {
        secret::is_nowhere(host, &key(&output)?)?;
    }
    end_sessions(&network.server)
}

fn main() -> ExitCode {
    let programs = &["mosh", "sshd", "miniupnpd"];
    lab::harness::run(
        [
            scenario!(own_addresses_are_told_at_once_and_the_mapping_when_it_is_there),
            scenario!(the_environment_asks_for_an_offer_too_and_the_session_does_not_see_it),
            scenario!(networks_of_containers_are_not_offered_and_a_vpn_is),
            scenario!(of_the_address_that_ssh_came_in_on_no_other_is_offered),
            scenario!(a_client_inside_the_lan_is_given_a_mapping_for_when_it_leaves),
            scenario!(the_connect_line_is_there_while_the_router_has_not_answered),
            scenario!(where_no_mapping_is_to_be_had_the_cause_comes_before_the_last_line),
            scenario!(all_but_the_session_ends_with_the_channel),
            scenario!(the_session_key_is_in_no_argument_list_and_no_file),
        ]
        .into_iter()
        .chain(later::scenarios())
        .chain(home::scenarios())
        .map(|scenario| scenario.needs(programs)),
    )
}
