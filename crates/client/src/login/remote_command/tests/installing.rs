//! What puts a program into the user's directory, and takes it away, in every sh and with busybox for all else.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;

use super::*;

const TOOLS: [&str; 12] =
    ["chmod", "cksum", "cmp", "find", "id", "mkdir", "mv", "rm", "tr", "uname", "wc", "timeout"];

const OLD: &str = "#!/bin/sh\necho moshpunch 1\n";
const NEW: &str = "#!/bin/sh\n# Longer than the other one.\necho moshpunch 2\n";
const PLACE: &str = ".local/bin/moshpunch";

/// With what such a script runs.
fn host() -> Host {
    let host = Host::new();
    for tool in TOOLS {
        let _is_there = symlink(Path::new("/usr/bin").join(tool), host.path("system").join(tool));
    }
    host
}

/// All of it is busybox, as on a small system, and what that is built without is not there.
fn busybox() -> Host {
    let host = host();
    let listed = Command::new("busybox").arg("--list").output().unwrap().stdout;
    let listed = String::from_utf8(listed).unwrap();
    for entry in fs::read_dir(host.path("system")).unwrap() {
        let path = entry.unwrap().path();
        fs::remove_file(&path).unwrap();
        if listed.lines().any(|applet| path.ends_with(applet)) {
            symlink("/bin/busybox", &path).unwrap();
        }
    }
    host
}

fn with_shell(shell: &str) -> Host {
    let host = host();
    fs::remove_file(host.path("system/sh")).unwrap();
    symlink(Path::new("/bin").join(shell), host.path("system/sh")).unwrap();
    host
}

impl Host {
    fn says(&self, command: &RemoteCommand, input: &[u8]) -> Vec<String> {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(&command.line).env_clear().env("PATH", self.search_path());
        shell.env("HOME", self.files.path()).envs(self.environment.iter().cloned());
        let mut shell =
            shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _closed = shell.stdin.take().unwrap().write_all(input);
        let output = shell.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines().filter_map(|line| line.strip_prefix("MOSHPUNCH INSTALL ")).map(str::to_owned).collect()
    }

    fn installs(&self, program: &str) -> Vec<String> {
        self.says(&install(), &put(program))
    }

    fn program(&self) -> Option<String> {
        fs::read_to_string(self.path(PLACE)).ok()
    }

    fn is_clean(&self) -> bool {
        let Ok(entries) = fs::read_dir(self.path(".local/bin")) else { return true };
        entries.map(|entry| entry.unwrap().file_name()).all(|name| name == "moshpunch")
    }

    fn told_place(&self) -> String {
        format!("at {}", self.path(PLACE).display())
    }
}

fn put(program: &str) -> Vec<u8> {
    let mut cksum = Command::new("cksum");
    let mut cksum = cksum.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    cksum.stdin.take().unwrap().write_all(program.as_bytes()).unwrap();
    let told = String::from_utf8(cksum.wait_with_output().unwrap().stdout).unwrap();
    let (crc, size) = told.trim().split_once(' ').unwrap();
    format!("put {size} {crc}\n{program}").into_bytes()
}

fn system() -> String {
    let told = Command::new("uname").arg("-sm").output().unwrap().stdout;
    format!("system {}", String::from_utf8(told).unwrap().trim())
}

#[test]
fn every_sh_puts_it_there_and_tells_what_the_next_login_finds() {
    for host in [host(), busybox(), with_shell("ksh"), with_shell("zsh"), with_shell("bash")] {
        let said = host.installs(OLD);
        let at = host.told_place();
        let lines = [&at, &system(), "ready", "put moshpunch 1", "finds-it", "lacks-mosh ", "done"];
        assert_eq!(said, lines);
        let said = host.installs(NEW);
        let has_sum = host.path("system/cksum").exists();
        let has = said[2].strip_prefix("has ").unwrap();
        assert_eq!(has_sum, has.ends_with(&format!(" {}", OLD.len())), "{said:?}");
        assert_eq!(said[4..6], ["put moshpunch 2", "was moshpunch 1"]);
        assert_eq!(host.program().as_deref(), Some(NEW));
        assert_eq!(fs::metadata(host.path(PLACE)).unwrap().permissions().mode() & 0o7777, 0o755);
        assert!(host.is_clean());
        for again in [b"keep\n".to_vec(), put(NEW)] {
            assert_eq!(host.says(&install(), &again)[3..], ["ready", "finds-it", "lacks-mosh ", "done"]);
            assert!(host.is_clean());
        }
        let uninstalls = || {
            let mut said = host.says(&uninstall(), b"");
            // Of this machine.
            said.retain(|line| !line.starts_with("leaves /"));
            said
        };
        assert_eq!(uninstalls(), [&at, "removed moshpunch 2", "finds-none ", "done"]);
        assert_eq!(uninstalls(), [&at, "finds-none ", "done"]);
    }
}

