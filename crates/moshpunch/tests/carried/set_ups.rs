//! Configurations of ssh and sshd, and programs in their place.

use anyhow::{Context, Result, bail, ensure};
use lab::harness::Scenario;
use lab::{Lab, Signal, USER, scenario, wait_until};

use crate::common::{PATIENCE, no_moshpunch_is_left, signal};
use crate::place::{BASHRC, QUIT};
use crate::scene::{LINE, OVER_SSH, Scene, WORDS, logins, no_login_is_left, only_login};
use crate::stock::Stock;
use crate::wall::Wall;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let dropbears = ["dbclient", "dropbear", "dropbearconvert", "dropbearkey"];
    vec![
        scenario!(without_a_terminal_of_sshs_it_is_carried),
        scenario!(behind_a_shell_that_says_much_it_is_carried),
        scenario!(a_host_of_stock_mosh_serves_as_mosh_and_what_would_carry_is_told),
        scenario!(where_ssh_is_told_to_read_nothing_sessions_are_as_before),
        scenario!(whatever_is_configured_of_ssh_it_is_carried),
        scenario!(a_master_in_the_foreground_may_end),
        scenario!(a_master_that_does_not_answer_is_left_aside),
        scenario!(dropbear_carries_at_both_ends).needs(&dropbears),
        scenario!(nobody_else_may_talk_to_the_keeper).needs(&["socat"]),
        scenario!(of_a_session_of_the_laptops_own_nothing_is_carried),
    ]
}

/// Beside stock mosh.
fn is_carried(scene: &mut Scene, line: &str) -> Result<()> {
    let stock = Stock::hears_nothing(scene.laptop(), &WORDS)?;
    scene.opens(line)?;
    stock.has_heard_nothing()?;
    scene.leaves_having_gone_over_ssh()
}

fn without_a_terminal_of_sshs_it_is_carried(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    is_carried(&mut scene, &LINE.replace("moshpunch", "moshpunch --no-ssh-pty"))
}

/// Without an end of a line, with that of a terminal, longer than any line of a channel, and what looks like one.
const NOISE: &str = "printf '\\033[1mwelcome\\033[0m\\r\\n'; seq -s ' ' 5000; printf 'MOSHPUNCH CHANNEL x\\n'
printf 'MOSHPUNCH D 1 0 AAAA\\nMOSHPUNCH BYE\\nno end'
";

fn behind_a_shell_that_says_much_it_is_carried(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    let bashrc = scene.host().read_file(BASHRC)?;
    scene.host().write_user_file(BASHRC, &format!("{bashrc}{NOISE}"))?;
    for options in ["", "--no-ssh-pty "] {
        scene.run(&LINE.replace("moshpunch ", &format!("moshpunch {options}")))?;
        scene.shell.sees("alice@router:")?;
        scene.computes()?;
        scene.leaves_having_gone_over_ssh()?;
    }
    Ok(())
}

/// As before there was a channel: the cause is told at the end.
pub(crate) fn nothing_comes_back(scene: &mut Scene, line: &str) -> Result<()> {
    scene.run(line)?;
    scene.shell.sees("mosh: ")?;
    scene.shell.terminal.type_text(QUIT)?;
    scene.shell.sees("moshpunch: no datagram came back from the host")?;
    no_login_is_left(scene.laptop(), PATIENCE)
}

fn a_host_of_stock_mosh_serves_as_mosh_and_what_would_carry_is_told(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise_stock(lab, &[Wall::AtHost])?;
    nothing_comes_back(&mut scene, LINE)?;
    scene.shell.sees("have moshpunch on the host")?;
    Wall::AtHost.fall(&scene.place.network)?;
    scene.run(LINE)?;
    scene.computes()?;
    no_login_is_left(scene.laptop(), PATIENCE)?;
    let said = scene.leaves()?;
    ensure!(!said.contains(OVER_SSH), "{said}");
    Ok(())
}

fn where_ssh_is_told_to_read_nothing_sessions_are_as_before(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[], &[])?;
    scene.place.configure("Host router\n Port 2222\n")?;
    for line in ["moshpunch --ssh='ssh -f' router", "moshpunch --ssh='ssh -n' router"] {
        Wall::AtLaptop.raise(&scene.place.network)?;
        nothing_comes_back(&mut scene, line)?;
        Wall::AtLaptop.fall(&scene.place.network)?;
        scene.opens(line)?;
        no_login_is_left(scene.laptop(), PATIENCE * 2)?;
        let said = scene.leaves()?;
        ensure!(!said.contains(OVER_SSH), "{line}: {said}");
    }
    Ok(())
}

/// Unlike the flags, the options are for other logins. What this ssh does not know is no obstacle.
const CONFIGURED: [&str; 11] = [
    "StdinNull yes",
    "ForkAfterAuthentication yes",
    "IgnoreUnknown OfAnother\n OfAnother yes",
    "RemoteCommand tmux new -A",
    "RequestTTY no",
    "RequestTTY force",
    "LogLevel QUIET",
    "LogLevel DEBUG3",
    "EscapeChar M",
    "RekeyLimit 16K",
    "ControlMaster auto\n ControlPath ~/.ssh/master-%C\n ControlPersist yes",
];

