//! The host's end of the channel over a real ssh, with a real mosh-server behind it; the laptop's end is spoken by hand.

mod attaching;
#[path = "../common/mod.rs"]
mod common;
mod ends;
mod floods;
mod laptop;
mod logins;
mod punch;
mod surroundings;
mod unchanged;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Host, Lab, Terminal, USER, scenario};

use crate::common::{PATIENCE, end_sessions, raise};
use crate::laptop::{Carried, Login, NEW, TO_SERVER};

/// UDP finds no way: the router maps nothing.
fn over_ssh_alone_a_session_is_used_without_a_terminal(lab: &Lab) -> Result<()> {
    a_session_is_used(lab, "-T")
}

fn over_ssh_alone_a_session_is_used_by_a_terminal(lab: &Lab) -> Result<()> {
    a_session_is_used(lab, "-tt")
}

fn a_session_is_used(lab: &Lab, terminal: &str) -> Result<()> {
    let network = raise(lab)?;
    let mut login = Login::open(&network.laptop, "first", &[&[terminal], &TO_SERVER[..]].concat(), NEW)?;
    login.session()?;
    let before = login.ssh.log();
    let (before, hello) = before.split_once("MOSHPUNCH CHANNEL ").unwrap_or_default();
    ensure!(before.contains("MOSH CONNECT 60001 "), "{before}");
    ensure!(hello.contains(" window=16384 seen=20.0.0.9 carry"), "{hello}");
    let mut carried = Carried::on(&network.laptop)?;
    let mut window = mosh_client(&network.laptop, &login, carried.port()?)?;
    carried.until(&mut login, "a prompt", || window.screen().contains("alice@server:"))?;
    window.type_text("echo =$((9311*9311))=\r")?;
    carried.until(&mut login, "a result", || window.screen().contains("=86694721="))?;
    login.say("MOSHPUNCH PING 7\n")?;
    login.hears("MOSHPUNCH PONG 7")?;
    window.type_text("exit\r")?;
    carried.until(&mut login, "the last word", || login_is_over(&window))?;
    login.hears("MOSHPUNCH BYE ended")?;
    login.ends()
}

fn login_is_over(window: &Terminal) -> bool {
    window.wait_exit(Duration::ZERO).is_ok()
}

fn mosh_client(laptop: &Host, login: &Login, port: u16) -> Result<Terminal> {
    let client = laptop.command("mosh-client").args(["127.0.0.1", &port.to_string()]).as_user(USER);
    let client = client.env("MOSH_KEY", login.key()?).env("LC_ALL", "C.UTF-8");
    laptop.terminal(&client, 24, 80)
}

/// The router begins to map once the first answer was waited for in vain; this host is then told a second address.
fn a_mapping_that_comes_late_is_told(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let mut login = Login::new_session(&network.laptop)?;
    login.hears("MOSHPUNCH TROUBLE router mapping no router here answers PCP, NAT-PMP or UPnP\t")?;
    login.hears("MOSHPUNCH OFFER 1\n")?;
    let _miniupnpd = network.router.miniupnpd(&lab::WriteUp::miniupnpd())?;
    let second = ["address", "add", "192.168.1.11/24", "dev", "eth0"];
    network.server.command("ip").args(second).run(PATIENCE)?;
    login.hears("MOSHPUNCH OFFER 1 mapped=20.0.0.1:60001\n")?;
    login.say("MOSHPUNCH BYE\n")?;
    login.ends()?;
    end_sessions(&network.server)?;
    common::wait_for_empty_table(&network.router, PATIENCE)
}

/// By a file, or by what sshd sets; to each login once.
fn what_an_administrator_forbids_is_told(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let file = "/home/alice/.config/moshpunch/config.toml";
    let by_environment = NEW.replacen("MOSHPUNCH", "MOSHPUNCH_CARRY=false MOSHPUNCH", 1);
    for (name, carry, command) in
        [("environment", "", by_environment.as_str()), ("file", "carry = false\n", NEW)]
    {
        network.server.write_file(file, &format!("[server]\nbudget = 20\n{carry}"))?;
        let mut login = Login::open(&network.laptop, name, &[&["-T"], &TO_SERVER[..]].concat(), command)?;
        carries_nothing(&mut login)?;
        if name == "file" {
            carries_nothing(&mut attaching::attach(&network.laptop, "next", &login.session()?)?)?;
        }
        end_sessions(&network.server)?;
        login.ends()?;
    }
    Ok(())
}

fn carries_nothing(login: &mut Login) -> Result<()> {
    let trouble = "MOSHPUNCH TROUBLE host session the host's configuration (carry = false) lets no session go over ssh\t";
    login.hears(trouble)?;
    login.say(&format!("{}MOSHPUNCH PING 1\n", laptop::any_datagram(1)))?;
    login.hears("MOSHPUNCH PONG 1")?;
    let log = login.ssh.log();
    let hello = log.lines().find(|line| line.starts_with("MOSHPUNCH CHANNEL ")).unwrap_or_default();
    ensure!(hello.ends_with(" seen=20.0.0.9 punch") && log.matches(trouble).count() == 1, "{log}");
    Ok(())
}

fn main() -> ExitCode {
    let own = [
        scenario!(over_ssh_alone_a_session_is_used_without_a_terminal),
        scenario!(over_ssh_alone_a_session_is_used_by_a_terminal),
        scenario!(a_mapping_that_comes_late_is_told).needs(&["miniupnpd"]),
        scenario!(what_an_administrator_forbids_is_told),
    ];
    let others = [
        ends::scenarios(),
        attaching::scenarios(),
        floods::scenarios(),
        logins::scenarios(),
        punch::scenarios(),
    ];
    lab::harness::run(
        own.into_iter()
            .chain(others.into_iter().flatten())
            .chain(surroundings::scenarios())
            .chain(unchanged::scenarios())
            .map(|scenario| scenario.needs(&["mosh", "sshd"]).within(Duration::from_secs(180))),
    )
}
