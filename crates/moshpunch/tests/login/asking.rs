//! What the host itself asks while logging in is seen and answered; other keys stay where stock mosh leaves them.

use anyhow::Result;
use lab::harness::Scenario;
use lab::{Host, Lab, USER, scenario, wait_until};

use crate::common::PATIENCE;
use crate::place::{BASHRC, NOT_ASKED, PASSWORD, Place, Shell};

const COMMAND: &str = "moshpunch --ssh='ssh -p 2222' router";

/// In the shell that ssh starts, not in the session's own.
fn at_login(place: &Place, script: &str) -> Result<()> {
    place.network.router.write_user_file(BASHRC, &format!("if [ -z \"$PS1\" ]; then\n{script}\nfi\n"))
}

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_question_of_a_start_up_file_is_shown_and_answered),
        scenario!(a_secret_that_the_host_asks_for_is_not_echoed),
        scenario!(a_command_that_is_forced_may_ask),
        scenario!(another_shell_in_place_of_the_login_shell_can_be_used_and_left).needs(&["zsh"]),
        scenario!(a_password_that_has_to_be_changed_can_be_changed).needs(&["chage"]),
        scenario!(an_interrupt_at_a_question_of_the_host_puts_the_terminal_back),
        scenario!(a_stop_at_a_question_of_the_host_puts_the_terminal_back),
        scenario!(a_touch_that_ssh_waits_for_is_told),
        scenario!(what_is_typed_ahead_reaches_the_session_of_stock_mosh),
        scenario!(what_is_typed_ahead_reaches_the_session),
        scenario!(what_is_typed_ahead_is_not_for_what_a_start_up_file_prints_in_passing),
    ]
}

fn a_question_of_a_start_up_file_is_shown_and_answered(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    at_login(&place, "printf 'Which project? '; read -r project; echo \"told <$project>\"")?;
    let mut shell = place.shell()?;
    shell.run(COMMAND)?;
    shell.answer("Which project?", "alpha")?;
    shell.uses_session("router")?;
    assert_eq!(shell.lines()[..2], ["Which project? alpha", "told <alpha>"].map(str::to_owned));
    Ok(())
}

fn a_secret_that_the_host_asks_for_is_not_echoed(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    at_login(&place, "printf 'Code: '; read -rs code; echo \"of ${#code}\"")?;
    let mut shell = place.shell()?;
    shell.run(COMMAND)?;
    shell.answer("Code:", "4711")?;
    shell.uses_session("router")?;
    assert_eq!(shell.lines()[0], "Code: of 4");
    Ok(())
}

fn a_command_that_is_forced_may_ask(lab: &Lab) -> Result<()> {
    let asks = "printf 'Code: '; read -r code; [ \"$code\" = 4711 ] && exec sh -c \"$SSH_ORIGINAL_COMMAND\"";
    let place = Place::raise(lab, &[&format!("ForceCommand {asks}")])?;
    let mut shell = place.shell()?;
    shell.run(COMMAND)?;
    shell.answer("Code:", "4711")?;
    shell.uses_session("router")
}

fn another_shell_in_place_of_the_login_shell_can_be_used_and_left(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    at_login(&place, "PS1='zsh here> ' exec zsh -f")?;
    let mut shell = place.shell()?;
    shell.run(COMMAND)?;
    shell.answer("zsh here>", "echo is $((77*77))")?;
    shell.sees("is 5929")?;
    shell.run("exit 7")?;
    shell.sees("moshpunch: router ended the login without starting a mosh-server")?;
    shell.is_back("7")
}

fn a_password_that_has_to_be_changed_can_be_changed(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &["UsePAM yes"])?;
    let router = &place.network.router;
    let rules =
        "account required pam_unix.so\nsession required pam_permit.so\npassword required pam_unix.so\n";
    router.write_file("/etc/pam.d/sshd", rules)?;
    router.write_file("/etc/pam.d/passwd", rules)?;
    place.set_password()?;
    router.command("chage").args(["-d", "0", USER]).run(PATIENCE)?;
    let mut shell = place.shell()?;
    shell.run(COMMAND)?;
    shell.sees("You must change your password now")?;
    shell.answer("Current password:", PASSWORD)?;
    shell.answer("New password:", "battery staple 7")?;
    shell.answer("Retype new password:", "battery staple 7")?;
    shell.sees("moshpunch: the account on router has to change its password first")?;
    shell.sees("cure: log in once with `ssh -p 2222 router`, and follow what it asks")?;
    shell.run("clear")?;
    shell.run(COMMAND)?;
    shell.uses_session("router")
}