#[test]
fn of_a_slow_copy_each_part_is_told() {
    for host in [host(), busybox(), with_shell("ksh"), with_shell("zsh"), with_shell("bash")] {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(&install().line).env_clear().env("PATH", host.search_path());
        shell.env("HOME", host.files.path());
        let mut shell =
            shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = shell.stdin.take().unwrap();
        let all = put(NEW);
        let begin = all.len() - NEW.len();
        let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines().map(Result::unwrap);
        for part in [1, 20] {
            let from = if part == 1 { 0 } else { begin + 1 };
            input.write_all(&all[from..begin + part]).unwrap();
            let told = format!("MOSHPUNCH INSTALL came {part}");
            assert!(lines.by_ref().any(|line| line == told), "{part}");
        }
        input.write_all(&all[begin + 20..]).unwrap();
        drop(input);
        assert_eq!(lines.last().unwrap(), "MOSHPUNCH INSTALL done");
        let mut complaints = String::new();
        std::io::Read::read_to_string(&mut shell.stderr.take().unwrap(), &mut complaints).unwrap();
        assert!(shell.wait().unwrap().success() && complaints.is_empty(), "{complaints}");
        assert_eq!(host.program().as_deref(), Some(NEW));
    }
}

#[test]
fn a_directory_is_made_as_private_as_its_user_makes_them() {
    for (umask, expected) in [("077", 0o700), ("022", 0o755), ("000", 0o755)] {
        let host = host();
        let mut command = install();
        command.line = [OsStr::new("umask "), OsStr::new(umask), OsStr::new("; "), &command.line]
            .iter()
            .copied()
            .collect();
        assert_eq!(host.says(&command, &put(NEW)).last().unwrap(), "done");
        let mode = |name: &str| fs::metadata(host.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!([".local", ".local/bin", PLACE].map(mode), [expected, expected, 0o755], "{umask}");
    }
}

#[test]
fn whatever_a_home_is_called_it_is_put_there() {
    for name in ["my home", "two\nlines", "-s * $(id) 'x\"", "\u{1b}[2J"] {
        let mut host = host();
        let home = host.path(name);
        fs::create_dir(&home).unwrap();
        host.environment = vec![("HOME", home.display().to_string())];
        let said = host.installs(NEW);
        assert!(said.contains(&"finds-it".to_owned()) && said.last().unwrap() == "done", "{said:?}");
        assert_eq!(fs::read_to_string(home.join(PLACE)).unwrap(), NEW);
        host.says(&uninstall(), b"");
        assert!(!home.join(PLACE).exists());
    }
}

#[test]
fn a_connection_that_is_cut_at_any_byte_leaves_what_was_there() {
    let host = host();
    host.put(PLACE, OLD, 0o755);
    let all = put(NEW);
    let begin = all.len() - NEW.len();
    for length in (0..all.len()).filter(|length| length % 7 == 0 || length.abs_diff(begin) < 2) {
        let said = host.says(&install(), &all[..length]);
        assert!(!said.iter().any(|line| line.starts_with("put ")), "{length}: {said:?}");
        let ends = if length < begin {
            said.last().unwrap() == "ready"
        } else {
            said.last().unwrap() == "failed short "
        };
        assert!(ends, "{length}: {said:?}");
        assert_eq!(host.program().as_deref(), Some(OLD), "{length}");
        assert!(host.is_clean(), "{length}");
    }
}

#[test]
fn other_bytes_than_those_that_were_sent_are_not_taken() {
    for has_cksum in [true, false] {
        let host = host();
        if !has_cksum {
            fs::remove_file(host.path("system/cksum")).unwrap();
        }
        let mut all = put(NEW);
        all.push(b'\n');
        assert_eq!(host.says(&install(), &all).last().unwrap(), "failed short ");
        let all = [put(NEW).as_slice(), b""].concat();
        assert!(host.says(&install(), &all).contains(&"put moshpunch 2".to_owned()));
    }
}

#[test]
fn what_does_not_run_there_replaces_nothing() {
    for (program, expected) in [
        ("#!/bin/sh\necho GLIBC_2.39 is missing\nexit 1\n", "failed run GLIBC_2.39 is missing "),
        ("#!/bin/sh\n", "failed run  "),
        ("\u{7f}ELF nonsense", "failed run "),
    ] {
        let host = host();
        host.put(PLACE, OLD, 0o755);
        let said = host.installs(program);
        assert!(said.last().unwrap().starts_with(expected.trim_end()), "{said:?}");
        assert_eq!(host.program().as_deref(), Some(OLD));
        assert!(host.is_clean());
    }
}

#[test]
fn what_is_in_the_way_is_told() {
    let host = host();
    fs::create_dir_all(host.path(PLACE)).unwrap();
    assert_eq!(host.installs(NEW).last().unwrap(), "failed directory ");
    fs::remove_dir_all(host.path(".local")).unwrap();
    host.put(".local", "a file", 0o644);
    let said = host.installs(NEW).pop().unwrap();
    assert!(said.starts_with("failed make mkdir: ") && said.contains(".local"), "{said}");
    let mut homeless = host;
    homeless.environment = vec![("HOME", "nowhere".into())];
    assert_eq!(homeless.installs(NEW), ["failed home "]);
    assert_eq!(homeless.says(&uninstall(), b""), ["failed home "]);
}

#[test]
fn a_link_in_its_place_is_replaced_and_where_it_led_stays() {
    let host = host();
    host.put("elsewhere/moshpunch", OLD, 0o755);
    symlink(host.path("elsewhere"), host.path(".local-bin")).unwrap();
    fs::create_dir(host.path(".local")).unwrap();
    symlink("../elsewhere", host.path(".local/bin")).unwrap();
    assert!(host.installs(NEW).contains(&"was moshpunch 1".to_owned()));
    assert_eq!(fs::read_to_string(host.path("elsewhere/moshpunch")).unwrap(), NEW);
    fs::rename(host.path("elsewhere/moshpunch"), host.path("built")).unwrap();
    symlink(host.path("built"), host.path(PLACE)).unwrap();
    assert_eq!(host.says(&uninstall(), b"").last().unwrap(), "failed link ");
    assert!(host.installs(OLD).contains(&"was moshpunch 2".to_owned()));
    assert_eq!(fs::read_to_string(host.path("built")).unwrap(), NEW);
    assert_eq!(host.program().as_deref(), Some(OLD));
}

#[test]
fn a_pipe_in_its_place_is_not_read() {
    let host = host();
    fs::create_dir_all(host.path(".local/bin")).unwrap();
    let made = Command::new("mkfifo").args(["-m", "755"]).arg(host.path(PLACE)).status().unwrap();
    assert!(made.success());
    assert_eq!(host.installs(NEW).last().unwrap(), "done");
    assert_eq!(host.program().as_deref(), Some(NEW));
}

#[test]
fn what_a_killed_installation_left_is_removed_and_what_one_writes_now_is_not() {
    let host = host();
    let node = Command::new("uname").arg("-n").output().unwrap().stdout;
    let node = String::from_utf8(node).unwrap().trim().to_owned();
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let left = |node: &str, process: u32| format!(".local/bin/.moshpunch-install.{node}.{process}");
    let (dead, living) = (left(&node, ended.id()), left(&node, std::process::id()));
    let (young, old) = (left("another", 1), left("another", 2));
    for name in [&dead, &living, &young, &old] {
        host.put(name, "half", 0o644);
    }
    let touch = Command::new("touch").args(["-d", "3 days ago"]).arg(host.path(&old)).status().unwrap();
    assert!(touch.success());
    host.installs(NEW);
    let is_there = [&dead, &living, &young, &old].map(|name| host.path(name).exists());
    assert_eq!(is_there, [false, true, true, false]);
    fs::remove_file(host.path(PLACE)).unwrap();
    host.put(&dead, "half", 0o644);
    host.says(&uninstall(), b"");
    assert!(!host.path(&dead).exists());
}

#[test]
fn two_at_once_do_not_meet() {
    let host = host();
    let said = std::thread::scope(|scope| {
        let all = [OLD, NEW].map(|program| scope.spawn(|| host.installs(program)));
        all.map(|one| one.join().unwrap())
    });
    for said in said {
        assert_eq!(said.last().unwrap(), "done", "{said:?}");
    }
    assert!([OLD, NEW].contains(&host.program().unwrap().as_str()) && host.is_clean());
}

#[test]
fn another_that_a_login_finds_first_is_named() {
    let host = host();
    host.put("bin/moshpunch", "#!/bin/sh\necho moshpunch 0\n", 0o755);
    let other = format!("finds {}: moshpunch 0", host.path("bin/moshpunch").display());
    assert!(host.installs(NEW).contains(&other));
    fs::remove_file(host.path("bin/moshpunch")).unwrap();
    symlink(host.path(PLACE), host.path("bin/moshpunch")).unwrap();
    assert!(host.says(&install(), b"keep\n").contains(&"finds-it".to_owned()));
}

#[test]
fn where_mosh_is_missing_what_installs_it_is_told() {
    let host = host();
    host.put("bin/zypper", "#!/bin/sh\n", 0o755);
    assert!(host.installs(NEW).contains(&"lacks-mosh zypper".to_owned()));
    host.put(".cargo/bin/mosh-server", "#!/bin/sh\n", 0o755);
    assert!(!host.installs(NEW).iter().any(|line| line.starts_with("lacks-mosh")));
}

#[test]
fn only_what_says_that_it_is_moshpunch_is_removed_and_what_is_left_is_told() {
    let mut host = host();
    host.environment = vec![("XDG_RUNTIME_DIR", host.path("run").display().to_string())];
    host.put(PLACE, "#!/bin/sh\necho mine\n", 0o755);
    assert_eq!(host.says(&uninstall(), b"").last().unwrap(), "failed stranger mine");
    assert!(host.program().is_some());
    host.put(PLACE, NEW, 0o755);
    host.put("run/moshpunch/state", "", 0o600);
    host.put("bin/moshpunch", "#!/bin/sh\necho moshpunch 0\n", 0o755);
    let said = host.says(&uninstall(), b"");
    assert!(said.contains(&format!("leaves {}", host.path("run/moshpunch").display())), "{said:?}");
    let other = format!("finds {}: moshpunch 0", host.path("bin/moshpunch").display());
    assert!(said.contains(&other) && host.program().is_none(), "{said:?}");
}
