//! What a host prints, names or is called makes us do nothing without bounds, and nothing here.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Output, USER, WriteUp, scenario, wait_until};
use path::MAX_ADDRESSES;

use crate::common::home::nft;
use crate::common::{PATIENCE, computes, no_moshpunch_is_left, raise};
use crate::place::{NOT_ASKED, Place, QUIT, TO_PORT};

/// In kilobytes, of the program and each that it starts: mosh-client and ssh need a tenth.
const MEMORY: u32 = 200_000;

/// Within which one is given up, read by a program that was built for tests on a busy machine.
const A_FLOOD: Duration = Duration::from_secs(180);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_login_that_prints_without_end_is_given_up).within(5 * A_FLOOD),
        scenario!(a_login_that_prints_without_end_beside_a_session_is_closed),
        scenario!(what_comes_together_with_the_connect_line_is_beside_the_session),
        scenario!(few_of_many_addresses_get_datagrams),
        scenario!(no_service_of_this_machine_gets_what_a_host_names),
        scenario!(a_host_that_ssh_would_read_as_an_option_is_refused),
    ]
}

fn within_memory(laptop: &Host, words: &[&str]) -> Result<Output> {
    let limited = format!("ulimit -v {MEMORY}; exec moshpunch \"$@\" 2>/tmp/errors >/dev/null");
    let limited = laptop.command("sh").args(["-c", &limited, "sh"]).args(words).as_user(USER);
    let mut output = limited.output(A_FLOOD)?;
    output.stderr = laptop.read_file("/tmp/errors")?;
    Ok(output)
}

/// Whatever it is that never ends, and whether it comes from a host or from `--ssh`, which is asked by `-G`, too.
fn a_login_that_prints_without_end_is_given_up(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let cause = "moshpunch: router prints without end, and no mosh-server's connect line";
    for endless in [
        "yes 'MOSHPUNCH OFFER 1 host=20.0.0.7:1'",
        "yes 'MOSHPUNCH OFFER 2 host=20.0.0.7:1'",
        "yes 'MOSH IP 20.0.0.7'",
        "yes 'MOSH SSH_CONNECTION 20.0.0.9 1 20.0.0.1 22'",
        "seq -f 'MOSHPUNCH OFFER 1 host=20.0.0.7:%g' 1 inf",
        "yes",
        "tr '\\0' x </dev/zero",
        "yes >&2",
    ] {
        let script = format!("#!/bin/sh\nexec {endless}\n");
        place.laptop().write_script("/usr/local/bin/endless", &script)?;
        let output = within_memory(place.laptop(), &["--ssh=endless", "router"])?;
        let told = output.stderr.lines().rev().nth(1).is_some_and(|line| line.ends_with(cause));
        ensure!(told && output.status.code() == Some(1), "{endless}: {:?}", output.status);
        no_moshpunch_is_left(place.laptop())?;
    }
    place
        .network
        .router
        .write_script("/usr/local/bin/endless", "#!/bin/sh\nexec yes 'MOSH IP 20.0.0.7'\n")?;
    let output = within_memory(place.laptop(), &[TO_PORT, "--server=endless", "router"])?;
    ensure!(output.stderr.contains(cause), "{output}");
    wait_until("the end of ssh", PATIENCE, || Ok(place.laptop().processes("ssh")?.is_empty().then_some(())))
}

/// `late` runs on the host beside a session.
fn with_late(place: &Place, late: &str) -> Result<()> {
    let start = "#!/bin/sh\nanswer=$(mosh-server \"$@\" 2>/dev/null)\nprintf '%s\\n' \"$answer\"\n";
    place.network.router.write_script("/usr/local/bin/its-own", &format!("{start}{late}\n"))
}

fn a_login_that_prints_without_end_beside_a_session_is_closed(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    for late in ["yes 'MOSHPUNCH OFFER 1 host=20.0.0.7:1 more'", "yes", "yes >&2"] {
        with_late(&place, late)?;
        let mut shell = place.shell()?;
        shell.run(&format!("ulimit -v {MEMORY}; moshpunch '{TO_PORT}' --server=its-own router"))?;
        shell.terminal.wait_for("alice@router:", PATIENCE)?;
        wait_until("the end of ssh", PATIENCE, || {
            Ok(place.laptop().processes("ssh")?.is_empty().then_some(()))
        })?;
        computes(&mut shell.terminal, 6601)?;
        shell.run("exit")?;
        shell.is_back("0")?;
    }
    Ok(())
}

/// As where this machine is busy, and reads late.
fn what_comes_together_with_the_connect_line_is_beside_the_session(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    with_late(&place, "yes 'MOSHPUNCH OFFER 1 host=20.0.0.7:1 more'")?;
    let together = format!("{NOT_ASKED}ssh -p 2222 \"$@\" | dd bs=16k iflag=fullblock status=none\n");
    place.laptop().write_script("/usr/local/bin/together", &together)?;
    let mut shell = place.shell()?;
    shell.run("moshpunch --ssh=together --server=its-own router")?;
    shell.uses_session("router")
}

