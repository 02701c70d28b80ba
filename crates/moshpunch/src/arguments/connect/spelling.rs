//! mosh's script reads its options by Perl's Getopt::Long, which takes more spellings than others do: a long option
//! after a single dash, cut short, or in capitals, and a short one after two dashes. They are spelt out here, so that
//! options of our own cannot make one ambiguous.

use std::ffi::OsString;

const LONG: [&str; 20] = [
    "bind-server",
    "client",
    "experimental-remote-ip",
    "family",
    "help",
    "init",
    "local",
    "no-init",
    "no-predict-overwrite",
    "no-ssh-pty",
    "noinit",
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

/// What follows `--` is the command's.
pub(super) fn spelt_out(words: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut options = true;
    words.into_iter().map(move |word| {
        options &= word != "--";
        let spelt_out = word.to_str().filter(|_| options).and_then(option);
        spelt_out.map_or(word, OsString::from)
    })
}

fn option(word: &str) -> Option<String> {
    let bare = word.trim_start_matches('-');
    let dashes = word.len() - bare.len();
    let (name, value) = bare.split_at(bare.find('=').unwrap_or(bare.len()));
    match (dashes, name.len()) {
        (2, 1) if SHORT.contains(&name) => Some(format!("-{name}{value}")),
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
    use super::*;

    fn spell(line: &str) -> String {
        let words: Vec<_> = spelt_out(line.split(' ').map(OsString::from)).collect();
        words.join(" ".as_ref()).into_string().unwrap()
    }

    #[test]
    fn every_spelling_of_getopt_long_is_taken() {
        for (said, meant) in [
            ("-ssh=x --exp=local --SSH x", "--ssh=x --experimental-remote-ip=local --ssh x"),
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
}
