//! Each setting, from each source, as the tables have them: a new one is tested by being there.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use client::configuration::{Configuration, Families, Predict};
use wire::Bind;

use super::document::Document;
use super::*;
use crate::arguments::{ConnectArguments, Order};

/// What all sources say, the later ones below the earlier.
#[derive(Debug, Default, Clone)]
struct Sources {
    flags: Vec<String>,
    environment: BTreeMap<String, String>,
    user: String,
    machine: String,
}

const USER: &str = "/home/alice/.config/moshpunch/config.toml";
const MACHINE: &str = "/etc/moshpunch/config.toml";

impl Sources {
    fn resolved(&self, host: &str) -> Result<(Resolved<Connection>, ConnectArguments)> {
        let words = ["moshpunch".to_owned()].into_iter().chain(self.flags.clone()).chain([host.to_owned()]);
        let arguments = ConnectArguments::parse_words(words.map(OsString::from), Order::Free).unwrap();
        let environment =
            Layer::of_the_environment::<Connection>(|name| self.environment.get(name).map(OsString::from));
        let mut files = Layer::of_a_file::<Connection>(self.user.as_bytes(), Path::new(USER), host);
        files.extend(Layer::of_a_file::<Connection>(self.machine.as_bytes(), Path::new(MACHINE), host));
        Ok((resolve(Connection::of(host), &arguments.flags.said, environment, files)?, arguments))
    }

    fn configuration(&self, host: &str) -> Configuration {
        let (resolved, arguments) = self.resolved(host).unwrap();
        resolved.settings.configuration(&arguments.command, None)
    }

    /// What is said of one setting, and by whom.
    fn held(&self, name: &str, host: &str) -> (Option<String>, String) {
        let (Resolved { held, left_out, .. }, _) = self.resolved(host).unwrap();
        assert_eq!(left_out, [], "{self:?}");
        let Held { text, source, .. } = held.into_iter().find(|held| held.setting.name == name).unwrap();
        (text.map(|text| text.into_string().unwrap()), source.to_string())
    }

    fn left_out(&self, host: &str) -> Vec<String> {
        let (Resolved { left_out, .. }, _) = self.resolved(host).unwrap();
        left_out.iter().map(Told::in_one_line).collect()
    }
}

fn flags(line: &str) -> Sources {
    Sources { flags: shell_words::split(line).unwrap(), ..Sources::default() }
}

fn user(text: &str) -> Sources {
    Sources { user: text.to_owned(), ..Sources::default() }
}

type One = Setting<Connection>;

/// Two that are not the default, of a switch the same twice. Say them for a new setting, too.
fn samples(setting: &One) -> [&'static str; 2] {
    match setting.name {
        _ if setting.kind == Kind::Switch => {
            [if setting.default == Some("true") { "false" } else { "true" }; 2]
        }
        "client" => ["/opt/mosh-client", "mosh-client2"],
        "server" => ["server2 --more \"a b\"", "moshpunch server --lease 7"],
        "predict" => ["never", "always"],
        "family" => ["inet6", "inet"],
        "port" => ["60010:60020", "7"],
        "bind-server" => ["any", "::1"],
        "ssh" => ["ssh -p 2222", "myssh 'a b'"],
        "experimental-remote-ip" => ["local", "remote"],
        "tmux" => ["work", "home"],
        "stun" => ["stun:stun.example.org", "stun:20.0.0.3:5, stun:[2a00:7::3]"],
        "turn" => ["turn:turn.example.org", "turn:20.0.0.3:5?transport=udp"],
        "turn-user" => ["alice", "bob"],
        "turn-password-file" | "turn-secret-file" => ["/tmp/secret", "secret"],
        "log" => ["/tmp/log", "log"],
        name => panic!("{name}: name two values of it"),
    }
}

fn flag(setting: &One, value: &str) -> String {
    match (setting.kind, value) {
        (Kind::Switch, "true") => format!("--{}", setting.name),
        (Kind::Switch, _) => format!("--no-{}", setting.name),
        (_, value) => format!("--{}={value}", setting.name),
    }
}

fn line(setting: &One, value: &str) -> String {
    let value = if setting.kind == Kind::Switch { value.to_owned() } else { format!("'''{value}'''") };
    format!("{} = {value}\n", setting.key())
}

