//! Each option means what it means to mosh's own script.
//!
//! Recording programs take the place of ssh, mosh-client and mosh-server; ssh runs its command on the spot.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Output, USER, WriteUp, scenario};

use crate::common::PATIENCE;
use crate::common::program;

pub(super) const OURS: &str = "/home/alice/moshpunch";
pub(super) const RECORDS: &str = "/home/alice/records";

const RECORD: &str = "#!/bin/sh\nrecord() { for word; do printf '%s\\n' \"$word\"; done >>\"/home/alice/records/$program\"; }\nprogram=${0##*/}\n";

/// The address that mosh's script would learn from its own ProxyCommand.
const SSH: &str = "for last; do :; done
case \" $* \" in *' -G '*) exit 1 ;; *ProxyCommand*) echo MOSH IP 127.0.0.1 ;; esac
record \"$@\"
SSH_CONNECTION='127.0.0.1 4000 127.0.0.1 22'; export SSH_CONNECTION
exec sh -c \"$last\"
";
const SERVER: &str = "record \"$program\" \"$@\"\nprintf '\\nMOSH CONNECT 60001 4NeCCgvZFe2RnPgrcU1PQw\\n'\n";
const CLIENT: &str = "[ \"$1\" != -c ] || exec /usr/bin/mosh-client -c
for name in MOSH_KEY MOSH_PREDICTION_DISPLAY MOSH_PREDICTION_OVERWRITE MOSH_NO_TERM_INIT; do
record \"$name=$(printenv $name)\"; done\n";

/// A hundred logins.
const PLENTY: Duration = Duration::from_secs(300);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(every_option_means_what_mosh_means_by_it).within(PLENTY),
        scenario!(what_is_said_twice_or_in_order_means_what_mosh_means_by_it).within(PLENTY),
        scenario!(a_mosh_server_that_the_user_names_is_asked_byte_for_byte_as_mosh_asks_it),
        scenario!(what_mosh_refuses_is_refused_and_nothing_is_started),
        scenario!(a_terminal_that_mosh_client_cannot_use_is_told_before_anybody_logs_in),
        scenario!(a_terminal_has_as_many_colours_as_mosh_counts),
        scenario!(what_mosh_client_counts_has_the_last_word),
        scenario!(a_name_is_looked_up_however_late_mosh_client_counts),
        scenario!(a_client_that_fails_to_count_ends_the_login),
        scenario!(what_logs_in_has_moshs_surroundings).within(PLENTY),
    ]
}

pub(super) fn raise(lab: &Lab) -> Result<Host> {
    let laptop = WriteUp::raise(lab)?.laptop;
    let program = fs::read(program::path())?;
    laptop.write_program(OURS, program)?;
    for (name, script) in [
        ("ssh", SSH),
        ("myssh", SSH),
        ("mosh-server", SERVER),
        ("server2", SERVER),
        ("mosh-client", CLIENT),
        ("client2", CLIENT),
    ] {
        laptop.write_script(&format!("/usr/local/bin/{name}"), &format!("{RECORD}{script}"))?;
    }
    Ok(laptop)
}

/// What one program made of a line.
#[derive(Debug, PartialEq, Eq)]
struct Meaning {
    server: BTreeMap<String, Vec<String>>,
    client: BTreeMap<String, Vec<String>>,
    ssh: Vec<String>,
}

pub(super) fn run(
    laptop: &Host,
    program: &str,
    line: &[String],
    environment: &[(&str, &str)],
) -> Result<Output> {
    laptop.command("rm").args(["-rf", RECORDS]).run(PATIENCE)?;
    laptop.command("mkdir").arg(RECORDS).as_user(USER).run(PATIENCE)?;
    let mut command = laptop.command(program).args(line).as_user(USER);
    for (name, value) in environment {
        command = command.env(name, value);
    }
    command.output(PATIENCE)
}

fn records(laptop: &Host, names: [&str; 2]) -> BTreeMap<String, Vec<String>> {
    let read = |name: &str| laptop.read_file(&format!("{RECORDS}/{name}")).ok();
    let words = |text: String| text.lines().map(str::to_owned).collect();
    names.into_iter().filter_map(|name| Some((name.to_owned(), words(read(name)?)))).collect()
}

