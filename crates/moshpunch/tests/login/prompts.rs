//! Whatever ssh asks is seen as in ssh, and can be answered.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, USER, scenario, wait_until};

use crate::common::{PATIENCE, no_moshpunch_is_left};
use crate::place::{NOT_ASKED, PASSWORD, Place, Shell};

const COMMAND: &str = "moshpunch --ssh='ssh -p 2222' router";
const PROGRESS: &str = "moshpunch: logging in to router …";
const ASKED: &str = "alice@router's password:";
const BY_PASSWORD: [&str; 2] = ["PasswordAuthentication yes", "PubkeyAuthentication no"];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_wrong_password_may_be_followed_by_the_right_one),
        scenario!(a_message_that_comes_late_stands_above_the_question),
        scenario!(a_passphrase_is_asked_for),
        scenario!(an_unknown_host_key_is_shown_and_can_be_accepted),
        scenario!(an_unknown_host_key_can_be_refused),
        scenario!(a_password_can_follow_a_key),
        scenario!(a_second_factor_is_asked_by_the_host),
        scenario!(an_interrupt_at_the_prompt_leaves_nothing_behind),
        scenario!(an_interrupt_waits_until_ssh_has_put_the_terminal_in_order),
        scenario!(an_interrupt_ends_a_look_up_that_nobody_answers),
        scenario!(without_a_terminal_there_is_no_progress),
        scenario!(the_prompt_at_the_bottom_of_the_screen_is_not_covered),
    ]
}

fn by_password(lab: &Lab) -> Result<(Place, Shell)> {
    let place = Place::raise(lab, &BY_PASSWORD)?;
    place.set_password()?;
    let shell = place.shell()?;
    Ok((place, shell))
}

fn progress_is_on_the_last_row(shell: &Shell) -> Result<()> {
    let screen = shell.terminal.screen();
    ensure!(screen.lines().nth(23) == Some(PROGRESS), "{screen}");
    Ok(())
}

fn a_wrong_password_may_be_followed_by_the_right_one(lab: &Lab) -> Result<()> {
    let (_place, mut shell) = by_password(lab)?;
    shell.run(COMMAND)?;
    shell.sees(ASKED)?;
    shell.sees(PROGRESS)?;
    progress_is_on_the_last_row(&shell)?;
    let denied = "Permission denied, please try again.";
    for tries in 1..=2 {
        shell.answer(ASKED, "wrong")?;
        let asked_again = |screen: &str| screen.matches(ASKED).count() == tries + 1;
        shell.terminal.wait_until("another prompt", PATIENCE, asked_again)?;
        let denials = |screen: &str| screen.matches(denied).count() == tries;
        shell.terminal.wait_until("why", PATIENCE, denials)?;
    }
    assert_eq!(shell.lines(), [ASKED, denied, ASKED, denied, ASKED, PROGRESS]);
    progress_is_on_the_last_row(&shell)?;
    shell.run(PASSWORD)?;
    shell.uses_session("router")?;
    let left = shell.lines();
    assert_eq!(left[..5], [ASKED, denied, ASKED, denied, ASKED].map(str::to_owned));
    ensure!(!left.contains(&PROGRESS.to_owned()), "{left:?}");
    Ok(())
}

fn the_prompt_at_the_bottom_of_the_screen_is_not_covered(lab: &Lab) -> Result<()> {
    let (_place, mut shell) = by_password(lab)?;
    shell.run("seq 100 140")?;
    shell.sees("140")?;
    shell.run(COMMAND)?;
    shell.answer(ASKED, "wrong")?;
    shell.sees("please try again.")?;
    shell.terminal.wait_until("both prompts", PATIENCE, |screen| screen.matches(ASKED).count() == 2)?;
    shell.sees(PROGRESS)?;
    let expected = [ASKED, "Permission denied, please try again.", ASKED, PROGRESS];
    assert_eq!(shell.lines(), expected);
    progress_is_on_the_last_row(&shell)?;
    shell.run(PASSWORD)?;
    shell.uses_session("router")
}

/// ssh writes the message first, but not to the same file.
fn a_message_that_comes_late_stands_above_the_question(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let asks = "printf 'Password: ' >/dev/tty\nprintf 'Wrong,\\r\\nagain.\\r\\n' >&2\n";
    let answered = "read -r answer </dev/tty\necho \"told $answer\"\nexit 9\n";
    place.laptop().write_script("/usr/local/bin/late", &format!("{NOT_ASKED}{asks}{answered}"))?;
    let mut shell = place.shell()?;
    shell.run("moshpunch --ssh=late router")?;
    shell.sees("again.")?;
    shell.sees(PROGRESS)?;
    assert_eq!(shell.lines(), ["Wrong,", "again.", "Password:", PROGRESS]);
    shell.run("sesame")?;
    shell.is_back("9")?;
    assert_eq!(
        shell.lines()[..4],
        ["Wrong,", "again.", "Password: sesame", "told sesame"].map(str::to_owned)
    );
    Ok(())
}

fn a_passphrase_is_asked_for(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let lock = ["-p", "-q", "-P", "", "-N", PASSWORD, "-f", "/home/alice/.ssh/id_ed25519"];
    place.laptop().command("ssh-keygen").args(lock).as_user(USER).run(PATIENCE)?;
    let mut shell = place.shell()?;
    shell.run(COMMAND)?;
    shell.answer("Enter passphrase for key '/home/alice/.ssh/id_ed25519':", PASSWORD)?;
    shell.uses_session("router")
}

