//! mosh's script reads its options by Perl's Getopt::Long, which takes more spellings than others do: a long option
//! after a single dash, cut short, or in capitals, and a short one after two dashes. They are spelt out here, so that
//! options of our own cannot make one ambiguous.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

const LONG: [&str; 22] = [
    "bind-server",
    "client",
    "experimental-remote-ip",
    "family",
    "help",
    "init",
    "local",
    "no-init",
    "no-o",
    "no-predict-overwrite",
    "no-ssh-pty",
    "noinit",
    "noo",
    "nopredict-overwrite",
    "nossh-pty",
    "port",
    "predict",
    "predict-overwrite",
    "server",
    "ssh",
    "ssh-pty",
    "version",
];

const SHORT: [&str; 6] = ["4", "6", "a", "n", "o", "p"];

/// Where options may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Anywhere before `--`.
    Free,
    /// Before the first word that is none.
    First,
}

impl Order {
    /// As `POSIXLY_CORRECT` decides, whatever it is set to.
    pub(crate) fn from_environment(posixly_correct: Option<&OsStr>) -> Self {
        posixly_correct.map_or(Self::Free, |_| Self::First)
    }
}

/// The words after the program's name, for `command`. What follows `--` is no option.
pub(super) fn spelt_out(
    words: impl IntoIterator<Item = OsString>,
    order: Order,
    command: &Command,
) -> Vec<OsString> {
    let mut spelt_out = Vec::new();
    let mut words = words.into_iter();
    let mut is_value = false;
    for word in words.by_ref() {
        let is_option = is_value || (word.len() > 1 && word.as_encoded_bytes().starts_with(b"-"));
        let ends_options = !is_value && (word == "--" || (order == Order::First && !is_option));
        if ends_options {
            spelt_out.extend((word != "--").then(|| "--".into()));
            spelt_out.push(word);
            break;
        }
        let word = word.to_str().filter(|_| !is_value).and_then(option).map_or(word, OsString::from);
        is_value = !is_value && is_value_next(&word, command);
        spelt_out.push(word);
    }
    spelt_out.extend(words);
    spelt_out
}

/// Whether the option's value is the next word.
fn is_value_next(option: &OsStr, command: &Command) -> bool {
    let takes = |argument: &&Arg| argument.get_action().takes_values() && !argument.is_require_equals_set();
    let mut taking = command.get_arguments().filter(takes);
    match option.to_str().and_then(|option| option.strip_prefix('-')) {
        None => false,
        Some(option) => match option.strip_prefix('-') {
            Some(long) => taking.any(|argument| argument.get_long() == Some(long)),
            None => taking
                .filter_map(Arg::get_short)
                .any(|short| option.find(short).is_some_and(|at| at + 1 == option.len())),
        },
    }
}

fn option(word: &str) -> Option<String> {
    let bare = word.trim_start_matches('-');
    let dashes = word.len() - bare.len();
    let (name, value) = bare.split_at(bare.find('=').unwrap_or(bare.len()));
    match (dashes, name.len()) {
        (1 | 2, 1) if SHORT.contains(&&*name.to_ascii_lowercase()) => {
            Some(format!("-{}{value}", name.to_ascii_lowercase()))
        }
        (1, 2..) | (2, 1..) => long(name).map(|name| format!("--{name}{value}")),
        _ => None,
    }
}

/// The one that is so called, or the only one that begins so.
fn long(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let mut begin_so = LONG.into_iter().filter(|long| long.starts_with(&name));
    let exact = LONG.into_iter().find(|long| *long == name);
    exact.or_else(|| begin_so.next().filter(|_| begin_so.next().is_none()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::arguments::ConnectArguments;

    fn spell_in(order: Order, line: &str) -> String {
        let command = ConnectArguments::command();
        let words = spelt_out(line.split(' ').map(OsString::from), order, &command);
        words.join(" ".as_ref()).into_string().unwrap()
    }

    fn spell(line: &str) -> String {
        spell_in(Order::Free, line)
    }

    #[test]
    fn every_spelling_of_getopt_long_is_taken() {
        for (said, meant) in [
            ("-ssh=x --exp=local --SSH x", "--ssh=x --experimental-remote-ip=local --ssh x"),
            ("-A --N -P 7 -O -4", "-a -n -p 7 -o -4"),
            ("-noo --NO-O --noo", "--noo --no-o --noo"),
            ("--lo --v -noinit", "--local --version --noinit"),
            ("--p=60005 --a --4", "-p=60005 -a -4"),
            ("--predict never -predict-over", "--predict never --predict-overwrite"),
        ] {
            assert_eq!(spell(said), meant);
        }
    }

    #[test]
    fn all_else_is_left_as_it_is() {
        for line in [
            "-a -n -p 60005 -v",
            "--s --pre --no x",
            "--log x --verbose --tmux",
            "- -p60005 -an",
            "x -- -ssh --lo",
        ] {
            assert_eq!(spell(line), line);
        }
    }

    #[test]
    fn a_value_is_no_option() {
        for line in ["--ssh -ssh --log --lo host", "-p --p -ap -noinit host"] {
            assert_eq!(spell(line), line);
        }
        assert_eq!(spell("-p5 -noinit --tmux -noinit"), "-p5 --noinit --tmux --noinit");
    }

    #[test]
    fn where_options_come_first_the_first_other_word_ends_them() {
        for (said, meant) in [
            ("-a -ssh x --log -y -p 5 host -n -- ls", "-a --ssh x --log -y -p 5 -- host -n -- ls"),
            ("--tmux host -n", "--tmux -- host -n"),
            ("-a -- host -n", "-a -- host -n"),
            ("- -n", "-- - -n"),
        ] {
            assert_eq!(spell_in(Order::First, said), meant);
        }
    }
}
