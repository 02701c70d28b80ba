//! Who asks for no channel gets, byte for byte, what was recorded before there were channels.

use anyhow::{Context, Result};
use lab::harness::Scenario;
use lab::{Lab, USER, WriteUp, scenario};

use crate::common::{PATIENCE, end_sessions, raise, server_over_ssh};
use crate::laptop::TO_SERVER;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(an_older_client_is_told_what_it_was_told).needs(&["miniupnpd"]),
        scenario!(an_older_client_without_a_router_that_maps_is_told_what_it_was_told),
        scenario!(an_older_client_is_told_by_a_terminal_what_it_was_told),
        scenario!(a_later_login_of_an_older_client_is_told_what_it_was_told).needs(&["miniupnpd"]),
        scenario!(a_stock_client_is_told_what_it_was_told).needs(&["miniupnpd"]),
    ]
}

/// As mosh-server 1.4.0 prints it, behind the connect line.
const LICENCE: &str = "\nmosh-server (mosh 1.4.0) [build mosh 1.4.0]\n\
    Copyright 2012 Keith Winstein <mosh-devel@mit.edu>\n\
    License GPLv3+: GNU GPL version 3 or later <http://gnu.org/licenses/gpl.html>.\n\
    This is free software: you are free to change and redistribute it.\n\
    There is NO WARRANTY, to the extent permitted by law.\n\n[mosh-server detached, pid = PID]\n";

const REFUSED: &str = "moshpunch: no router here answers PCP, NAT-PMP or UPnP; switch one of them on in the router, \
    or forward a UDP port there and use -p\n";

/// Without the key and the number, which are never the same.
fn printed(output: &lab::Output) -> Result<(String, String)> {
    Ok((without_key(&output.stdout)?, without_number(&output.stderr)?))
}

fn without_key(text: &str) -> Result<String> {
    let line = text.lines().find(|line| line.starts_with("MOSH CONNECT ")).context("no line")?;
    let key = line.split_whitespace().nth(3).context("no key")?;
    Ok(text.replace(key, "KEY"))
}

fn without_number(text: &str) -> Result<String> {
    let pid = text.split_once("pid = ").and_then(|(_, rest)| rest.split_once(']'));
    let number = format!("pid = {}]", pid.context("no number")?.0);
    Ok(text.replace(&number, "pid = PID]"))
}

fn an_older_client_is_told_what_it_was_told(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let output = server_over_ssh(&network.laptop, "MOSHPUNCH_OFFER=1 moshpunch server new")?;
    let expected = "\r\nMOSHPUNCH OFFER 1 host=192.168.1.10:60001 more\nMOSH CONNECT 60001 KEY\n\
                    MOSHPUNCH OFFER 1 mapped=20.0.0.1:60001\n";
    assert_eq!(printed(&output)?, (expected.to_owned(), LICENCE.to_owned()));
    end_sessions(&network.server)
}

fn an_older_client_without_a_router_that_maps_is_told_what_it_was_told(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let output = server_over_ssh(&network.laptop, "MOSHPUNCH_OFFER=1 moshpunch server new")?;
    let expected = "\r\nMOSHPUNCH OFFER 1 host=192.168.1.10:60001 more\nMOSH CONNECT 60001 KEY\n\
                    MOSHPUNCH OFFER 1\n";
    assert_eq!(printed(&output)?, (expected.to_owned(), format!("{LICENCE}{REFUSED}")));
    end_sessions(&network.server)
}

/// As [`LICENCE`] and what else is on stderr comes by a terminal: among the rest.
fn an_older_client_is_told_by_a_terminal_what_it_was_told(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let ssh = network.laptop.command("ssh").args(["-tt"]).args(TO_SERVER).as_user(USER);
    let output = ssh.arg("MOSHPUNCH_OFFER=1 moshpunch server new").run(PATIENCE)?;
    let expected = "\r\nMOSHPUNCH OFFER 1 host=192.168.1.10:60001 more\n\r\n\nMOSH CONNECT 60001 KEY\n";
    let expected = format!("{expected}{LICENCE}{REFUSED}MOSHPUNCH OFFER 1\n").replace('\n', "\r\n");
    assert_eq!(without_number(&without_key(&output.stdout)?)?, expected);
    end_sessions(&network.server)
}

fn a_later_login_of_an_older_client_is_told_what_it_was_told(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let later = || {
        let ssh = network.laptop.command("ssh").args(TO_SERVER).as_user(USER);
        let output = ssh.arg("MOSHPUNCH_OFFER=1 moshpunch server offer 60001").output(PATIENCE)?;
        anyhow::Ok((output.stdout, output.stderr, output.status.code()))
    };
    let none = "moshpunch: no session of yours has the port 60001 on this host\n";
    assert_eq!(later()?, (String::new(), none.to_owned(), Some(1)));
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    server_over_ssh(&network.laptop, "MOSHPUNCH_OFFER=1 moshpunch server new")?;
    let offer = "MOSHPUNCH OFFER 1 host=192.168.1.10:60001 mapped=20.0.0.1:60001\n";
    assert_eq!(later()?, (offer.to_owned(), String::new(), Some(0)));
    end_sessions(&network.server)
}

fn a_stock_client_is_told_what_it_was_told(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    for (variable, port) in [("", 60001), ("MOSHPUNCH_CHANNEL=1 ", 60002)] {
        let output = server_over_ssh(&network.laptop, &format!("{variable}moshpunch server new"))?;
        let expected = format!("MOSH CONNECT {port} KEY\n");
        assert_eq!(printed(&output)?, (expected, LICENCE.to_owned()));
    }
    end_sessions(&network.server)
}