/// By each source alone, the first of all first.
fn by_each_source(setting: &One, value: &str) -> Vec<(Sources, String)> {
    let line = line(setting, value);
    let variable = setting.variable();
    let environment = [(variable.clone(), value.to_owned())].into();
    let flag = flag(setting, value);
    let name = flag.split('=').next().unwrap_or_default().to_owned();
    vec![
        (Sources { flags: vec![flag], ..Sources::default() }, name),
        (Sources { environment, ..Sources::default() }, variable),
        (user(&format!("[host.\"h*\"]\n{line}")), format!("{USER}:2 [host.\"h*\"]")),
        (user(&format!("[client]\n{line}")), format!("{USER}:2 [client]")),
        (
            Sources { machine: format!("[host.host]\n{line}"), ..Sources::default() },
            format!("{MACHINE}:2 [host.\"host\"]"),
        ),
        (
            Sources { machine: format!("[client]\n{line}"), ..Sources::default() },
            format!("{MACHINE}:2 [client]"),
        ),
    ]
}

/// Of both, the first counts wherever both speak.
fn together(first: &Sources, second: &Sources) -> Sources {
    Sources {
        flags: [second.flags.clone(), first.flags.clone()].concat(),
        environment: second.environment.clone().into_iter().chain(first.environment.clone()).collect(),
        user: format!("{}{}", first.user, second.user),
        machine: format!("{}{}", first.machine, second.machine),
    }
}

#[test]
fn every_setting_means_the_same_from_every_source() {
    for setting in Connection::ALL {
        for value in samples(setting) {
            let expected = flags(&format!("'{}'", flag(setting, value).replace('\'', "\\'")));
            let expected = Sources { flags: vec![flag(setting, value)], ..expected }.configuration("host");
            assert_ne!(expected, Sources::default().configuration("host"), "{} {value}", setting.name);
            for (sources, source) in by_each_source(setting, value) {
                assert_eq!(sources.configuration("host"), expected, "{sources:?}");
                assert_eq!(
                    sources.held(setting.name, "host"),
                    (Some(value.to_owned()), source),
                    "{sources:?}"
                );
            }
        }
    }
}

#[test]
fn of_two_sources_the_first_holds() {
    for setting in Connection::ALL {
        let [first, second] = samples(setting).map(|value| by_each_source(setting, value));
        for (above, (high, source)) in first.iter().enumerate() {
            for (low, _) in &second[above + 1..] {
                let held = together(high, low).held(setting.name, "host");
                let said = high.held(setting.name, "host").0;
                assert_eq!(
                    (held.0, held.1.split(':').next()),
                    (said, source.split(':').next()),
                    "{high:?} {low:?}"
                );
            }
        }
    }
}

#[test]
fn every_setting_can_be_taken_back_by_every_source_above() {
    for setting in Connection::ALL {
        let said = by_each_source(setting, samples(setting)[0]);
        let off = setting.negated().map(|text| text.into_string().unwrap());
        let nothing = off.clone().or_else(|| setting.default.map(str::to_owned));
        let negation = setting.flag.as_ref().and_then(|flag| flag.negation);
        let negation =
            negation.map_or_else(|| flag(setting, setting.default.unwrap()), |name| format!("--{name}"));
        let false_ = format!("{} = false\n", setting.key());
        let environment = [(setting.variable(), String::new())].into();
        for (above, negating) in [
            (1, Sources { flags: vec![negation], ..Sources::default() }),
            (2, Sources { environment, ..Sources::default() }),
            (3, user(&format!("[host.\"*\"]\n{false_}"))),
            (4, user(&format!("[client]\n{false_}"))),
        ] {
            for (low, _) in &said[above..] {
                assert_eq!(
                    together(&negating, low).held(setting.name, "host").0,
                    nothing,
                    "{negating:?} {low:?}"
                );
            }
        }
    }
}

#[test]
fn what_is_nowhere_said_is_as_the_client_has_it() {
    let (resolved, _) = Sources::default().resolved("host").unwrap();
    assert_eq!(resolved.settings, Connection::of("host"));
    for Held { setting, text, source } in resolved.held {
        assert_eq!(
            (text.as_deref(), source),
            (setting.default.map(OsStr::new), Source::Default),
            "{}",
            setting.name
        );
    }
}

