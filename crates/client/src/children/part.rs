//! The parts of itself that the client starts, by the words that it starts them with.
//!
//! Parsed here, and not by clap: that takes nearly as long as all else that such a process does before it becomes another
//! program, and a login waits for it.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use anyhow::Result;

use crate::addresses::look_up_program;
use crate::children::tied::{How, Tied};
use crate::children::{attend, tied, whole};

/// What this process was started for.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// `--tied [HOW] PARENT PROGRAM …`
    Tied(How, Tied),
    /// `--accompany PARENT PROGRAM`: two processes.
    Accompany { parent: i32, program: i32 },
    /// `--attend PARENT PROGRAM …`
    Attend(Tied),
    /// `--look-up PARENT HOST [SSH …]`
    LookUp { parent: i32, host: String, ssh: Vec<OsString> },
}

impl Part {
    /// Of all words, the program's name first; `None`, where nobody of ours has put them together.
    #[must_use]
    pub fn of(words: &[OsString]) -> Option<Self> {
        let [_, part, first, others @ ..] = words else { return None };
        match part.to_str()? {
            "--tied" => {
                let how = How::of(first.to_str()?);
                let words = if how.is_some() { others } else { &words[2..] };
                Some(Self::Tied(how.unwrap_or_default(), to_parent(words)?))
            }
            "--accompany" => {
                let [program] = others else { return None };
                Some(Self::Accompany { parent: number(first)?, program: number(program)? })
            }
            "--attend" => Some(Self::Attend(to_parent(&words[2..])?)),
            "--look-up" => {
                let (host, ssh) = others.split_first()?;
                Some(Self::LookUp {
                    parent: number(first)?,
                    host: host.to_str()?.to_owned(),
                    ssh: ssh.to_vec(),
                })
            }
            _ => None,
        }
    }

    /// # Errors
    ///
    /// As those of the part.
    pub fn run(&self) -> Result<ExitCode> {
        match self {
            Self::Tied(how, arguments) => tied::run(how, arguments),
            Self::Accompany { parent, program } => whole::accompany(*parent, *program),
            Self::Attend(arguments) => attend::run(arguments),
            Self::LookUp { parent, host, ssh } => look_up_program::run(*parent, host, ssh),
        }
    }
}

fn to_parent(words: &[OsString]) -> Option<Tied> {
    let (parent, command) = words.split_first()?;
    let parent = number(parent)?;
    (!command.is_empty()).then(|| Tied { parent, command: command.to_vec() })
}

fn number(word: &OsStr) -> Option<i32> {
    word.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn tied(command: &str) -> Tied {
        Tied { parent: 7, command: words(command) }
    }

    #[test]
    fn what_is_started_is_told_by_its_words() {
        let look_up = Part::LookUp { parent: 7, host: "alice@host".into(), ssh: words("ssh -p 8022") };
        for (line, part) in [
            ("moshpunch --tied 7 ssh -4 -- --keyed", Part::Tied(How::Alone, tied("ssh -4 -- --keyed"))),
            ("moshpunch --tied --keyed 7 mosh-client", Part::Tied(How::Keyed, tied("mosh-client"))),
            ("moshpunch --tied --secluded 7 ssh", Part::Tied(How::Secluded(None), tied("ssh"))),
            (
                "moshpunch --tied --secluded=Host=* 7 ssh",
                Part::Tied(How::Secluded(Some("Host=*".into())), tied("ssh")),
            ),
            ("moshpunch --tied --foreground 7 ssh", Part::Tied(How::Foreground, tied("ssh"))),
            ("moshpunch --accompany 7 8", Part::Accompany { parent: 7, program: 8 }),
            ("moshpunch --attend 7 mosh-client -c", Part::Attend(tied("mosh-client -c"))),
            ("moshpunch --look-up 7 alice@host ssh -p 8022", look_up),
        ] {
            assert_eq!(Part::of(&words(line)), Some(part), "{line}");
        }
    }

    #[test]
    fn what_nobody_of_ours_says_is_no_part() {
        for line in [
            "moshpunch",
            "moshpunch host",
            "moshpunch host --tied 7 sh",
            "moshpunch --tied",
            "moshpunch --tied 7",
            "moshpunch --tied sh 7",
            "moshpunch --tied --other 7 sh",
            "moshpunch --tied --keyed",
            "moshpunch --accompany 7",
            "moshpunch --accompany 7 sh",
            "moshpunch --accompany 7 8 sh",
            "moshpunch --attend --keyed 7 sh",
            "moshpunch --look-up 7",
            "moshpunch --look-up host ssh",
        ] {
            assert_eq!(Part::of(&words(line)), None, "{line}");
        }
    }
}