fn meaning(laptop: &Host, program: &str, line: &[String], environment: &[(&str, &str)]) -> Result<Meaning> {
    let output = run(laptop, program, line, environment)?;
    ensure!(output.status.success(), "{program} {line:?}: {output}");
    let mut server = records(laptop, ["mosh-server", "server2"]);
    server.values_mut().for_each(in_order);
    let ssh = records(laptop, ["ssh", "myssh"]).into_iter().flat_map(|(name, words)| login(name, &words));
    let client = records(laptop, ["mosh-client", "client2"]);
    ensure!(!client.is_empty() && !server.is_empty(), "{program} {line:?} started nothing: {output}");
    Ok(Meaning { server, client, ssh: ssh.collect() })
}

/// Options have no order of their own: those of the server, before the command, are sorted.
fn in_order(words: &mut Vec<String>) {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let command = words.split_off(end);
    let mut options: Vec<String> = Vec::new();
    for word in words.split_off(2) {
        match options.last_mut().filter(|_| !word.starts_with('-')) {
            Some(option) => *option = format!("{option} {word}"),
            None => options.push(word),
        }
    }
    options.sort();
    words.extend(options.into_iter().chain(command));
}

/// ssh's own words, without what differs on purpose: how the address is learned, that -4 and -6 hold for ssh, too, and what
/// ssh reads: nothing with mosh.
fn login(name: String, words: &[String]) -> Vec<String> {
    let mut said = vec![name];
    let mut words = words.iter().take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" | "-S" => drop(words.next()),
            "-4" | "-6" | "-n" => {}
            _ => said.push(word.clone()),
        }
    }
    said.sort();
    said
}

/// As a user types them.
const LINES: [&str; 60] = [
    "host",
    "alice@host",
    "-a host",
    "-n host",
    "-o host",
    "-a -n -o host",
    "-A host",
    "-A -N -O host",
    "-P 60005 host",
    "-o -noo host",
    "-o --noo host",
    "-o --no-o host",
    "-o -NO-O host",
    "--bind-server -a host",
    "--predict=adaptive host",
    "--predict=always host",
    "--predict=never host",
    "--predict=experimental host",
    "--predict never -a host",
    "--predict-overwrite host",
    "-o --no-predict-overwrite host",
    "--no-init host",
    "--noinit host",
    "--no-init --init host",
    "-no-init host",
    "-noinit host",
    "-nossh-pty host",
    "-predict=never host",
    "--predict-o host",
    "--p 60005 --a host",
    "--PORT=60005 host",
    "--lo 127.0.0.1",
    "-p 60005 host",
    "-p=60005 host",
    "-p 0 host",
    "--port=60010:60020 host",
    "--port 60010 host",
    "--bind-server=any host",
    "--bind-server=ssh host",
    "--bind-server=SSH host",
    "--bind-server=127.0.0.1 host",
    "--bind-server=::1 host",
    "--family=inet6 host",
    "--family=prefer-inet6 --predict=never host",
    "-4 host",
    "-6 -a host",
    "--no-ssh-pty host",
    "--nossh-pty host",
    "--server=server2 host",
    "--server='server2 --more \"a b\"' -p 1 host",
    "--client=client2 host",
    "--ssh='ssh -p 2222' host",
    "--ssh 'myssh -o \"User bob\" -x' host",
    "--experimental-remote-ip=remote host",
    "--exp=local 127.0.0.1",
    "--local 127.0.0.1",
    "--local --bind-server=any -p 7 127.0.0.1 id",
    "host -p 60005 -- ls -l --color=auto",
    "-- host ls 'a b' \"it's\" '' '$HOME' '--' '-p'",
    "host -a sh -- -c 'echo \"!x\" \\\\ *'",
];

/// What is said twice, and what --ssh makes of quotes.
const CONTRADICTIONS: [&str; 19] = [
    "-p 1 -p 60005 host",
    "--port=1 -p 60005 --port 60006 host",
    "--ssh=nossh --ssh='myssh -x' host",
    "--ssh=nossh host --ssh=myssh",
    "--client=noclient --client=client2 host",
    "--server=noserver --server=server2 host",
    "--bind-server=any --bind-server=::1 host",
    "--exp=remote --exp=local 127.0.0.1",
    "--family=inet --family=inet6 -4 -4 host",
    "--predict=always --predict=never -n -a -a host",
    "-o -o --no-predict-overwrite -o host",
    "-o --no-predict-overwrite --no-predict-overwrite host",
    "--no-ssh-pty --nossh-pty --ssh-pty --no-ssh-pty host",
    "--ssh-pty --no-ssh-pty --ssh-pty host",
    "--no-init --noinit --init --init --noinit host",
    "--local --local 127.0.0.1",
    "--ssh='myssh -o a#b #c' host",
    "--ssh='#myssh' --ssh='myssh \"a\\$b\" '\\''c d'\\'' e\\ f' host",
    "--ssh=\"myssh 'it\\\\'s'\" host",
];