/// Some settings, said by some sources.
fn mixed(random: &mut fastrand::Rng) -> Sources {
    let mut sources = Sources::default();
    for setting in Connection::ALL {
        for (one, _) in by_each_source(setting, samples(setting)[random.usize(0..2)]) {
            if random.u8(0..4) == 0 {
                sources = mix(sources, one);
            }
        }
    }
    sources
}

/// A section is written once: its lines are added to it.
fn mix(sources: Sources, one: Sources) -> Sources {
    let file = |text: String, more: String| match more.split_once('\n') {
        Some((header, line)) if text.contains(header) => {
            text.replacen(header, &format!("{header}\n{line}"), 1)
        }
        _ => text + &more,
    };
    Sources {
        flags: [sources.flags, one.flags].concat(),
        environment: sources.environment.into_iter().chain(one.environment).collect(),
        user: file(sources.user, one.user),
        machine: file(sources.machine, one.machine),
    }
}

#[test]
fn what_is_shown_says_as_a_file_what_holds() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..100 {
        let sources = mixed(&mut random);
        let (Resolved { held, left_out, .. }, _) = sources.resolved("host").unwrap();
        assert_eq!(left_out, [], "{sources:?}");
        let shown = shown::text(&held);
        assert_eq!(shown.lines().count(), 1 + Connection::ALL.len(), "{shown}");
        assert_eq!(user(&shown).left_out("host"), [""; 0], "{shown}");
        assert_eq!(user(&shown).configuration("host"), sources.configuration("host"), "{sources:?}\n{shown}");
    }
}

#[test]
fn what_is_shown_names_who_says_it() {
    let mut sources = flags("-a --log '/tmp/\u{1b}\"x' --no-tmux");
    sources.environment =
        [("MOSHPUNCH_PORT".into(), "60001".into()), ("MOSH_NO_TERM_INIT".into(), "".into())].into();
    sources.user = "[host.\"h*\"]\nssh = \"ssh -p 2\"\n".into();
    let (Resolved { held, .. }, _) = sources.resolved("host").unwrap();
    let shown = shown::text(&held);
    for line in [
        "client = \"mosh-client\"      # default",
        "server = false              # default",
        "predict = \"always\"          # -a",
        "port = \"60001\"              # MOSHPUNCH_PORT",
        "ssh = \"ssh -p 2\"            # /home/alice/.config/moshpunch/config.toml:2 [host.\"h*\"]",
        "init = false                # MOSH_NO_TERM_INIT",
        "tmux = false                # --no-tmux",
        "log = \"/tmp/\\U0000001B\\\"x\"  # --log",
    ] {
        assert!(
            shown.lines().any(|shown| shown.split_whitespace().eq(line.split_whitespace())),
            "{line}\n{shown}"
        );
    }
    let json: serde_json::Value = serde_json::from_str(&shown::json("host", &held, &["x".into()])).unwrap();
    assert_eq!((&json["host"], &json["left_out"][0]), (&"host".into(), &"x".into()));
    let settings = &json["settings"];
    assert_eq!(settings["ssh"]["source"]["line"], 2);
    assert_eq!(
        settings["init"],
        serde_json::json!({ "value": false, "source": { "kind": "variable", "name": "MOSH_NO_TERM_INIT" } })
    );
    assert_eq!(settings["server"]["value"], serde_json::Value::Null);
}

#[test]
fn the_first_section_that_matches_the_host_holds_for_each_key() {
    let file = "[client]\nport = 1\nlog = \"c\"\n[host.\"*.lan !router.lan\"]\nport = 2\nssh = \"a\"\n\
                [host.\"*\"]\nport = 3\nssh = \"b\"\npredict = \"never\"\n";
    let held = |name, host| user(file).held(name, host).0.unwrap();
    for (host, port, ssh) in
        [("a.lan", "2", "a"), ("alice@a.lan", "2", "a"), ("router.lan", "3", "b"), ("x", "3", "b")]
    {
        assert_eq!((held("port", host).as_str(), held("ssh", host).as_str()), (port, ssh), "{host}");
        assert_eq!((held("predict", host).as_str(), held("log", host).as_str()), ("never", "c"), "{host}");
    }
}

