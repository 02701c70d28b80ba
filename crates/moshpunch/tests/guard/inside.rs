//! Clients inside, that address the router's outside.

use anyhow::{Context, Result, ensure};
use lab::{Host, Lab, Signal, Terminal};

use crate::common::{PATIENCE, computes, leave, wait_for_empty_table};
use crate::home::{Home, OUTSIDE, wait_for_prompt};

/// The write-up's second command, from inside: ssh gets through by the router's own hairpin for TCP 8022.
fn mosh_from_desk(desk: &Host) -> Result<Terminal> {
    let mosh = desk.command("mosh").args(["--ssh=ssh -p 8022", "--server=moshpunch server", OUTSIDE]);
    desk.terminal(&mosh.as_user(lab::USER), 24, 80)
}

pub(crate) fn stock_mosh_works_from_inside_by_the_outside_address(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let _guard = home.guard(&["--hairpin"])?;
    let mut inside = mosh_from_desk(&home.desk)?;
    inside.wait_for("alice@server0", PATIENCE)?;
    let mut outside = home.join(&home.open_on_server(0, &[], &[])?)?;
    computes(&mut inside, 1901)?;
    computes(&mut outside, 1902)?;
    assert_eq!(home.router.leases()?.len(), 2);
    leave(inside)?;
    leave(outside)?;
    wait_for_empty_table(&home.router, PATIENCE)
}

pub(crate) fn without_hairpin_it_does_not(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let _guard = home.guard(&[])?;
    let inside = mosh_from_desk(&home.desk)?;
    // mosh's own time-out takes nearly as long as our patience.
    inside.wait_for("[mosh is exiting.]", 2 * PATIENCE)?;
    ensure!(!inside.screen().contains("alice@"), "{}", inside.screen());
    assert_eq!(home.router.leases()?.len(), 1, "the server did its part");
    Ok(())
}

/// Its port is none that is mapped; what comes from inside is not tracked, and gets there all the same.
pub(crate) fn beside_a_hairpin_the_routers_own_sessions_are_reached_from_inside(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let _guard = home.guard(&["--hairpin"])?;
    let of_server = home.open_on_server(0, &[], &[])?;
    home.wait_until_held(of_server.port)?;
    let own = home.open_on_router(&["-s"])?;
    let mut terminal = Home::client_on(&home.desk, &own)?;
    wait_for_prompt(&own, &terminal)?;
    computes(&mut terminal, 1903)?;
    leave(terminal)
}

fn has_hairpin(home: &Home) -> Result<bool> {
    Ok(home.router.nft_ruleset()?.contains("table inet moshpunch_guard"))
}

pub(crate) fn the_hairpin_goes_with_the_guard_or_with_the_next_one(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    for signal in [Signal::TERM, Signal::INT] {
        let guard = home.guard(&["--hairpin"])?;
        ensure!(has_hairpin(&home)?);
        guard.signal(signal)?;
        ensure!(guard.wait_exit(PATIENCE)?.success(), "{}", guard.log());
        ensure!(!has_hairpin(&home)?, "{signal:?}");
    }
    for options in [&["--hairpin"][..], &[]] {
        let guard = home.guard(&["--hairpin"])?;
        guard.signal(Signal::KILL)?;
        guard.wait_exit(PATIENCE)?;
        ensure!(has_hairpin(&home)?, "nobody was left to remove it");
        let next = home.guard(options)?;
        assert_eq!(has_hairpin(&home)?, !options.is_empty());
        next.stop()?;
        ensure!(!has_hairpin(&home)?);
    }
    Ok(())
}

pub(crate) fn rules_that_are_refused_are_told_with_the_cure(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let command = ["router", "guard", "--hairpin", "--miniupnpd-conf", "/etc/miniupnpd/lab.conf"];
    let output = home.router.command("moshpunch").args(command).as_user(lab::USER).output(PATIENCE)?;
    ensure!(!output.status.success());
    let last = output.stderr.lines().last().context("it says why")?;
    ensure!(last.contains("--hairpin needs nft, and CAP_NET_ADMIN"), "{output}");
    Ok(())
}
