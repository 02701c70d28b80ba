//! One setting, wherever it is said: on the command line, in the environment, in the file.
//!
//! A table of these ([`Settings::ALL`]) is all that there is to know of them: clap's arguments, the variables, the keys of
//! the file and what `-G` shows are read off it.

use std::env;
use std::ffi::{OsStr, OsString};

use super::document::{Section, Value};

#[derive(Debug)]
pub(crate) struct Setting<C: 'static> {
    /// The long option.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// None, where no value stands for it.
    pub(crate) default: Option<&'static str>,
    pub(crate) flag: Option<Flag>,
    pub(crate) other: Option<OtherVariable>,
    /// The text is in its normal form ([`Kind::normal`]). What is wrong changes nothing, and is told.
    pub(crate) set: fn(&mut C, Option<&OsStr>) -> Result<(), String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Switch,
    Choice(&'static [&'static str]),
    Text,
    /// Several texts, with commas between; in the file a list, too.
    Texts,
    Path,
    /// A port or a range, which is a number or a text.
    Ports,
    Number,
    /// Text that may be left out, where it is this.
    Name(&'static str),
}

/// How the command line says it.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(crate) short: Option<char>,
    /// What the help calls its value.
    pub(crate) value: &'static str,
    pub(crate) help: &'static str,
    pub(crate) synonyms: &'static [Synonym],
    /// `no-` and the name. None, where that is another option of mosh's, cut short: there the default can be said.
    pub(crate) negation: Option<&'static str>,
    /// Other spellings of the negation.
    pub(crate) aliases: &'static [&'static str],
    /// Under which the help shows it.
    pub(crate) heading: Option<&'static str>,
}

impl Flag {
    pub(crate) const UNSAID: Self =
        Self { short: None, value: "", help: "", synonyms: &[], negation: None, aliases: &[], heading: None };
}

/// A flag that stands for the option with a value.
#[derive(Debug)]
pub(crate) struct Synonym {
    /// For clap.
    pub(crate) name: &'static str,
    pub(crate) short: char,
    pub(crate) value: &'static str,
    pub(crate) help: &'static str,
}

/// One that another program reads as well. Ours comes first.
#[derive(Debug)]
pub(crate) struct OtherVariable {
    pub(crate) name: &'static str,
    pub(crate) says: fn(&OsStr) -> Option<OsString>,
}

/// What the settings of one table make.
pub(crate) trait Settings: Sized + 'static {
    const ALL: &'static [Setting<Self>];

    /// Where a key of these belongs.
    const HEADER: &'static str;

    /// Those with keys of these.
    const SECTIONS: &'static [&'static str];

    /// With every default.
    fn unsaid() -> Self;

    /// Whether the keys of a section are these, or those of nobody.
    fn has(section: &Section) -> bool;

    /// What holds of a setting of which nothing is said, because of another.
    fn implied(&self, _name: &str) -> Option<OsString> {
        None
    }

    /// Which of the sections for `host` comes first. None: it is not for this one.
    fn rank(section: &Section, host: &str) -> Option<u8>;
}

impl<C: Settings> Setting<C> {
    /// In the file.
    pub(crate) fn key(&self) -> String {
        self.name.replace('-', "_")
    }

    pub(super) fn is_key(&self, key: &str) -> bool {
        let as_in_a_key = |byte: u8| if byte == b'-' { b'_' } else { byte };
        self.name.bytes().map(as_in_a_key).eq(key.bytes())
    }

    pub(crate) fn variable(&self) -> String {
        format!("MOSHPUNCH_{}", self.key().to_ascii_uppercase())
    }

    /// The text that means this, if it means anything.
    pub(crate) fn checked(&self, text: &OsStr) -> Result<OsString, String> {
        let text = self.kind.normal(text)?;
        (self.set)(&mut C::unsaid(), Some(&text)).map(|()| text)
    }

    /// One that is empty takes the setting back. `true` and `false` are what they are in the file.
    pub(super) fn of_a_variable(&self, text: &OsStr) -> Result<Option<OsString>, String> {
        if text.is_empty() {
            return Ok(self.negated());
        }
        match ["false", "true"].iter().position(|word| text.eq_ignore_ascii_case(word)) {
            Some(on) => self.of_the_file(&Value::Switch(on == 1)),
            None => self.checked(text).map(Some),
        }
    }

    /// None is the default. `false` stands for it, as the negation does on the command line.
    pub(super) fn of_the_file(&self, value: &Value) -> Result<Option<OsString>, String> {
        self.kind.text(value)?.map(|text| self.checked(&text)).transpose()
    }

    /// Where it is taken back.
    pub(crate) fn negated(&self) -> Option<OsString> {
        match self.kind {
            Kind::Switch => Some("false".into()),
            _ => None,
        }
    }
}

impl Kind {
    pub(super) fn normal(self, text: &OsStr) -> Result<OsString, String> {
        match self {
            Self::Switch => switch(text).map(|on| if on { "true" } else { "false" }.into()),
            Self::Choice(choices) => {
                let choice = choices.iter().find(|choice| text.eq_ignore_ascii_case(choice));
                let unknown =
                    || format!("{:?} is none of {}", text.display().to_string(), choices.join(", "));
                choice.map(OsString::from).ok_or_else(unknown)
            }
            Self::Path if text.is_empty() => Err("a path was expected".into()),
            Self::Text | Self::Texts if text.is_empty() => Err("a text was expected".into()),
            Self::Text | Self::Texts | Self::Path | Self::Ports | Self::Number | Self::Name(_) => {
                Ok(text.to_owned())
            }
        }
    }

    /// As the file has it.
    fn text(self, value: &Value) -> Result<Option<OsString>, String> {
        let text = match (self, value) {
            (Self::Switch, Value::Switch(on)) => Some(on.to_string().into()),
            (Self::Switch, _) => return Err("true or false was expected".into()),
            (_, Value::Switch(false)) => None,
            (Self::Name(name), Value::Switch(true)) => Some(name.into()),
            (Self::Number | Self::Ports, Value::Number(number)) => Some(number.into()),
            (Self::Number, _) => return Err("a number was expected".into()),
            (Self::Texts, Value::Texts(texts)) => Some(texts.join(",").into()),
            (Self::Path, Value::Text(text)) => Some(below_home(text)?),
            (_, Value::Text(text)) => Some(text.into()),
            (_, Value::Switch(true)) => return Err("true is no value for it".into()),
            (Self::Ports, _) => return Err("a number, or a text in quotes, was expected".into()),
            _ => return Err("a text in quotes was expected".into()),
        };
        Ok(text)
    }
}

fn switch(text: &OsStr) -> Result<bool, String> {
    match text.to_string_lossy().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
        other => Err(format!("{other:?} is neither true nor false")),
    }
}

/// No shell has read it.
fn below_home(text: &str) -> Result<OsString, String> {
    let Some(below) = text.strip_prefix('~') else { return Ok(text.into()) };
    if !below.is_empty() && !below.starts_with('/') {
        return Err(format!("{text:?} begins with ~, but not with ~/; write the whole path"));
    }
    let home = env::home_dir().filter(|home| home.is_absolute());
    let home = home.ok_or("there is no home directory for ~; write the whole path")?;
    Ok(home.join(below.trim_start_matches('/')).into_os_string())
}

/// For those that are no file's name.
pub(crate) fn utf8(text: &OsStr) -> Result<&str, String> {
    text.to_str().ok_or_else(|| format!("{:?} is not UTF-8", text.display().to_string()))
}