fn at_a_question(lab: &Lab) -> Result<(Place, Shell)> {
    let place = Place::raise(lab, &[])?;
    at_login(&place, "printf 'Which project? '; read -r project")?;
    let mut shell = place.shell()?;
    shell.run("stty -g >/tmp/before")?;
    shell.run(COMMAND)?;
    shell.sees("Which project?")?;
    shell.terminal.type_text("al")?;
    shell.sees("Which project? al")?;
    Ok((place, shell))
}

fn the_terminal_is_as_before(shell: &mut Shell) -> Result<()> {
    shell.run("clear; stty -g | diff - /tmp/before && echo as it was''")?;
    shell.sees("as it was\n")
}

fn an_interrupt_at_a_question_of_the_host_puts_the_terminal_back(lab: &Lab) -> Result<()> {
    let (_place, mut shell) = at_a_question(lab)?;
    shell.terminal.type_text("\x03")?;
    shell.is_back("130")?;
    the_terminal_is_as_before(&mut shell)
}

fn a_stop_at_a_question_of_the_host_puts_the_terminal_back(lab: &Lab) -> Result<()> {
    let (place, mut shell) = at_a_question(lab)?;
    place.stop(&mut shell)?;
    the_terminal_is_as_before(&mut shell)?;
    shell.run("clear; fg")?;
    shell.sees("moshpunch --ssh")?;
    shell.terminal.type_text("pha")?;
    shell.sees("pha")?;
    shell.run("")?;
    shell.terminal.wait_for("alice@router:", PATIENCE)?;
    shell.run("exit")?;
    shell.is_back("0")
}

/// ssh tells it only if its stderr is a terminal.
fn a_touch_that_ssh_waits_for_is_told(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let waits = "[ -t 2 ] && echo 'Touch the key' >&2\nread -r touched </tmp/touched\n";
    let ssh = format!("{NOT_ASKED}{waits}exec ssh -p 2222 \"$@\"\n");
    place.laptop().write_script("/usr/local/bin/with-key", &ssh)?;
    place.laptop().command("mkfifo").arg("/tmp/touched").as_user(USER).run(PATIENCE)?;
    let mut shell = place.shell()?;
    shell.run("moshpunch --ssh=with-key router")?;
    shell.sees("Touch the key")?;
    go_on(place.laptop(), "/tmp/touched")?;
    shell.uses_session("router")
}

/// Lets a script go on that waits for a line from this pipe.
fn go_on(host: &Host, pipe: &str) -> Result<()> {
    let write = format!("echo >{pipe}");
    host.command("sh").args(["-c", &write]).as_user(USER).run(PATIENCE).map(drop)
}

/// mosh-server waits until the keys are in the terminal.
fn typed_ahead(lab: &Lab, client: &str, at_login_there: &str) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    let router = &place.network.router;
    at_login(&place, at_login_there)?;
    router.command("mkfifo").arg("/tmp/go").as_user(USER).run(PATIENCE)?;
    let slow = "#!/bin/sh\ntouch /tmp/waits\nread -r go </tmp/go\nexec /usr/bin/mosh-server \"$@\"\n";
    router.write_script("/usr/local/bin/mosh-server", slow)?;
    let mut shell = place.shell()?;
    shell.run(&format!("{client} --ssh='ssh -p 2222' router"))?;
    wait_until("a mosh-server that waits", PATIENCE, || Ok(router.read_file("/tmp/waits").ok()))?;
    shell.run("echo =$((77*77))=")?;
    go_on(router, "/tmp/go")?;
    shell.sees("=5929=")?;
    shell.run("exit")?;
    shell.is_back("0")
}

fn what_is_typed_ahead_reaches_the_session_of_stock_mosh(lab: &Lab) -> Result<()> {
    typed_ahead(lab, "mosh", ":")
}

fn what_is_typed_ahead_reaches_the_session(lab: &Lab) -> Result<()> {
    typed_ahead(lab, "moshpunch", ":")
}

fn what_is_typed_ahead_is_not_for_what_a_start_up_file_prints_in_passing(lab: &Lab) -> Result<()> {
    typed_ahead(lab, "moshpunch", "echo Welcome; printf 'no end of a line'")
}
