//! What the user sees of the host, beside stock mosh.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Output, Terminal, USER, WriteUp, scenario};

use crate::common::program;
use crate::common::{PATIENCE, end_sessions, leave, raise};

const PROMPT: &str = "alice@router:";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(the_message_of_the_day_and_detached_sessions_are_shown_as_by_mosh),
        scenario!(what_is_printed_before_the_connect_line_is_shown_as_by_mosh),
        scenario!(what_never_leads_to_a_connect_line_is_passed_on_unchanged),
        scenario!(what_asks_before_it_starts_mosh_server_is_seen),
    ]
}

/// The same login by mosh, by mosh with our server, and by our own client.
fn three_ways(laptop: &Host) -> [lab::Command; 3] {
    let stock = ["mosh", "--server=mosh-server", "router"];
    let served = ["mosh", "--server=moshpunch server", "router"];
    [&stock[..], &served, &["moshpunch", "router"]]
        .map(|words| laptop.command(words[0]).args(&words[1..]).as_user(USER))
}

fn greeting(laptop: &Host, command: &lab::Command) -> Result<(Terminal, String)> {
    let terminal = laptop.terminal(command, 24, 80)?;
    terminal.wait_for(PROMPT, PATIENCE)?;
    let screen = terminal.screen();
    Ok((terminal, screen))
}

fn the_message_of_the_day_and_detached_sessions_are_shown_as_by_mosh(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let router = &network.router;
    router.write_file("/etc/motd", "Welcome to the router.\n\nIt is Tuesday.\n")?;
    router.command("rm").arg("/home/alice/.hushlogin").run(PATIENCE)?;
    let accounting = "chgrp utmp /run/utmp && chmod 664 /run/utmp";
    router.command("sh").args(["-c", accounting]).run(PATIENCE)?;
    let detached = network.laptop.command("ssh").args(["-tt", "router", "mosh-server new -p 60900"]);
    detached.as_user(USER).run(PATIENCE)?;
    let mut shown = Vec::new();
    for command in three_ways(&network.laptop) {
        let (terminal, screen) = greeting(&network.laptop, &command)?;
        shown.push(screen);
        leave(terminal)?;
    }
    let [stock, served, own] = &shown[..] else { unreachable!("three ways") };
    ensure!(
        stock.starts_with("Welcome to the router.\n\nIt is Tuesday.\nMosh: You have a detached"),
        "{stock}"
    );
    assert_eq!((served, own), (stock, stock));
    end_sessions(router)
}

fn what_is_printed_before_the_connect_line_is_shown_as_by_mosh(lab: &Lab) -> Result<()> {
    const PRINTED: [&str; 3] = ["to stdout", "to stderr", "no end"];
    let network = raise(lab)?;
    let print = "echo to stdout; echo to stderr >&2; printf 'no end' >&2";
    let script = format!("#!/bin/sh\n{print}; exec /usr/bin/mosh-server \"$@\"\n");
    network.router.write_script("/usr/local/bin/mosh-server", &script)?;
    let mut shown = Vec::new();
    for command in three_ways(&network.laptop) {
        let (terminal, _) = greeting(&network.laptop, &command)?;
        let screen = leave_and_read(terminal)?;
        let lines = screen.lines().map(str::trim_end);
        let printed = lines.filter(|line| PRINTED.iter().any(|printed| line.contains(printed)));
        shown.push(printed.map(str::to_owned).collect::<Vec<_>>());
    }
    let [stock, served, own] = &shown[..] else { unreachable!("three ways") };
    assert_eq!(stock, &PRINTED);
    assert_eq!((served, own), (stock, stock));
    Ok(())
}

fn leave_and_read(mut terminal: Terminal) -> Result<String> {
    terminal.type_text("exit\r")?;
    ensure!(terminal.wait_exit(PATIENCE)?.success());
    terminal.wait_for("[mosh is exiting.]", PATIENCE)?;
    Ok(terminal.screen())
}

/// Bytes, whatever they are, and the exit status.
fn what_never_leads_to_a_connect_line_is_passed_on_unchanged(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for script in [
        r"printf 'a\r\n\n\377\376 MOSH\nMOSH CONNECT x y\nno end'; echo why >&2; exit 7",
        r"printf '\nMOSH CONNECT '; sleep 300 & exit 5",
        "seq 20000; seq 20000 >&2; exit 143",
    ] {
        network.server.write_script("/usr/local/bin/mosh-server", &format!("#!/bin/sh\n{script}\n"))?;
        let [theirs, ours] =
            ["mosh-server", "moshpunch server"].map(|program| printed(&network.server, program));
        let (theirs, ours) = (theirs?, ours?);
        assert_eq!(ours.stdout, theirs.stdout, "{script}");
        network.server.command("sh").args(["-c", "kill $(pidof sleep)"]).output(PATIENCE)?;
    }
    Ok(())
}

fn printed(server: &Host, program: &str) -> Result<Output> {
    let script = format!(
        "{program} new >/tmp/out 2>/tmp/err; echo $?; od -c /tmp/out | head; cksum /tmp/out; cksum /tmp/err"
    );
    server.command("sh").args(["-c", &script]).as_user(USER).run(PATIENCE).context(program.to_owned())
}

fn what_asks_before_it_starts_mosh_server_is_seen(lab: &Lab) -> Result<()> {
    let network = WriteUp::raise(lab)?;
    network.router.install(&program::path())?;
    let asks = "#!/bin/sh\nprintf 'Press Enter: '; read -r answer; exec /usr/bin/mosh-server \"$@\"\n";
    network.router.write_script("/usr/local/bin/mosh-server", asks)?;
    let ssh = network.laptop.command("ssh").args(["-tt", "router", "moshpunch server new"]).as_user(USER);
    let mut terminal = network.laptop.terminal(&ssh, 24, 80)?;
    terminal.wait_for("Press Enter: ", PATIENCE)?;
    terminal.type_text("\r")?;
    terminal.wait_for("MOSH CONNECT 60001 ", PATIENCE)?;
    ensure!(terminal.wait_exit(PATIENCE)?.success());
    end_sessions(&network.router)
}
