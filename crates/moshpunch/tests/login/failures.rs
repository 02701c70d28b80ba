//! A login that leads to no session says why, and what to do.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Lab, Output, USER, scenario};

use crate::common::{PATIENCE, no_moshpunch_is_left};
use crate::place::{BASHRC, Place, TO_PORT};

const SERVER: &str = "/usr/local/bin/mosh-server";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_host_without_mosh_server_is_told_to_install_it),
        scenario!(a_server_that_prints_nonsense_is_named),
        scenario!(a_server_of_other_options_is_named),
        scenario!(taken_ports_are_named),
        scenario!(a_locale_that_nobody_has_is_named),
        scenario!(a_locale_that_only_mosh_client_misses_is_named),
        scenario!(a_login_shell_that_ends_early_is_named),
        scenario!(an_account_without_a_shell_is_named),
        scenario!(what_ssh_refuses_is_told_apart),
        scenario!(an_ssh_that_is_killed_is_told_by_what),
        scenario!(programs_that_are_missing_here_are_named),
        scenario!(words_in_a_banner_are_no_cause),
        scenario!(words_of_a_start_up_file_are_no_cause),
        scenario!(a_server_that_the_user_named_is_blamed),
        scenario!(what_is_started_here_is_no_login),
        scenario!(a_jump_host_that_fails_is_named),
        scenario!(a_name_that_falls_back_to_another_is_not_blamed),
    ]
}

fn failed(place: &Place, output: &Output, code: i32, cause: &str, cure: &str) -> Result<()> {
    let last: Vec<_> = output.stderr.lines().rev().take(2).collect();
    let expected = [format!("cure: {cure}"), format!("moshpunch: {cause}")];
    ensure!(last == expected, "expected {expected:#?}\n{output}");
    ensure!(output.stderr.matches("moshpunch: ").count() == 1, "one line of ours expected: {output}");
    ensure!(output.status.code() == Some(code), "{:?}\n{output}", output.status);
    no_moshpunch_is_left(place.laptop())
}

/// With a mosh-server of the scenario's own on the host.
fn with_server(lab: &Lab, script: &str) -> Result<(Place, Output)> {
    let place = Place::raise_stock(lab, &[])?;
    place.network.router.write_script(SERVER, &format!("#!/bin/sh\n{script}\n"))?;
    let output = place.output(&[TO_PORT, "router"])?;
    Ok((place, output))
}

fn a_host_without_mosh_server_is_told_to_install_it(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    let few = "mkdir -p ~/few; ln -sf /bin/sh ~/few/sh; PATH=$HOME/few\n";
    place.network.router.write_user_file(BASHRC, &format!("PATH=/bin:/usr/bin; {few}"))?;
    let output = place.output(&[TO_PORT, "router"])?;
    failed(
        &place,
        &output,
        127,
        "no mosh-server was found on router",
        "install mosh there (Debian: apt install mosh), or name it with --server",
    )
}

fn a_server_that_prints_nonsense_is_named(lab: &Lab) -> Result<()> {
    let (place, output) = with_server(lab, "echo Hello; echo MOSH CONNECT sixty secret")?;
    ensure!(output.stdout.contains("Hello") && !output.stderr.contains("secret"), "{output}");
    let cure = "look what --server, or a program in mosh-server's place, prints there";
    failed(&place, &output, 1, "router printed a line that is not mosh's: MOSH CONNECT", cure)?;
    place.network.router.write_script(SERVER, "#!/bin/sh\necho Hello\n")?;
    let output = place.output(&[TO_PORT, "router"])?;
    let cure = "run `ssh -p 2222 router mosh-server`: it must print a line that begins with MOSH CONNECT";
    failed(&place, &output, 1, "mosh-server on router ended without a connect line", cure)
}

fn a_server_of_other_options_is_named(lab: &Lab) -> Result<()> {
    let (place, output) = with_server(lab, "echo \"mosh-server: invalid option -- 'c'\" >&2; exit 1")?;
    let cure =
        "use a mosh-server of 1.3 or newer there; -p with a range, -l and --bind-server are such options";
    failed(&place, &output, 1, "the server on router does not take these options", cure)
}

fn taken_ports_are_named(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    let holder = "import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('',60005)); print('held',flush=True); sys.stdin.read()";
    let holder = place
        .network
        .router
        .command("python3")
        .args(["-c", &format!("{holder}; import signal; signal.pause()")]);
    let holder = place.network.router.spawn("holder", &holder)?;
    holder.wait_for_log("held", PATIENCE)?;
    let output = place.output(&[TO_PORT, "-p", "60005", "router"])?;
    let cure = "end sessions that nobody uses (mosh-server processes there), or give other ports with -p";
    failed(&place, &output, 1, "every UDP port that mosh-server may take on router is taken", cure)
}

fn with_locale(place: &Place, locale: &str) -> Result<Output> {
    let client = place.laptop().command("moshpunch").args([TO_PORT, "router"]).env("LC_ALL", locale);
    let client = client.env("TERM", "xterm-256color");
    client.as_user(USER).output(PATIENCE)
}

