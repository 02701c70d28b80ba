//! What stands between the laptop and the host's end: login shells, what they print, another sshd.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Nat, Protocol, USER, WriteUp, scenario};

use crate::common::{PATIENCE, end_sessions, raise};
use crate::laptop::{Login, TO_SERVER, any_datagram};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(what_bash_prints_is_read_over),
        scenario!(fish_serves).needs(&["fish"]),
        scenario!(tcsh_serves).needs(&["tcsh"]),
        scenario!(dropbear_serves).needs(&["dropbear"]),
    ]
}

/// As the client starts it, by a shell whose words all login shells take.
const BY_SH: &str = "sh -c 'MOSHPUNCH_OFFER=1 MOSHPUNCH_CHANNEL=1 exec moshpunch server new'";

const LONG: usize = 1_400;

/// With a terminal and without; the longest datagrams, both ends of it whole.
fn serves(lab: &Lab, prepare: impl Fn(&WriteUp) -> Result<Vec<String>>) -> Result<()> {
    let network = raise(lab)?;
    let words = prepare(&network)?;
    for (number, terminal) in ["-T", "-tt"].into_iter().enumerate() {
        let words: Vec<_> = [terminal].into_iter().chain(words.iter().map(String::as_str)).collect();
        let mut login = Login::open(&network.laptop, &format!("login{number}"), &words, BY_SH)?;
        login.session()?;
        let frame = wire::channel::Frame::Datagram { number: 1, tos: 2, datagram: vec![9; LONG] };
        login.say(&frame.encode())?;
        login.hears("MOSHPUNCH A 1")?;
        login.say(&format!("{}MOSHPUNCH PING 5\n", any_datagram(2)))?;
        login.hears("MOSHPUNCH PONG 5")?;
        let log = login.ssh.log();
        let behind = log.split_once("MOSHPUNCH CHANNEL ").unwrap_or_default().1;
        ensure!(!behind.contains("MOSHPUNCH D ") && !behind.contains("PING"), "it echoes: {log}");
        login.say("MOSHPUNCH BYE\n")?;
        login.ends()?;
    }
    end_sessions(&network.server)
}

fn to_server(_: &WriteUp) -> Result<Vec<String>> {
    Ok(TO_SERVER.map(str::to_owned).to_vec())
}

fn with_shell(lab: &Lab, shell: &str) -> Result<()> {
    serves(lab, |network| {
        let change = network.server.command("usermod").args(["--shell", shell, USER]);
        change.run(PATIENCE)?;
        to_server(network)
    })
}

fn what_bash_prints_is_read_over(lab: &Lab) -> Result<()> {
    serves(lab, |network| {
        let noise = "echo welcome\nprintf 'MOSHPUNCH without an end '\nprintf '\\033]0;title\\007'\n";
        network.server.write_user_file("/home/alice/.bashrc", noise)?;
        to_server(network)
    })
}

fn fish_serves(lab: &Lab) -> Result<()> {
    with_shell(lab, "/usr/bin/fish")
}

fn tcsh_serves(lab: &Lab) -> Result<()> {
    with_shell(lab, "/usr/bin/tcsh")
}

fn dropbear_serves(lab: &Lab) -> Result<()> {
    let running = std::cell::RefCell::new(None);
    serves(lab, |network| {
        let key = "/etc/ssh/dropbear_key";
        network.server.command("dropbearkey").args(["-t", "ed25519", "-f", key]).run(PATIENCE)?;
        let dropbear =
            network.server.command("/usr/sbin/dropbear").args(["-F", "-E", "-p", "2200", "-r", key]);
        let dropbear = network.server.spawn("dropbear", &dropbear)?;
        dropbear.wait_for_log("Not backgrounding", PATIENCE)?;
        running.replace(Some(dropbear));
        let nat = Nat::home(WriteUp::OUTSIDE).forward(Protocol::Tcp, 2200, "192.168.1.10:2200");
        network.router.nat(&nat)?;
        let options = "-p 2200 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null router";
        Ok(options.split(' ').map(str::to_owned).collect())
    })
}
