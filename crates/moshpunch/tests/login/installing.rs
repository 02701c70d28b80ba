//! `--install` and `--uninstall`, by real logins. What is put there is a small static program that becomes the one under test.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Output, USER, WriteUp, scenario, wait_until};

use crate::common::program;
use crate::common::{self, PATIENCE, computes, keeper, leave, no_moshpunch_is_left, signal};
use crate::place::{BASHRC, PASSWORD, Place, TO_PORT};

const PLACE: &str = "/home/alice/.local/bin/moshpunch";
const DIRECTORY: &str = "/home/alice/.local/bin";
const FROM: &str = "/home/alice/dist";
/// Where no login looks.
const UNDER_TEST: &str = "/usr/local/lib/moshpunch";
const ASKED: &str = "alice@router's password:";

/// Many logins.
const PLENTY: Duration = Duration::from_secs(300);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(once_there_it_serves_a_session_with_a_mapping_and_is_up_to_date),
        scenario!(a_password_is_asked_for_once_and_progress_is_gone_in_the_end),
        scenario!(whatever_the_login_shell_is_it_is_put_there)
            .needs(&["fish", "ksh", "tcsh", "zsh"])
            .within(PLENTY),
        scenario!(what_a_file_system_refuses_is_told_and_the_old_one_still_works).within(PLENTY),
        scenario!(a_host_for_which_there_is_none_is_told),
        scenario!(an_account_that_runs_nothing_is_told),
        scenario!(noise_of_the_login_shell_is_no_obstacle),
        scenario!(an_account_that_says_nothing_is_not_waited_for_without_end).within(PLENTY),
        scenario!(cut_off_or_interrupted_nothing_half_is_there),
        scenario!(two_at_once_both_succeed),
        scenario!(the_machine_itself_is_a_host_as_well),
        scenario!(another_one_in_path_and_a_missing_mosh_are_told_with_the_cure),
        scenario!(a_session_goes_on_while_its_program_is_replaced_and_removed),
        scenario!(a_login_without_moshpunch_there_names_the_cure),
    ]
}

/// Its data is as long as a real one.
fn stand_in(version: &str) -> String {
    format!(
        "#include <stdio.h>\n#include <string.h>\n#include <unistd.h>\nvolatile char data[3000000] = {{1}};\n\
         int main(int count, char **words) {{\n\
         if (count == 2 && !strcmp(words[1], \"--version\")) {{ puts(\"moshpunch {version}\"); return 0; }}\n\
         words[0] = \"moshpunch\"; execv(\"{UNDER_TEST}\", words); return 127; }}\n"
    )
}

/// On the laptop, for hosts of this machine's kind.
fn build(laptop: &Host, version: &str) -> Result<()> {
    let processor = std::env::consts::ARCH;
    let script = format!("mkdir -p {FROM} && cc -static -o {FROM}/moshpunch-{processor}-linux -x c -");
    let build = laptop.command("sh").args(["-c", &script]).as_user(USER).input(stand_in(version));
    build.run(PLENTY).map(drop)
}

/// For sessions there: its own place need not be open to every user.
fn bring_what_it_becomes(host: &Host) -> Result<()> {
    host.write_program(UNDER_TEST, fs::read(program::path())?)
}

/// With a program for hosts on the laptop, and none on any host.
fn raise(lab: &Lab, options: &[&str]) -> Result<Place> {
    let place = Place::raise_stock(lab, options)?;
    build(place.laptop(), "9.0")?;
    Ok(place)
}

fn install(place: &Place, words: &[&str]) -> Result<Output> {
    place.output(&[&["--install", "--from", FROM], words].concat())
}

fn installs(place: &Place) -> Result<Output> {
    let output = install(place, &[TO_PORT, "router"])?;
    ensure!(output.status.success(), "{output}");
    Ok(output)
}

/// One line of ours and its cure, and that code.
fn failed(place: &Place, output: &Output, code: i32, cause: &str) -> Result<()> {
    let lines: Vec<_> = output.stderr.lines().rev().take(2).collect();
    ensure!(lines.len() == 2 && lines[0].starts_with("cure: "), "{output}");
    ensure!(lines[1].starts_with("moshpunch: ") && lines[1].contains(cause), "{cause}: {output}");
    ensure!(output.stderr.matches("moshpunch: ").count() == 1, "{output}");
    ensure!(output.status.code() == Some(code), "{:?}: {output}", output.status);
    no_moshpunch_is_left(place.laptop())
}

