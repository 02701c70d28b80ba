//! Who has mosh-server's socket, and that nobody has it for longer than mosh-server.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{HostProcess, Lab, Signal, WriteUp, scenario, wait_until};
use wire::channel::Punched;

use super::{answer, round, seen};
use crate::attaching::attach;
use crate::common::{AT_ONCE, PATIENCE, end_sessions, keeper, raise, signal};
use crate::ends::server_command;
use crate::laptop::{Login, NEW, TO_SERVER, any_datagram};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(the_keeper_alone_holds_it_beside_mosh_server),
        scenario!(with_mosh_server_its_port_is_free_at_once).needs(&["miniupnpd"]),
        scenario!(a_keeper_that_is_killed_leaves_the_session_and_no_openers),
        scenario!(a_keeper_that_is_told_to_end_holds_it_no_longer),
    ]
}

fn socket(network: &WriteUp) -> Result<String> {
    seen::socket(&network.server)?.context("nobody has mosh-server's port")
}

fn is_free(network: &WriteUp) -> Result<()> {
    wait_until("mosh-server's port to be free", AT_ONCE, || {
        Ok(seen::socket(&network.server)?.is_none().then_some(()))
    })
}

fn holders(network: &WriteUp, socket: &str) -> Result<Vec<HostProcess>> {
    let mut holders = network.server.processes("moshpunch")?;
    holders.retain(|process| seen::has(process, socket).unwrap_or(false));
    Ok(holders)
}

/// The keeper, once it has it.
fn lent(network: &WriteUp, socket: &str) -> Result<HostProcess> {
    let keeper = keeper(&network.server)?;
    wait_until("the keeper to have the socket", PATIENCE, || {
        Ok(holders(network, socket)?.contains(&keeper).then(|| keeper.clone()))
    })
}

fn the_keeper_alone_holds_it_beside_mosh_server(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let first = Login::new_session(&network.laptop)?;
    let mut second = attach(&network.laptop, "second", &first.session()?)?;
    second.session()?;
    round(&mut second, 1, &["20.0.0.9:7001"])?;
    let socket = socket(&network)?;
    assert_eq!(holders(&network, &socket)?, [keeper(&network.server)?]);
    end_sessions(&network.server)
}

/// The keeper is kept busy for longer: its router does not answer any more, and is to delete a mapping.
fn with_mosh_server_its_port_is_free_at_once(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let login = Login::new_session(&network.laptop)?;
    login.hears("MOSHPUNCH OFFER 1 mapped=20.0.0.1:60001\n")?;
    let socket = socket(&network)?;
    let keeper = keeper(&network.server)?;
    ensure!(seen::has(&keeper, &socket)?, "the keeper has no socket");
    miniupnpd.signal(Signal::STOP)?;
    end_sessions(&network.server)?;
    is_free(&network)?;
    let left = network.server.processes("moshpunch")?;
    ensure!(left.contains(&keeper), "the keeper was to be busy still: {left:?}");
    miniupnpd.signal(Signal::CONT)?;
    let next = Login::open(&network.laptop, "next", &[&["-T"], &TO_SERVER[..]].concat(), NEW)?;
    next.hears("MOSH CONNECT 60001 ")?;
    end_sessions(&network.server)
}

fn a_keeper_that_is_killed_leaves_the_session_and_no_openers(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let mut login = Login::new_session(&network.laptop)?;
    let session = login.session()?;
    let socket = socket(&network)?;
    signal(&lent(&network, &socket)?, Signal::KILL)?;
    let refused = Punched::Refused { reason: "unable".to_owned() };
    wait_until("the keeper's end to be known", PATIENCE, || {
        Ok(holders(&network, &socket)?.is_empty().then_some(()))
    })?;
    assert_eq!(answer(&mut login, 1, &["20.0.0.9:7001"])?, refused);
    let mut second = attach(&network.laptop, "second", &session)?;
    second.session()?;
    ensure!(!second.ssh.log().contains(" punch"), "{}", second.ssh.log());
    assert_eq!(answer(&mut second, 1, &["20.0.0.9:7001"])?, refused);
    login.say(&any_datagram(1))?;
    login.hears("MOSHPUNCH A 1\n")?;
    ensure!(server_command(&network.server)?.is_some(), "the server command has ended");
    end_sessions(&network.server)?;
    is_free(&network)
}

fn a_keeper_that_is_told_to_end_holds_it_no_longer(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let mut login = Login::new_session(&network.laptop)?;
    login.session()?;
    let socket = socket(&network)?;
    signal(&lent(&network, &socket)?, Signal::TERM)?;
    wait_until("the keeper to let it go", PATIENCE, || {
        Ok(holders(&network, &socket)?.is_empty().then_some(()))
    })?;
    let refused = Punched::Refused { reason: "unable".to_owned() };
    assert_eq!(answer(&mut login, 1, &["20.0.0.9:7001"])?, refused);
    end_sessions(&network.server)?;
    is_free(&network)
}