fn whatever_is_configured_of_ssh_it_is_carried(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    for options in CONFIGURED {
        scene.place.configure(&format!("Host router\n Port 2222\n {options}\n"))?;
        for line in ["moshpunch router", "moshpunch --no-ssh-pty router"] {
            let gone_over_ssh = scene.opens(line).and_then(|()| scene.leaves_having_gone_over_ssh());
            gone_over_ssh.with_context(|| format!("{line}, {options}"))?;
            no_login_is_left(scene.laptop(), PATIENCE)?;
        }
    }
    Ok(())
}

/// In another window; a channel through it would keep it.
fn a_master_in_the_foreground_may_end(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    scene.place.configure(
        "Host router\n Port 2222\n ControlMaster auto\n ControlPath ~/.ssh/master-%C\n ControlPersist no\n",
    )?;
    let master = scene.laptop().command("ssh").arg("router").as_user(USER);
    let mut master = scene.laptop().terminal(&master, 24, 80)?;
    master.wait_for("alice@router:", PATIENCE)?;
    scene.opens("moshpunch router")?;
    master.type_text("exit\r")?;
    ensure!(master.wait_exit(PATIENCE)?.success(), "{}", master.screen());
    scene.computes()?;
    scene.leaves_having_gone_over_ssh()
}

fn a_master_that_does_not_answer_is_left_aside(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    scene.place.configure(
        "Host router\n Port 2222\n ControlMaster auto\n ControlPath ~/.ssh/master-%C\n ControlPersist yes\n",
    )?;
    scene.laptop().command("ssh").args(["router", "true"]).as_user(USER).run(PATIENCE)?;
    let master = only_login(scene.laptop())?;
    signal(&master, Signal::STOP)?;
    scene.run("moshpunch router")?;
    scene.computes_within(PATIENCE * 2)?;
    let said = scene.leaves()?;
    ensure!(said.contains(OVER_SSH) && said.contains("does not answer, and is left aside"), "{said}");
    assert_eq!(only_login(scene.laptop())?.pid, master.pid);
    Ok(())
}

fn dropbear_carries_at_both_ends(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    let key = "/home/alice/.ssh/id_dropbear";
    let convert = ["openssh", "dropbear", "/home/alice/.ssh/id_ed25519", key];
    scene.laptop().command("dropbearconvert").args(convert).as_user(USER).run(PATIENCE)?;
    let host = scene.host().clone();
    host.command("dropbearkey").args(["-t", "ed25519", "-f", "/etc/dropbear_key"]).run(PATIENCE)?;
    let words = ["-F", "-E", "-p", "2223", "-r", "/etc/dropbear_key", "-P", "/run/dropbear.pid"];
    let dropbear = host.spawn("dropbear", &host.command("dropbear").args(words))?;
    dropbear.wait_for_log("Not backgrounding", PATIENCE)?;
    let trusting =
        "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null";
    for (ssh, options) in [
        (format!("dbclient -y -p 2222 -i {key}"), ""),
        (format!("dbclient -y -p 2222 -i {key}"), "--no-ssh-pty "),
        (format!("dbclient -y -y -p 2223 -i {key}"), ""),
        (format!("ssh {trusting} -p 2223"), ""),
        (format!("ssh {trusting} -p 2223"), "--no-ssh-pty "),
    ] {
        let line = format!("moshpunch {options}--ssh='{ssh}' router");
        scene.opens(&line)?;
        scene.leaves_having_gone_over_ssh()?;
    }
    Ok(())
}

/// Whoever says there that datagrams come by another login ends the one that they came by. Root may enter the directory; to
/// the others it is opened here.
fn nobody_else_may_talk_to_the_keeper(lab: &Lab) -> Result<()> {
    let mut scene = Scene::in_session(lab, &[Wall::AtLaptop], LINE)?;
    let host = scene.host().clone();
    let sockets = host.command("cat").arg("/proc/net/unix").run(PATIENCE)?.stdout;
    let names = sockets.lines().filter_map(|line| line.split_once(" @moshpunch-"));
    let [name] = names.map(|(_, name)| name).collect::<Vec<_>>()[..] else {
        bail!("one name expected: {sockets}")
    };
    let says = |user: &str| {
        let socat = ["socat", "-t", "10", "-", &format!("ABSTRACT-CONNECT:moshpunch-{name}")];
        let who = [&format!("--reuid={user}"), "--clear-groups"];
        host.command("setpriv").args(who).args(socat).input("\"Delivered\"\n").output(PATIENCE)
    };
    let login = only_login(scene.laptop())?;
    for user in ["root", "nobody"] {
        let said = says(user)?;
        ensure!(said.stdout.is_empty(), "{user}: {said}");
        scene.computes()?;
        assert_eq!(only_login(scene.laptop())?, login, "{user}");
    }
    says("alice")?;
    wait_until("the end of that login", PATIENCE, || {
        Ok((!logins(scene.laptop())?.contains(&login)).then_some(()))
    })
}

/// mosh-server runs here, without ssh.
fn of_a_session_of_the_laptops_own_nothing_is_carried(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, &[Wall::AtLaptop], &[])?;
    scene.run("moshpunch --local 127.0.0.1")?;
    scene.computes()?;
    no_login_is_left(scene.laptop(), PATIENCE)?;
    scene.shell.run("exit")?;
    scene.shell.sees("the session went over 127.0.0.1:60001 ")?;
    scene.shell.is_back("0")?;
    no_moshpunch_is_left(scene.laptop())
}