fn version(host: &Host) -> Result<String> {
    Ok(host.command(PLACE).arg("--version").as_user(USER).run(PATIENCE)?.stdout)
}

/// Nothing half is there.
fn is_clean(host: &Host) -> Result<()> {
    let list = host.command("find").args([DIRECTORY, "-name", ".moshpunch*"]).run(PATIENCE)?;
    ensure!(list.stdout.is_empty(), "{list}");
    Ok(())
}

fn once_there_it_serves_a_session_with_a_mapping_and_is_up_to_date(lab: &Lab) -> Result<()> {
    let place = raise(lab, &[])?;
    let network = &place.network;
    let _daemon = network.router.miniupnpd(&WriteUp::miniupnpd())?;
    bring_what_it_becomes(&network.server)?;
    let server = &["--ssh=ssh -p 8022", "router"];
    let output = install(&place, server)?;
    let told = format!("moshpunch: router has moshpunch 9.0 now, at {PLACE}\n");
    ensure!(output.status.success() && output.stderr == told && output.stdout.is_empty(), "{output}");
    common::be_patient(&network.server)?;
    let words = [&["--no-carry", "--no-punch"], &server[..]].concat();
    let mut terminal = common::moshpunch(&network.laptop, &words, "server")?;
    computes(&mut terminal, 7100)?;
    wait_until("a mapping", PATIENCE, || Ok((!network.router.leases()?.is_empty()).then_some(())))?;
    let screen = common::leave_and_read(terminal)?;
    ensure!(screen.contains("mapped by its router"), "{screen}");
    let output = install(&place, server)?;
    let told = format!("moshpunch: moshpunch on router is up to date, at {PLACE}\n");
    ensure!(output.status.success() && output.stderr == told, "{output}");
    let output = place.output(&[&["--uninstall"], &server[..]].concat())?;
    let removed = format!("moshpunch: moshpunch 9.0 is removed from router: {PLACE}; ");
    ensure!(output.status.success() && output.stderr.starts_with(&removed), "{output}");
    ensure!(network.server.read_file(PLACE).is_err());
    let output = place.output(&[&["--uninstall"], &server[..]].concat())?;
    let told = format!("moshpunch: router has no {PLACE}: there is nothing to remove\n");
    ensure!(output.status.success() && output.stderr.starts_with(&told), "{output}");
    Ok(())
}

fn a_password_is_asked_for_once_and_progress_is_gone_in_the_end(lab: &Lab) -> Result<()> {
    let place = raise(lab, &["PasswordAuthentication yes", "PubkeyAuthentication no"])?;
    place.set_password()?;
    let mut shell = place.shell()?;
    shell.run(&format!("clear; moshpunch --install --from {FROM} --ssh='ssh -p 2222' router"))?;
    shell.answer(ASKED, PASSWORD)?;
    shell.sees("router has moshpunch 9.0 now")?;
    shell.is_back("0")?;
    let screen = shell.terminal.screen();
    ensure!(screen.matches(ASKED).count() == 1 && !screen.contains('…'), "{screen}");
    Ok(())
}

fn whatever_the_login_shell_is_it_is_put_there(lab: &Lab) -> Result<()> {
    let place = raise(lab, &[])?;
    for shell in ["/bin/dash", "/usr/bin/ksh", "/usr/bin/zsh", "/usr/bin/fish", "/usr/bin/tcsh", "/bin/bash"]
    {
        place.set_shell(shell)?;
        place.network.router.command("rm").args(["-f", PLACE]).run(PATIENCE)?;
        installs(&place).context(shell)?;
        ensure!(version(&place.network.router)? == "moshpunch 9.0\n");
    }
    Ok(())
}

