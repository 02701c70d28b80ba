//! What an account on the host has: programs that run or not, a PATH, a shell that admits little.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, USER, scenario};

use crate::common::program;
use crate::common::{PATIENCE, process};
use crate::place::{Place, TO_PORT};

const COMMAND: &str = "moshpunch --ssh='ssh -p 2222' router";
const LOCAL_BIN: &str = "/home/alice/.local/bin";
const BROKEN: &str = "has a moshpunch that does not run, so it is served as by mosh: ";
const AS_MOSH: &str = "did not run what starts a session; logging in once more, with what mosh itself sends";
const ONLY_MOSH: &str = "case $2 in mosh-server*) exec sh -c \"$2\";; esac\n";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_moshpunch_that_does_not_run_is_named_and_mosh_serves),
        scenario!(a_moshpunch_that_answers_and_starts_no_session_is_named_and_mosh_serves),
        scenario!(path_in_the_session_is_the_users_own),
        scenario!(moshpunch_finds_a_mosh_server_beside_path_and_path_stays),
        scenario!(an_account_that_admits_mosh_server_alone_is_served_at_the_second_login),
        scenario!(an_account_that_admits_mosh_server_alone_is_served_at_once_where_the_user_says_so),
        scenario!(to_another_ssh_such_an_account_is_named_with_the_cure),
        scenario!(words_before_moshpunch_server_change_nothing),
    ]
}

fn install(host: &Host, script: &str) -> Result<()> {
    let path = format!("{LOCAL_BIN}/moshpunch");
    host.command("mkdir").args(["-p", LOCAL_BIN]).as_user(USER).run(PATIENCE)?;
    host.command("rm").args(["-rf", &path]).run(PATIENCE)?;
    host.command("sh")
        .args(["-c", &format!("cd {LOCAL_BIN}; {script}")])
        .as_user(USER)
        .run(PATIENCE)
        .map(drop)
}

fn a_moshpunch_that_does_not_run_is_named_and_mosh_serves(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    let mut shell = place.shell()?;
    let library = "libc.so.6: version GLIBC_2.39 not found";
    let prints = format!("printf '#!/bin/sh\\necho \"{library}\"; exit 1\\n' >moshpunch; chmod +x moshpunch");
    let foreign =
        "cp /bin/true moshpunch; printf '\\363' | dd of=moshpunch bs=1 seek=18 conv=notrunc status=none";
    for (script, expected) in [
        (prints.as_str(), library),
        (foreign, ""),
        ("printf '#!/no/such\\n' >moshpunch; chmod +x moshpunch", "No such file or directory"),
        ("printf '#!/bin/sh\\nkill -9 $$\\n' >moshpunch; chmod +x moshpunch", ""),
        ("cp /bin/true moshpunch; chmod -x moshpunch", "may not be executed"),
        ("mkdir moshpunch", "is a directory"),
        ("cp /bin/uname moshpunch", "uname (GNU coreutils)"),
    ] {
        install(&place.network.router, script)?;
        shell.run(&format!("clear; {COMMAND}"))?;
        shell.uses_session("router").with_context(|| script.to_owned())?;
        let said = shell.terminal.screen().replace('\n', "");
        let told = format!("{BROKEN}{LOCAL_BIN}/moshpunch: ");
        let (_, what) = said.split_once(&told).with_context(|| said.clone())?;
        ensure!(what.contains(expected) && said.matches(BROKEN).count() == 1, "{script}: {said}");
    }
    Ok(())
}

/// PATH as the session has it.
fn path(place: &Place, program: &str) -> Result<String> {
    let command = place.laptop().command(program).args([TO_PORT, "router", "--"]);
    let command = command.args(["sh", "-c", "echo \"PATH=$PATH=\"; read end"]).as_user(USER);
    let mut terminal = place.laptop().terminal(&command, 24, 300)?;
    terminal.wait_for("PATH=/", PATIENCE)?;
    let screen = terminal.screen();
    terminal.type_text("\r")?;
    ensure!(terminal.wait_exit(PATIENCE)?.success(), "{}", terminal.screen());
    Ok(screen.split('=').nth(1).context(screen.clone())?.to_owned())
}

