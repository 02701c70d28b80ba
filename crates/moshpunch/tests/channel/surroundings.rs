//! What a host has not, or has too little of; and what stands in the place of ssh's channel.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, USER, WriteUp, scenario};

use crate::attaching::{answers, attach};
use crate::common::{PATIENCE, end_sessions, no_moshpunch_is_left, raise};
use crate::ends::no_server_command_is_left;
use crate::laptop::{Login, NEW, TO_SERVER, any_datagram};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(without_an_environment_it_serves),
        scenario!(where_nothing_can_be_written_later_logins_are_served),
        scenario!(a_runtime_directory_with_a_long_path_hinders_no_login),
        scenario!(an_input_that_is_none_is_told_as_today),
        scenario!(an_output_that_nobody_reads_is_the_end),
        scenario!(a_terminal_in_between_serves).needs(&["script"]),
        scenario!(a_new_address_of_the_host_is_offered),
    ]
}

fn open(network: &WriteUp, name: &str, command: &str) -> Result<Login> {
    Login::open(&network.laptop, name, &[&["-T"], &TO_SERVER[..]].concat(), command)
}

/// Another login takes the session over from `first`.
fn is_found_by_the_next(network: &WriteUp, first: &Login) -> Result<()> {
    let mut second = attach(&network.laptop, "second", &first.session()?)?;
    second.session()?;
    answers(&mut second)?;
    second.say(&any_datagram(1))?;
    second.hears("MOSHPUNCH A 1\n")?;
    first.hears("MOSHPUNCH BYE superseded\n")?;
    ensure!(!second.ssh.log().contains("TROUBLE host"), "{}", second.ssh.log());
    end_sessions(&network.server)?;
    second.ends()?;
    no_moshpunch_is_left(&network.server)
}

fn without_an_environment_it_serves(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let command =
        NEW.replacen("MOSHPUNCH_OFFER", "env -u HOME -u TMPDIR -u XDG_RUNTIME_DIR MOSHPUNCH_OFFER", 1);
    let mut first = open(&network, "first", &command)?;
    first.session()?;
    answers(&mut first)?;
    is_found_by_the_next(&network, &first)
}

fn where_nothing_can_be_written_later_logins_are_served(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let barred = ["-d", "-m", "500", "-o", USER, "-g", USER, "/run/user/1000/moshpunch"];
    network.server.command("install").args(barred).run(PATIENCE)?;
    let mut first = open(&network, "first", NEW)?;
    first.session()?;
    answers(&mut first)?;
    ensure!(!first.ssh.log().contains("TROUBLE host"), "{}", first.ssh.log());
    is_found_by_the_next(&network, &first)
}

/// Longer than the path of a socket may be (107 bytes, unix(7)), and not that of later logins.
fn a_runtime_directory_with_a_long_path_hinders_no_login(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let long = format!("/tmp/{}", "x".repeat(100));
    network.server.command("mkdir").args(["-m", "700", &long]).as_user(USER).run(PATIENCE)?;
    let command = NEW.replace("moshpunch server", &format!("XDG_RUNTIME_DIR={long} moshpunch server"));
    let mut first = open(&network, "first", &command)?;
    first.session()?;
    answers(&mut first)?;
    ensure!(!first.ssh.log().contains("TROUBLE host"), "{}", first.ssh.log());
    is_found_by_the_next(&network, &first)
}

fn an_input_that_is_none_is_told_as_today(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for (number, input) in ["</dev/null", "</etc/passwd", "<&-"].into_iter().enumerate() {
        let login = open(&network, &format!("input{number}"), &format!("{NEW} {input}"))?;
        login.ends()?;
        let log = login.ssh.log();
        let told = log.split_once("MOSHPUNCH CHANNEL ").unwrap_or_default().1;
        ensure!(
            told.contains("MOSHPUNCH TROUBLE router ") && told.ends_with("MOSHPUNCH OFFER 1\n"),
            "{input}: {log}"
        );
    }
    no_server_command_is_left(&network.server)?;
    end_sessions(&network.server)
}

/// From the first line on, or somewhere behind it.
fn an_output_that_nobody_reads_is_the_end(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for (number, output) in
        [">&-", "| true", "| head -n 1", "| head -n 3", "| head -n 9"].into_iter().enumerate()
    {
        let command = format!("yes MOSHPUNCH PING 1 | head -n 9 | {NEW} {output}");
        let login = open(&network, &format!("output{number}"), &command)?;
        login.ends()?;
        no_server_command_is_left(&network.server)?;
    }
    end_sessions(&network.server)
}

/// One more, as script(1) and terminal multiplexers make it.
fn a_terminal_in_between_serves(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for (number, terminal) in ["-T", "-tt"].into_iter().enumerate() {
        let words = [&[terminal], &TO_SERVER[..]].concat();
        let command = format!("script -q -c '{NEW}' /dev/null");
        let mut login = Login::open(&network.laptop, &format!("login{number}"), &words, &command)?;
        login.session()?;
        let frame = wire::channel::Frame::Datagram { number: 1, tos: 2, datagram: vec![9; 1_400] };
        login.say(&frame.encode())?;
        login.hears("MOSHPUNCH A 1")?;
        answers(&mut login)?;
        let log = login.ssh.log();
        let behind = log.split_once("MOSHPUNCH CHANNEL ").unwrap_or_default().1;
        ensure!(!behind.contains("MOSHPUNCH D ") && !behind.contains("PING"), "it echoes: {log}");
        login.say("MOSHPUNCH BYE\n")?;
        login.ends()?;
    }
    no_server_command_is_left(&network.server)?;
    end_sessions(&network.server)
}

/// While its other addresses, and so ssh's connection, stay.
fn a_new_address_of_the_host_is_offered(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let mut first = open(&network, "first", NEW)?;
    first.hears("MOSHPUNCH OFFER 1\n")?;
    let change = |words: &str| network.server.command("ip").args(words.split(' ')).run(PATIENCE);
    change("address add 192.168.7.7/24 dev eth0")?;
    first.hears("MOSHPUNCH OFFER 1 host=192.168.7.7:60001\n")?;
    let mut second = attach(&network.laptop, "second", &first.session()?)?;
    second.session()?;
    change("address add 2a00:7::10/64 dev eth0")?;
    for login in [&mut first, &mut second] {
        login.hears("MOSHPUNCH OFFER 1 host=[2a00:7::10]:60001\n")?;
        answers(login)?;
    }
    change("address del 192.168.7.7/24 dev eth0")?;
    change("address add 192.168.8.8/24 dev eth0")?;
    second.hears("MOSHPUNCH OFFER 1 host=192.168.8.8:60001\n")?;
    ensure!(second.ssh.log().matches("192.168.7.7").count() == 1, "{}", second.ssh.log());
    end_sessions(&network.server)
}
