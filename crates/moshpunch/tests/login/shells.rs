//! Login shells of every kind: each reads what ssh hands it in its own way.

use std::ffi::OsString;
use std::iter::successors;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Host, Lab, Terminal, USER, scenario};

use crate::common::PATIENCE;
use crate::common::program;
use crate::place::{Place, TO_PORT};

#[path = "../../../client/src/login/remote_command/line.rs"]
mod line;

/// xonsh takes a second to start.
const PLENTY: Duration = Duration::from_secs(300);

/// Without it, zsh asks the user for one.
const ZSHRC: &str = "/home/alice/.zshrc";

const PREFIX: &str = "\x02";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(dash_reads_words_unchanged).needs(&["dash"]),
        scenario!(bash_reads_words_unchanged).needs(&["bash"]),
        scenario!(ksh_reads_words_unchanged).needs(&["ksh"]),
        scenario!(zsh_reads_words_unchanged).needs(&["zsh"]),
        scenario!(fish_reads_words_unchanged).needs(&["fish"]),
        scenario!(tcsh_reads_words_unchanged).needs(&["tcsh"]),
        scenario!(xonsh_reads_words_unchanged).needs(&["xonsh"]).within(PLENTY),
        scenario!(busybox_reads_words_unchanged).needs(&["busybox"]),
        scenario!(dash_starts_a_session).needs(&["dash", "tmux"]).within(PLENTY),
        scenario!(ksh_starts_a_session).needs(&["ksh", "tmux"]).within(PLENTY),
        scenario!(zsh_starts_a_session).needs(&["zsh", "tmux"]).within(PLENTY),
        scenario!(fish_starts_a_session).needs(&["fish", "tmux"]).within(PLENTY),
        scenario!(tcsh_starts_a_session).needs(&["tcsh", "tmux"]).within(PLENTY),
        scenario!(xonsh_starts_a_session).needs(&["xonsh", "tmux"]).within(PLENTY),
    ]
}

/// What some shell reads otherwise, wherever it stands.
const NASTY: &[u8] = b"'\"\\!$`*?%{}[]()^;&|<>#~=,:@+- \n\t\r\x01\x7f\xc3\xa4\xff\xe2aZ0._/";

const NASTY_WORDS: [&str; 20] = [
    "",
    " ",
    "\n",
    "a\n\n",
    "!x",
    "hey!you",
    "\\",
    ";touch pwned;#",
    "it's",
    "$HOME",
    "${HOME}",
    "~",
    "~/x",
    "%045",
    "and",
    "-n",
    "^a^b",
    "{a,b}",
    "\\\\'",
    "$(id) `id` @(1)",
];

fn words(seed: u64) -> Vec<OsString> {
    let next = |state: &u64| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    };
    let mut random = successors(Some(seed), next).map(|state| usize::try_from(state >> 33).expect("31 bits"));
    let mut draw = |below: usize| random.next().expect("without end") % below;
    let mut word = || (0..draw(24)).map(|_| NASTY[draw(NASTY.len())]).collect::<Vec<u8>>();
    let random: Vec<_> = (0..40).map(|_| OsString::from_vec(word())).collect();
    NASTY_WORDS.iter().map(OsString::from).chain(random).collect()
}

/// `shell` is the login shell; where it can be one, it is also the sh that it starts.
fn reads_words_unchanged(shell: &str, options: &[&str], sh: &str) -> Result<()> {
    let home = tempfile::tempdir()?;
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", sh]).output()?.stdout;
    symlink(String::from_utf8(found)?.trim(), home.path().join("sh"))?;
    for (seed, locale) in [(1, "C"), (2, "C.UTF-8"), (3, "xx_XX.UTF-8")] {
        let words = words(seed);
        let line = line::running("for word; do printf '%s\\0' \"$word\"; done", &words);
        let mut login = Command::new(shell);
        login.args(options).arg("-c").arg(&line).env("LC_ALL", locale).env("HOME", home.path());
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", home.path().display());
        let output = login.env("PATH", path).current_dir(home.path()).output().context(shell.to_owned())?;
        let read: Vec<_> = output.stdout.split(|&byte| byte == 0).collect();
        let expected: Vec<_> = words.iter().map(|word| word.as_encoded_bytes()).chain([&b""[..]]).collect();
        ensure!(read == expected, "{shell} {locale}:\n{read:?}\n{expected:?}\n{output:?}");
    }
    Ok(())
}

fn dash_reads_words_unchanged(_: &Lab) -> Result<()> {
    reads_words_unchanged("dash", &[], "dash")
}

fn bash_reads_words_unchanged(_: &Lab) -> Result<()> {
    reads_words_unchanged("bash", &[], "bash")?;
    reads_words_unchanged("bash", &["--posix", "-l"], "bash")
}

