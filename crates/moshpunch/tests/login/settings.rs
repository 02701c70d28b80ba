//! What `-G` shows is what a connection does, whoever says it; and whatever the file is, there is a session.
//!
//! The keys are those that `-G` names: a new one has to say here what is seen of it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use lab::harness::Scenario;
use lab::{Host, Lab, Output, USER, scenario};
use serde_json::{Value, json};

use super::options::{OURS, RECORDS, raise, run};
use crate::common::PATIENCE;

const HOST: &str = "localhost";
const FILES: [&str; 2] = ["/home/alice/.config/moshpunch/config.toml", "/etc/moshpunch/config.toml"];

/// A hundred logins.
const PLENTY: Duration = Duration::from_secs(300);

const COMBINATIONS: usize = 30;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(each_setting_does_what_is_shown_whoever_says_it).within(PLENTY),
        scenario!(what_many_say_does_what_is_shown).within(PLENTY),
        scenario!(whatever_the_file_is_there_is_a_session_and_one_line),
    ]
}

/// What is said, the first above the later.
#[derive(Debug, Clone, Default)]
struct Sources {
    flags: Vec<String>,
    environment: BTreeMap<String, String>,
    /// Of both files, the section for this host and that for all.
    files: [[String; 2]; 2],
}

/// The command line, the environment, and each section of each file.
const SOURCES: usize = 6;

/// The first is not the default. Of a switch they follow from that.
fn samples(key: &str, default: &Value) -> Result<[Value; 2]> {
    if let Some(on) = default.as_bool() {
        return Ok([json!(!on), json!(on)]);
    }
    let pair = |first: &str, second: &str| [json!(first), json!(second)];
    Ok(match key {
        "client" => pair("client2", "/usr/local/bin/client2"),
        "server" => pair("server2", "server2 --more"),
        "predict" => pair("never", "experimental"),
        "family" => pair("inet", "prefer-inet6"),
        "port" => pair("60005", "60010:60020"),
        "bind_server" => pair("any", "127.0.0.1"),
        "ssh" => pair("myssh -x", "ssh -p 2222"),
        "experimental_remote_ip" => pair("local", "remote"),
        "tmux" => pair("work", "home"),
        "log" => pair("/home/alice/records/log", "/home/alice/records/log2"),
        "stun" => pair("stun:127.0.0.1", "stun:127.0.0.1:3479,stun:[::1]"),
        "turn" => pair("turn:127.0.0.1", "turn:[::1]:3479"),
        "turn_user" => pair("alice", "bob"),
        "turn_password_file" => pair("/home/alice/password", "/home/alice/password2"),
        "turn_secret_file" => pair("/home/alice/secret", "/home/alice/secret2"),
        key => bail!("{key} is new: say two values of it here, and in `seen` what a connection does by it"),
    })
}

impl Sources {
    /// By the source of this number.
    fn say(&mut self, source: usize, key: &str, value: &Value) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match source {
            0 => self.flags.push(flag(key, value)),
            1 => drop(self.environment.insert(format!("MOSHPUNCH_{}", key.to_uppercase()), text)),
            _ => self.files[source / 2 - 1][source % 2] += &format!("{key} = {value}\n"),
        }
    }

    fn write(&self, laptop: &Host) -> Result<()> {
        for (path, [host, all]) in FILES.iter().zip(&self.files) {
            laptop.write_file(path, &format!("[client]\n{all}[host.\"local*\"]\n{host}"))?;
        }
        Ok(())
    }

    fn run(&self, laptop: &Host, more: &[&str]) -> Result<Output> {
        let line: Vec<_> = more.iter().map(|&word| word.to_owned()).chain(self.flags.clone()).collect();
        let environment: Vec<_> = self.environment.iter().map(|(name, value)| (&**name, &**value)).collect();
        run(laptop, OURS, &[line, vec![HOST.to_owned()]].concat(), &environment)
    }
}

