//! What a login in the background starts ends with it.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Signal, wait_until};

use crate::common::{PATIENCE, client, signal};
use crate::place::QUIT;
use crate::silence::{Session, Way, by_each_way, nothing_is_left};

/// The first login gets through; what comes later hangs, and does not listen.
const HANGS: &str = "#!/bin/bash
if [ -e /tmp/first ]; then trap '' TERM HUP; sleep 1000; exit; fi
>/tmp/first
exec 3<>\"/dev/tcp/$1/$2\"
cat <&3 &
cat >&3
";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let by_each_way = [
        by_each_way!(a_login_that_hangs_is_gone_before_the_next_and_with_the_session),
        by_each_way!(what_it_started_in_another_session_ends_with_it),
        by_each_way!(a_login_that_hangs_ends_with_a_moshpunch_that_is_killed),
        by_each_way!(a_login_that_never_stops_talking_is_ended),
    ];
    by_each_way.into_iter().flatten().collect()
}

fn that_hangs(lab: &Lab, way: Way, by: &str) -> Result<Session> {
    let configuration = format!("Host away\n HostName 20.0.0.1\n ProxyCommand {by} %h %p\n");
    let mut session = Session::prepare(lab, way, &[], &configuration)?;
    session.place.laptop().write_script("/usr/local/bin/hangs", HANGS)?;
    session.run("moshpunch away")?;
    session.begins_on("router")?;
    session.falls_silent()?;
    wait_for_one(&session, "sleep")?;
    Ok(session)
}

fn wait_for_one(session: &Session, program: &str) -> Result<()> {
    let one = || Ok((session.place.laptop().processes(program)?.len() == 1).then_some(()));
    wait_until(&format!("one {program}"), PATIENCE, one)
}

fn a_login_that_hangs_is_gone_before_the_next_and_with_the_session(lab: &Lab, way: Way) -> Result<()> {
    let mut session = that_hangs(lab, way, "hangs")?;
    let first = crate::common::process(session.place.laptop(), "sleep")?;
    wait_until("another", PATIENCE, || {
        let sleeping = session.place.laptop().processes("sleep")?;
        ensure!(sleeping.len() <= 1, "{sleeping:?}");
        Ok(sleeping.iter().any(|process| *process != first).then_some(()))
    })?;
    session.shell.terminal.type_text(QUIT)?;
    session.shell.sees("the session went over")?;
    nothing_is_left(&session.place)
}

fn what_it_started_in_another_session_ends_with_it(lab: &Lab, way: Way) -> Result<()> {
    let mut session = that_hangs(lab, way, "setsid hangs")?;
    session.shell.terminal.type_text(QUIT)?;
    session.shell.sees("the session went over")?;
    nothing_is_left(&session.place)
}

fn a_login_that_hangs_ends_with_a_moshpunch_that_is_killed(lab: &Lab, way: Way) -> Result<()> {
    let session = that_hangs(lab, way, "hangs")?;
    signal(&client(session.place.laptop())?, Signal::KILL)?;
    nothing_is_left(&session.place)
}

/// It must not take the session's time, nor this machine's memory.
fn a_login_that_never_stops_talking_is_ended(lab: &Lab, way: Way) -> Result<()> {
    let mut session = Session::prepare(lab, way, &[], "Host router\n Port 2222\n")?;
    let both = "yes >&2 & exec yes 'MOSHPUNCH OFFER 1'";
    let talks = format!("#!/bin/sh\ncase \"$*\" in *'server offer'*) {both} ;; esac\n");
    session.place.laptop().write_script("/usr/local/bin/talks", &format!("{talks}exec ssh \"$@\"\n"))?;
    session.run("moshpunch --ssh=talks router")?;
    session.begins_on("router")?;
    session.falls_silent()?;
    session.waits_for_alarm(1)?;
    wait_until("the end of the talk", PATIENCE, || {
        let talk = session.log().matches("line=Offer").count();
        let talks = !session.place.laptop().processes("yes")?.is_empty();
        ensure!(talk < 5_000, "{talk} lines were read");
        Ok((talk > 0 && !talks).then_some(()))
    })?;
    session.shell.terminal.type_text(QUIT)?;
    session.shell.sees("the session went over")?;
    nothing_is_left(&session.place)
}