fn a_moshpunch_that_answers_and_starts_no_session_is_named_and_mosh_serves(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    let mut shell = place.shell()?;
    for end in ["echo boom >&2; exit 1", "exit 0", "exit 126"] {
        let answers = "[ \"$1\" != --version ] || exec echo moshpunch 9.9.9";
        let script = format!("#!/bin/sh\n{answers}\n{end}\n");
        place.network.router.write_script("/usr/local/bin/moshpunch", &script)?;
        shell.run(&format!("clear; {COMMAND}"))?;
        shell.uses_session("router").context(end)?;
        let said = shell.terminal.screen().replace('\n', "");
        ensure!(said.contains("moshpunch: router has a moshpunch that starts no session; "), "{said}");
    }
    Ok(())
}

fn path_in_the_session_is_the_users_own(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    let theirs = path(&place, "mosh")?;
    assert_eq!(path(&place, "moshpunch")?, theirs);
    install(&place.network.router, &format!("ln -s {} moshpunch", program::path().display()))?;
    assert_eq!(path(&place, "moshpunch")?, theirs);
    Ok(())
}

/// As where somebody built both without being root.
fn moshpunch_finds_a_mosh_server_beside_path_and_path_stays(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    let router = &place.network.router;
    let theirs = path(&place, "mosh")?;
    install(router, "cp /usr/bin/mosh-server .")?;
    router.command("mount").args(["--bind", "/dev/null", "/usr/bin/mosh-server"]).run(PATIENCE)?;
    assert_eq!(path(&place, "moshpunch")?, theirs);
    install(router, &format!("ln -s {} moshpunch", program::path().display()))?;
    assert_eq!(path(&place, "moshpunch")?, theirs);
    Ok(())
}

fn admits_only_mosh_server(place: &Place, refusal: &str) -> Result<()> {
    let shell = "/usr/local/bin/only-mosh";
    place.network.router.write_script(shell, &format!("#!/bin/sh\n{ONLY_MOSH}{refusal}\nexit 1\n"))?;
    place.set_shell(shell)?;
    // The session's shell is another matter.
    let with_bash = "#!/bin/sh\nSHELL=/bin/bash exec /usr/bin/mosh-server \"$@\"\n";
    place.network.router.write_script("/usr/local/bin/mosh-server", with_bash)
}

fn an_account_that_admits_mosh_server_alone_is_served_at_the_second_login(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let mut shell = place.shell()?;
    for refusal in ["echo refused", ":", "nologin"] {
        admits_only_mosh_server(&place, refusal)?;
        shell.run(&format!("clear; {COMMAND}"))?;
        shell.uses_session("router")?;
        let said = shell.terminal.screen().replace('\n', "");
        ensure!(said.matches(AS_MOSH).count() == 1, "{said}");
    }
    Ok(())
}

fn an_account_that_admits_mosh_server_alone_is_served_at_once_where_the_user_says_so(
    lab: &Lab,
) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    admits_only_mosh_server(&place, "echo refused")?;
    let mut shell = place.shell()?;
    shell.run("clear; mosh --ssh='ssh -p 2222' router")?;
    shell.sees("alice@router:")?;
    shell.run("exit")?;
    shell.is_back("0")?;
    shell.run("clear; moshpunch --ssh='ssh -p 2222' --server=mosh-server router")?;
    shell.uses_session("router")?;
    ensure!(!shell.terminal.screen().contains("refused"), "{}", shell.terminal.screen());
    Ok(())
}

fn words_before_moshpunch_server_change_nothing(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    for server in ["LANG=C.UTF-8 moshpunch server", "env A=b moshpunch server", "exec moshpunch server"] {
        let words = [TO_PORT, &format!("--server={server}"), "router"];
        let mut terminal = crate::common::moshpunch(place.laptop(), &words, "router")?;
        crate::common::computes(&mut terminal, 77)?;
        let arguments = process(&place.network.router, "mosh-server")?.arguments;
        ensure!(!arguments.contains(&"-s".to_owned()), "{server}: {arguments:?}");
        crate::common::leave(terminal)?;
    }
    Ok(())
}

/// It might ask everything again.
fn to_another_ssh_such_an_account_is_named_with_the_cure(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    admits_only_mosh_server(&place, "echo refused")?;
    place.laptop().write_script("/usr/local/bin/wrapped", "#!/bin/sh\nexec ssh -p 2222 \"$@\"\n")?;
    let output = place.output(&["--ssh=wrapped", "router"])?;
    ensure!(output.stdout.matches("refused").count() == 1, "{output}");
    ensure!(output.stderr.trim_end().ends_with("say --server=mosh-server"), "{output}");
    Ok(())
}
