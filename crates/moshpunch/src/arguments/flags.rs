//! clap's side of a table of settings.

use std::ffi::OsString;
use std::marker::PhantomData;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser as _, ValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::configuration::{Kind, Said, Setting, Settings, Source};

/// What the command line says of these settings. Of two flags for the same the later counts, so that an alias may say what
/// a line then says otherwise.
#[derive(Debug)]
pub(crate) struct Flags<C> {
    pub(crate) said: Vec<Said>,
    of: PhantomData<fn() -> C>,
}

impl<C> Flags<C> {
    /// A command line without any.
    pub(crate) fn unsaid() -> Self {
        Self { said: Vec::new(), of: PhantomData }
    }
}

impl<C: Settings> Args for Flags<C> {
    fn augment_args(command: Command) -> Command {
        command.args(C::ALL.iter().flat_map(arguments))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<C: Settings> FromArgMatches for Flags<C> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let said = C::ALL.iter().filter_map(|setting| said(setting, matches)).collect();
        Ok(Self { said, of: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// All ways to say it, of which the help shows those that are no default.
fn arguments<C: Settings>(setting: &'static Setting<C>) -> Vec<Arg> {
    let Some(flag) = &setting.flag else { return vec![] };
    let is_on = setting.kind == Kind::Switch && setting.default == Some("true");
    let said = taking(setting, Arg::new(setting.name).long(setting.name).short(flag.short)).hide(is_on);
    let negated =
        flag.negation.map(|name| switch(name).long(name).aliases(flag.aliases.iter().copied()).hide(!is_on));
    let (said, negated) = match negated {
        Some(negated) if is_on => (said, Some(negated.help(flag.help))),
        negated => (said.help(flag.help), negated),
    };
    let synonyms =
        flag.synonyms.iter().map(|synonym| switch(synonym.name).short(synonym.short).help(synonym.help));
    [said]
        .into_iter()
        .chain(synonyms)
        .chain(negated)
        .map(|argument| argument.help_heading(flag.heading))
        .collect()
}

fn switch(name: &'static str) -> Arg {
    Arg::new(name).action(ArgAction::SetTrue)
}

fn taking<C: Settings>(setting: &'static Setting<C>, argument: Arg) -> Arg {
    if setting.kind == Kind::Switch {
        return argument.action(ArgAction::SetTrue);
    }
    let argument = argument
        .value_name(setting.flag.as_ref().map_or("", |flag| flag.value))
        .value_parser(parser(setting));
    match setting.kind {
        Kind::Choice(_) => argument.ignore_case(true).hide_possible_values(true).allow_hyphen_values(true),
        Kind::Name(name) => argument.num_args(0..=1).require_equals(true).default_missing_value(name),
        // Whatever follows is the value, as with mosh's script.
        Kind::Switch | Kind::Text | Kind::Texts | Kind::Path | Kind::Ports | Kind::Number => {
            argument.allow_hyphen_values(true)
        }
    }
}

fn parser<C: Settings>(setting: &'static Setting<C>) -> ValueParser {
    match setting.kind {
        Kind::Choice(choices) => PossibleValuesParser::new(choices).map(OsString::from).into(),
        // A host's session starts with whatever number, and tells what was wrong.
        Kind::Number => OsStringValueParser::new().into(),
        _ => OsStringValueParser::new().try_map(|text| setting.checked(&text)).into(),
    }
}

/// The last flag for it.
fn said<C: Settings>(setting: &Setting<C>, matches: &ArgMatches) -> Option<Said> {
    let flag = setting.flag.as_ref()?;
    let value = matches.try_get_one::<OsString>(setting.name).ok().flatten().cloned();
    let long = (setting.name, format!("--{}", setting.name), value.or_else(|| on(setting)));
    let negation = flag.negation.map(|name| (name, format!("--{name}"), setting.negated()));
    let synonyms = flag.synonyms.iter();
    let synonyms =
        synonyms.map(|synonym| (synonym.name, format!("-{}", synonym.short), Some(synonym.value.into())));
    let all = [long].into_iter().chain(negation).chain(synonyms);
    let last = all
        .filter_map(|(id, name, text)| Some((place(matches, id)?, name, text)))
        .max_by_key(|(place, ..)| *place);
    last.map(|(_, name, text)| Said { name: setting.name, text, source: Source::Flag(name) })
}

fn on<C>(setting: &Setting<C>) -> Option<OsString> {
    (setting.kind == Kind::Switch).then(|| "true".into())
}

/// Where it stands on the line, if it does.
fn place(matches: &ArgMatches, id: &str) -> Option<usize> {
    let is_said = matches.value_source(id) == Some(ValueSource::CommandLine);
    matches.index_of(id).filter(|_| is_said)
}