fn ksh_reads_words_unchanged(_: &Lab) -> Result<()> {
    reads_words_unchanged("ksh", &[], "ksh")
}

fn zsh_reads_words_unchanged(_: &Lab) -> Result<()> {
    reads_words_unchanged("zsh", &[], "zsh")?;
    reads_words_unchanged("zsh", &["-o", "extendedglob", "-o", "rcquotes", "-o", "banghist"], "zsh")
}

fn fish_reads_words_unchanged(_: &Lab) -> Result<()> {
    reads_words_unchanged("fish", &[], "sh")
}

fn tcsh_reads_words_unchanged(_: &Lab) -> Result<()> {
    reads_words_unchanged("tcsh", &[], "sh")
}

fn xonsh_reads_words_unchanged(_: &Lab) -> Result<()> {
    reads_words_unchanged("xonsh", &[], "sh")
}

fn busybox_reads_words_unchanged(_: &Lab) -> Result<()> {
    reads_words_unchanged("sh", &[], "busybox")
}

/// With the login shell, without and with moshpunch on the host.
fn starts_a_session(lab: &Lab, shell: &str) -> Result<()> {
    let place = Place::raise_stock(lab, &[])?;
    place.set_shell(shell)?;
    place.network.router.write_user_file(ZSHRC, "")?;
    shows_a_shell(&place, "mosh")?;
    for host_has_it in [false, true] {
        if host_has_it {
            place.network.router.install(&program::path())?;
        }
        shows_a_shell(&place, "moshpunch")?;
        passes_words_on(&place)?;
        opens_tmux(&place)?;
    }
    Ok(())
}

fn connect(place: &Place, program: &str, words: &[&str]) -> Result<Terminal> {
    let command = place.laptop().command(program).arg(TO_PORT).args(words).as_user(USER);
    place.laptop().terminal(&command, 24, 100)
}

/// In words that each shell takes as they are.
fn computes(terminal: &mut Terminal, summand: u32) -> Result<()> {
    terminal.type_text(&format!("expr 1000000 + {summand}\r"))?;
    terminal.wait_for(&(1_000_000 + summand).to_string(), PATIENCE)
}

fn shows_a_shell(place: &Place, program: &str) -> Result<()> {
    let mut terminal = connect(place, program, &["router"])?;
    computes(&mut terminal, 79)?;
    terminal.type_text("exit\r")?;
    ensure!(terminal.wait_exit(PATIENCE)?.success(), "{program}: {}", terminal.screen());
    Ok(())
}

const PRINTS_AND_WAITS: &str = "printf '<%s>' \"$@\"\necho ; : 'hey!you'; read end";

fn passes_words_on(place: &Place) -> Result<()> {
    let command = [
        "router",
        "--",
        "sh",
        "-c",
        PRINTS_AND_WAITS,
        "x",
        "\\",
        ";touch pwned;#",
        "it's",
        "a!b",
        "$HOME",
        "~",
    ];
    let mut terminal = connect(place, "moshpunch", &command)?;
    terminal.wait_for("<\\><;touch pwned;#><it's><a!b><$HOME><~>", PATIENCE)?;
    terminal.type_text("\r")?;
    ensure!(terminal.wait_exit(PATIENCE)?.success(), "{}", terminal.screen());
    ensure!(place.network.router.read_file("/home/alice/pwned").is_err(), "a word was run");
    Ok(())
}

fn opens_tmux(place: &Place) -> Result<()> {
    let mut terminal = connect(place, "moshpunch", &["--tmux", "router"])?;
    terminal.wait_for("[mosh]", PATIENCE)?;
    computes(&mut terminal, 97)?;
    terminal.type_text(PREFIX)?;
    terminal.type_text("d")?;
    ensure!(terminal.wait_exit(PATIENCE)?.success(), "{}", terminal.screen());
    end_tmux(&place.network.router)
}

fn end_tmux(host: &Host) -> Result<()> {
    host.command("tmux").arg("kill-server").as_user(USER).run(PATIENCE).map(drop)
}

fn dash_starts_a_session(lab: &Lab) -> Result<()> {
    starts_a_session(lab, "/bin/dash")
}

fn ksh_starts_a_session(lab: &Lab) -> Result<()> {
    starts_a_session(lab, "/usr/bin/ksh")
}

fn zsh_starts_a_session(lab: &Lab) -> Result<()> {
    starts_a_session(lab, "/usr/bin/zsh")
}

fn fish_starts_a_session(lab: &Lab) -> Result<()> {
    starts_a_session(lab, "/usr/bin/fish")
}

fn tcsh_starts_a_session(lab: &Lab) -> Result<()> {
    starts_a_session(lab, "/usr/bin/tcsh")
}

fn xonsh_starts_a_session(lab: &Lab) -> Result<()> {
    starts_a_session(lab, "/usr/bin/xonsh")
}
