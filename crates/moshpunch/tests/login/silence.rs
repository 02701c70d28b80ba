//! A login that says nothing any more is told of, with what helps.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, USER, scenario, wait_until};

use crate::common::{PATIENCE, home::nft};
use crate::place::{BASHRC, Place, Shell};

const MULTIPLEXED: &str =
    "Host router\n Port 2222\n ControlMaster auto\n ControlPath ~/.ssh/master-%C\n ControlPersist 10m\n";
const LEFT: &str = "moshpunch: the connection that ssh shares at /home/alice/.ssh/master-";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_host_that_waits_for_an_answer_is_told_of),
        scenario!(on_a_terminal_without_a_cursor_a_question_is_told_of_below_it),
        scenario!(a_host_that_prints_no_more_is_told_of),
        scenario!(a_dead_master_connection_is_left_aside),
        scenario!(a_slow_master_connection_leads_to_one_session),
        scenario!(a_password_prompt_is_no_silence_of_a_master),
    ]
}

fn asks_for_a_name(lab: &Lab) -> Result<(Place, Shell)> {
    let place = Place::raise(lab, &[])?;
    let asks = "[ -n \"$PS1\" ] || { printf 'Name? '; read -r name; }\n";
    place.network.router.write_user_file(BASHRC, asks)?;
    let shell = place.shell()?;
    Ok((place, shell))
}

fn on_a_terminal_without_a_cursor_a_question_is_told_of_below_it(lab: &Lab) -> Result<()> {
    let (_place, mut shell) = asks_for_a_name(lab)?;
    shell.run("TERM=dumb moshpunch --ssh='ssh -p 2222' router")?;
    shell.sees("Name? \nmoshpunch: router has printed nothing for 10 s but \"Name?\"; answer it here")?;
    shell.terminal.type_text("\x03")?;
    shell.is_back("130")
}

fn a_host_that_waits_for_an_answer_is_told_of(lab: &Lab) -> Result<()> {
    let (_place, mut shell) = asks_for_a_name(lab)?;
    shell.run("moshpunch --ssh='ssh -p 2222' router")?;
    shell.sees("moshpunch: router has printed nothing for 10 s but \"Name?\"; answer it here")?;
    shell.answer("Name?", "alice")?;
    shell.uses_session("router")
}

fn a_host_that_prints_no_more_is_told_of(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    place.network.router.command("mkfifo").arg("/tmp/never").as_user(USER).run(PATIENCE)?;
    place.network.router.write_user_file(BASHRC, "echo Mounting home; read -r never </tmp/never\n")?;
    let mut shell = place.shell()?;
    shell.run("moshpunch --ssh='ssh -p 2222' router")?;
    shell.sees("moshpunch: router has printed nothing for 10 s since \"Mounting home\"")?;
    shell.sees("log in once with `ssh -p 2222 router`, and see what it asks")?;
    shell.terminal.type_text("\x03")?;
    shell.is_back("130")
}

/// As after a change of the network: nobody tells the connection.
fn drop_existing_connections(laptop: &Host) -> Result<()> {
    let connections = laptop.command("ss").args(["-tnH", "dport", "=", ":2222"]).run(PATIENCE)?.stdout;
    let ours = connections.split_whitespace().nth(3).context("a connection")?;
    let port = ours.rsplit(':').next().context("its port")?;
    let chain = format!("type filter hook output priority filter; tcp sport {port} drop;");
    nft(laptop, &format!("table inet gone {{ chain output {{ {chain} }}; }}\n"))
}

fn with_master(lab: &Lab) -> Result<Place> {
    let place = Place::raise(lab, &[])?;
    place.configure(MULTIPLEXED)?;
    let mut plain = place.shell()?;
    plain.run("ssh router true; echo made a''master")?;
    plain.sees("made amaster")?;
    Ok(place)
}

fn a_dead_master_connection_is_left_aside(lab: &Lab) -> Result<()> {
    let place = with_master(lab)?;
    drop_existing_connections(place.laptop())?;
    let mut shell = place.shell()?;
    shell.run("mosh router")?;
    shell.terminal.wait_for("alice@router:", PATIENCE)?;
    shell.run("exit")?;
    shell.is_back("0")?;
    shell.run("clear; moshpunch router")?;
    shell.sees(LEFT)?;
    shell.uses_session("router")?;
    let screen = shell.terminal.screen();
    ensure!(screen.contains("`ssh -O exit router` ends it"), "{screen}");
    Ok(())
}

fn a_slow_master_connection_leads_to_one_session(lab: &Lab) -> Result<()> {
    let place = with_master(lab)?;
    let router = &place.network.router;
    router.command("mkfifo").arg("/tmp/go").as_user(USER).run(PATIENCE)?;
    router.write_user_file(BASHRC, "[ -n \"$PS1\" ] || { echo >>/tmp/logins; read -r go </tmp/go; }\n")?;
    let mut shell = place.shell()?;
    shell.run("moshpunch router")?;
    shell.sees(LEFT)?;
    let both =
        || Ok(router.read_file("/tmp/logins").is_ok_and(|logins| logins.lines().count() == 2).then_some(()));
    wait_until("the second login", PATIENCE, both)?;
    let go_on = "exec 3<>/tmp/go; echo go >&3; echo go >&3; read -r rest";
    let _released = router.spawn("go", &router.command("bash").args(["-c", go_on]).as_user(USER))?;
    shell.uses_session("router")?;
    Ok(())
}

fn a_password_prompt_is_no_silence_of_a_master(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &["PasswordAuthentication yes", "PubkeyAuthentication no"])?;
    place.set_password()?;
    place.configure("Host router\n Port 2222\n ControlMaster auto\n ControlPath ~/.ssh/none-%C\n")?;
    let mut shell = place.shell()?;
    shell.run("moshpunch router")?;
    shell.sees("alice@router's password:")?;
    shell.sees("moshpunch: logging in to router …")?;
    ensure!(!shell.terminal.screen().contains("shares"), "{}", shell.terminal.screen());
    shell.run(crate::place::PASSWORD)?;
    shell.uses_session("router")
}