fn same(laptop: &Host, line: &str, environment: &[(&str, &str)]) -> Result<()> {
    let words = split(laptop, line)?;
    let theirs = meaning(laptop, "mosh", &words, environment)?;
    let ours = meaning(laptop, OURS, &words, environment)?;
    ensure!(ours == theirs, "{line} {environment:?}\nmosh:      {theirs:?}\nmoshpunch: {ours:?}");
    Ok(())
}

fn every_option_means_what_mosh_means_by_it(lab: &Lab) -> Result<()> {
    let laptop = raise(lab)?;
    for line in LINES {
        same(&laptop, line, &[])?;
    }
    for (line, environment) in [
        ("host", &[("MOSH_PREDICTION_DISPLAY", "never")][..]),
        ("-a host", &[("MOSH_PREDICTION_DISPLAY", "never")]),
        ("host", &[("LC_ALL", "C.UTF-8"), ("LC_TIME", "C"), ("LANGUAGE", "de:en")]),
        ("host", &[("MOSH_PREDICTION_OVERWRITE", "yes"), ("MOSH_NO_TERM_INIT", "1")]),
    ] {
        same(&laptop, line, environment)?;
    }
    Ok(())
}

fn what_is_said_twice_or_in_order_means_what_mosh_means_by_it(lab: &Lab) -> Result<()> {
    let laptop = raise(lab)?;
    for line in CONTRADICTIONS {
        same(&laptop, line, &[])?;
    }
    for line in
        ["-a host -n -p 5", "-p 5 --ssh myssh host -- -a", "-o -- host -o", "-ssh myssh --local 127.0.0.1 -a"]
    {
        same(&laptop, line, &[("POSIXLY_CORRECT", "1")])?;
        same(&laptop, line, &[("POSIXLY_CORRECT", "")])?;
    }
    Ok(())
}

/// What ssh was told to run.
fn sent(laptop: &Host, program: &str, line: &[String]) -> Result<String> {
    run(laptop, program, line, &[("LC_TIME", "C")])?;
    let words = laptop.read_file(&format!("{RECORDS}/ssh"))?;
    let (_, command) = words.rsplit_once("\n--\n").with_context(|| words.clone())?;
    Ok(command.to_owned())
}

fn a_mosh_server_that_the_user_names_is_asked_byte_for_byte_as_mosh_asks_it(lab: &Lab) -> Result<()> {
    let laptop = raise(lab)?;
    for line in [
        "--server=mosh-server host",
        "--server=/usr/local/bin/mosh-server -p 60005:60010 --bind-server=any host",
        "--server='LANG=x mosh-server' --bind-server=::1 host -- sh -c \"echo 'a b' \\\\ \\$HOME !\" ''",
        "--server='exec mosh-server  -v' --experimental-remote-ip=remote host ls",
    ] {
        let line = split(&laptop, line)?;
        let theirs = sent(&laptop, "mosh", &line)?;
        ensure!(theirs.contains("mosh-server") && theirs.contains("'new' '-c' '256'"), "{theirs}");
        assert_eq!(sent(&laptop, OURS, &line)?, theirs, "{line:?}");
    }
    Ok(())
}

/// By a shell, as a user's line is.
fn split(laptop: &Host, line: &str) -> Result<Vec<String>> {
    let script = format!("for word in {line}; do printf '%s\\n' \"$word\"; done");
    let output = laptop.command("sh").args(["-fc", &script]).run(PATIENCE).context("splitting")?;
    Ok(output.stdout.lines().map(str::to_owned).collect())
}

