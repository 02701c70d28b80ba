//! `moshpunch server offer PORT`: what is told of a session that runs already.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Signal, WriteUp, scenario, wait_until};

use crate::AT_HOME;
use crate::common::home::{Home, LeaseFile};
use crate::common::{PATIENCE, end_sessions, keeper, raise, server_over_ssh, signal};
use crate::told::told;

pub(crate) fn scenarios() -> [Scenario; 4] {
    [
        scenario!(a_new_outside_address_is_in_the_current_offer),
        scenario!(after_a_restart_of_the_router_the_current_offer_is_the_same_and_serves),
        scenario!(without_a_keeper_the_current_offer_still_has_the_hosts_addresses),
        scenario!(of_a_port_that_no_session_has_there_is_no_offer),
    ]
}

fn current(home: &Home) -> Result<Vec<String>> {
    Ok(told(&server_over_ssh(&home.network.laptop, "moshpunch server offer 60001")?.stdout))
}

fn a_new_outside_address_is_in_the_current_offer(lab: &Lab) -> Result<()> {
    let home = Home::open(lab, None)?;
    assert_eq!(current(&home)?, [format!("{AT_HOME} mapped=20.0.0.1:60001")]);
    home.network.router.readdress(WriteUp::OUTSIDE, &["20.0.0.2/24"], &[])?;
    home.signal_router(Signal::USR1)?;
    let ssh = ["-p", "8022", "-o", "HostKeyAlias=router", "20.0.0.2", "moshpunch server offer 60001"];
    wait_until("the new address", PATIENCE, || {
        let output = home.network.laptop.command("ssh").args(ssh).as_user(lab::USER).run(PATIENCE)?;
        let expected = format!("{AT_HOME} mapped=20.0.0.2:60001");
        Ok((told(&output.stdout) == [expected]).then_some(()))
    })
}

fn after_a_restart_of_the_router_the_current_offer_is_the_same_and_serves(lab: &Lab) -> Result<()> {
    let mut home = Home::open(lab, None)?;
    let before = current(&home)?;
    home.restart_router(LeaseFile::Lost)?;
    home.reach_anew(PATIENCE)?;
    home.lease()?;
    assert_eq!(current(&home)?, before);
    home.leave()
}

fn without_a_keeper_the_current_offer_still_has_the_hosts_addresses(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    server_over_ssh(&network.laptop, "moshpunch server --budget 0.1 new")?;
    signal(&keeper(&network.server)?, Signal::KILL)?;
    network.server.readdress("eth0", &["192.168.1.10/24", "192.168.1.12/24"], &["192.168.1.1"])?;
    let output = server_over_ssh(&network.laptop, "moshpunch server offer 60001")?;
    assert_eq!(told(&output.stdout), [format!("{AT_HOME} host=192.168.1.12:60001")]);
    end_sessions(&network.server)
}

fn of_a_port_that_no_session_has_there_is_no_offer(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let ask = |port: &str| {
        let command = network.server.command("moshpunch").args(["server", "offer", port]);
        command.as_user(lab::USER).output(PATIENCE)
    };
    let output = ask("60001")?;
    assert_eq!((output.status.code(), output.stdout.as_str()), (Some(1), ""));
    assert_eq!(output.stderr, "moshpunch: no session of yours has the port 60001 on this host\n");
    // Another user's is none of ours.
    let _socket = network.server.udp("0.0.0.0:60001")?;
    ensure!(ask("60001")?.status.code() == Some(1));
    Ok(())
}
