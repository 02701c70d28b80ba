//! A later login that attaches to a session that runs, and what is in its way.

use std::io::Read;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Miniupnpd, Signal, USER, WriteUp, scenario};

use crate::common::{PATIENCE, end_sessions, keeper, no_moshpunch_is_left, raise, signal};
use crate::laptop::{Login, NEW, TO_SERVER, any_datagram};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_later_login_serves_and_the_first_ends_once_a_datagram_has_come),
        scenario!(a_later_login_is_told_the_mapping_that_there_is_and_the_next).needs(&["miniupnpd"]),
        scenario!(what_is_not_here_is_gone),
        scenario!(a_keeper_that_is_killed_ends_no_channel_and_hinders_no_login),
        scenario!(a_keepers_name_that_is_anothers_is_told),
        scenario!(a_keeper_that_is_stopped_ends_no_channel_and_hinders_no_login),
        scenario!(what_a_killed_keeper_left_is_swept),
        scenario!(a_runtime_directory_that_is_deleted_hinders_no_login),
    ]
}

pub(crate) fn attach(laptop: &Host, name: &str, session: &str) -> Result<Login> {
    let command = format!("MOSHPUNCH_OFFER=1 MOSHPUNCH_CHANNEL={session} moshpunch server offer 60001");
    Login::open(laptop, name, &[&["-T"], &TO_SERVER[..]].concat(), &command)
}

pub(crate) fn answers(login: &mut Login) -> Result<()> {
    login.say("MOSHPUNCH PING 1234\n")?;
    login.hears("MOSHPUNCH PONG 1234\n")
}

fn a_later_login_serves_and_the_first_ends_once_a_datagram_has_come(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let mut first = Login::new_session(&network.laptop)?;
    let session = first.session()?;
    let mut second = attach(&network.laptop, "second", &session)?;
    assert_eq!(second.session()?, session);
    let log = second.ssh.log();
    ensure!(log.starts_with("MOSHPUNCH OFFER 1 host=192.168.1.10:60001\nMOSHPUNCH CHANNEL 1 "), "{log}");
    answers(&mut second)?;
    answers(&mut first)?;
    ensure!(!first.ssh.log().contains("BYE"), "{}", first.ssh.log());
    second.say(&any_datagram(1))?;
    second.hears("MOSHPUNCH A 1\n")?;
    first.hears("MOSHPUNCH BYE superseded\n")?;
    first.ends()?;
    let mut third = attach(&network.laptop, "third", &session)?;
    third.session()?;
    third.say(&any_datagram(1))?;
    second.hears("MOSHPUNCH BYE superseded\n")?;
    end_sessions(&network.server)?;
    third.hears("MOSHPUNCH BYE ended\n")?;
    third.ends()
}

fn a_later_login_is_told_the_mapping_that_there_is_and_the_next(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let miniupnpd = network.router.miniupnpd(&Miniupnpd::new(WriteUp::OUTSIDE, WriteUp::INSIDE))?;
    let first = Login::new_session(&network.laptop)?;
    first.hears("MOSHPUNCH OFFER 1 mapped=20.0.0.1:60001\n")?;
    let session = first.session()?;
    let mut second = attach(&network.laptop, "second", &session)?;
    second.session()?;
    answers(&mut second)?;
    let log = second.ssh.log();
    ensure!(log.starts_with("MOSHPUNCH OFFER 1 host=192.168.1.10:60001 mapped=20.0.0.1:60001\n"), "{log}");
    ensure!(log.matches("OFFER").count() == 1, "{log}");
    network.router.readdress(WriteUp::OUTSIDE, &["20.0.0.2/24", "20.0.0.1/24"], &[])?;
    miniupnpd.signal(Signal::USR1)?;
    for login in [&first, &second] {
        login.hears("MOSHPUNCH OFFER 1 mapped=20.0.0.2:60001\n")?;
    }
    end_sessions(&network.server)
}