fn flag(key: &str, value: &Value) -> String {
    let name = key.replace('_', "-");
    match value {
        Value::Bool(true) => format!("--{name}"),
        Value::Bool(false) => format!("--no-{name}"),
        value => format!("--{name}={}", value.as_str().unwrap_or_default()),
    }
}

fn shown(laptop: &Host, sources: &Sources) -> Result<BTreeMap<String, Value>> {
    let output = sources.run(laptop, &["-G", "--json"])?;
    ensure!(output.status.success() && output.stderr.is_empty(), "{sources:?}: {output}");
    let answer: Value = serde_json::from_str(&output.stdout)?;
    let settings = answer["settings"].as_object().context("settings")?;
    Ok(settings.iter().map(|(key, held)| (key.clone(), held["value"].clone())).collect())
}

fn does_what_is_shown(laptop: &Host, sources: &Sources) -> Result<()> {
    sources.write(laptop)?;
    let shown = shown(laptop, sources)?;
    let output = sources.run(laptop, &[])?;
    ensure!(output.status.success(), "{sources:?}: {output}");
    let has_channel = shown["carry"] == true || shown["punch"] == true;
    let told_of_relay = told_of_relay(&shown);
    let seen = Seen { laptop, output, is_local: shown["local"] == true, has_channel, told_of_relay };
    for (key, value) in &shown {
        let is_so = seen.is_so(key, value).with_context(|| format!("{key}: {sources:?}"))?;
        ensure!(is_so, "{key} is shown as {value}: {sources:?}\n{}", seen.all());
    }
    Ok(())
}

/// Of the files none is there.
fn told_of_relay(shown: &BTreeMap<String, Value>) -> Option<String> {
    shown["turn"].as_str().filter(|_| shown["punch"] == true)?;
    let [user, password, secret] =
        ["turn_user", "turn_password_file", "turn_secret_file"].map(|key| shown[key].as_str());
    let told = match (user, password, secret) {
        (_, Some(_), Some(_)) => "both turn_password_file and turn_secret_file are said",
        (_, None, None) => "a TURN server wants to know whom it relays for",
        (None, Some(_), None) => "turn_password_file is said, but not whose password it is",
        (Some(_), Some(file), None) | (_, None, Some(file)) => file,
    };
    Some(format!("no TURN server is used: {told}"))
}

/// What a connection has started, and how.
struct Seen<'a> {
    laptop: &'a Host,
    output: Output,
    is_local: bool,
    /// The host is asked for one.
    has_channel: bool,
    /// What nobody can be relayed with, if a relay is named.
    told_of_relay: Option<String>,
}