#[test]
fn what_is_unknown_or_wrong_is_left_out_alone_and_told() {
    let file = "port = 1\n[client]\nprot = 2\nport = 70000\nssh-pty = false\nverbose = 1\npredict = \"often\"\n\
                log = \"/tmp/log\"\nssh = 'a \"b'\nno_init = true\n[host.never]\nlease = 7\n[clinet]\nx = 1\n\
                [newer]\nx = 1\n";
    let sources = Sources { environment: [("MOSHPUNCH_FAMILY".into(), "x".into())].into(), ..user(file) };
    let expected = [
        "MOSHPUNCH_FAMILY: \"x\" is none of inet, inet6, auto, all, prefer-inet, prefer-inet6, and is left out; correct or remove it",
        "F:1: \"port\" is in no section, and is left out; put it below [client], or [host.\"PATTERN\"]",
        "F:3: \"prot\" is no key of [client], and is left out; the nearest key is \"port\"",
        "F:4: port: port 70000 is not from 0 to 65535, and is left out; correct or remove it",
        "F:5: \"ssh-pty\" is no key of [client], and is left out; the nearest key is \"ssh_pty\"",
        "F:6: verbose: true or false was expected, and is left out; correct or remove it",
        "F:7: predict: \"often\" is none of adaptive, always, never, experimental, and is left out; correct or remove it",
        "F:9: ssh: \"a \\\"b\" is no command: look at its quotes, and is left out; correct or remove it",
        "F:10: \"no_init\" is no key of [client], and is left out; the nearest key is \"init\"",
        "F:12: \"lease\" is no key of [host.\"never\"], and is left out; it is one of [server]",
        "F:13: [clinet] is no section, and is left out; write [client]",
    ];
    let told: Vec<_> = sources.left_out("host").iter().map(|line| line.replace(USER, "F")).collect();
    assert_eq!(told, expected);
    let expected = Configuration { log: Some("/tmp/log".into()), ..Configuration::of("host") };
    assert_eq!(sources.configuration("host"), expected);
    let (Resolved { unknown_sections, .. }, _) = sources.resolved("host").unwrap();
    assert_eq!(unknown_sections, [format!("{USER}:15: [newer]")]);
}

#[test]
fn what_cannot_be_read_is_told_in_the_order_of_the_file_with_all_that_is_left_out_for_it() {
    let file = "[client]\nport=60001-60005\nprot = 1\n[client]\nlog = \"a\"\n\n[host.example.org]\nx = 1\n[[host.work]]\n\
                [Host.work]\n[sever]\n[host.*]\nport = 1\n[server]\nssh = '''\na\\n'''b\nx = 1\n";
    let expected = [
        "F:2: port: the value is no number, neither true nor false, and no text in quotes; the line is left out; correct or remove it",
        "F:3: \"prot\" is no key of [client], and is left out; the nearest key is \"port\"",
        "F:4: duplicate key; the line, with what stands below it to line 5, is left out; correct or remove it",
        "F:7: [host.example.org] is for no host, and is left out; write [host.\"example.org\"]",
        "F:9: [[host.\"work\"]] is a list, and is left out; write [host.\"PATTERN\"]",
        "F:10: [Host] is no section, and is left out; write [host.\"PATTERN\"]",
        "F:12: a pattern stands in quotes; the line, with what stands below it to line 13, is left out; correct or remove it",
        "F:16: unexpected key or value, expected newline, `#`; all from line 15 to line 17 is left out; correct or remove it",
    ];
    let told: Vec<_> = user(file).left_out("work").iter().map(|line| line.replace(USER, "F")).collect();
    assert_eq!(told, expected);
    let of_the_host =
        Layer::of_a_file::<host::configuration::Configuration>(file.as_bytes(), Path::new("F"), "");
    assert!(of_the_host.left_out.iter().any(|told| told.what.starts_with("F:11: [sever] is no section")));
    assert!(!of_the_host.left_out.iter().any(|told| told.what.contains("[Host]")));
}