fn what_mosh_refuses_is_refused_and_nothing_is_started(lab: &Lab) -> Result<()> {
    let laptop = raise(lab)?;
    for line in [
        "",
        "--predict=often host",
        "--predict host",
        "-p 65536 host",
        "-p 7:5 host",
        "-p 0:5 host",
        "-p x host",
        "--port= host",
        "--server= host",
        "--client= host",
        "--bind-server= host",
        "--ssh= host",
        "--predict -a host",
        "--no host",
        "-P7 host",
        "--experimental-remote-ip=guess host",
        "--what host",
        "-z host",
        "--ssh",
    ] {
        let words = split(&laptop, line)?;
        for program in ["mosh", OURS] {
            let output = run(&laptop, program, &words, &[])?;
            ensure!(!output.status.success() && !output.stderr.is_empty(), "{program} {line}: {output}");
            ensure!(
                records(&laptop, ["ssh", "mosh-server"]).is_empty(),
                "{program} {line} started something"
            );
        }
    }
    for program in ["mosh", OURS] {
        let output = run(&laptop, program, &["host".to_owned()], &[("MOSH_PREDICTION_DISPLAY", "often")])?;
        ensure!(!output.status.success() && output.stderr.contains("MOSH_PREDICTION_DISPLAY"), "{output}");
    }
    Ok(())
}

fn a_terminal_that_mosh_client_cannot_use_is_told_before_anybody_logs_in(lab: &Lab) -> Result<()> {
    let laptop = raise(lab)?;
    let run = |program: &str, terminal: &str| {
        let words = ["-u", "TERM", "sh", "-c"].map(str::to_owned);
        let script = format!("{terminal} {program} --client=/usr/bin/mosh-client host");
        run(&laptop, "env", &[&words[..], &[script]].concat(), &[])
    };
    for (terminal, named, words) in [
        ("TERM=nosuchterm", "with TERM=nosuchterm", "'nosuchterm': unknown terminal type"),
        ("TERM=", "without TERM", "TERM environment variable not set"),
        ("", "without TERM", "TERM environment variable not set"),
    ] {
        let (theirs, ours) = (run("mosh", terminal)?, run(OURS, terminal)?);
        ensure!(ours.status.code() == theirs.status.code(), "{theirs}\n{ours}");
        ensure!(records(&laptop, ["ssh", "mosh-server"]).is_empty(), "{terminal}: somebody logs in");
        let expected = format!("moshpunch: /usr/bin/mosh-client -c failed {named}: {words}; set TERM to ");
        ensure!(ours.stderr.starts_with(&expected) && ours.stderr.lines().count() == 1, "{ours}");
    }
    run("mosh", "TERM=vt100")?;
    ensure!(!records(&laptop, ["ssh", "mosh-server"]).is_empty(), "a terminal without colours is one");
    Ok(())
}

/// Those of Debian's ncurses-base, and one of the user's own.
fn a_terminal_has_as_many_colours_as_mosh_counts(lab: &Lab) -> Result<()> {
    let laptop = raise(lab)?;
    let own =
        "infocmp -x xterm-256color | sed 's/^xterm-256color/own/; s/colors#[^,]*/colors#77/' | tic -x -";
    laptop.command("sh").args(["-c", own]).as_user(USER).run(PATIENCE)?;
    for terminal in
        ["ansi", "linux", "own", "rxvt", "screen", "tmux-256color", "vt100", "xterm", "xterm-256color"]
    {
        let told = |program| {
            run(&laptop, program, &["host".to_owned()], &[("TERM", terminal)])?;
            let words = records(&laptop, ["mosh-server", "ssh"]).remove("mosh-server").unwrap_or_default();
            let starts = words.iter().filter(|word| *word == "mosh-server").count();
            let number = words.iter().skip_while(|word| *word != "-c").nth(1).cloned();
            Ok::<_, anyhow::Error>((starts, number.context("no number")?))
        };
        let (theirs, ours) = (told("mosh")?, told(OURS)?);
        ensure!(ours == theirs && ours.0 == 1, "{terminal}: {theirs:?} {ours:?}");
    }
    Ok(())
}

/// However late it answers: what was begun with another number is begun anew.
fn what_mosh_client_counts_has_the_last_word(lab: &Lab) -> Result<()> {
    let laptop = raise(lab)?;
    for late in ["", "while ! [ -e /home/alice/records/mosh-server ]; do sleep 0.01; done; "] {
        let client = format!("[ \"$1\" != -c ] || {{ {late}echo 88; exit; }}\nrecord \"$@\"\n");
        laptop.write_script("/usr/local/bin/client2", &format!("{RECORD}{client}"))?;
        let line = split(&laptop, "--client=client2 host")?;
        let output = run(&laptop, OURS, &line, &[("TERM", "xterm-256color")])?;
        let records = records(&laptop, ["mosh-server", "client2"]);
        let server = records.get("mosh-server").context("no mosh-server")?;
        ensure!(output.status.success() && records.contains_key("client2"), "{output}");
        let told = server.rsplit(|word| word == "-c").next().and_then(<[_]>::first);
        ensure!(told.is_some_and(|number| number == "88"), "{server:?}");
    }
    Ok(())
}

