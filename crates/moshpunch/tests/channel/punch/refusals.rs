//! Hosts that send no openers: it is told, and the session is carried as ever.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, WriteUp, scenario};
use wire::channel::Punched;

use super::{answer, seen};
use crate::attaching::attach;
use crate::common::{PATIENCE, end_sessions, keeper, no_moshpunch_is_left, raise, state_files};
use crate::laptop::{Login, NEW, TO_SERVER, any_datagram};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(an_administrator_who_wants_none_sent_is_obeyed),
        scenario!(a_mosh_server_that_may_not_be_read_is_told).needs(&["miniupnpd"]),
        scenario!(a_filter_that_forbids_the_call_is_told).needs(&["python3"]),
        scenario!(a_kernel_that_knows_no_such_call_is_told).needs(&["python3"]),
        scenario!(a_filter_that_kills_for_the_call_leaves_a_session).needs(&["python3"]),
        scenario!(whoever_asks_for_no_channel_lends_nothing),
    ]
}

fn sends_none_and_carries(network: &WriteUp, login: &mut Login) -> Result<()> {
    login.session()?;
    let log = login.ssh.log();
    let hello = log.lines().find(|line| line.starts_with("MOSHPUNCH CHANNEL ")).unwrap_or_default();
    ensure!(hello.ends_with(" carry"), "{hello}");
    seen::count(&network.server)?;
    let refused = Punched::Refused { reason: "unable".to_owned() };
    assert_eq!(answer(login, 1, &["20.0.0.9:7001"])?, refused);
    login.say(&any_datagram(1))?;
    login.hears("MOSHPUNCH A 1\n")?;
    assert_eq!(seen::counted(&network.server)?.len(), 0);
    let told = log.matches("opens no way for UDP").count() + log.matches("cannot open a way for UDP").count();
    ensure!(told <= 1, "{log}");
    Ok(())
}

fn an_administrator_who_wants_none_sent_is_obeyed(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let file = "/home/alice/.config/moshpunch/config.toml";
    network.server.write_file(file, "[server]\nbudget = 20\npunch = false\n")?;
    let mut login = Login::new_session(&network.laptop)?;
    login.hears(
        "MOSHPUNCH TROUBLE host session the host's configuration (punch = false) opens no way for UDP from there\t",
    )?;
    sends_none_and_carries(&network, &mut login)?;
    let session = login.session()?;
    // Nor does a session that has begun before.
    network.server.write_file(file, "[server]\nbudget = 20\n")?;
    let lent = Login::open(&network.laptop, "lent", &[&["-T"], &TO_SERVER[..]].concat(), NEW)?;
    lent.session()?;
    ensure!(lent.ssh.log().contains(" carry punch\n"), "{}", lent.ssh.log());
    network.server.write_file(file, "[server]\nbudget = 20\npunch = false\n")?;
    let command =
        format!("MOSHPUNCH_OFFER=1 MOSHPUNCH_CHANNEL={} moshpunch server offer 60002", lent.session()?);
    let mut later = Login::open(&network.laptop, "later", &[&["-T"], &TO_SERVER[..]].concat(), &command)?;
    sends_none_and_carries(&network, &mut later)?;
    let mut second = attach(&network.laptop, "second", &session)?;
    sends_none_and_carries(&network, &mut second)?;
    end_sessions(&network.server)
}

fn a_mosh_server_that_may_not_be_read_is_told(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    let copy = ["-m", "711", "/usr/bin/mosh-server", "/usr/local/bin/mosh-server"];
    network.server.command("install").args(copy).run(PATIENCE)?;
    let mut login = Login::new_session(&network.laptop)?;
    let told = "MOSHPUNCH TROUBLE host session the host cannot open a way for UDP from mosh-server's port: mosh-server may \
                not be looked at";
    login.hears(told)?;
    sends_none_and_carries(&network, &mut login)?;
    // All else is as with any other.
    login.hears("MOSHPUNCH OFFER 1 mapped=20.0.0.1:60001\n")?;
    let mut second = attach(&network.laptop, "second", &login.session()?)?;
    sends_none_and_carries(&network, &mut second)?;
    end_sessions(&network.server)?;
    second.hears("MOSHPUNCH BYE ended\n")?;
    no_moshpunch_is_left(&network.server)
}

/// Around whom there is a filter of system calls that does this.
fn filtered_login(network: &WriteUp, action: &str) -> Result<Login> {
    let filter = "/tmp/filter.py";
    network.server.write_file(filter, include_str!("filter.py"))?;
    let command = NEW.replace("moshpunch server", &format!("python3 {filter} {action} moshpunch server"));
    Login::open(&network.laptop, "first", &[&["-T"], &TO_SERVER[..]].concat(), &command)
}

fn filtered(lab: &Lab, errno: u32, told: &str) -> Result<()> {
    let network = raise(lab)?;
    let mut login = filtered_login(&network, &errno.to_string())?;
    login.hears(
        "MOSHPUNCH TROUBLE host session the host cannot open a way for UDP from mosh-server's port: ",
    )?;
    login.hears(told)?;
    sends_none_and_carries(&network, &mut login)?;
    end_sessions(&network.server)
}

fn a_filter_that_forbids_the_call_is_told(lab: &Lab) -> Result<()> {
    filtered(lab, 1, "a filter of system calls (seccomp) forbids pidfd_getfd\t")
}

fn a_kernel_that_knows_no_such_call_is_told(lab: &Lab) -> Result<()> {
    filtered(lab, 38, "its kernel is older than Linux 5.6, ")
}

/// As systemd's filters do that name no error. What is lost is the first login's channel.
fn a_filter_that_kills_for_the_call_leaves_a_session(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let login = filtered_login(&network, "kill")?;
    login.ends()?;
    let log = login.ssh.log();
    ensure!(log.contains("MOSHPUNCH OFFER 1 host=192.168.1.10:60001 more\nMOSH CONNECT 60001 "), "{log}");
    ensure!(!log.contains("CHANNEL"), "{log}");
    let files = state_files(&network.server)?;
    let session = files[0].rsplit('/').next().and_then(|file| file.split('.').next()).context("a name")?;
    let mut second = attach(&network.laptop, "second", session)?;
    sends_none_and_carries(&network, &mut second)?;
    end_sessions(&network.server)
}

/// Those before there were channels, and stock mosh.
fn whoever_asks_for_no_channel_lends_nothing(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let words = [&["-T"], &TO_SERVER[..]].concat();
    let login = Login::open(&network.laptop, "older", &words, "MOSHPUNCH_OFFER=1 moshpunch server new")?;
    login.hears("MOSH CONNECT 60001 ")?;
    login.ends()?;
    let keeper = keeper(&network.server)?;
    let socket = seen::socket(&network.server)?.expect("mosh-server has it");
    ensure!(!seen::has(&keeper, &socket)?, "the keeper has mosh-server's socket");
    end_sessions(&network.server)
}