#[test]
fn a_file_that_is_none_is_told_once() {
    let script = "#!/bin/sh\n".to_owned() + &"echo $((1 + 1)) | grep 2\n".repeat(100);
    let told = user(&script).left_out("host");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("; the file is no TOML, and is left out; correct or remove it"), "{told:?}");
}

#[test]
fn what_is_told_is_short() {
    let long = "x".repeat(100_000);
    let told = user(&format!("[client]\n{long} = 1\nssh = '\"{long}'\n[host.{long}]\n{long} = 1\n"))
        .left_out("host");
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|line| line.len() < 600), "{told:?}");
}

/// The header that a reader of the file would take for that of the line with `word`.
fn header_above<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let above = text.lines().take_while(|line| !line.contains(word));
    let may_be_header = |line: &&str| {
        line.trim_start().starts_with('[') || (line.trim_end().ends_with(']') && !line.contains('='))
    };
    above.filter(may_be_header).last()
}

#[test]
fn whatever_is_wrong_with_a_header_no_key_comes_below_another() {
    const EDITS: &[u8] = b"[]\"'=\n\xff .{,";
    let file = "[client]\nport = 1\nssh = \"\"\"a\nb\"\"\"\n[host.a]\nlog = \"2\"\nserver = '''\n[client]\nverbose = true\n\
                local = true'''\n[host.'b']\npredict = \"never\"\n";
    let mut random = fastrand::Rng::with_seed(3);
    let mut wrong = 0;
    for _ in 0..3_000 {
        let mut bytes = file.as_bytes().to_vec();
        for _ in 0..random.usize(1..4) {
            let (at, edit) = (random.usize(0..bytes.len()), random.choice(EDITS).copied().unwrap());
            match random.u8(0..3) {
                0 => drop(bytes.remove(at)),
                1 => bytes[at] = edit,
                _ => bytes.insert(at, edit),
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let layer = Layer::of_a_file::<Connection>(&bytes, Path::new(USER), "c");
        if layer.left_out.is_empty() {
            continue;
        }
        wrong += 1;
        let text_became_a_key = layer.said.iter().any(|said| ["verbose", "local"].contains(&said.name));
        assert!(!text_became_a_key, "{layer:?} of\n{text}");
        for said in layer.said.iter().filter(|said| ["log", "predict", "server"].contains(&said.name)) {
            let header = header_above(&text, said.name).unwrap_or_default();
            let alone = Document::parse(format!("{header}\nx = 1\n").as_bytes()).unwrap();
            let is_for_c = |entry: &document::Entry| Connection::rank(&entry.section, "c").is_some();
            assert!(alone.entries.iter().any(is_for_c), "{said:?} in\n{text}");
        }
    }
    assert!(wrong > 500, "{wrong}");
}

#[test]
fn of_many_only_some_are_told() {
    let trouble = |number: usize| Told { what: number.to_string(), cure: None };
    let told = few((0..100).map(trouble).collect());
    assert_eq!((told.len(), told[7].what.as_str()), (MOST_TOLD, "93 more of these are left out"));
    assert_eq!(few((0..8).map(trouble).collect()).len(), 8);
}

#[test]
fn moshs_own_variables_stand_below_ours_and_above_the_file() {
    let predict = |line, ours: Option<&str>, moshs: Option<&str>, file| {
        let variables = [("MOSHPUNCH_PREDICT", ours), ("MOSH_PREDICTION_DISPLAY", moshs)];
        let variables =
            variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        Sources { environment: variables.collect(), user: format!("[client]\n{file}"), ..flags(line) }
    };
    for (sources, expected) in [
        (predict("", None, None, ""), Predict::Adaptive),
        (predict("", None, Some("never"), "predict = 'always'"), Predict::Never),
        (predict("", Some("always"), Some("never"), ""), Predict::Always),
        (predict("-a", None, Some("never"), ""), Predict::Always),
        (predict("-a", None, Some("often"), ""), Predict::Always),
    ] {
        assert_eq!(sources.configuration("host").predict, expected, "{sources:?}");
    }
    let error = predict("", None, Some("often"), "").resolved("host").unwrap_err();
    let expected = "MOSH_PREDICTION_DISPLAY: \"often\" is none of adaptive, always, never, experimental";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn ssh_is_split_as_moshs_script_does() {
    let ssh = flags("--ssh='ssh -p 8022 -o \"User a\"'").configuration("host").ssh;
    assert_eq!(ssh, ["ssh", "-p", "8022", "-o", "User a"]);
}

#[test]
fn in_tmux_the_command_is_one_of_its_script() {
    let resolved = flags("--tmux=work").resolved("host").unwrap().0.settings;
    let script = resolved.configuration(&["ls".into()], None).command;
    assert_eq!(script.first().unwrap(), "sh");
    assert!(script.contains(&"work".into()) && script.last().unwrap() == "ls", "{script:?}");
}

#[test]
fn tmux_may_be_switched_on_without_a_name() {
    assert_eq!(user("[client]\ntmux = true\n").held("tmux", "host").0.unwrap(), "mosh");
    assert_eq!(user("[client]\ntmux = false\n").held("tmux", "host").0, None);
}

#[test]
fn a_single_family_excludes_the_other() {
    let families = |line| flags(line).configuration("host").families;
    assert_eq!(families("-4"), Families::Only(path::Family::V4));
    assert_eq!(families("--family=inet6"), Families::Only(path::Family::V6));
    assert_eq!(families("--family=prefer-inet6"), Families::All);
}

#[test]
fn locally_the_host_is_where_the_server_listens() {
    let bind = |line, host| flags(line).configuration(host).bind;
    assert_eq!(bind("--local", "::1"), Some(Bind::Address("::1".into())));
    assert_eq!(bind("--local --bind-server=ANY", "::1"), Some(Bind::Any));
    assert_eq!(bind("--bind-server=ssh", "host"), Some(Bind::Ssh));
    assert_eq!(bind("", "host"), None);
    let shown = |line| flags(line).held("bind-server", "::1");
    for (line, source) in
        [("--local", "default"), ("--local --bind-server=any --no-bind-server", "--no-bind-server")]
    {
        assert_eq!(shown(line), (Some("::1".to_owned()), source.to_owned()));
    }
    assert_eq!(shown("--local --bind-server=any").0.as_deref(), Some("any"));
}

#[test]
fn what_is_shown_drives_no_terminal() {
    let value = "a\u{1b}\u{7f}\u{9b}\u{202e}b";
    let (Resolved { held, .. }, _) = flags(&format!("--log='{value}'")).resolved("host").unwrap();
    let json = shown::json("ho\u{202e}st", &held, &[format!("\u{9b}{value}")]);
    for shown in [json.clone(), shown::text(&held)] {
        assert_eq!(report::sanitized(&shown.replace('\n', "")), shown.replace('\n', ""));
    }
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["settings"]["log"]["value"], value);
    assert_eq!(json["host"], "ho\u{202e}st");
}

#[test]
fn what_no_file_can_say_is_shown_as_a_comment_and_by_its_bytes() {
    let log = OsStr::from_bytes(b"/tmp/\xff\"").to_owned();
    let variable = |name: &str| (name == "MOSHPUNCH_LOG").then(|| log.clone());
    let environment = Layer::of_the_environment::<Connection>(variable);
    let Resolved { held, .. } = resolve(Connection::of("host"), &[], environment, Layer::default()).unwrap();
    let shown = shown::text(&held);
    assert!(shown.contains("\n# log = \"/tmp/\\xff\\\"\" "), "{shown}");
    assert_eq!(user(&shown).left_out("host"), [""; 0]);
    let json: serde_json::Value = serde_json::from_str(&shown::json("host", &held, &[])).unwrap();
    assert_eq!(json["settings"]["log"]["bytes"], serde_json::json!(log.as_bytes()));
    assert_eq!(json["settings"]["ssh"].get("bytes"), None);
}

#[test]
fn a_path_in_the_file_may_begin_at_home() {
    let log = user("[client]\nlog = \"~/log\"\n").configuration("host").log.unwrap();
    assert_eq!(Some(log), env::home_dir().map(|home| home.join("log")));
    let home = |path: &str| user(&format!("[client]\nlog = \"{path}\"\n")).configuration("host").log;
    assert_eq!(
        (home("~"), home("~/")),
        (env::home_dir().map(|home| home.join("")), env::home_dir().map(|home| home.join("")))
    );
    assert_eq!(home("./~x"), Some("./~x".into()));
    let told = user("[client]\nlog = \"~bob/log\"\n").left_out("host");
    let expected = "log: \"~bob/log\" begins with ~, but not with ~/; write the whole path, and is left out; correct or remove it";
    assert!(told.len() == 1 && told[0].ends_with(expected), "{told:?}");
}

#[test]
fn true_and_false_mean_in_a_variable_what_they_mean_in_the_file() {
    for setting in Connection::ALL {
        for (word, value) in [("true", "true"), ("FALSE", "false")] {
            let file = user(&format!("[client]\n{} = {value}\n", setting.key()));
            let environment = [(setting.variable(), word.to_owned())].into();
            let variable = Sources { environment, ..Sources::default() };
            let why = |sources: &Sources| {
                let told = sources.left_out("host").pop()?;
                Some(told.rsplit(": ").next().unwrap_or_default().to_owned())
            };
            assert_eq!(why(&variable), why(&file), "{} {word}", setting.name);
            assert_eq!(variable.configuration("host"), file.configuration("host"), "{} {word}", setting.name);
        }
    }
}

#[test]
fn several_servers_are_a_list_or_stand_with_commas_between() {
    let holds = |value: &str| user(&format!("[client]\nstun = {value}\n")).configuration("host").stun;
    let servers = holds("[\"stun:20.0.0.3\", \"stun:20.0.0.4\"]");
    assert_eq!(servers.len(), 2);
    assert_eq!(holds("\"stun:20.0.0.3, stun:20.0.0.4\""), servers);
    for (wrong, told) in [
        ("[\"stun:a\", 7]", "a text in quotes was expected"),
        ("[]", "a text was expected"),
        ("\"turn:a\"", "no STUN server"),
        ("\"stuns:a\"", "by UDP alone"),
        ("\"stun:a,stun:b,stun:c,stun:d,stun:e\"", "more than 4"),
    ] {
        let left_out = user(&format!("[client]\nstun = {wrong}\n")).left_out("host");
        assert!(matches!(&left_out[..], [line] if line.contains(told)), "{wrong}: {left_out:?}");
    }
    let of_another = user("[client]\nserver = [\"a\"]\n").left_out("host");
    assert_eq!(of_another.len(), 1, "{of_another:?}");
}

#[test]
fn an_empty_text_is_no_value() {
    for setting in Connection::ALL.iter().filter(|setting| !matches!(setting.kind, Kind::Switch)) {
        let told = user(&format!("[client]\n{} = \"\"\n", setting.key())).left_out("host");
        assert_eq!(told.len(), 1, "{}: {told:?}", setting.name);
        let words = ["moshpunch".into(), format!("--{}=", setting.name).into(), "host".into()];
        assert!(ConnectArguments::parse_words(words, Order::Free).is_err(), "{}", setting.name);
    }
}

/// Of one language: the row of a key, wherever that is.
fn rows<C: Settings>(page: &str) {
    for setting in C::ALL {
        let variables = [Some(setting.variable()), setting.other.as_ref().map(|other| other.name.to_owned())];
        let row = format!("| `{}` |", setting.key());
        let rows: Vec<_> = page.lines().filter(|line| line.starts_with(&row)).collect();
        let has_all =
            |line: &&str| variables.iter().flatten().all(|name| line.contains(&format!("`{name}`")));
        assert!(rows.iter().any(has_all), "{row} {variables:?} in {rows:#?}");
    }
}

#[test]
fn every_key_and_variable_is_in_the_manual() {
    for page in [
        include_str!("../../../../docs/configuration.md"),
        include_str!("../../../../docs/configuration.zh-CN.md"),
    ] {
        rows::<Connection>(page);
        rows::<host::configuration::Configuration>(page);
        let (_, example) = page.split_once("```toml\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        assert_eq!(user(example).left_out("host"), [""; 0]);
        let server =
            Layer::of_a_file::<host::configuration::Configuration>(example.as_bytes(), Path::new(USER), "");
        assert_eq!((server.said.len(), server.left_out), (2, vec![]));
        assert_eq!(user(example).held("tmux", "home").0.as_deref(), Some("mosh"));
        assert_eq!(user(example).held("predict", "new.example.org").0.as_deref(), Some("never"));
    }
}