fn with_unknown_host(lab: &Lab) -> Result<(Place, Shell)> {
    let place = Place::raise(lab, &[])?;
    place.configure("GlobalKnownHostsFile /dev/null\n")?;
    let mut shell = place.shell()?;
    shell.run(COMMAND)?;
    shell.sees("The authenticity of host '[router]:2222 ([20.0.0.1]:2222)' can't be established.")?;
    shell.sees("Are you sure you want to continue connecting (yes/no/[fingerprint])?")?;
    Ok((place, shell))
}

fn an_unknown_host_key_is_shown_and_can_be_accepted(lab: &Lab) -> Result<()> {
    let (place, mut shell) = with_unknown_host(lab)?;
    shell.run("maybe")?;
    shell.answer("Please type 'yes', 'no' or the fingerprint:", "yes")?;
    shell.uses_session("router")?;
    let known = place.laptop().read_file("/home/alice/.ssh/known_hosts")?;
    ensure!(known.contains("ssh-ed25519"), "{known}");
    Ok(())
}

fn an_unknown_host_key_can_be_refused(lab: &Lab) -> Result<()> {
    let (_place, mut shell) = with_unknown_host(lab)?;
    shell.run("no")?;
    shell.sees("cure: ")?;
    let lines = shell.lines().join("\n");
    ensure!(
        lines.contains("Host key verification failed.\nmoshpunch: the host key of router was not accepted"),
        "{lines}"
    );
    ensure!(!lines.contains(PROGRESS), "{lines}");
    shell.is_back("255")
}

fn a_password_can_follow_a_key(lab: &Lab) -> Result<()> {
    let place =
        Place::raise(lab, &["PasswordAuthentication yes", "AuthenticationMethods publickey,password"])?;
    place.set_password()?;
    let mut shell = place.shell()?;
    shell.run(COMMAND)?;
    shell.answer(ASKED, PASSWORD)?;
    shell.uses_session("router")
}

/// sshd asks by way of PAM, and so not in its own words.
fn a_second_factor_is_asked_by_the_host(lab: &Lab) -> Result<()> {
    let options = [
        "UsePAM yes",
        "KbdInteractiveAuthentication yes",
        "AuthenticationMethods publickey,keyboard-interactive:pam,keyboard-interactive:pam",
    ];
    let place = Place::raise(lab, &options)?;
    let pam = "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n";
    place.network.router.write_file("/etc/pam.d/sshd", pam)?;
    place.set_password()?;
    let mut shell = place.shell()?;
    shell.run(COMMAND)?;
    let factor = "(alice@router) Password:";
    shell.answer(factor, PASSWORD)?;
    shell.terminal.wait_until("the other prompt", PATIENCE, |screen| screen.matches(factor).count() == 2)?;
    shell.sees(PROGRESS)?;
    assert_eq!(shell.lines(), [factor, factor, PROGRESS]);
    shell.run(PASSWORD)?;
    shell.uses_session("router")
}

fn an_interrupt_at_the_prompt_leaves_nothing_behind(lab: &Lab) -> Result<()> {
    let (place, mut shell) = by_password(lab)?;
    shell.run(COMMAND)?;
    shell.sees(ASKED)?;
    shell.sees(PROGRESS)?;
    shell.terminal.type_text("\x03")?;
    shell.terminal.wait_until("the end", PATIENCE, |screen| screen.matches("alice@laptop:").count() == 2)?;
    assert!(place.laptop().processes("ssh")?.is_empty());
    ensure!(!shell.terminal.screen().contains(PROGRESS), "{}", shell.terminal.screen());
    shell.is_back("130")?;
    no_moshpunch_is_left(place.laptop())
}

fn an_interrupt_waits_until_ssh_has_put_the_terminal_in_order(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let tidies = "trap '' INT\ntrap 'kill $!; seq 300000 >/tmp/tidied; stty echo </dev/tty; exit 1' TERM\n";
    let asks =
        "stty -echo </dev/tty\nmkfifo /tmp/never\ncat /tmp/never &\nprintf 'Password: ' >/dev/tty\nwait\n";
    place.laptop().write_script("/usr/local/bin/slow", &format!("{NOT_ASKED}{tidies}{asks}"))?;
    let mut shell = place.shell()?;
    shell.run("moshpunch --ssh=slow router; (exit $?$(tail -n 1 /tmp/tidied | grep -vx 300000))")?;
    shell.sees("Password: ")?;
    shell.terminal.type_text("\x03")?;
    shell.is_back("130")
}

fn an_interrupt_ends_a_look_up_that_nobody_answers(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let name_server = place.network.router.udp("20.0.0.1:53")?;
    place.laptop().write_file("/etc/resolv.conf", "nameserver 20.0.0.1\n")?;
    let mut shell = place.shell()?;
    shell.run("moshpunch --experimental-remote-ip=local host.example")?;
    name_server.receive(PATIENCE)?;
    shell.terminal.type_text("\x03")?;
    shell.is_back("130")?;
    no_moshpunch_is_left(place.laptop())
}

fn without_a_terminal_there_is_no_progress(lab: &Lab) -> Result<()> {
    let (place, mut shell) = by_password(lab)?;
    shell.run(&format!("{COMMAND} 2>/tmp/messages"))?;
    shell.sees(ASKED)?;
    let messages = || Ok(place.laptop().read_file("/tmp/messages")?.is_empty().then_some(()));
    wait_until("an empty file", PATIENCE, messages)?;
    assert_eq!(shell.lines(), [ASKED]);
    shell.terminal.type_text("\x03")?;
    shell.is_back("130")?;
    assert_eq!(place.laptop().read_file("/tmp/messages")?, "");
    Ok(())
}