fn what_is_not_here_is_gone(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let first = Login::new_session(&network.laptop)?;
    let session = first.session()?;
    let ask = |user: &str, session: &str, port: &str| {
        let command = network.server.command("moshpunch").args(["server", "offer", port]);
        let command = command.env("MOSHPUNCH_CHANNEL", session).env("MOSHPUNCH_OFFER", "1");
        command.env("XDG_RUNTIME_DIR", "/run/user/1000").as_user(user).output(PATIENCE)
    };
    for (user, session, port) in
        [(USER, "00000000", "60001"), (USER, session.as_str(), "60002"), ("root", session.as_str(), "60001")]
    {
        let output = ask(user, session, port)?;
        assert_eq!(output.stdout, "MOSHPUNCH BYE gone\n", "{user} {session} {port}: {output}");
        ensure!(output.status.success() && output.stderr.is_empty(), "{output}");
    }
    let output = ask(USER, "1", "60001")?;
    assert_eq!(output.stdout, "MOSHPUNCH OFFER 1 host=192.168.1.10:60001\n", "no session is named");
    is_refused_by_the_keeper(&network.server, &session)?;
    end_sessions(&network.server)?;
    first.ends()?;
    let gone = || {
        assert_eq!(ask(USER, &session, "60001")?.stdout, "MOSHPUNCH BYE gone\n");
        anyhow::Ok(())
    };
    gone()?;
    let next = Login::open(&network.laptop, "next", &[&["-T"], &TO_SERVER[..]].concat(), NEW)?;
    next.hears("MOSH CONNECT 60001 ")?;
    next.session()?;
    gone()?;
    end_sessions(&network.server)
}

/// As root.
fn is_refused_by_the_keeper(server: &Host, session: &str) -> Result<()> {
    let name = socket(session)?;
    let mut stream = server.inside(|| Ok(UnixStream::connect_addr(&name)?))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    assert_eq!(stream.read(&mut [0; 64])?, 0, "it is let in");
    Ok(())
}

fn socket(session: &str) -> Result<SocketAddr> {
    Ok(SocketAddr::from_abstract_name(format!("moshpunch-1000-{session}"))?)
}

fn a_keeper_that_is_killed_ends_no_channel_and_hinders_no_login(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let mut first = Login::new_session(&network.laptop)?;
    let session = first.session()?;
    let mut second = attach(&network.laptop, "second", &session)?;
    second.session()?;
    signal(&keeper(&network.server)?, Signal::KILL)?;
    for login in [&mut first, &mut second] {
        login.say(&any_datagram(1))?;
        login.hears("MOSHPUNCH A 1\n")?;
        answers(login)?;
    }
    let mut third = attach(&network.laptop, "third", &session)?;
    third.hears("MOSHPUNCH TROUBLE host session this login does not hear of the router: ")?;
    answers(&mut third)?;
    third.say(&any_datagram(1))?;
    third.hears("MOSHPUNCH A 1\n")?;
    end_sessions(&network.server)?;
    for login in [first, second, third] {
        login.hears("MOSHPUNCH BYE ended\n")?;
        login.ends()?;
    }
    Ok(())
}

/// By root, once the keeper is gone.
fn a_keepers_name_that_is_anothers_is_told(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let mut first = Login::new_session(&network.laptop)?;
    let session = first.session()?;
    signal(&keeper(&network.server)?, Signal::KILL)?;
    let name = socket(&session)?;
    let _roots = network.server.inside(|| {
        lab::wait_until("the name to be free", PATIENCE, || Ok(UnixListener::bind_addr(&name).ok()))
    })?;
    let mut second = attach(&network.laptop, "second", &session)?;
    second.hears(&format!(
        "MOSHPUNCH TROUBLE host session this login does not hear of the router: @moshpunch-1000-{session}: \
         the other end is user 0\t"
    ))?;
    for login in [&mut first, &mut second] {
        answers(login)?;
        login.say(&any_datagram(1))?;
        login.hears("MOSHPUNCH A 1\n")?;
    }
    end_sessions(&network.server)
}

