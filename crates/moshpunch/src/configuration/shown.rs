//! What `-G` prints: each key with what holds, and who says so.

use std::ffi::OsStr;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::said::{Held, Source};
use super::setting::{Kind, Settings};

/// How `-G` is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// As a section of the file, which would say the same.
pub(super) fn text<C: Settings>(held: &[Held<C>]) -> String {
    let lines: Vec<_> = held.iter().map(|held| (line(held), &held.source)).collect();
    let width = lines
        .iter()
        .map(|(line, _)| line.chars().count())
        .filter(|width| *width <= WIDEST)
        .max()
        .unwrap_or(0);
    lines.iter().fold("[client]\n".to_owned(), |mut text, (line, source)| {
        let _ = writeln!(text, "{line:width$}  # {}", report::sanitized(&source.to_string()));
        text
    })
}

/// What is longer stands out, so that the others need not.
const WIDEST: usize = 48;

pub(super) fn json<C: Settings>(host: &str, held: &[Held<C>], left_out: &[String]) -> String {
    let settings: Map<_, _> = held.iter().map(|held| (held.setting.key(), setting(held))).collect();
    let answer = json!({ "host": host, "settings": settings, "left_out": left_out });
    report::sanitized_json(&format!("{answer:#}\n"))
}

/// With `bytes`, where no text can be them.
fn setting<C>(held: &Held<C>) -> Value {
    let mut setting = json!({ "value": value(held), "source": source(&held.source) });
    if let Some(text) = held.text.as_deref().filter(|text| text.to_str().is_none()) {
        setting["bytes"] = text.as_encoded_bytes().into();
    }
    setting
}

fn value<C>(Held { setting, text, .. }: &Held<C>) -> Value {
    match text.as_deref() {
        None => Value::Null,
        Some(text) if setting.kind == Kind::Switch => (text == "true").into(),
        Some(text) => text.to_string_lossy().into(),
    }
}

fn source(source: &Source) -> Value {
    match source {
        Source::Flag(name) => json!({ "kind": "flag", "name": name }),
        Source::Variable(name) => json!({ "kind": "variable", "name": name }),
        Source::File { path, line, section } => {
            json!({ "kind": "file", "path": path.to_string_lossy(), "line": line, "section": section })
        }
        Source::Default => json!({ "kind": "default" }),
    }
}

/// What is not UTF-8 can be said in no file.
fn line<C: Settings>(held: &Held<C>) -> String {
    let key = held.setting.key();
    match held.text.as_deref().filter(|text| text.to_str().is_none()) {
        Some(bytes) => format!("# {key} = \"{}\"", bytes.as_encoded_bytes().escape_ascii()),
        None => format!("{key} = {}", toml(held)),
    }
}

fn toml<C>(Held { setting, text, .. }: &Held<C>) -> String {
    match text.as_deref() {
        None => "false".to_owned(),
        Some(text) if setting.kind == Kind::Switch => text.to_string_lossy().into_owned(),
        Some(text) => quoted(text),
    }
}

/// A basic string of TOML on one line, which drives no terminal.
fn quoted(text: &OsStr) -> String {
    let mut quoted = String::from("\"");
    for character in text.to_string_lossy().chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if report::sanitized(character.encode_utf8(&mut [0; 4])) != character.to_string() => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted + "\""
}
