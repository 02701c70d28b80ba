//! What ssh's channel brings beside and after the connect line.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Nat, Protocol, USER, WriteUp, scenario, wait_until};

use crate::common::PATIENCE;
use crate::place::{Place, QUIT, Shell};

const TO_SERVER: &str = "moshpunch --log=/tmp/log --ssh='ssh -p 8022'";
const ASKED: &str = "alice@router's password:";

/// As [`path::Event`] is logged.
const ALARM: &str = "event=Silent";

/// Nothing listens there.
const NO_SERVER: &str = "MOSH CONNECT 60999 4NeCCgvZFe2RnPgrcU1PQw";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(the_answer_of_a_slow_router_is_heard_after_the_first_alarm),
        scenario!(a_cause_that_comes_late_is_told_at_the_end),
        scenario!(a_session_is_used_while_its_ssh_lives_on),
        scenario!(an_offer_of_another_version_is_left_aside),
        scenario!(nobody_is_asked_by_the_login_of_a_silence),
    ]
}

/// `port` of the router leads to the first session on the server, where `script` runs as `its-own`.
fn with_server(lab: &Lab, port: u16, script: &str) -> Result<(Place, Shell)> {
    let place = Place::raise_stock(lab, &[])?;
    let nat = Nat::home(WriteUp::OUTSIDE).forward(Protocol::Tcp, 8022, "192.168.1.10:22");
    place.network.router.nat(&nat.forward(Protocol::Udp, port, "192.168.1.10:60001"))?;
    let server = &place.network.server;
    let start = "#!/bin/sh\nanswer=$(mosh-server \"$@\" 2>/dev/null)\n";
    server.write_script("/usr/local/bin/its-own", &format!("{start}{script}"))?;
    server.command("mkfifo").arg("/tmp/go").as_user(USER).run(PATIENCE)?;
    let shell = place.shell()?;
    Ok((place, shell))
}

/// Lets the script go on, which waits for it by `read go </tmp/go`.
fn go_on(server: &Host) -> Result<()> {
    server.command("sh").args(["-c", "echo >/tmp/go"]).as_user(USER).run(PATIENCE).map(drop)
}

fn wait_for_log(laptop: &Host, text: &str) -> Result<()> {
    let logged = || Ok(laptop.read_file("/tmp/log").unwrap_or_default().contains(text).then_some(()));
    wait_until(&format!("{text:?} in the log"), PATIENCE, logged)
}

fn the_answer_of_a_slow_router_is_heard_after_the_first_alarm(lab: &Lab) -> Result<()> {
    let late = "printf 'MOSHPUNCH OFFER 1 more\\n%s\\n' \"$answer\"\nread -r go </tmp/go\n\
                printf 'MOSHPUNCH OFFER 1 mapped=20.0.0.1:7777\\n'\n";
    let (place, mut shell) = with_server(lab, 7777, late)?;
    shell.run(&format!("{TO_SERVER} -v --server=its-own router 2>/tmp/told"))?;
    wait_for_log(place.laptop(), ALARM)?;
    go_on(&place.network.server)?;
    shell.uses_session_quietly("server")?;
    let told = place.laptop().read_file("/tmp/told")?;
    for expected in [
        "moshpunch: mosh-server waits on UDP port 60001, not mapped yet; looking for a path …\n",
        " s: found 20.0.0.1:7777 (mapped by its router)\n",
        "moshpunch: the session went over 20.0.0.1:7777 (mapped by its router)\n",
    ] {
        ensure!(told.contains(expected), "{expected:?} is missing:\n{told}");
    }
    Ok(())
}

/// It comes by stderr.
fn a_cause_that_comes_late_is_told_at_the_end(lab: &Lab) -> Result<()> {
    let late = format!(
        "printf 'MOSHPUNCH OFFER 1 more\\n{NO_SERVER}\\n'\nread -r go </tmp/go\n\
         printf 'moshpunch: no router answers; ask it\\n' >&2\nprintf 'MOSHPUNCH OFFER 1\\n'\n"
    );
    let (place, mut shell) = with_server(lab, 7777, &late)?;
    shell.run(&format!("{TO_SERVER} --no-ssh-pty --server=its-own router"))?;
    wait_for_log(place.laptop(), ALARM)?;
    go_on(&place.network.server)?;
    wait_for_log(place.laptop(), "no router answers")?;
    shell.terminal.type_text(QUIT)?;
    shell.sees("moshpunch: no router answers; ask it")?;
    shell.sees("moshpunch: no datagram came back from the host")
}

fn a_session_is_used_while_its_ssh_lives_on(lab: &Lab) -> Result<()> {
    let lives_on = "printf '%s\\n' \"$answer\"\nread -r go </tmp/go\n";
    let (place, mut shell) = with_server(lab, 60001, lives_on)?;
    shell.run(&format!("{TO_SERVER} --server=its-own router"))?;
    shell.terminal.wait_for("alice@server:", PATIENCE)?;
    crate::common::computes(&mut shell.terminal, 6401)?;
    let ssh = place.laptop().processes("ssh")?;
    assert_eq!(ssh.len(), 1, "{ssh:?}");
    shell.run("exit")?;
    shell.is_back("0")?;
    wait_until("the end of ssh", PATIENCE, || Ok(place.laptop().processes("ssh")?.is_empty().then_some(())))
}

/// Whoever read its candidate would say that the router maps the port.
fn an_offer_of_another_version_is_left_aside(lab: &Lab) -> Result<()> {
    let of_tomorrow = "printf 'MOSHPUNCH OFFER 2 mapped=20.0.0.1:60001 more\\n%s\\n' \"$answer\"\n";
    let (_place, mut shell) = with_server(lab, 60001, of_tomorrow)?;
    shell.run(&format!("{TO_SERVER} --server=its-own router"))?;
    shell.uses_session("server")?;
    let screen = shell.terminal.screen();
    ensure!(screen.contains("20.0.0.1:60001 (looked up by its name)"), "{screen}");
    Ok(())
}

/// A login that asked would not end.
fn nobody_is_asked_by_the_login_of_a_silence(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &["PasswordAuthentication yes", "PubkeyAuthentication no"])?;
    place.set_password()?;
    let server = format!("#!/bin/sh\nprintf 'MOSHPUNCH OFFER 1\\n{NO_SERVER}\\n'\n");
    place.network.router.write_script("/usr/local/bin/its-own", &server)?;
    let ssh = "#!/bin/sh\nssh -p 2222 \"$@\"\ncode=$?\necho $code \"$*\" >>/tmp/logins\nexit $code\n";
    place.laptop().write_script("/usr/local/bin/written-down", ssh)?;
    let mut shell = place.shell()?;
    shell.run("moshpunch --ssh=written-down --server=its-own router")?;
    shell.answer(ASKED, crate::place::PASSWORD)?;
    let refused = |login: &str| login.starts_with("255 ") && login.contains("server offer");
    wait_until("a login that was refused", PATIENCE, || {
        let logins = place.laptop().read_file("/tmp/logins").unwrap_or_default();
        Ok(logins.lines().any(refused).then_some(()))
    })?;
    let screen = shell.terminal.screen();
    ensure!(!screen.contains("password"), "{screen}");
    shell.terminal.type_text(QUIT)?;
    shell.sees("moshpunch: no datagram came back from the host")
}
