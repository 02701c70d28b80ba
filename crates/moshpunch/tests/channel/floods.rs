//! A laptop that says too much, or too little at a time, and one that does not listen.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Signal, scenario, wait_until};

use crate::common::{PATIENCE, end_sessions, raise};
use crate::ends::server_command;
use crate::laptop::{Login, NEW, TO_SERVER, any_datagram};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_flood_of_every_verb_is_bounded),
        scenario!(what_is_no_line_is_read_over),
        scenario!(lines_are_cut_anywhere),
        scenario!(a_laptop_that_does_not_listen_costs_nothing_and_mosh_servers_end_is_the_end),
    ]
}

fn resident(host: &Host) -> Result<u64> {
    kilobytes(host, "VmRSS:")
}

/// The most that ever was.
fn peak(host: &Host) -> Result<u64> {
    kilobytes(host, "VmHWM:")
}

/// proc_pid_status(5).
fn kilobytes(host: &Host, field: &str) -> Result<u64> {
    let server = server_command(host)?.context("the server command has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn every_verb(number: u64) -> String {
    let others = "MOSHPUNCH OFFER 1 host=1.2.3.4:5 more\nMOSHPUNCH TROUBLE host session x\ty\n\
                  MOSHPUNCH CHANNEL 1 session=00000000 window=99999999 carry\nMOSHPUNCH WHAT\nMOSHPUNCH \n";
    let numbered: String =
        ["A", "PING", "PONG"].iter().map(|verb| format!("MOSHPUNCH {verb} {number}\n")).collect();
    format!("{}{numbered}{others}{}\n", any_datagram(number), "MOSHPUNCH D ".repeat(500))
}

fn a_flood_of_every_verb_is_bounded(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for (number, terminal) in ["-T", "-tt"].into_iter().enumerate() {
        let words = [&[terminal], &TO_SERVER[..]].concat();
        let mut login = Login::open(&network.laptop, &format!("flood{number}"), &words, NEW)?;
        login.session()?;
        let before = peak(&network.server)?;
        for number in 1..=400 {
            login.say(&every_verb(number))?;
        }
        login.hears("MOSHPUNCH A 400\n")?;
        let after = peak(&network.server)?;
        ensure!(after < before + 2_048, "{before} kB before, {after} kB after");
        login.say("MOSHPUNCH PING 77777\n")?;
        login.hears("MOSHPUNCH PONG 77777\n")?;
        login.say("MOSHPUNCH BYE\n")?;
        login.ends()?;
        end_sessions(&network.server)?;
    }
    Ok(())
}

/// Each is left aside, and what is behind it is heard. By a terminal, too, whose own limits and marks are none here.
fn what_is_no_line_is_read_over(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let marks: String = (0..=0x1f).chain([0x7f]).filter(|mark| *mark != b'\n').map(char::from).collect();
    let all = [
        "x".repeat(8 << 20),
        "MOSHPUNCH ".repeat(100_000),
        "\0".repeat(10_000),
        format!("MOSHPUNCH D 1 0 {}", "=".repeat(3_000)),
        format!("MOSHPUNCH D 1 0 {}", "A".repeat(3_999)),
        "MOSHPUNCH D 18446744073709551616 256 AAAA".into(),
        format!("MOSHPUNCH A {}", u64::MAX),
        format!("MOSHPUNCH PING {}", "9".repeat(100)),
        "MOSHPUNCH CHANNEL 1 session=ffffffff window=0".into(),
        marks,
        "\r\r\r".into(),
    ];
    for (number, terminal) in ["-T", "-tt"].into_iter().enumerate() {
        let words = [&[terminal], &TO_SERVER[..]].concat();
        let mut login = Login::open(&network.laptop, &format!("odd{number}"), &words, NEW)?;
        login.session()?;
        login.say("MOSHPUNCH A 0\n")?;
        let before = peak(&network.server)?;
        for (number, line) in all.iter().enumerate() {
            login.say(&format!("{line}\nMOSHPUNCH PING 5{number}\r\n"))?;
            login.hears(&format!("MOSHPUNCH PONG 5{number}\n"))?;
        }
        let after = peak(&network.server)?;
        ensure!(after < before + 2_048, "{before} kB before, {after} kB after");
        let log = login.ssh.log();
        ensure!(!log.contains("MOSHPUNCH A ") && !log.contains("MOSHPUNCH D "), "{log}");
        login.say("MOSHPUNCH BYE\n")?;
        login.ends()?;
        end_sessions(&network.server)?;
    }
    Ok(())
}

fn lines_are_cut_anywhere(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for (number, terminal) in ["-T", "-tt"].into_iter().enumerate() {
        let words = [&[terminal], &TO_SERVER[..]].concat();
        let mut login = Login::open(&network.laptop, &format!("cut{number}"), &words, NEW)?;
        login.session()?;
        let lines = format!("noise{}MOSHPUNCH PING 31\r\n$ MOSHPUNCH PING 32\n", any_datagram(9));
        for piece in lines.as_bytes().chunks(3) {
            login.say(std::str::from_utf8(piece)?)?;
        }
        for answer in ["A 9\n", "PONG 31\n", "PONG 32\n"] {
            login.hears(&format!("MOSHPUNCH {answer}"))?;
        }
        login.say("MOSHPUNCH PING 33")?;
        login.end_input();
        if terminal == "-T" {
            login.ends()?;
            ensure!(!login.ssh.log().contains("PONG 33"), "half a line is none");
        }
    }
    end_sessions(&network.server)
}

/// Its ssh is stopped, and the host's answers fill what is between.
fn a_laptop_that_does_not_listen_costs_nothing_and_mosh_servers_end_is_the_end(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    for (number, terminal) in ["-T", "-tt"].into_iter().enumerate() {
        // Its output goes nowhere for a while.
        let name = format!("deaf{number}");
        let script = "ssh \"$@\" | { while IFS= read -r line; do echo \"$line\"; case $line in *\" CHANNEL \"*) break ;; \
                      esac; done; exec sleep 1000; }";
        network.laptop.write_script("/usr/local/bin/deaf", &format!("#!/bin/sh\n{script}\n"))?;
        let words = [&[terminal], &TO_SERVER[..]].concat();
        let mut login = Login::open_by(&network.laptop, &name, "deaf", &words, NEW)?;
        login.session()?;
        let before = resident(&network.server)?;
        let pings = "MOSHPUNCH PING 1\n".repeat(1_000);
        for _ in 0..300 {
            login.say(&pings)?;
        }
        wait_until("all of it to be read", PATIENCE, || {
            Ok((resident(&network.server)? < before + 2_048).then_some(()))
        })?;
        end_sessions(&network.server)?;
        wait_until("the end of the server command", PATIENCE + Duration::from_secs(2), || {
            Ok(server_command(&network.server)?.is_none().then_some(()))
        })?;
        login.ssh.signal(Signal::KILL)?;
    }
    Ok(())
}
