//! What programs on the host say where there is no session: each of these is a whole line, or begins or ends one.

use super::Cause;

/// The first line that is known counts.
pub(super) fn cause<'a>(mut lines: impl Iterator<Item = &'a str>) -> Option<Cause> {
    lines.find_map(words)
}

fn words(line: &str) -> Option<Cause> {
    if line.starts_with("mosh-server needs a UTF-8 native locale") {
        return Some(Cause::Locale);
    }
    if is_missing(line) {
        return Some(Cause::NoServer);
    }
    if line.starts_with("Error binding to ") || line.ends_with("bind: Address already in use") {
        return Some(Cause::PortsTaken);
    }
    has_other_options(line).then_some(Cause::WrongOptions)
}

/// As dash, bash, ksh, csh, zsh and fish say it.
fn is_missing(line: &str) -> bool {
    let said =
        ["mosh-server: not found", "mosh-server: command not found", "mosh-server: Command not found."];
    said.iter().any(|said| line == *said || line.ends_with(&format!(": {said}")))
        || line.ends_with(": command not found: mosh-server")
        || line.ends_with("Unknown command: mosh-server")
        || line.contains("mosh-server: not found [")
        || line.starts_with("moshpunch: ") && line.contains("mosh-server is not installed")
}

fn has_other_options(line: &str) -> bool {
    let of_a_server = |text: &str| ["mosh-server", "moshpunch"].iter().any(|name| text.contains(name));
    let of_getopt = [": invalid option -- ", ": unrecognized option "];
    line.starts_with("Bad UDP port")
        || line.starts_with("error: unexpected argument ")
        || line.strip_prefix("Usage: ").is_some_and(of_a_server)
        || of_getopt.iter().any(|said| line.split_once(said).is_some_and(|(program, _)| of_a_server(program)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_shells_and_servers_are_understood() {
        for (line, expected) in [
            ("sh: 1: exec: mosh-server: not found", Cause::NoServer),
            ("bash: line 1: exec: mosh-server: command not found", Cause::NoServer),
            ("mosh-server: Command not found.", Cause::NoServer),
            ("zsh:1: command not found: mosh-server", Cause::NoServer),
            ("fish: Unknown command: mosh-server", Cause::NoServer),
            ("ksh: mosh-server: not found [No such file or directory]", Cause::NoServer),
            ("mosh-server needs a UTF-8 native locale to run.", Cause::Locale),
            ("mosh-server: invalid option -- 'l'", Cause::WrongOptions),
            ("Usage: /usr/bin/mosh-server new [-s] [-v]", Cause::WrongOptions),
            ("Error binding to IP any: bind: Address already in use", Cause::PortsTaken),
        ] {
            assert_eq!(cause([line].into_iter()), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_only_has_such_words_in_it_is_not() {
        for line in [
            "Acceptable Usage: all access is logged.",
            "Usage: of this host is monitored",
            "ls: invalid option -- 'y'",
            "If you see `mosh-server: not found`, call us",
            "nginx: Address already in use",
        ] {
            assert_eq!(cause([line].into_iter()), None, "{line}");
        }
    }
}