fn a_locale_that_nobody_has_is_named(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    place.network.router.write_script("/usr/local/bin/locale", "#!/bin/sh\necho ANSI_X3.4-1968\n")?;
    for locale in ["C", "xx_XX.UTF-8"] {
        failed(
            &place,
            &with_locale(&place, locale)?,
            1,
            "neither router nor this machine has a locale with UTF-8 that mosh-server can use there",
            "set LC_ALL=C.UTF-8 here, or make a UTF-8 locale on router (Debian: dpkg-reconfigure locales)",
        )?;
    }
    Ok(())
}

fn a_locale_that_only_mosh_client_misses_is_named(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &["SetEnv LC_ALL=C.UTF-8 XDG_RUNTIME_DIR=/run/user/1000"])?;
    place.configure("SendEnv -LC_* -LANG\n")?;
    let output = with_locale(&place, "C")?;
    ensure!(output.stderr.contains("mosh-client needs a UTF-8 native locale to run."), "{output}");
    failed(
        &place,
        &output,
        1,
        "mosh-client ended before it sent anything; its own message is above",
        "it needs a terminal, and a locale with UTF-8 on this machine (set LC_ALL=C.UTF-8)",
    )
}

fn a_login_shell_that_ends_early_is_named(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    place.network.router.write_user_file(BASHRC, "echo Not today\nexit 3\n")?;
    let output = place.output(&[TO_PORT, "router"])?;
    ensure!(output.stdout.matches("Not today").count() == 2, "{output}");
    let cure = "`ssh -p 2222 router true` must succeed: look in the start-up files of the login shell there for what ends it";
    let output = without_word_of_a_second_login(output)?;
    failed(&place, &output, 3, "router ended the login without starting a mosh-server", cure)
}

/// The host ran nothing of ours, so mosh's own line was tried.
fn without_word_of_a_second_login(mut output: Output) -> Result<Output> {
    let lines =
        |told: bool| output.stderr.split_inclusive('\n').filter(move |line| line.contains(AGAIN) == told);
    ensure!(lines(true).count() == 1, "{output}");
    output.stderr = lines(false).collect();
    Ok(output)
}

/// Or one whose shell says so of all but mosh-server.
fn an_account_without_a_shell_is_named(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    place.set_shell("/usr/sbin/nologin")?;
    let output = without_word_of_a_second_login(place.output(&[TO_PORT, "router"])?)?;
    let cure = "use an account that may run commands";
    failed(&place, &output, 1, "the account on router has no login shell", cure)
}

fn what_ssh_refuses_is_told_apart(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    for (ssh, host, cause, cure) in [
        (
            "ssh -p 9",
            "router",
            "nothing answers ssh on router, or not on that port",
            "start sshd on router, or name its port: --ssh=\"ssh -p PORT\"",
        ),
        (
            "ssh",
            "nowhere.invalid",
            "ssh could not look up a name on the way to nowhere.invalid",
            "look at its spelling, and at Host, HostName and ProxyJump in ~/.ssh/config",
        ),
        (
            "ssh",
            "mallory@router",
            "mallory@router let nobody in: it refused every way to log in that ssh tried",
            "`ssh mallory@router` must work first: look at the user's name and keys",
        ),
        (
            "ssh",
            "192.0.2.1",
            "ssh cannot reach 192.0.2.1 from here",
            "`ssh 192.0.2.1` must work first: is 192.0.2.1 up, and on a network that this one leads to?",
        ),
        (
            "ssh -o Nonsense=1",
            "router",
            "ssh to router failed",
            "`ssh -o Nonsense=1 router` must work first; its own message is above",
        ),
        (
            "ssh -o 'ProxyCommand=nothing at all'",
            "router",
            "ssh to router failed",
            "`ssh -o 'ProxyCommand=nothing at all' router` must work first; its own message is above",
        ),
    ] {
        let output = place.output(&[&format!("--ssh={ssh}"), host])?;
        failed(&place, &output, 255, cause, cure).with_context(|| ssh.to_owned())?;
    }
    Ok(())
}

fn an_ssh_that_is_killed_is_told_by_what(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let output = place.output(&["--ssh=sh -c 'kill -KILL $$'", "router"])?;
    let cure = "connect again; if `sh -c 'kill -KILL $$' router` does not last either, the kernel's log may tell what ended it";
    failed(&place, &output, 1, "ssh to router was ended by signal 9 (SIGKILL)", cure)
}

fn programs_that_are_missing_here_are_named(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let output = place.output(&["--ssh=nossh -p 1", "router"])?;
    let lines: Vec<_> = output.stderr.lines().collect();
    let expected = [
        "moshpunch: nossh: No such file or directory (os error 2)",
        "moshpunch: `nossh -p 1` cannot be started on this machine",
        "cure: install it (Debian: apt install openssh-client), or name another with --ssh",
    ];
    ensure!(lines == expected && output.status.code() == Some(127), "{output}");
    let output = place.output(&["--client=noclient", "router"])?;
    let expected = "moshpunch: noclient is not installed on this machine; install mosh (Debian: apt install mosh), or name it with --client\n";
    ensure!(output.stderr == expected && output.status.code() == Some(1), "{output}");
    Ok(())
}