fn what_a_file_system_refuses_is_told_and_the_old_one_still_works(lab: &Lab) -> Result<()> {
    let place = raise(lab, &[])?;
    let router = &place.network.router;
    installs(&place)?;
    build(place.laptop(), "9.1")?;
    for (mount, cause) in [
        ("mount -t tmpfs -o size=2m,mode=755,uid=1000 none D", "No space left on device"),
        ("mount --bind D D && mount -o remount,bind,ro D", "Read-only file system"),
        ("mount -t tmpfs -o noexec,mode=755,uid=1000 none D", "no program may run from"),
    ] {
        let kept = "cp D/moshpunch /tmp/kept";
        let back = "[ -e D/moshpunch ] || cp -p /tmp/kept D/moshpunch";
        let script = format!("{kept} && {mount} && {back}").replace('D', DIRECTORY);
        // The small one has room for half of it.
        let script = if mount.contains("size") {
            format!("{kept} && {mount}").replace('D', DIRECTORY)
        } else {
            script
        };
        router.command("sh").args(["-c", &script]).run(PATIENCE)?;
        let output = install(&place, &[TO_PORT, "router"])?;
        failed(&place, &output, 1, cause)?;
        is_clean(router)?;
        router.command("umount").arg(DIRECTORY).run(PATIENCE)?;
        ensure!(version(router)? == "moshpunch 9.0\n", "{mount}");
    }
    let output = installs(&place)?;
    ensure!(
        output.stderr.contains("router has moshpunch 9.1 now")
            && output.stderr.contains("in place of moshpunch 9.0")
    );
    Ok(())
}

fn a_host_for_which_there_is_none_is_told(lab: &Lab) -> Result<()> {
    let place = raise(lab, &[])?;
    let router = &place.network.router;
    let says =
        |system: &str| router.write_script("/usr/local/bin/uname", &format!("#!/bin/sh\necho '{system}'\n"));
    says("Linux riscv64")?;
    let output = install(&place, &[TO_PORT, "router"])?;
    failed(&place, &output, 1, "router says that it is \"Linux riscv64\", and moshpunch is built for")?;
    says("\u{1b}[2J../../etc")?;
    let output = install(&place, &[TO_PORT, "router"])?;
    failed(&place, &output, 1, "router says that it is \"\u{fffd}[2J../../etc\"")?;
    let (this, other, machine) = match std::env::consts::ARCH {
        "x86_64" => ("x86_64", "aarch64", "\\267"),
        this => (this, "x86_64", "\\076"),
    };
    says(&format!("Linux {other}"))?;
    let output = install(&place, &[TO_PORT, "router"])?;
    let cause = format!("there is no moshpunch here that runs on router, which is Linux on {other}: ");
    failed(&place, &output, 1, &cause)?;
    // Whoever lies gets what does not run there.
    let patch = format!(
        "cd {FROM}; cp moshpunch-{this}-linux moshpunch-{other}-linux; \
         printf '{machine}' | dd of=moshpunch-{other}-linux bs=1 seek=18 conv=notrunc status=none"
    );
    place.laptop().command("sh").args(["-c", &patch]).as_user(USER).run(PATIENCE)?;
    let output = install(&place, &[TO_PORT, "router"])?;
    failed(&place, &output, 1, "what came to router does not run there: ")?;
    is_clean(router)?;
    ensure!(router.read_file(PLACE).is_err());
    let output = place.output(&["--install", TO_PORT, "router"])?;
    failed(&place, &output, 1, "there is no moshpunch here that runs on ")
}

fn an_account_that_runs_nothing_is_told(lab: &Lab) -> Result<()> {
    let place = raise(lab, &["Match LocalPort 2222", "ForceCommand internal-sftp", "Match all"])?;
    let output = install(&place, &[TO_PORT, "router"])?;
    failed(&place, &output, 1, "the account on router has no login shell")?;
    let to_another = "--ssh=ssh -p 22";
    place.set_shell("/usr/sbin/nologin")?;
    let output = install(&place, &[to_another, "router"])?;
    failed(&place, &output, 1, "the account on router has no login shell")?;
    place.set_shell("/bin/bash")?;
    place.network.router.write_user_file(BASHRC, "echo 'come back later'; exit 3\n")?;
    let output = install(&place, &[to_another, "router"])?;
    failed(
        &place,
        &output,
        3,
        "router ended the login without running what it was asked to: it says \"come back later\"",
    )?;
    let output = install(&place, &["--ssh=ssh -p 9", "router"])?;
    failed(&place, &output, 255, "nothing answers ssh on router")
}