/// It is in nobody's way, and goes on where it was.
fn a_keeper_that_is_stopped_ends_no_channel_and_hinders_no_login(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let mut first = Login::new_session(&network.laptop)?;
    let session = first.session()?;
    let keeper = keeper(&network.server)?;
    signal(&keeper, Signal::STOP)?;
    let mut second = attach(&network.laptop, "second", &session)?;
    second.session()?;
    for login in [&mut first, &mut second] {
        login.say(&any_datagram(1))?;
        login.hears("MOSHPUNCH A 1\n")?;
        answers(login)?;
    }
    signal(&keeper, Signal::CONT)?;
    first.hears("MOSHPUNCH BYE superseded\n")?;
    first.ends()?;
    signal(&keeper, Signal::STOP)?;
    end_sessions(&network.server)?;
    second.hears("MOSHPUNCH BYE ended\n")?;
    second.ends()?;
    signal(&keeper, Signal::CONT)?;
    no_moshpunch_is_left(&network.server)
}

fn what_a_killed_keeper_left_is_swept(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let first = Login::new_session(&network.laptop)?;
    let session = first.session()?;
    signal(&keeper(&network.server)?, Signal::KILL)?;
    end_sessions(&network.server)?;
    first.ends()?;
    let list = || {
        let list = network.server.command("ls").arg("/run/user/1000/moshpunch").run(PATIENCE)?;
        Ok::<_, anyhow::Error>(list.stdout)
    };
    let left = list()?;
    ensure!(left.contains(&format!("{session}.session\n")), "{left}");
    let next = Login::open(&network.laptop, "next", &[&["-T"], &TO_SERVER[..]].concat(), NEW)?;
    next.session()?;
    lab::wait_until("the sweep", PATIENCE, || Ok((!list()?.contains(&session)).then_some(())))
        .with_context(|| list().unwrap_or_default())?;
    end_sessions(&network.server)?;
    next.ssh.wait_exit(PATIENCE + Duration::from_secs(2)).map(drop)
}

/// As when the user's last login ends, and when the next one begins.
fn a_runtime_directory_that_is_deleted_hinders_no_login(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let first = Login::new_session(&network.laptop)?;
    let session = first.session()?;
    // From now on the keeper sleeps.
    first.hears("MOSHPUNCH OFFER 1\n")?;
    network.server.command("rm").args(["-r", "/run/user/1000"]).run(PATIENCE)?;
    let second = takes_over(&network.laptop, "second", &session, &first)?;
    let anew = ["-d", "-m", "700", "-o", USER, "-g", USER, "/run/user/1000"];
    network.server.command("install").args(anew).run(PATIENCE)?;
    let third = takes_over(&network.laptop, "third", &session, &second)?;
    let file = format!("/run/user/1000/moshpunch/{session}.session");
    let is_there = || {
        lab::wait_until("the state file", PATIENCE, || {
            Ok(network.server.read_file(&file).is_ok_and(|state| state.contains(&session)).then_some(()))
        })
    };
    is_there()?;
    network.server.command("rm").args(["-r", "/run/user/1000/moshpunch"]).run(PATIENCE)?;
    // Whatever wakes the keeper.
    is_refused_by_the_keeper(&network.server, &session)?;
    is_there()?;
    end_sessions(&network.server)?;
    third.hears("MOSHPUNCH BYE ended\n")?;
    third.ends()?;
    no_moshpunch_is_left(&network.server)?;
    ensure!(network.server.read_file(&file).is_err(), "the state file is left");
    Ok(())
}

/// From the login before, which ends.
fn takes_over(laptop: &Host, name: &str, session: &str, before: &Login) -> Result<Login> {
    let mut login = attach(laptop, name, session)?;
    assert_eq!(login.session()?, session);
    login.say(&any_datagram(1))?;
    login.hears("MOSHPUNCH A 1\n")?;
    before.hears("MOSHPUNCH BYE superseded\n")?;
    before.ends()?;
    ensure!(!login.ssh.log().contains("TROUBLE host"), "{}", login.ssh.log());
    Ok(login)
}
