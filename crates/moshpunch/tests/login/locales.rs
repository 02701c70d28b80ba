//! A host that does not have the user's locale still gives a session, in which the locale is the user's own.

use anyhow::{Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Terminal, USER, scenario};

use crate::common::PATIENCE;
use crate::place::{Place, TO_PORT};

const MOTD: &str = "Welcome to the message of the day";
const TOLD: &str = "moshpunch: your locale does not serve on router, so mosh-server runs with C.UTF-8 there; make it \
                    there (Debian: dpkg-reconfigure locales), or set LC_ALL=C.UTF-8 here";
const CLIENT: &str = "#!/bin/sh\nexec env LC_ALL=C.UTF-8 mosh-client \"$@\"\n";
const SHOWS: &str = "echo \"=${LC_ALL-unset},${LANG-unset},${LC_TIME-unset},${LC_CTYPE-unset}=\"";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(without_the_users_locale_there_another_serves_and_the_shell_keeps_the_users),
        scenario!(moshpunch_there_finds_another_locale_too),
        scenario!(one_part_of_the_locale_that_is_unknown_is_enough),
        scenario!(to_mosh_itself_moshpunch_there_serves_another_locale),
        scenario!(a_locale_that_the_host_has_is_left_alone),
    ]
}

fn raise(lab: &Lab, host_has_it: bool) -> Result<Place> {
    let place = if host_has_it { Place::raise(lab, &[])? } else { Place::raise_stock(lab, &[])? };
    place.laptop().write_script("/usr/local/bin/client", CLIENT)?;
    place.network.router.command("rm").args(["-f", "/home/alice/.hushlogin"]).run(PATIENCE)?;
    place.network.router.write_file("/etc/motd", &format!("{MOTD}\n"))?;
    Ok(place)
}

fn connect(place: &Place, program: &str, locale: &[(&str, &str)], words: &[&str]) -> Result<Terminal> {
    let command = place.laptop().command(program).args([TO_PORT, "--client=client"]).args(words);
    let command =
        locale.iter().fold(command.as_user(USER), |command, (name, value)| command.env(name, value));
    place.laptop().terminal(&command, 50, 160)
}

/// As bash answers `shopt login_shell`.
fn is_login_shell(screen: &str) -> bool {
    screen.lines().any(|line| line.starts_with("login_shell") && line.trim_end().ends_with("on"))
}

/// A login shell, its locale and the message of the day; what else was said is what stands below the session.
fn shows_a_login_shell(terminal: &mut Terminal, locale: &str) -> Result<String> {
    terminal.wait_until("a shell", PATIENCE, |screen| {
        screen.contains(MOTD) && screen.contains("alice@router:~$") && !screen.contains("moshpunch")
    })?;
    terminal.type_text(&format!("shopt login_shell; {SHOWS}\r"))?;
    terminal.wait_for(&format!("={locale}="), PATIENCE)?;
    ensure!(is_login_shell(&terminal.screen()), "{}", terminal.screen());
    terminal.type_text("exit\r")?;
    ensure!(terminal.wait_exit(PATIENCE)?.success(), "{}", terminal.screen());
    terminal.last_screen(PATIENCE)
}

fn serves_another(lab: &Lab, host_has_it: bool, told: &str) -> Result<()> {
    let place = raise(lab, host_has_it)?;
    let german = [("LC_ALL", "de_DE.UTF-8"), ("LANG", "de_DE.UTF-8")];
    let failed = connect(&place, "mosh", &german, &["router"])?;
    ensure!(!failed.wait_exit(PATIENCE)?.success());
    let screen = failed.last_screen(PATIENCE)?;
    ensure!(screen.contains("needs a UTF-8"), "{screen}");

    let mut terminal = connect(&place, "moshpunch", &german, &["router"])?;
    let screen = shows_a_login_shell(&mut terminal, "de_DE.UTF-8,de_DE.UTF-8,unset,unset")?;
    let unfolded = screen.replace('\n', "");
    ensure!(unfolded.matches(told).count() == 1 && !screen.contains("needs a UTF-8"), "{screen}");

    let command = ["router", "--", "sh", "-c", &format!("{SHOWS}; echo \"<$1>\"; read end"), "x", "a 'b"];
    let mut terminal = connect(&place, "moshpunch", &german, &command)?;
    terminal.wait_for("=de_DE.UTF-8,de_DE.UTF-8,unset,unset=\n<a 'b>", PATIENCE)?;
    ensure!(!terminal.screen().contains(MOTD), "{}", terminal.screen());
    terminal.type_text("\r")?;
    ensure!(terminal.wait_exit(PATIENCE)?.success(), "{}", terminal.screen());
    Ok(())
}

fn without_the_users_locale_there_another_serves_and_the_shell_keeps_the_users(lab: &Lab) -> Result<()> {
    serves_another(lab, false, TOLD)
}

fn moshpunch_there_finds_another_locale_too(lab: &Lab) -> Result<()> {
    serves_another(lab, true, &TOLD.replace("router", "this host"))
}

fn one_part_of_the_locale_that_is_unknown_is_enough(lab: &Lab) -> Result<()> {
    let place = raise(lab, false)?;
    let words = [("LC_ALL", ""), ("LANG", "C.UTF-8"), ("LC_TIME", "de_DE.UTF-8")];
    let mut terminal = connect(&place, "moshpunch", &words, &["router"])?;
    let screen = shows_a_login_shell(&mut terminal, ",C.UTF-8,de_DE.UTF-8,unset")?;
    ensure!(screen.replace('\n', "").contains(TOLD), "{screen}");
    Ok(())
}

fn to_mosh_itself_moshpunch_there_serves_another_locale(lab: &Lab) -> Result<()> {
    let place = raise(lab, true)?;
    let german = [("LC_ALL", "de_DE.UTF-8")];
    let mut terminal = connect(&place, "mosh", &german, &["--server=moshpunch server", "router"])?;
    shows_a_login_shell(&mut terminal, "de_DE.UTF-8,C.UTF-8,unset,unset")?;
    Ok(())
}

fn a_locale_that_the_host_has_is_left_alone(lab: &Lab) -> Result<()> {
    let place = raise(lab, false)?;
    for program in ["mosh", "moshpunch"] {
        let mut terminal = connect(&place, program, &[("LC_ALL", "C.UTF-8")], &["router"])?;
        let screen = shows_a_login_shell(&mut terminal, "C.UTF-8,C.UTF-8,unset,unset")?;
        ensure!(!screen.contains("does not serve"), "{screen}");
    }
    Ok(())
}