/// The session's client waits for it.
fn a_name_is_looked_up_however_late_mosh_client_counts(lab: &Lab) -> Result<()> {
    let laptop = raise(lab)?;
    let wait = |what: &str| format!("while ! [ -e {RECORDS}/{what} ]; do sleep 0.01; done");
    let count = format!("[ \"$1\" != -c ] || {{ {}; echo 256; exit; }}\n", wait("told"));
    laptop.write_script("/usr/local/bin/client2", &format!("#!/bin/sh\n{count}{}\n", wait("looked-up")))?;
    let told = format!("{RECORD}{SERVER}: >{RECORDS}/told\n");
    laptop.write_script("/usr/local/bin/mosh-server", &told)?;
    let looks_up = format!("case \" $* \" in *' -G '*) : >{RECORDS}/looked-up ;; esac\n");
    laptop.write_script("/usr/local/bin/ssh", &format!("{RECORD}{looks_up}{SSH}"))?;
    let line = split(&laptop, "--client=client2 host")?;
    let output = run(&laptop, OURS, &line, &[("TERM", "xterm-256color")])?;
    ensure!(output.status.success(), "{output}");
    Ok(())
}

fn a_client_that_fails_to_count_ends_the_login(lab: &Lab) -> Result<()> {
    let laptop = raise(lab)?;
    let client = "[ \"$1\" != -c ] || { echo 'client2: no such library' >&2; exit 3; }\nrecord \"$@\"\n";
    laptop.write_script("/usr/local/bin/client2", &format!("{RECORD}{client}"))?;
    laptop.write_script("/usr/local/bin/ssh", &format!("{RECORD}record \"$$\"\nexec sleep 1000\n"))?;
    let output =
        run(&laptop, OURS, &split(&laptop, "--client=client2 host")?, &[("TERM", "xterm-256color")])?;
    let expected =
        "moshpunch: client2 -c failed with TERM=xterm-256color: client2: no such library; set TERM to ";
    ensure!(output.status.code() == Some(1) && output.stderr.starts_with(expected), "{output}");
    let left = laptop.command("pgrep").args(["-x", "sleep"]).output(PATIENCE)?;
    ensure!(!left.status.success(), "ssh goes on: {left}");
    Ok(())
}

/// What the server finds around it where it is started without ssh, and what ssh does.
fn what_logs_in_has_moshs_surroundings(lab: &Lab) -> Result<()> {
    let laptop = raise(lab)?;
    let looks = "pwd; printenv SSH_CONNECTION MOSH_PREDICTION_DISPLAY MOSH_PREDICTION_OVERWRITE HOME\n\
                 [ \"$MOSH_CLIENT_PID\" = \"$STARTED\" ] && echo known";
    let looks =
        format!("case \" $* \" in *' -G '*) exit 1 ;; esac\n{{ {looks}; }} >>/home/alice/records/looks\n");
    laptop.write_script("/usr/local/bin/server2", &format!("{RECORD}{looks}{SERVER}"))?;
    laptop.write_script("/usr/local/bin/myssh", &format!("{RECORD}{looks}{SSH}"))?;
    let environment =
        [("SSH_CONNECTION", "a 1 b 22"), ("MOSH_PREDICTION_DISPLAY", "never"), ("WHERE", "/tmp")];
    let seen = |program: &str, setting: &str, words: &str| {
        let script = format!("cd $WHERE; {setting}; STARTED=$$ exec {program} --server=server2 {words}");
        let output = run(&laptop, "sh", &["-c".to_owned(), script], &environment)?;
        laptop.read_file(&format!("{RECORDS}/looks")).with_context(|| output.to_string())
    };
    for words in ["--local 127.0.0.1", "-o --local 127.0.0.1", "--no-ssh-pty --ssh=myssh host"] {
        for setting in [":", "unset HOME", "HOME=/nowhere", "unset HOME; export LOGDIR=/usr"] {
            let (theirs, ours) = (seen("mosh", setting, words)?, seen(OURS, setting, words)?);
            ensure!(ours == theirs, "{setting}; {words}\nmosh:\n{theirs}\nmoshpunch:\n{ours}");
            ensure!(ours.contains("known\n"), "{ours}");
        }
    }
    Ok(())
}
