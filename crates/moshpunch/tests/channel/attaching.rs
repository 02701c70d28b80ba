//! A later login that attaches to a session that runs, and what is in its way.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Miniupnpd, Signal, USER, WriteUp, scenario};

use crate::common::{PATIENCE, end_sessions, keeper, raise, signal};
use crate::laptop::{Login, NEW, TO_SERVER, any_datagram};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_later_login_serves_and_the_first_ends_once_a_datagram_has_come),
        scenario!(a_later_login_is_told_the_mapping_that_there_is_and_the_next).needs(&["miniupnpd"]),
        scenario!(what_is_not_here_is_gone),
        scenario!(a_keeper_that_is_killed_ends_no_channel_and_hinders_no_login),
        scenario!(what_is_in_the_sockets_place_is_told),
        scenario!(a_runtime_directory_with_a_long_path_is_told),
        scenario!(what_a_killed_keeper_left_is_swept),
    ]
}

pub(crate) fn attach(laptop: &Host, name: &str, session: &str) -> Result<Login> {
    let command = format!("MOSHPUNCH_OFFER=1 MOSHPUNCH_CHANNEL={session} moshpunch server offer 60001");
    Login::open(laptop, name, &[&["-T"], &TO_SERVER[..]].concat(), &command)
}

fn answers(login: &mut Login) -> Result<()> {
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
    assert_eq!(ask(USER, &session, "60001")?.stdout, "MOSHPUNCH BYE gone\n");
    Ok(())
}

/// As root, whom no mode keeps out.
fn is_refused_by_the_keeper(server: &Host, session: &str) -> Result<()> {
    let path = socket(session);
    let mut stream = server.inside(|| Ok(UnixStream::connect(&path)?))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    assert_eq!(stream.read(&mut [0; 64])?, 0, "it is let in");
    Ok(())
}

fn socket(session: &str) -> String {
    format!("/run/user/1000/moshpunch/{session}.socket")
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

/// A file of anybody's, and a socket of root's.
fn what_is_in_the_sockets_place_is_told(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let first = Login::new_session(&network.laptop)?;
    let session = first.session()?;
    let path = socket(&session);
    let squat = |user: &str, script: &str| {
        network.server.command("sh").args(["-c", script, "sh", &path]).as_user(user).run(PATIENCE)
    };
    squat(USER, "rm \"$1\" && echo mine >\"$1\"")?;
    let told = "MOSHPUNCH TROUBLE host session this login does not hear of the router: ";
    let mut second = attach(&network.laptop, "second", &session)?;
    second.hears(&format!("{told}{path}: Connection refused"))?;
    answers(&mut second)?;
    squat(USER, "rm \"$1\"")?;
    let _roots = network.server.inside(|| Ok(std::os::unix::net::UnixListener::bind(&path)?))?;
    squat("root", "chmod 777 \"$1\"")?;
    let mut third = attach(&network.laptop, "third", &session)?;
    third.hears(&format!("{told}{path}: the other end is user 0"))?;
    answers(&mut third)?;
    end_sessions(&network.server)
}

fn a_runtime_directory_with_a_long_path_is_told(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let long = format!("/tmp/{}", "x".repeat(100));
    network.server.command("mkdir").args(["-m", "700", &long]).as_user(USER).run(PATIENCE)?;
    let command = NEW.replace("moshpunch server", &format!("XDG_RUNTIME_DIR={long} moshpunch server"));
    let mut first = Login::open(&network.laptop, "first", &[&["-T"], &TO_SERVER[..]].concat(), &command)?;
    first.session()?;
    first.hears("MOSHPUNCH TROUBLE host session later logins will not hear of the router: /tmp/xxx")?;
    answers(&mut first)?;
    keeper(&network.server)?;
    end_sessions(&network.server)?;
    first.ends()
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
    ensure!(
        [".session\n", ".socket\n"].iter().all(|kind| left.contains(&format!("{session}{kind}"))),
        "{left}"
    );
    let next = Login::open(&network.laptop, "next", &[&["-T"], &TO_SERVER[..]].concat(), NEW)?;
    next.session()?;
    lab::wait_until("the sweep", PATIENCE, || Ok((!list()?.contains(&session)).then_some(())))
        .with_context(|| list().unwrap_or_default())?;
    end_sessions(&network.server)?;
    next.ssh.wait_exit(PATIENCE + Duration::from_secs(2)).map(drop)
}