/// What is told where mosh's own line is tried.
const AGAIN: &str = "logging in once more";

const BANNER: &str = "Acceptable Usage: all access is logged.\nUsage: of mosh-server is forbidden\n\
                      mosh-server needs a UTF-8 native locale to run.\nPermission denied (to others).\n\
                      Could not resolve hostname, or Connection refused?\n\
                      mosh-server: command not found\nHost key verification failed.\n";

fn words_in_a_banner_are_no_cause(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &["Banner /etc/issue.net"])?;
    place.network.router.write_file("/etc/issue.net", BANNER)?;
    let output = place.output(&[TO_PORT, "mallory@router"])?;
    let cure = "`ssh -p 2222 mallory@router` must work first: look at the user's name and keys";
    let cause = "mallory@router let nobody in: it refused every way to log in that ssh tried";
    failed(&place, &output, 255, cause, cure)?;
    place.network.router.write_user_file(BASHRC, "exit 3\n")?;
    let cure = "`ssh -p 2222 router true` must succeed: look in the start-up files of the login shell there for what ends it";
    let cause = "router ended the login without starting a mosh-server";
    for options in [&[TO_PORT, "router"][..], &[TO_PORT, "--no-ssh-pty", "router"]] {
        let output = without_word_of_a_second_login(place.output(options)?)?;
        failed(&place, &output, 3, cause, cure)?;
    }
    Ok(())
}

fn words_of_a_start_up_file_are_no_cause(lab: &Lab) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    place.network.router.write_script(SERVER, "#!/bin/sh\nexit 4\n")?;
    place.network.router.write_user_file(BASHRC, &format!("cat <<END\n{BANNER}END\n"))?;
    let output = place.output(&[TO_PORT, "router"])?;
    let cure = "run `ssh -p 2222 router mosh-server`: it must print a line that begins with MOSH CONNECT";
    failed(&place, &output, 4, "mosh-server on router ended without a connect line", cure)
}

fn a_server_that_the_user_named_is_blamed(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let output = place.output(&[TO_PORT, "--server=false", "router"])?;
    let cure = "run `ssh -p 2222 router false`: it must print a line that begins with MOSH CONNECT";
    failed(&place, &output, 1, "`false` on router ended without a connect line", cure)?;
    let output = place.output(&[TO_PORT, "--server=no-such-server", "router"])?;
    let cure = "install it there, or name another with --server";
    failed(&place, &output, 127, "`no-such-server` was not found on router", cure)
}

fn what_is_started_here_is_no_login(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    let output = place.output(&["--local", "-v", "--server=false", "127.0.0.1"])?;
    ensure!(output.stderr.contains("moshpunch: starting mosh-server on this machine …\n"), "{output}");
    ensure!(!output.stderr.contains("logging in"), "{output}");
    let output = place.output(&["--local", "--server=sh -c \"exit 255\"", "127.0.0.1"])?;
    let cure = "run `sh -c \"exit 255\"`: it must print a line that begins with MOSH CONNECT";
    failed(&place, &output, 255, "`sh -c \"exit 255\"` on this machine ended without a connect line", cure)?;
    let output = place.output(&["--local", "--server=no-such-server", "127.0.0.1"])?;
    ensure!(
        output.stderr.contains("\nmoshpunch: `no-such-server` was not found on this machine\n"),
        "{output}"
    );
    Ok(())
}

fn a_jump_host_that_fails_is_named(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    for (jump, cause) in [
        ("router:9", "nothing answers ssh on router, or not on that port"),
        ("mallory@router", "mallory@router let nobody in: it refused every way to log in that ssh tried"),
        ("nowhere.invalid", "ssh could not look up a name on the way to nowhere.invalid"),
    ] {
        place.configure(&format!("Host inner\n HostName 192.168.1.10\n ProxyJump {jump}\n"))?;
        let output = place.output(&["inner"])?;
        ensure!(output.stderr.contains(&format!("\nmoshpunch: {cause}\n")), "{output}");
    }
    place.configure("Host inner\n HostName 192.168.1.10\n Port 9\n ProxyJump router\n")?;
    let output = place.output(&["inner"])?;
    ensure!(output.stderr.contains("\nmoshpunch: nothing answers ssh on inner,"), "{output}");
    Ok(())
}

fn a_name_that_falls_back_to_another_is_not_blamed(lab: &Lab) -> Result<()> {
    let place = Place::raise(lab, &[])?;
    place.configure("CanonicalizeHostname yes\nCanonicalDomains nowhere.invalid\nPort 9\n")?;
    let output = place.output(&["router"])?;
    let cure = "start sshd on router, or name its port: --ssh=\"ssh -p PORT\"";
    failed(&place, &output, 255, "nothing answers ssh on router, or not on that port", cure)
}
