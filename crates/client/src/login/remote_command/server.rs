//! What the user's own text for --server starts, as far as it can be read. What stands before it does not matter:
//! settings, `env`, `exec`, `sudo`.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// `moshpunch server`.
    Ours,
    /// A mosh-server, as it is.
    Stock,
    Unknown,
}

impl Server {
    pub(super) fn of(text: &str) -> Self {
        let words: Vec<_> = text.split_whitespace().collect();
        if words.windows(2).any(|pair| program(pair[0]) == "moshpunch" && bare(pair[1]) == "server") {
            Self::Ours
        } else if words.iter().any(|word| program(word) == "mosh-server") {
            Self::Stock
        } else {
            Self::Unknown
        }
    }
}

/// Of a text that starts ours, what stands before the word `server`.
pub(super) fn before_its_word(text: &str) -> Option<&str> {
    let words: Vec<_> = text.split_whitespace().collect();
    let is_ours = |pair: &[&str]| program(pair[0]) == "moshpunch" && bare(pair[1]) == "server";
    let word = words.windows(2).find(|pair| is_ours(pair))?[1];
    // Both are of the same text.
    text.get(..word.as_ptr().addr() - text.as_ptr().addr())
}

fn program(word: &str) -> &str {
    let path = bare(word);
    path.rsplit('/').next().unwrap_or(path)
}

fn bare(word: &str) -> &str {
    word.trim_matches(['\'', '"'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_ours_is_told_from_its_word() {
        for (text, expected) in [
            ("moshpunch server", Some("moshpunch ")),
            ("A=server ~/bin/moshpunch server --lease 9", Some("A=server ~/bin/moshpunch ")),
            ("\"$HOME/my bin/moshpunch\" server", Some("\"$HOME/my bin/moshpunch\" ")),
            ("mosh-server", None),
        ] {
            assert_eq!(before_its_word(text), expected);
        }
    }

    #[test]
    fn what_stands_before_the_program_does_not_matter() {
        for (text, expected) in [
            ("moshpunch server", Server::Ours),
            ("~/.local/bin/moshpunch server --lease 9", Server::Ours),
            ("LANG=C.UTF-8 moshpunch server", Server::Ours),
            ("env A=b moshpunch server", Server::Ours),
            ("exec moshpunch server", Server::Ours),
            ("sudo -u x moshpunch server", Server::Ours),
            ("\"$HOME/my bin/moshpunch\" server", Server::Ours),
            ("moshpunch server --mosh-server /usr/bin/mosh-server", Server::Ours),
            ("mosh-server", Server::Stock),
            ("/usr/bin/mosh-server", Server::Stock),
            ("LANG=x mosh-server", Server::Stock),
            ("exec env LANG=x mosh-server", Server::Stock),
            ("my-server", Server::Unknown),
            ("moshpunch", Server::Unknown),
            ("moshpunch serve", Server::Unknown),
            ("mosh-server-wrapper", Server::Unknown),
            ("", Server::Unknown),
        ] {
            assert_eq!(Server::of(text), expected, "{text}");
        }
    }
}