/// One for files, which waits for a request of theirs.
fn an_account_that_says_nothing_is_not_waited_for_without_end(lab: &Lab) -> Result<()> {
    let options = ["Match LocalPort 2222", "ForceCommand /usr/lib/openssh/sftp-server", "Match all"];
    let place = raise(lab, &options)?;
    let words = ["--install", "--from", FROM, TO_PORT, "router"];
    let output = place.laptop().command("moshpunch").args(words).as_user(USER).output(PLENTY)?;
    let lines: Vec<_> = output.stderr.lines().collect();
    ensure!(lines.len() == 3 && lines[0].starts_with("moshpunch: router has said nothing yet; "), "{output}");
    ensure!(lines[1] == "moshpunch: router never ran what it was asked to", "{output}");
    ensure!(lines[2].starts_with("cure: `ssh -p 2222 router true` must end by itself: "), "{output}");
    ensure!(output.status.code() == Some(1), "{output}");
    no_moshpunch_is_left(place.laptop())
}

fn noise_of_the_login_shell_is_no_obstacle(lab: &Lab) -> Result<()> {
    let place = raise(lab, &[])?;
    let noise = "echo Welcome; printf 'MOSHPUNCH INSTALLED\\nno end of a line'\nPATH=$HOME/bin:$PATH\n";
    place.network.router.write_user_file(BASHRC, noise)?;
    let output = installs(&place)?;
    ensure!(output.stderr.starts_with("moshpunch: router has moshpunch 9.0 now"), "{output}");
    place.network.router.write_user_file(BASHRC, "unset HOME\n")?;
    let output = install(&place, &[TO_PORT, "router"])?;
    failed(&place, &output, 1, "HOME is not set there")
}

fn cut_off_or_interrupted_nothing_half_is_there(lab: &Lab) -> Result<()> {
    let place = raise(lab, &[])?;
    let router = &place.network.router;
    installs(&place)?;
    build(place.laptop(), "9.1")?;
    // Hands on a part, and waits.
    let slow = "#!/bin/bash\nexec ssh -p 2222 \"$@\" < <(head -c 100000; exec sleep 1000 2>/dev/null)\n";
    place.laptop().write_script("/usr/local/bin/slow", slow)?;
    let half = || -> Result<()> {
        let script = format!("[ -n \"$(find {DIRECTORY} -name '.moshpunch*' -size +90k)\" ]");
        wait_until("half of it", PATIENCE, || {
            let found = router.command("sh").args(["-c", &script]).output(PATIENCE)?;
            Ok(found.status.success().then_some(()))
        })
    };
    let gone = || wait_until("the end there", PATIENCE, || Ok(is_clean(router).ok()));
    let mut shell = place.shell()?;
    for cut in ["by the user", "by a hang-up", "by the host"] {
        shell.run(&format!("clear; moshpunch --install --from {FROM} --ssh=slow router"))?;
        half().context(cut)?;
        if cut != "by the host" {
            if cut == "by the user" {
                shell.terminal.type_text("\x03")?;
            } else {
                hang_up(place.laptop())?;
            }
            shell.sees("interrupted; what router had is as it was")?;
            shell.is_back("130")?;
        } else {
            end_logins(router)?;
            shell.sees("the login to router ended too soon; what router had is as it was")?;
            shell.is_back("255")?;
        }
        gone().context(cut)?;
        ensure!(version(router)? == "moshpunch 9.0\n", "{cut}");
        no_moshpunch_is_left(place.laptop())?;
    }
    shell.run(&format!("clear; moshpunch --install --from {FROM} --ssh=slow router"))?;
    half()?;
    drop(shell);
    gone().context("the terminal is closed")?;
    no_moshpunch_is_left(place.laptop())?;
    ensure!(version(router)? == "moshpunch 9.0\n");
    place.laptop().write_script("/usr/local/bin/slow", "#!/bin/sh\nhead -c 100000 | ssh -p 2222 \"$@\"\n")?;
    let output = install(&place, &["--ssh=slow", "router"])?;
    failed(&place, &output, 1, "what came to router is not what was sent")?;
    is_clean(router)
}

fn two_at_once_both_succeed(lab: &Lab) -> Result<()> {
    let place = raise(lab, &[])?;
    let one = format!("moshpunch --install --from {FROM} '{TO_PORT}' router");
    let script = format!("{one} & first=$!; {one} || exit 1; wait $first || exit 2");
    let output = place.laptop().command("sh").args(["-c", &script]).as_user(USER).run(PATIENCE)?;
    ensure!(output.stderr.matches("moshpunch: ").count() == 2, "{output}");
    is_clean(&place.network.router)?;
    ensure!(version(&place.network.router)? == "moshpunch 9.0\n");
    Ok(())
}

