//! What is said by whom, and what holds: of a list in which the first word on a setting counts.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use host::configuration::Configuration as Server;
use report::Told;

use super::connection::Connection;
use super::document::{Document, Entry, Section, Unknown, Value, Wrong};
use super::setting::{Setting, Settings};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The setting's.
    pub(crate) name: &'static str,
    /// None: back to the default.
    pub(crate) text: Option<OsString>,
    pub(crate) source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Flag(String),
    Variable(String),
    File { path: PathBuf, line: usize, section: String },
    Default,
}

/// What one source says, and what of it is left out.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    pub(crate) said: Vec<Said>,
    pub(crate) left_out: Vec<Told>,
    /// Sections that may be for another machine or a newer moshpunch, with their file and line.
    pub(crate) unknown_sections: Vec<String>,
}

/// What holds of one setting.
#[derive(Debug)]
pub(crate) struct Held<C: 'static> {
    pub(crate) setting: &'static Setting<C>,
    pub(crate) text: Option<OsString>,
    pub(crate) source: Source,
}

/// # Errors
///
/// A word that holds is not understood, and was not looked at before: whose it is, and why.
pub(crate) fn hold<C: Settings>(said: &[Said], held: &mut C) -> Result<Vec<Held<C>>, String> {
    let hold_one = |setting: &'static Setting<C>| {
        let said = said.iter().find(|said| said.name == setting.name);
        let source = said.map_or(Source::Default, |said| said.source.clone());
        let text = said.and_then(|said| said.text.clone()).or_else(|| setting.default.map(OsString::from));
        let text = text.map(|text| setting.kind.normal(&text)).transpose();
        let set = text.and_then(|text| (setting.set)(held, text.as_deref()).map(|()| text));
        set.map_err(|why| format!("{source}: {why}")).map(|text| Held { setting, text, source })
    };
    C::ALL.iter().map(hold_one).collect()
}

impl Layer {
    pub(crate) fn extend(&mut self, later: Self) {
        self.said.extend(later.said);
        self.left_out.extend(later.left_out);
        self.unknown_sections.extend(later.unknown_sections);
    }

    /// One that is set and empty takes its setting back.
    pub(crate) fn of_the_environment<C: Settings>(value: impl Fn(&str) -> Option<OsString>) -> Self {
        let mut layer = Self::default();
        for setting in C::ALL {
            match of_our_variable(setting, &value) {
                Ok(said) => layer.said.extend(said),
                Err(trouble) => layer.left_out.push(trouble),
            }
            layer.said.extend(of_another_variable(setting, &value));
        }
        layer
    }

    /// The file at `path`, as far as it is about `host`: its patterns in their order, then what is for all.
    pub(crate) fn of_a_file<C: Settings>(bytes: &[u8], path: &Path, host: &str) -> Self {
        let document = match Document::parse(bytes) {
            Ok(document) => document,
            Err(Wrong { line, why, .. }) => {
                let cause = format!("{}:{line}: {why}; the file is no TOML, and is", path.display());
                return Self { left_out: vec![left_out(&cause, CORRECT)], ..Self::default() };
            }
        };
        let wrong = document.wrong.iter().map(|wrong| (wrong.line, wrong_lines(path, wrong)));
        let (mut told, mut ranked): (Vec<_>, _) = (wrong.collect(), Vec::new());
        for entry in document.entries.iter().filter(|entry| C::has(&entry.section)) {
            match of_an_entry::<C>(entry, path) {
                Ok((setting, text)) => ranked.extend(C::rank(&entry.section, host).map(|rank| {
                    let section = entry.section.to_string();
                    let source = Source::File { path: path.to_owned(), line: entry.line, section };
                    (rank, said(setting, text, source))
                })),
                Err(trouble) => told.push((entry.line, trouble)),
            }
        }
        let mut unknown_sections = Vec::new();
        for unknown in &document.unknown {
            match meant::<C>(&unknown.name) {
                Some(meant) => told.push((unknown.line, misspelt(path, unknown, meant))),
                None => unknown_sections.push(header(path, unknown)),
            }
        }
        told.sort_by_key(|(line, _)| *line);
        ranked.sort_by_key(|(rank, _)| *rank);
        Self {
            said: ranked.into_iter().map(|(_, said)| said).collect(),
            left_out: told.into_iter().map(|(_, trouble)| trouble).collect(),
            unknown_sections,
        }
    }
}

const CORRECT: &str = "correct or remove it";

/// Nobody reads more of a key that is none.
const SHOWN_OF_A_KEY: usize = 40;

/// In characters: room for a path, and what is wrong.
const LONGEST_TOLD: usize = 400;

fn said<C>(setting: &Setting<C>, text: Option<OsString>, source: Source) -> Said {
    Said { name: setting.name, text, source }
}

fn left_out(what: &str, cure: &str) -> Told {
    let shown: String = what.chars().take(LONGEST_TOLD).collect();
    let more = if shown.len() < what.len() { "…, and is" } else { "" };
    Told { what: format!("{shown}{more} left out"), cure: Some(cure.to_owned()) }
}