impl Seen<'_> {
    fn is_so(&self, key: &str, value: &Value) -> Result<bool> {
        let text = value.as_str();
        let ssh = [self.record("ssh"), self.record("myssh")].concat();
        let by_ssh = |is_so: bool| is_so || self.is_local;
        let (server, command) = self.server()?;
        Ok(match key {
            "client" => !self.client(text.context("a program")?)?.is_empty(),
            "server" => {
                let words: Vec<_> = text.unwrap_or("mosh-server").split(' ').collect();
                server.starts_with(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
            }
            "predict" => self.client_has("MOSH_PREDICTION_DISPLAY", text.unwrap_or_default())?,
            "predict_overwrite" => {
                self.client_has("MOSH_PREDICTION_OVERWRITE", if value == true { "yes" } else { "" })?
            }
            "init" => self.client_has("MOSH_NO_TERM_INIT", if value == true { "" } else { "1" })?,
            "family" => {
                let family =
                    [("inet", "-4"), ("inet6", "-6")].into_iter().find(|(name, _)| Some(*name) == text);
                let said = ssh.iter().find(|word| ["-4", "-6"].contains(&word.as_str()));
                by_ssh(said.map(String::as_str) == family.map(|(_, word)| word))
            }
            "port" => behind(&server, "-p") == text,
            "bind_server" => match text {
                Some("any") => behind(&server, "-i").is_none() && !has(&server, "-s"),
                Some(address) => behind(&server, "-i") == Some(address),
                None => has(&server, "-s"),
            },
            "ssh" => {
                let (program, options) = text.unwrap_or_default().split_once(' ').unwrap_or(("ssh", ""));
                let words = self.record(program);
                let options = options.split_whitespace();
                by_ssh(!words.is_empty() && options.clone().eq(words.iter().take(options.count())))
            }
            "ssh_pty" => by_ssh(has(&ssh, "-tt") == (value == true)),
            "carry" | "punch" => {
                by_ssh(ssh.iter().any(|word| word.contains("moshpunch_channel=1")) == self.has_channel)
            }
            // Nothing before the first round, which a host without moshpunch takes none of.
            "stun" => true,
            "turn" | "turn_user" | "turn_password_file" | "turn_secret_file" => {
                let told = self.output.stderr.lines().find(|line| line.contains("no TURN server is used"));
                match (told, &self.told_of_relay) {
                    (Some(told), Some(expected)) => told.contains(expected),
                    (told, expected) => told.is_none() && expected.is_none(),
                }
            }
            "local" => ssh.is_empty() == (value == true),
            "experimental_remote_ip" => {
                let goes_to = ssh.iter().take_while(|word| *word != "--").last();
                let is_resolved = goes_to.is_some_and(|word| word != HOST);
                let is_openssh = has(&ssh, "ControlMaster=no");
                by_ssh(is_openssh == (text == Some("proxy")) && is_resolved == (text == Some("local")))
            }
            "tmux" => text.map_or(command.is_empty(), |name| has(&command, name)),
            "verbose" => {
                (self.output.stderr.contains("logging in to")
                    || self.output.stderr.contains("starting mosh-server"))
                    == (value == true)
            }
            "log" => {
                let written = ["log", "log2"].map(|name| format!("{RECORDS}/{name}"));
                written.iter().all(|path| self.laptop.read_file(path).is_ok() == (text == Some(path)))
            }
            key => bail!("{key} is new: say here what a connection does by it"),
        })
    }

    fn record(&self, program: &str) -> Vec<String> {
        let text = self.laptop.read_file(&format!("{RECORDS}/{program}")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Its words, and those of what it is to run.
    fn server(&self) -> Result<(Vec<String>, Vec<String>)> {
        let mut words = [self.record("mosh-server"), self.record("server2")].concat();
        ensure!(!words.is_empty(), "no server was started: {}", self.output);
        let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
        let command = words.split_off(end);
        Ok((words, command))
    }

    fn client(&self, program: &str) -> Result<Vec<String>> {
        Ok(self.record(program.rsplit('/').next().context("a name")?))
    }

    fn client_has(&self, variable: &str, value: &str) -> Result<bool> {
        let words = [self.client("mosh-client")?, self.client("client2")?].concat();
        Ok(has(&words, &format!("{variable}={value}")))
    }

    fn all(&self) -> String {
        let programs = ["ssh", "myssh", "mosh-server", "server2", "mosh-client", "client2"];
        let records: Vec<_> = programs.iter().map(|program| (program, self.record(program))).collect();
        format!("{records:?}\n{}", self.output)
    }
}

fn has(words: &[String], word: &str) -> bool {
    words.iter().any(|one| one == word)
}

fn behind<'a>(words: &'a [String], option: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| word == option)?;
    words.get(at + 1).map(String::as_str)
}

fn raise_with_files(lab: &Lab) -> Result<Host> {
    let laptop = raise(lab)?;
    laptop.command("mkdir").arg("/etc/moshpunch").run(PATIENCE)?;
    laptop.command("mkdir").args(["-p", "/home/alice/.config/moshpunch"]).as_user(USER).run(PATIENCE)?;
    Ok(laptop)
}