fn the_machine_itself_is_a_host_as_well(lab: &Lab) -> Result<()> {
    let place = raise(lab, &[])?;
    let output = install(&place, &["--local", "laptop"])?;
    ensure!(output.status.success() && output.stderr.contains("laptop has moshpunch 9.0 now"), "{output}");
    ensure!(version(place.laptop())? == "moshpunch 9.0\n");
    let output = place.output(&["--uninstall", "--local", "laptop"])?;
    ensure!(output.status.success() && place.laptop().read_file(PLACE).is_err(), "{output}");
    Ok(())
}

/// As a terminal that is closed does. Those that go with the first may be gone.
fn hang_up(laptop: &Host) -> Result<()> {
    let ours = laptop.processes("moshpunch")?;
    let told = ours.iter().filter(|one| signal(one, rustix::process::Signal::HUP).is_ok()).count();
    ensure!(told > 0);
    Ok(())
}

/// The sshds of logins, which have a user in their names.
fn end_logins(host: &Host) -> Result<()> {
    let mut ended = false;
    for sshd in host.processes("sshd")? {
        let title = fs::read_to_string(format!("/proc/{}/cmdline", sshd.pid)).unwrap_or_default();
        if title.contains(USER) {
            signal(&sshd, rustix::process::Signal::KILL).ok();
            ended = true;
        }
    }
    ensure!(ended, "no login was there");
    Ok(())
}

fn another_one_in_path_and_a_missing_mosh_are_told_with_the_cure(lab: &Lab) -> Result<()> {
    let place = raise(lab, &[])?;
    let router = &place.network.router;
    router.write_script("/usr/local/bin/moshpunch", "#!/bin/sh\necho moshpunch 0.0.1\n")?;
    router.command("mount").args(["--bind", "/dev/null", "/usr/bin/mosh-server"]).run(PATIENCE)?;
    let output = installs(&place)?;
    let lines: Vec<_> = output.stderr.lines().collect();
    let other =
        "moshpunch: a login to router finds another one first: /usr/local/bin/moshpunch: moshpunch 0.0.1";
    ensure!(lines[1] == other && lines[2].contains("or put ~/.local/bin before it"), "{output}");
    ensure!(lines[3] == "moshpunch: router has no mosh-server, which each session needs", "{output}");
    ensure!(lines[4] == "cure: as root there: apt install mosh", "{output}");
    let output = place.output(&["--uninstall", TO_PORT, "router"])?;
    ensure!(
        output.stderr.contains("still finds another one: /usr/local/bin/moshpunch: moshpunch 0.0.1"),
        "{output}"
    );
    Ok(())
}

fn a_session_goes_on_while_its_program_is_replaced_and_removed(lab: &Lab) -> Result<()> {
    let place = raise(lab, &[])?;
    let router = &place.network.router;
    bring_what_it_becomes(router)?;
    installs(&place)?;
    let mut terminal = common::moshpunch(place.laptop(), &[TO_PORT, "router"], "router")?;
    let before = keeper(router)?.pid;
    build(place.laptop(), "9.1")?;
    installs(&place)?;
    ensure!(version(router)? == "moshpunch 9.1\n");
    computes(&mut terminal, 7200)?;
    let output = place.output(&["--uninstall", TO_PORT, "router"])?;
    ensure!(
        output.status.success() && output.stderr.contains("left on router: /run/user/1000/moshpunch"),
        "{output}"
    );
    computes(&mut terminal, 7300)?;
    ensure!(keeper(router)?.pid == before);
    leave(terminal)
}

fn a_login_without_moshpunch_there_names_the_cure(lab: &Lab) -> Result<()> {
    let place = raise(lab, &[])?;
    let mut shell = place.shell()?;
    let cure = "`moshpunch --install '--ssh=ssh -p 2222' router` puts one there";
    shell.run("clear; moshpunch --ssh='ssh -p 2222' router")?;
    shell.uses_session("router")?;
    let said = shell.terminal.screen().replace('\n', "");
    ensure!(said.matches(cure).count() == 1, "{said}");
    place.network.router.write_script("/usr/local/bin/moshpunch", "#!/bin/sh\nexit 1\n")?;
    shell.run("clear; moshpunch --ssh='ssh -p 2222' router")?;
    shell.uses_session("router")?;
    let said = shell.terminal.screen().replace('\n', "");
    ensure!(said.matches(&format!("{cure} that does")).count() == 1, "{said}");
    Ok(())
}
