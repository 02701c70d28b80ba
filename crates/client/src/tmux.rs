//! `--tmux`: what mosh-server is to run on the host, so that the session is one of tmux.
//!
//! The host may be without moshpunch, so the words carry a script of their own. What it does is told in docs/tmux.md.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::str::FromStr;

use anyhow::{Error, Result, ensure};
use wire::shell::without_comments;

const SCRIPT: &str = include_str!("tmux.sh");

/// tmux has no limit, but its status line shows no more than ten.
const LONGEST_NAME: usize = 64;

/// Anywhere in a name: `:` and `.` separate the parts of a target, `;` ends a command, `#` begins a format, and tmux
/// puts a `\` before the others.
const REFUSED: [char; 6] = [':', '.', ';', '#', '$', '\\'];

/// At the beginning of a name: it would be an option or another way to find a session.
const REFUSED_FIRST: [char; 7] = ['-', '=', '@', '%', '+', '!', '{'];

/// A name by which tmux finds exactly this session. The default is short enough for tmux to show it whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName(String);

impl Default for SessionName {
    fn default() -> Self {
        Self("mosh".to_owned())
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SessionName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        ensure!(!name.is_empty(), "a tmux session's name is not empty");
        ensure!(!name.contains(char::is_control), "a tmux session's name has no control characters");
        ensure!(name.len() <= LONGEST_NAME, "a tmux session's name is at most {LONGEST_NAME} bytes long");
        ensure!(!name.contains(REFUSED), "a tmux session's name has none of : . ; # $ \\ in it");
        ensure!(!name.starts_with(REFUSED_FIRST), "a tmux session's name begins with none of - = @ % + ! {{");
        Ok(Self(name.to_owned()))
    }
}

/// What the user's own terminal can show, which mosh does not tell the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    AsMoshSays,
    TrueColour,
}

impl Colours {
    /// From the client's own `COLORTERM`.
    pub fn from_environment(colorterm: Option<&OsStr>) -> Self {
        let named = colorterm.is_some_and(|value| value == "truecolor" || value == "24bit");
        if named { Self::TrueColour } else { Self::AsMoshSays }
    }

    /// The terminfo capability that tells tmux so.
    fn capability(self) -> &'static str {
        match self {
            Self::AsMoshSays => "",
            Self::TrueColour => "Tc",
        }
    }
}

/// The words for mosh-server to run in place of the login shell, or of `command`.
pub fn command(name: &SessionName, colours: Colours, command: &[OsString]) -> Vec<OsString> {
    let script = without_comments(SCRIPT);
    let words = ["sh", "-c", &script, "moshpunch", &name.0, colours.capability()];
    words.into_iter().map(OsString::from).chain(command.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        name.parse::<SessionName>().expect_err(name).to_string()
    }

    #[test]
    fn names_that_tmux_would_change_or_misread_are_refused() {
        for name in ["a:b", "a.b", "a;", "#(date)", "$1", "back\\slash"] {
            assert_eq!(refusal(name), "a tmux session's name has none of : . ; # $ \\ in it");
        }
        for name in ["=a", "@1", "%1", "+", "-a", "!", "{last}"] {
            assert_eq!(refusal(name), "a tmux session's name begins with none of - = @ % + ! {");
        }
        assert_eq!(refusal(""), "a tmux session's name is not empty");
        for name in ["a\nb", "\x1b[m", "\u{9b}m"] {
            assert_eq!(refusal(name), "a tmux session's name has no control characters");
        }
        assert_eq!(refusal(&"a".repeat(65)), "a tmux session's name is at most 64 bytes long");
    }

    #[test]
    fn other_names_are_taken_as_they_are() {
        for name in ["work", "my work", "it's", "a=b-c_d", "工作", &"a".repeat(64)] {
            assert_eq!(name.parse::<SessionName>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn the_name_by_default_is_a_good_one() {
        let name = SessionName::default();
        assert_eq!(name.to_string().parse::<SessionName>().unwrap(), name);
    }

    #[test]
    fn name_colours_and_command_are_arguments_of_the_script_and_no_part_of_it() {
        let name = "it's `date`".parse().unwrap();
        let words = command(&name, Colours::TrueColour, &["top".into(), "-d 1".into()]);
        let fixed = ["sh", "-c", &without_comments(SCRIPT), "moshpunch", "it's `date`"];
        assert_eq!(words, [&fixed[..], &["Tc", "top", "-d 1"]].concat());
        assert_eq!(command(&name, Colours::AsMoshSays, &[]), [&fixed[..], &[""]].concat());
    }

    #[test]
    fn the_script_travels_without_its_comments() {
        assert!(SCRIPT.starts_with("# "));
        assert!(
            without_comments(SCRIPT).starts_with("name=$1 colours=$2\nshift 2\nplain() {\n"),
            "{}",
            without_comments(SCRIPT)
        );
        assert!(!without_comments(SCRIPT).lines().any(|line| line.trim_start().starts_with('#')));
    }

    #[test]
    fn true_colour_is_what_the_users_terminal_says_of_itself() {
        let colours = |value: &str| Colours::from_environment(Some(value.as_ref()));
        assert_eq!([colours("truecolor"), colours("24bit")], [Colours::TrueColour; 2]);
        assert_eq!([colours("yes"), Colours::from_environment(None)], [Colours::AsMoshSays; 2]);
    }
}