fn wrong_lines(path: &Path, Wrong { line, key, why, lines }: &Wrong) -> Told {
    let key = key.as_ref().map(|key| format!("{}: ", shown(key))).unwrap_or_default();
    let (first, last) = (lines.start(), lines.end());
    let what = match (first == line, first == last) {
        (true, true) => "the line is".to_owned(),
        (true, false) => format!("the line, with what stands below it to line {last}, is"),
        (false, _) => format!("all from line {first} to line {last} is"),
    };
    left_out(&format!("{}:{line}: {key}{why}; {what}", path.display()), CORRECT)
}

/// In two edits.
const MISSPELT: usize = 2;

/// The section of these that a name is near to: a newer moshpunch may know others.
fn meant<C: Settings>(name: &str) -> Option<&'static str> {
    let (section, _) = name.split_once('.').unwrap_or((name, ""));
    let distance = |known: &str| strsim::damerau_levenshtein(known, &section.to_lowercase());
    let nearest = ["client", "host", "server"].into_iter().min_by_key(|known| distance(known))?;
    (distance(nearest) <= MISSPELT && C::SECTIONS.contains(&nearest)).then_some(nearest)
}

fn misspelt(path: &Path, unknown: &Unknown, meant: &str) -> Told {
    let what = if unknown.is_list { "is a list" } else { "is no section" };
    let patterns = if meant == "host" { ".\"PATTERN\"" } else { "" };
    left_out(&format!("{} {what}, and is", header(path, unknown)), &format!("write [{meant}{patterns}]"))
}

fn header(path: &Path, Unknown { name, is_list, line }: &Unknown) -> String {
    let name = shown(name);
    let header = if *is_list { format!("[[{name}]]") } else { format!("[{name}]") };
    format!("{}:{line}: {header}", path.display())
}

fn shown(key: &str) -> String {
    key.chars().take(SHOWN_OF_A_KEY).collect()
}

fn of_our_variable<C: Settings>(
    setting: &Setting<C>,
    value: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<Said>, Told> {
    let variable = setting.variable();
    let Some(text) = value(&variable) else { return Ok(None) };
    match setting.of_a_variable(&text) {
        Ok(text) => Ok(Some(said(setting, text, Source::Variable(variable)))),
        Err(why) => Err(left_out(&format!("{variable}: {why}, and is"), CORRECT)),
    }
}

/// Looked at where it holds.
fn of_another_variable<C>(setting: &Setting<C>, value: &dyn Fn(&str) -> Option<OsString>) -> Option<Said> {
    let other = setting.other.as_ref()?;
    let text = (other.says)(&value(other.name)?)?;
    Some(said(setting, Some(text), Source::Variable(other.name.to_owned())))
}

/// The setting, and what is said of it.
fn of_an_entry<C: Settings>(
    entry: &Entry,
    path: &Path,
) -> Result<(&'static Setting<C>, Option<OsString>), Told> {
    let Entry { section, key, value, line } = entry;
    let setting = C::ALL.iter().find(|setting| *section != Section::None && setting.is_key(key));
    let setting = setting.ok_or_else(|| unknown_key::<C>(entry, path))?;
    let wrong = |why| left_out(&format!("{}:{line}: {key}: {why}, and is", path.display()), CORRECT);
    Ok((setting, setting.of_the_file(value).map_err(wrong)?))
}

fn unknown_key<C: Settings>(Entry { section, key, value, line }: &Entry, path: &Path) -> Told {
    let shown = shown(key);
    let (what, cure) = match (section, value) {
        (Section::None, _) => (
            format!("{shown:?} is in no section"),
            format!("put it below {}", header_of(key).unwrap_or(C::HEADER)),
        ),
        (Section::Host(pattern), Value::Table) => {
            let name = format!("{pattern}.{shown}");
            (format!("[host.{name}] is for no host"), format!("write [host.{name:?}]"))
        }
        _ => {
            let elsewhere = header_of(key).map(|header| format!("it is one of {header}"));
            let nearest = || format!("the nearest key is {:?}", nearest::<C>(&shown));
            (format!("{shown:?} is no key of {section}"), elsewhere.unwrap_or_else(nearest))
        }
    };
    left_out(&format!("{}:{line}: {what}, and is", path.display()), &cure)
}

/// In which sections there is such a key.
fn header_of(key: &str) -> Option<&'static str> {
    fn has<C: Settings>(key: &str) -> bool {
        C::ALL.iter().any(|setting| setting.is_key(key))
    }
    if has::<Connection>(key) {
        Some(Connection::HEADER)
    } else {
        has::<Server>(key).then_some(Server::HEADER)
    }
}

fn nearest<C: Settings>(key: &str) -> String {
    let distance = |known: &String| strsim::damerau_levenshtein(known, key);
    C::ALL.iter().map(Setting::key).min_by_key(distance).unwrap_or_default()
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::File { path, line, section } => write!(f, "{}:{line} {section}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("[client]"),
            Self::Host(pattern) => write!(f, "[host.{pattern:?}]"),
            Self::Server => f.write_str("[server]"),
            Self::None => f.write_str("no section"),
        }
    }
}
