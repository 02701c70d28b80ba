//! Run by sh, where programs stand that print their words.

mod installing;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use wire::presence;

use super::*;

const PRINTS: &str = "printf '%s|' \"${0##*/}\" \"$@\"; printf '%s' \"$MOSHPUNCH_OFFER$MOSHPUNCH_CHANNEL\"\n";
const RUNS: &str = "if [ \"$1\" = --version ]; then echo moshpunch 7; exit; fi\n";
const TOLD: &str = "\nMOSH SSH_CONNECTION a 1 192.168.1.10 22\n";

/// What the scripts use of a system.
const SYSTEM: [&str; 7] = ["sh", "env", "timeout", "sleep", "grep", "locale", "cat"];

/// A host without mosh.
struct Host {
    files: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Host {
    fn new() -> Self {
        let host = Self { files: tempfile::tempdir().unwrap(), environment: Vec::new() };
        fs::create_dir_all(host.path("system")).unwrap();
        for program in SYSTEM {
            symlink(Path::new("/usr/bin").join(program), host.path("system").join(program)).unwrap();
        }
        host
    }

    /// With these in PATH.
    fn with(programs: &[&str]) -> Self {
        let host = Self::new();
        for program in programs {
            host.put(&format!("bin/{program}"), format!("#!/bin/sh\n{RUNS}{PRINTS}"), 0o755);
        }
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // By a process of its own: what a fork of the tests has open to write cannot be run.
        let mut write = Command::new("sh");
        write.args(["-c", "cat >\"$0\" && chmod \"$1\" \"$0\""]).arg(&path).arg(format!("{mode:o}"));
        let mut write = write.stdin(Stdio::piped()).spawn().unwrap();
        write.stdin.take().unwrap().write_all(text.as_ref()).unwrap();
        assert!(write.wait().unwrap().success());
    }

    fn search_path(&self) -> String {
        [self.path("system"), self.path("bin")].map(|path| path.display().to_string()).join(":")
    }

    fn run(&self, line: &OsStr) -> String {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(line).env_clear().env("PATH", self.search_path());
        shell.env("HOME", self.files.path()).env("SSH_CONNECTION", "a 1 192.168.1.10 22");
        shell.env("LANG", "C.UTF-8").envs(self.environment.iter().cloned());
        let output = shell.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn words(bind: Option<Bind>, command: &[&str]) -> ServerWords {
    ServerWords {
        bind,
        port: Some("60005".into()),
        colours: "256".into(),
        locale: vec!["LANG=C.UTF-8".into()],
        command: command.iter().map(OsString::from).collect(),
        tell_address: false,
        channel: false,
    }
}

fn start(server: Option<&str>, words: &ServerWords) -> OsString {
    super::start(server, words).line
}

#[test]
fn ours_is_asked_for_an_offer_and_decides_itself_where_to_listen() {
    let host = Host::with(&["moshpunch", "mosh-server"]);
    let words = words(None, &["sh", "-c", "echo 'a b' \"$HOME\"\n"]);
    let expected = "moshpunch|server|new|-c|256|-p|60005|-l|LANG=C.UTF-8|--|sh|-c|echo 'a b' \"$HOME\"\n|1";
    assert_eq!(host.run(&start(None, &words)), format!("\nMOSHPUNCH PRESENT\n{expected}"));
    let line = start(None, &ServerWords { tell_address: true, ..words });
    assert_eq!(host.run(&line), format!("{TOLD}\nMOSHPUNCH PRESENT\n{expected}"));
}

#[test]
fn without_ours_stock_mosh_is_started_as_its_own_script_does() {
    let host = Host::with(&["mosh-server"]);
    let line = start(None, &words(None, &[]));
    let stock = "mosh-server|new|-s|-c|256|-p|60005|-l|LANG=C.UTF-8|";
    assert_eq!(host.run(&line), format!("\nMOSHPUNCH ABSENT\n{TOLD}{stock}"));
    let line = start(None, &words(Some(Bind::Address("::".into())), &[]));
    assert!(host.run(&line).ends_with("|new|-c|256|-i|::|-p|60005|-l|LANG=C.UTF-8|"));
}

#[test]
fn what_is_found_beside_path_is_run_with_path_as_it_was() {
    let host = Host::new();
    let shows = &format!("#!/bin/sh\n{RUNS}echo \"$0 $PATH\"\n");
    host.put(".cargo/bin/mosh-server", shows, 0o755);
    let told = format!("{} {}\n", host.path(".cargo/bin/mosh-server").display(), host.search_path());
    assert!(host.run(&start(None, &words(None, &[]))).ends_with(&told));
    host.put(".local/bin/moshpunch", shows, 0o755);
    let told = format!("{} {}\n", host.path(".local/bin/moshpunch").display(), host.search_path());
    assert!(host.run(&start(None, &words(None, &[]))).ends_with(&told));
    assert_eq!(host.run(&offer(None, 60_005, None).line), told);
}

#[test]
fn the_same_places_are_looked_in_by_the_server() {
    let places = wire::places::places(Path::new("${HOME-}"));
    let places: Vec<_> = places.map(|place| place.to_str().unwrap().to_owned()).collect();
    assert!(PROGRAMS.contains(&format!("places=$PATH:{}\n", places.join(":"))), "{places:?}");
}

#[test]
fn ours_is_asked_once_and_nobody_reads_what_it_says() {
    assert!(PROGRAMS.contains(&format!("{}=1\n", presence::VARIABLE)));
    let host = Host::new();
    let counts = format!("echo \"${{{}-}}$*\" >>\"$HOME/asked\"", presence::VARIABLE);
    let answers = format!("if [ \"$1\" = --version ]; then exit {}; fi", presence::STATUS);
    host.put("bin/moshpunch", format!("#!/bin/sh\n{counts}\n{answers}\n{PRINTS}"), 0o755);
    let told = host.run(&start(None, &words(None, &[])));
    assert!(told.starts_with("\nMOSHPUNCH PRESENT\nmoshpunch|server|new|"), "{told}");
    let asked = fs::read_to_string(host.path("asked")).unwrap();
    assert_eq!(asked.lines().map(|line| &line[..8]).collect::<Vec<_>>(), ["1--versi", "server n"]);
}

#[test]
fn one_that_does_not_run_is_named_and_mosh_is_served() {
    let library = "libc.so.6: version `GLIBC_2.39' not found";
    let kills_itself = "#!/bin/sh\nkill -9 $$\n";
    let endless = "#!/bin/sh\nwhile :; do echo no; done\n";
    for (text, mode, expected) in [
        (format!("#!/bin/sh\necho \"{library}\" >&2; exit 1\n").replace('`', "\\`"), 0o755, library),
        ("#!/no/such\n".into(), 0o755, "No such file or directory"),
        ("#!/bin/sh\n".into(), 0o644, "may not be executed"),
        ("#!/bin/sh\nexit 1\n".into(), 0o755, "says nothing"),
        // Shells differ in whether they say so.
        (kills_itself.into(), 0o755, ""),
        ("#!/bin/sh\necho; echo \\ ; echo another program\n".into(), 0o755, "another program"),
        (endless.into(), 0o755, "no"),
    ] {
        let host = Host::with(&["mosh-server"]);
        host.put(".local/bin/moshpunch", text, mode);
        let told = host.run(&start(None, &words(None, &[])));
        let path = host.path(".local/bin/moshpunch").display().to_string();
        let (broken, rest) = told.strip_prefix("\nMOSHPUNCH BROKEN ").unwrap().split_once('\n').unwrap();
        assert!(broken.starts_with(&format!("{path}: ")) && broken.ends_with(expected), "{broken}");
        assert_eq!(rest, format!("{TOLD}mosh-server|new|-s|-c|256|-p|60005|-l|LANG=C.UTF-8|"));
    }
}

#[test]
fn one_that_hangs_is_ended_also_where_there_is_no_timeout() {
    for has_timeout in [true, false] {
        let host = Host::with(&["mosh-server"]);
        host.put("bin/moshpunch", "#!/bin/sh\ntrap '' TERM\nexec sleep 60\n", 0o755);
        if !has_timeout {
            fs::remove_file(host.path("system/timeout")).unwrap();
        }
        let told = host.run(&start(None, &words(None, &[])));
        assert!(told.contains("\nMOSHPUNCH BROKEN ") && told.contains("mosh-server|new|"), "{told}");
    }
}

#[test]
fn one_that_warns_before_it_answers_runs() {
    let host = Host::with(&[]);
    let warns = "echo 'ld.so: object cannot be preloaded: ignored.' >&2; echo; echo Welcome\n";
    host.put("bin/moshpunch", format!("#!/bin/sh\n{warns}{RUNS}"), 0o755);
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(start(None, &words(None, &[]))).env("PATH", host.search_path());
    let told = shell.output().unwrap().stdout;
    assert!(told.starts_with(b"\nMOSHPUNCH PRESENT\n"), "{}", String::from_utf8_lossy(&told));
}

#[test]
fn what_a_wrapper_leaves_behind_is_not_waited_for() {
    let host = Host::with(&["mosh-server"]);
    let leaves = "#!/bin/sh\nsleep 60 &\necho $! >\"$HOME/left\"\necho it does not run; exit 1\n";
    host.put("bin/moshpunch", leaves, 0o755);
    let line = start(None, &words(None, &[]));
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(line).env("PATH", host.search_path()).env("HOME", host.files.path());
    let told = host.path("told");
    shell.stdout(fs::File::create(&told).unwrap()).status().unwrap();
    assert!(fs::read_to_string(told).unwrap().contains("/bin/moshpunch: it does not run\n"));
    let end = "left=$(cat \"$HOME/left\"); kill -0 $left && kill $left";
    let end = Command::new("sh").args(["-c", end]).env("HOME", host.files.path()).status().unwrap();
    assert!(end.success(), "it was waited for");
}

#[test]
fn of_endless_complaints_the_beginning_is_kept() {
    for endless in ["while :; do echo no >&2; done", "while :; do printf no; done"] {
        let host = Host::with(&["mosh-server"]);
        host.put("bin/moshpunch", format!("#!/bin/sh\n{endless}\n"), 0o755);
        let told = host.run(&start(None, &words(None, &[])));
        assert!(told.contains("/bin/moshpunch: no") && told.len() < 2000, "{}", told.len());
    }
}

#[test]
fn a_directory_and_a_link_that_leads_nowhere_do_not_run_either() {
    let host = Host::with(&["mosh-server"]);
    fs::create_dir_all(host.path(".local/bin/moshpunch")).unwrap();
    let line = start(None, &words(None, &[]));
    assert!(host.run(&line).contains("/.local/bin/moshpunch: is a directory\n"));
    fs::remove_dir(host.path(".local/bin/moshpunch")).unwrap();
    symlink("/no/such", host.path(".local/bin/moshpunch")).unwrap();
    assert!(host.run(&line).contains("/.local/bin/moshpunch: leads nowhere\n"));
}

/// The shell that takes it for a script writes nothing.
#[test]
fn a_program_of_another_processor_does_no_harm() {
    let host = Host::with(&["mosh-server"]);
    let mut program = fs::read("/bin/true").unwrap();
    program[18..20].copy_from_slice(&[0xf3, 0]);
    program.splice(64..64, *b"\n: >written\n");
    host.put("bin/moshpunch", program, 0o755);
    let told = host.run(&start(None, &words(None, &[])));
    assert!(told.contains("\nMOSHPUNCH BROKEN ") && told.contains("mosh-server|new|"), "{told}");
    assert!(!Path::new("written").exists() && !host.path("written").exists());
}

#[test]
fn one_that_runs_is_found_behind_one_that_does_not() {
    let host = Host::with(&["moshpunch"]);
    host.put(".local/bin/moshpunch", format!("#!/bin/sh\n{RUNS}{PRINTS}"), 0o755);
    host.put("bin/moshpunch", "#!/no/such\n", 0o755);
    assert!(host.run(&start(None, &words(None, &[]))).starts_with("\nMOSHPUNCH PRESENT\n"));
}

#[test]
fn a_locale_that_mosh_server_can_use_is_found_and_the_session_has_the_users() {
    let mut host = Host::new();
    let runs_the_rest = "#!/bin/sh\nwhile [ \"$1\" != -- ]; do printf '%s|' \"$1\"; shift; done\n\
                         shift; echo \"${LC_ALL-}\"; exec \"$@\"\n";
    host.put("bin/mosh-server", runs_the_rest, 0o755);
    host.environment = vec![("LANG", "xx_XX.UTF-8".into()), ("LC_TIME", "C".into())];
    let command = ["sh", "-c", "echo \"$LC_CTYPE,${LC_TIME-unset},${LC_ALL-unset},$1\"", "x", "a b"];
    let own = vec!["LC_CTYPE=yy_YY.UTF-8".into()];
    let words = ServerWords { locale: own, ..words(None, &command) };
    let told = host.run(&start(None, &words));
    let expected = "\nMOSHPUNCH LOCALE C.UTF-8\nnew|-s|-c|256|-p|60005|-l|LC_CTYPE=yy_YY.UTF-8|C.UTF-8\n\
                    yy_YY.UTF-8,unset,unset,a b\n";
    assert!(told.ends_with(expected), "{told}");
}

#[test]
fn a_locale_of_utf8_on_either_side_is_left_alone() {
    let mut host = Host::with(&["mosh-server"]);
    let with = |locale: &str| {
        let locale = vec![locale.into()];
        start(None, &ServerWords { locale, ..words(None, &[]) })
    };
    assert!(host.run(&with("LC_ALL=xx_XX.UTF-8")).ends_with("|-l|LC_ALL=xx_XX.UTF-8|"));
    host.environment = vec![("LC_TIME", "xx_XX.UTF-8".into())];
    assert!(host.run(&with("LC_ALL=C.UTF-8")).ends_with("|-l|LC_ALL=C.UTF-8|"));
    assert!(host.run(&with("LC_ALL=xx_XX.UTF-8")).contains("MOSHPUNCH LOCALE C.UTF-8\n"));
}

#[test]
fn the_users_own_server_is_text_for_a_shell() {
    let host = Host::with(&["my-server", "moshpunch"]);
    let line = start(Some("A='1 2' my-server --\"$A\"more"), &words(None, &[]));
    let expected = "my-server|--more|new|-c|256|-s|-p|60005|-l|LANG=C.UTF-8|1";
    assert_eq!(host.run(&line), format!("{TOLD}{expected}"));
    for text in ["moshpunch server", "LANG=C.UTF-8 moshpunch server", "env A=b moshpunch server"] {
        let line = start(Some(text), &words(None, &[]));
        let expected = "moshpunch|server|--offer|new|-c|256|-p|60005|-l|LANG=C.UTF-8|1";
        assert_eq!(host.run(&line), format!("{TOLD}{expected}"));
    }
}

#[test]
fn a_mosh_server_is_asked_as_mosh_asks_it() {
    let words = words(None, &["it's"]);
    let stock = r"'new' '-c' '256' '-s' '-p' '60005' '-l' 'LANG=C.UTF-8' '--' 'it'\''s'";
    for text in ["mosh-server", "/usr/bin/mosh-server", "LANG=x mosh-server"] {
        assert_eq!(start(Some(text), &words).to_str().unwrap(), format!("{text} {stock}"));
    }
    let line = start(Some("mosh-server"), &ServerWords { tell_address: true, ..words });
    assert_eq!(
        line.to_str().unwrap(),
        format!(
            "sh -c '[ -n \"$SSH_CONNECTION\" ] && printf \"\\nMOSH SSH_CONNECTION %s\\n\" \"$SSH_CONNECTION\"' ; \
             mosh-server {stock}"
        )
    );
}

#[test]
fn a_running_session_is_asked_by_its_port() {
    let host = Host::with(&["moshpunch", "mosh-server"]);
    for server in [None, Some("moshpunch server"), Some("mosh-server"), Some("my-server")] {
        assert_eq!(host.run(&offer(server, 60_005, None).line), "moshpunch|server|offer|60005|");
    }
    let (elsewhere, session) = (Host::new(), Some(SessionId::new(0xca_fe)));
    elsewhere.put("my own/moshpunch", format!("#!/bin/sh\n{PRINTS}"), 0o755);
    let text = format!("A='1 2' '{}' server --lease 9", elsewhere.path("my own/moshpunch").display());
    let said = elsewhere.run(&offer(Some(&text), 60_005, session).line);
    assert_eq!(said, "moshpunch|server|--lease|9|offer|60005|0000cafe");
}

#[test]
fn ours_is_asked_for_a_channel_and_stock_mosh_is_not() {
    let asks = |words: ServerWords| ServerWords { channel: true, ..words };
    let host = Host::with(&["moshpunch", "mosh-server"]);
    assert!(host.run(&start(None, &asks(words(None, &[])))).ends_with("|-l|LANG=C.UTF-8|11"));
    assert!(host.run(&start(Some("moshpunch server"), &asks(words(None, &[])))).ends_with("|11"));
    let session = Some(SessionId::new(0xca_fe));
    assert_eq!(host.run(&offer(None, 60_005, session).line), "moshpunch|server|offer|60005|0000cafe");
    let stock = Host::with(&["mosh-server"]);
    assert!(stock.run(&start(None, &asks(words(None, &[])))).ends_with("|-l|LANG=C.UTF-8|"));
}

#[test]
fn what_is_not_asked_for_a_channel_is_told_nothing() {
    for (server, asks, expected) in [
        (None, true, true),
        (None, false, false),
        (Some("moshpunch server"), true, true),
        (Some("my-server"), true, true),
        (Some("mosh-server"), true, false),
    ] {
        let words = ServerWords { channel: asks, ..words(None, &[]) };
        assert_eq!(super::start(server, &words).is_written_to, expected, "{server:?}");
    }
}

#[test]
fn nothing_in_the_line_is_read_otherwise_by_some_shell() {
    let line = start(Some("my-server"), &words(None, &["it's\n!\\", "${HOME}", "\u{e4}", "and"]));
    let text = line.to_str().unwrap();
    assert!(text.starts_with("sh -c '") && text.is_ascii(), "{text}");
    assert!(!text.contains(['\n', '!', '^', '~', '`']), "{text}");
    assert!(text.ends_with("'it%0047s%0012%0041%0134' '%0044%0173HOME%0175' '%0303%0244' 'and'"), "{text}");
    assert_eq!(text.replace("\\\\\\\\", "").matches('\\').count(), 0, "{text}");
}