fn each_setting_does_what_is_shown_whoever_says_it(lab: &Lab) -> Result<()> {
    let laptop = raise_with_files(lab)?;
    does_what_is_shown(&laptop, &Sources::default())?;
    for (key, default) in shown(&laptop, &Sources::default())? {
        let value = &samples(&key, &default)?[0];
        ensure!(*value != default, "{key}: {value} is the default");
        for source in 0..SOURCES {
            let mut sources = Sources::default();
            sources.say(source, &key, value);
            sources.write(&laptop)?;
            ensure!(shown(&laptop, &sources)?[&key] == *value, "{key}: {sources:?}");
            does_what_is_shown(&laptop, &sources)?;
        }
    }
    Ok(())
}

fn what_many_say_does_what_is_shown(lab: &Lab) -> Result<()> {
    let laptop = raise_with_files(lab)?;
    let defaults = shown(&laptop, &Sources::default())?;
    let mut random = Rng::with_seed(1);
    for _ in 0..COMBINATIONS {
        let mut sources = Sources::default();
        for (key, default) in &defaults {
            for source in (0..SOURCES).filter(|_| random.u8(0..4) == 0).collect::<Vec<_>>() {
                sources.say(source, key, &samples(key, default)?[random.usize(0..2)]);
            }
        }
        does_what_is_shown(&laptop, &sources)?;
    }
    Ok(())
}

fn whatever_the_file_is_there_is_a_session_and_one_line(lab: &Lab) -> Result<()> {
    let laptop = raise_with_files(lab)?;
    let [file, _] = FILES;
    for (made, told) in [
        ("printf '[client]\\r\\n\\tpredict\\t= \"never\"\\r\\n' >F", None),
        ("printf '[client]\\npredict = \"never\"' >other; ln -s other F", None),
        (
            "printf '[client]\\nprot = 1\\n' >F",
            Some(":2: \"prot\" is no key of [client], and is left out; the nearest key is \"port\""),
        ),
        (
            "printf '[client]\\n# \\374\\n' >F",
            Some(":2: is not UTF-8; the line is left out; correct or remove it"),
        ),
        ("printf '[client]\\nport = 1:2\\n' >F", Some(":2: ")),
        (
            "head -c 4096 /dev/zero >F",
            Some(":1: no text has NUL bytes; the file is no TOML, and is left out"),
        ),
        ("printf '[client]\\npredict = \"never\"' >F; chmod 664 F", None),
        ("printf x >F; chmod 0 F", Some(" cannot be read (Permission denied")),
        ("mkdir F", Some(" is no file, and is left out; put one in its place, or remove it")),
        ("truncate -s 100M F", Some(" is longer than 256 KiB, and is left out; shorten it")),
        // Each C library has words of its own for that.
        ("ln -s F F", Some(" cannot be read (")),
        ("mkfifo F", Some(" is no file, and is left out; put one in its place, or remove it")),
        ("ln -s /dev/zero F", Some(" is no file, and is left out; put one in its place, or remove it")),
        (
            "printf '[client]\\nssh = \"false\"\\n' >F; chmod 666 F",
            Some(" can be written by others, and is left out; `chmod go-w "),
        ),
    ] {
        let script =
            format!("cd {}; rm -rf F config.toml other; {made}", file.trim_end_matches("/config.toml"));
        let script = script.replace('F', "config.toml");
        laptop.command("sh").args(["-c", &script]).as_user(USER).run(PATIENCE)?;
        let output = Sources::default().run(&laptop, &[])?;
        ensure!(output.status.success(), "{made}: {output}");
        let ours: Vec<_> = output.stderr.lines().filter(|line| line.contains(file)).collect();
        match told {
            None => ensure!(ours.is_empty(), "{made}: {output}"),
            Some(told) => {
                ensure!(ours.len() == 1, "{made}: one line was expected: {output}");
                ensure!(ours[0].starts_with(&format!("moshpunch: {file}{told}")), "{made}: {output}");
            }
        }
        let words = laptop.read_file(&format!("{RECORDS}/mosh-client"))?;
        let expected = if told.is_none() { "never" } else { "adaptive" };
        ensure!(words.contains(&format!("MOSH_PREDICTION_DISPLAY={expected}\n")), "{made}: {words}");
    }
    Ok(())
}