/// What is typed goes to each new candidate while nothing has answered.
fn few_of_many_addresses_get_datagrams(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    let seen = "set seen { type ipv4_addr . inet_service; flags dynamic; size 65535; }\n\
                chain out { type filter hook output priority 0; udp dport 7000-7999 add @seen { ip daddr . udp dport }; }\n";
    nft(place.laptop(), &format!("table ip counted {{ {seen}}}\n"))?;
    // Each by a program of its own, so that they come one by one.
    let server = "#!/bin/sh\nprintf 'MOSHPUNCH OFFER 1 more\\nMOSH CONNECT 60999 4NeCCgvZFe2RnPgrcU1PQw\\n'\nread -r go </tmp/go\n\
                  for port in $(seq 7000 7149); do /bin/echo \"MOSHPUNCH OFFER 1 mapped=20.0.0.7:$port more\"; done\n\
                  echo 'moshpunch: that was all; do nothing'\nread -r go </tmp/go\n";
    place.network.router.write_script("/usr/local/bin/its-own", server)?;
    place.network.router.command("mkfifo").arg("/tmp/go").as_user(USER).run(PATIENCE)?;
    let mut shell = place.shell()?;
    shell.run(&format!("moshpunch --log=/tmp/log '{TO_PORT}' --server=its-own router"))?;
    wait_for_log(place.laptop(), "event=Open")?;
    place.network.router.command("sh").args(["-c", "echo >/tmp/go"]).as_user(USER).run(PATIENCE)?;
    wait_for_log(place.laptop(), "that was all")?;
    let set = place.laptop().command("nft").args(["list", "set", "ip", "counted", "seen"]).run(PATIENCE)?;
    let seen = set.stdout.matches("20.0.0.7 . ").count();
    ensure!((1..=MAX_ADDRESSES).contains(&seen), "{seen} addresses: {set}");
    shell.terminal.type_text(QUIT)?;
    shell.sees("moshpunch: no datagram came back from the host")
}

fn wait_for_log(laptop: &Host, text: &str) -> Result<()> {
    let logged = || Ok(laptop.read_file("/tmp/log").unwrap_or_default().contains(text).then_some(()));
    wait_until(&format!("{text:?} in the log"), PATIENCE, logged)
}

fn listening(laptop: &Host, address: &str) -> Result<UdpSocket> {
    let socket = laptop.inside(|| Ok(UdpSocket::bind(address)?))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn no_service_of_this_machine_gets_what_a_host_names(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    let named =
        "MOSHPUNCH OFFER 1 host=127.0.0.1:7777 mapped=[::1]:7777 pinhole=[::ffff:127.0.0.1]:7778 more";
    let also = "MOSH IP 127.0.0.1\\nMOSH SSH_CONNECTION 20.0.0.9 1 127.0.0.2 22";
    let server = format!("#!/bin/sh\nprintf '{named}\\n{also}\\n'\nexec mosh-server \"$@\"\n");
    place.network.router.write_script("/usr/local/bin/its-own", &server)?;
    let services = ["127.0.0.1:7777", "[::1]:7777", "127.0.0.1:7778", "127.0.0.1:60001", "127.0.0.2:60001"];
    let sockets = services.map(|address| listening(place.laptop(), address));
    let mut shell = place.shell()?;
    shell.run(&format!("moshpunch '{TO_PORT}' --server=its-own router"))?;
    shell.uses_session("router")?;
    for (socket, service) in sockets.into_iter().zip(services) {
        match socket?.recv_from(&mut [0; 2_048]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            got => bail!("{service} got {got:?}"),
        }
    }
    Ok(())
}

fn a_host_that_ssh_would_read_as_an_option_is_refused(lab: &Lab) -> Result<()> {
    let WriteUp { laptop, .. } = raise(lab)?;
    laptop.write_script("/usr/local/bin/ssh", "#!/bin/sh\necho \"$@\" >>/tmp/started\n")?;
    for host in ["-V", "-oProxyCommand=touch /tmp/started", "alice@-x", "-x@router", "", "alice@", "rou\nter"]
    {
        let output = laptop.command("moshpunch").args(["--", host]).as_user(USER).output(PATIENCE)?;
        ensure!(output.status.code() == Some(1), "{host:?}: {output}");
        ensure!(
            output.stderr.contains("[USER@]HOST") && output.stderr.contains("a host "),
            "{host:?}: {output}"
        );
        ensure!(laptop.read_file("/tmp/started").is_err(), "{host:?} was given to ssh");
    }
    Ok(())
}
