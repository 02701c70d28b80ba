//! Whatever a login in the background, or something that it starts, would ask.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, USER};

use crate::common::PATIENCE;
use crate::place::PASSWORD;
use crate::silence::{Session, Way, by_each_way};

const BY_PASSWORD: [&str; 2] = ["PasswordAuthentication yes", "PubkeyAuthentication no"];
const GATEWAY: &str = "Host gw\n HostName router\n Port 2222\n";
const ASKED: &str = "alice@router's password:";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let by_each_way = [
        by_each_way!(a_jump_host_that_wants_a_password_is_not_heard),
        by_each_way!(a_jump_host_behind_a_locked_key_is_not_heard),
        by_each_way!(a_proxy_command_that_asks_is_not_heard),
        by_each_way!(a_proxy_command_of_another_program_cannot_ask),
        by_each_way!(a_local_command_is_not_run_again),
        by_each_way!(a_program_that_asks_in_a_window_is_not_started),
        by_each_way!(a_match_that_asks_is_not_heard_by_look_ups),
    ];
    by_each_way.into_iter().flatten().collect()
}

fn inner(by: &str) -> String {
    format!("Host inner\n HostName 192.168.1.10\n {by}\n{GATEWAY}")
}

/// How often the gateway closed the door to somebody without a password.
fn refusals(session: &Session) -> usize {
    session.place.sshd.log().matches("Connection closed by authenticating user").count()
}

fn by_password(lab: &Lab, way: Way, by: &str) -> Result<()> {
    let mut session = Session::prepare(lab, way, &BY_PASSWORD, &inner(by))?;
    session.run("moshpunch inner")?;
    session.shell.answer(ASKED, PASSWORD)?;
    session.begins_on("server")?;
    session.is_not_disturbed()?;
    let log = session.place.sshd.log();
    ensure!(!log.contains("Failed password"), "{log}");
    assert_eq!(refusals(&session), 1, "{log}");
    session.ends()
}

fn a_jump_host_that_wants_a_password_is_not_heard(lab: &Lab, way: Way) -> Result<()> {
    by_password(lab, way, "ProxyJump gw")
}

fn a_proxy_command_that_asks_is_not_heard(lab: &Lab, way: Way) -> Result<()> {
    by_password(lab, way, "ProxyCommand ssh -W %h:%p gw")
}

fn a_jump_host_behind_a_locked_key_is_not_heard(lab: &Lab, way: Way) -> Result<()> {
    let configuration =
        format!("{} IdentityFile ~/.ssh/locked\n IdentitiesOnly yes\n", inner("ProxyJump gw"));
    let mut session = Session::prepare(lab, way, &[], &configuration)?;
    let (key, locked) = ("/home/alice/.ssh/id_ed25519", "/home/alice/.ssh/locked");
    session.place.laptop().command("cp").args([key, locked]).as_user(USER).run(PATIENCE)?;
    let lock = ["-p", "-q", "-P", "", "-N", PASSWORD, "-f", locked];
    session.place.laptop().command("ssh-keygen").args(lock).as_user(USER).run(PATIENCE)?;
    session.run("moshpunch inner")?;
    session.shell.answer(&format!("Enter passphrase for key '{locked}':"), PASSWORD)?;
    session.begins_on("server")?;
    session.is_not_disturbed()?;
    assert_eq!(refusals(&session), 1, "{}", session.place.sshd.log());
    session.ends()
}

fn a_proxy_command_of_another_program_cannot_ask(lab: &Lab, way: Way) -> Result<()> {
    let asks = "printf 'Way: ' >/dev/tty && read -r way </dev/tty\nexec 3<>\"/dev/tcp/$1/$2\"\n";
    let relays = "cat <&3 &\ncat >&3\n";
    let configuration = "Host away\n HostName 20.0.0.1\n ProxyCommand relay %h %p\n";
    let mut session = Session::prepare(lab, way, &[], configuration)?;
    session.place.laptop().write_script("/usr/local/bin/relay", &format!("#!/bin/bash\n{asks}{relays}"))?;
    session.run("moshpunch away")?;
    session.shell.answer("Way: ", "this")?;
    session.begins_on("router")?;
    session.is_not_disturbed()?;
    session.ends()
}

fn a_local_command_is_not_run_again(lab: &Lab, way: Way) -> Result<()> {
    let command = "LocalCommand echo %n >>/tmp/run; printf 'hello %n' >/dev/tty";
    let configuration = format!("Host router\n Port 2222\n PermitLocalCommand yes\n {command}\n");
    let mut session = Session::prepare(lab, way, &[], &configuration)?;
    session.run("moshpunch router")?;
    session.begins_on("router")?;
    session.is_not_disturbed()?;
    assert_eq!(session.place.laptop().read_file("/tmp/run")?, "router\n");
    session.ends()
}

fn a_program_that_asks_in_a_window_is_not_started(lab: &Lab, way: Way) -> Result<()> {
    let mut session = Session::prepare(lab, way, &BY_PASSWORD, &inner("ProxyJump gw"))?;
    let answers = format!("#!/bin/sh\necho \"$1\" >>/tmp/asked\necho {PASSWORD}\n");
    session.place.laptop().write_script("/usr/local/bin/answers", &answers)?;
    let window = "DISPLAY=:9 WAYLAND_DISPLAY=wayland-9 SSH_ASKPASS=/usr/local/bin/answers";
    session.run(&format!("{window} SSH_ASKPASS_REQUIRE=force moshpunch inner"))?;
    session.begins_on("server")?;
    let asked = session.place.laptop().read_file("/tmp/asked")?;
    session.is_not_disturbed()?;
    assert_eq!(session.place.laptop().read_file("/tmp/asked")?, asked);
    session.ends()
}

/// The login that begins the session is answered, whom nobody asks twice.
fn a_match_that_asks_is_not_heard_by_look_ups(lab: &Lab, way: Way) -> Result<()> {
    let configuration = "Match host router exec \"asks\"\n Port 2222\n";
    let mut session = Session::prepare(lab, way, &[], configuration)?;
    let asks = "#!/bin/sh\nprintf 'Away? ' >/dev/tty && read -r away </dev/tty\n";
    session.place.laptop().write_script("/usr/local/bin/asks", asks)?;
    session.run("moshpunch router")?;
    session.shell.answer("Away? ", "yes")?;
    session.begins_on("router")?;
    ensure!(session.place.sshd.log().contains("Accepted publickey"), "{}", session.place.sshd.log());
    session.is_not_disturbed()?;
    session.ends()
}
