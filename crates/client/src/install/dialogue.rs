//! What the host's script says, line by line, and what it is answered.

use super::program::{Processor, Programs, Sum};

/// How each line of the script begins.
const BEGINNING: &[u8] = b"MOSHPUNCH INSTALL ";

/// Of a program's words there.
const TOLD_CHARACTERS_MAXIMUM: usize = 300;

/// What stood in the way there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It does not say where the user is at home.
    Home,
    /// A directory has the place.
    Directory,
    /// The directory cannot be made.
    Make,
    Write,
    /// What came is not what was sent.
    Short,
    /// The file system has no programs.
    NoExec,
    /// What came does not say that it is moshpunch.
    Run,
    Replace,
    /// To be removed: a symbolic link, which no installation makes.
    Link,
    /// To be removed: it does not say that it is moshpunch.
    Stranger,
    Remove,
}

impl Obstacle {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "home" => Self::Home,
            "directory" => Self::Directory,
            "make" => Self::Make,
            "write" => Self::Write,
            "short" => Self::Short,
            "noexec" => Self::NoExec,
            "run" => Self::Run,
            "replace" => Self::Replace,
            "link" => Self::Link,
            "stranger" => Self::Stranger,
            "remove" => Self::Remove,
            _ => return None,
        })
    }
}

/// By which the host installs programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    Apt,
    Dnf,
    Yum,
    Pacman,
    Apk,
    Zypper,
    Opkg,
}

impl Manager {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "apt-get" => Self::Apt,
            "dnf" => Self::Dnf,
            "yum" => Self::Yum,
            "pacman" => Self::Pacman,
            "apk" => Self::Apk,
            "zypper" => Self::Zypper,
            "opkg" => Self::Opkg,
            _ => return None,
        })
    }

    /// What root says for it.
    pub(super) fn installs_mosh(self) -> &'static str {
        match self {
            Self::Apt => "apt install mosh",
            Self::Dnf => "dnf install mosh",
            Self::Yum => "yum install mosh",
            Self::Pacman => "pacman -S mosh",
            Self::Apk => "apk add mosh-server",
            Self::Zypper => "zypper install mosh",
            Self::Opkg => "opkg install mosh-server",
        }
    }
}

/// Which moshpunch the next login finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// That in the user's own directory.
    It,
    /// Another one: where it is, and what it says of its version.
    Other(String),
    /// None that runs; what is in the way of the first, if there is one.
    None(String),
}

/// All that was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) has_begun: bool,
    /// What `uname -sm` says.
    pub(super) system: Option<String>,
    pub(super) place: Option<String>,
    pub(super) obstacle: Option<(Obstacle, String)>,
    /// How many bytes of the program.
    pub(super) came: u64,
    /// The version that is there now, and that was before.
    pub(super) put: Option<String>,
    pub(super) was: Option<String>,
    pub(super) removed: Option<String>,
    pub(super) found: Option<Found>,
    pub(super) lacks_mosh: Option<Option<Manager>>,
    /// Directories.
    pub(super) leaves: Vec<String>,
    pub(super) is_done: bool,
    has: Option<Sum>,
}

/// A host says each a few times, an honest one less than that.
const DIRECTORIES_MAXIMUM: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// What is there is the same.
    Keep,
    Put(Processor),
    /// There is nothing for such a host.
    Nothing,
}

/// An installation.
#[derive(Debug)]
pub(super) struct Dialogue {
    programs: Option<Programs>,
    told: Told,
    reply: Option<Reply>,
}

impl Dialogue {
    pub(super) fn installing(programs: Programs) -> Self {
        Self { programs: Some(programs), told: Told::default(), reply: None }
    }

    pub(super) fn uninstalling() -> Self {
        Self { programs: None, told: Told::default(), reply: None }
    }

    pub(super) fn told(&self) -> &Told {
        &self.told
    }

    pub(super) fn programs(&self) -> Option<&Programs> {
        self.programs.as_ref()
    }

    /// What the host was answered.
    pub(super) fn reply(&self) -> Option<Reply> {
        self.reply
    }

    /// Of the program that is put there.
    pub(super) fn size(&self) -> Option<u64> {
        let Some(Reply::Put(processor)) = self.reply else { return None };
        self.programs.as_ref()?.for_processor(processor).as_ref().ok().map(|program| program.sum.size)
    }

    /// A line that is none of the script's means nothing. The answer is given once.
    pub(super) fn handle_line(&mut self, line: &[u8]) -> Option<Reply> {
        let text = String::from_utf8_lossy(line.strip_prefix(BEGINNING)?);
        let (word, rest) = text.trim_end().split_once(' ').unwrap_or((text.trim_end(), ""));
        let told = &mut self.told;
        told.has_begun = true;
        match word {
            "system" => told.system = Some(cut(rest)),
            "at" => told.place = Some(cut(rest)),
            "has" => told.has = Sum::parse(rest),
            "came" => told.came = rest.parse().unwrap_or(told.came),
            "put" => told.put = Some(cut(rest)),
            "was" => told.was = Some(cut(rest)),
            "removed" => told.removed = Some(cut(rest)),
            "finds-it" => told.found = Some(Found::It),
            "finds" => told.found = Some(Found::Other(cut(rest))),
            "finds-none" => told.found = Some(Found::None(cut(rest))),
            "lacks-mosh" => told.lacks_mosh = Some(Manager::of(rest)),
            "leaves" if told.leaves.len() < DIRECTORIES_MAXIMUM => told.leaves.push(cut(rest)),
            "done" => told.is_done = true,
            "failed" => {
                let (obstacle, words) = rest.split_once(' ').unwrap_or((rest, ""));
                told.obstacle = Obstacle::of(obstacle).map(|obstacle| (obstacle, cut(words)));
            }
            "ready" => return self.answer(),
            _ => {}
        }
        None
    }

    fn answer(&mut self) -> Option<Reply> {
        let programs = self.programs.as_ref().filter(|_| self.reply.is_none())?;
        let processor = self.told.system.as_deref().and_then(Processor::of_system);
        let reply = match processor.map(|processor| (processor, programs.for_processor(processor))) {
            Some((_, Ok(program))) if self.told.has == Some(program.sum) => Reply::Keep,
            Some((processor, Ok(_))) => Reply::Put(processor),
            Some((_, Err(_))) | None => Reply::Nothing,
        };
        self.reply = Some(reply);
        self.reply
    }
}

/// To what fits into a message.
fn cut(text: &str) -> String {
    text.trim().chars().take(TOLD_CHARACTERS_MAXIMUM).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A static program for one processor.
    fn programs() -> (Programs, Sum) {
        let directory = tempfile::tempdir().unwrap();
        let mut program = vec![0; 120];
        program[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (program[16], program[18], program[32], program[54], program[56], program[64]) =
            (2, 62, 64, 56, 1, 1);
        fs::write(directory.path().join("moshpunch-x86_64-linux"), program).unwrap();
        let programs = Programs::find(Some(directory.path()));
        let sum = programs.for_processor(Processor::X86_64).as_ref().unwrap().sum;
        (programs, sum)
    }

    fn dialogue() -> Dialogue {
        Dialogue::installing(programs().0)
    }

    fn say(dialogue: &mut Dialogue, lines: &str) -> Option<Reply> {
        lines.lines().filter_map(|line| dialogue.handle_line(line.as_bytes())).last()
    }

    #[test]
    fn the_program_for_the_hosts_processor_is_put_there() {
        let mut dialogue = dialogue();
        let lines = "Welcome!\nMOSHPUNCH INSTALL system Linux amd64\nMOSHPUNCH INSTALL has 7 8\nMOSHPUNCH INSTALL ready\n";
        assert_eq!(say(&mut dialogue, lines), Some(Reply::Put(Processor::X86_64)));
        assert_eq!(say(&mut dialogue, lines), None, "it is answered once");
    }

    #[test]
    fn the_same_bytes_are_kept() {
        let mut dialogue = dialogue();
        let (_, Sum { crc, size }) = programs();
        let lines = format!(
            "MOSHPUNCH INSTALL system Linux x86_64\nMOSHPUNCH INSTALL has {crc} {size}\nMOSHPUNCH INSTALL ready"
        );
        assert_eq!(say(&mut dialogue, &lines), Some(Reply::Keep));
    }

    #[test]
    fn a_host_for_which_there_is_none_gets_nothing() {
        for system in ["Linux aarch64", "Linux riscv64", "Darwin x86_64", "Linux ../../x86_64", ""] {
            let lines = format!("MOSHPUNCH INSTALL system {system}\nMOSHPUNCH INSTALL ready");
            assert_eq!(say(&mut dialogue(), &lines), Some(Reply::Nothing), "{system}");
        }
        assert_eq!(say(&mut dialogue(), "MOSHPUNCH INSTALL ready"), Some(Reply::Nothing));
    }

    #[test]
    fn noise_means_nothing_and_what_is_said_is_bounded() {
        let mut dialogue = dialogue();
        let noise = "x MOSHPUNCH INSTALL ready\nMOSHPUNCH INSTALLready\nMOSHPUNCH OFFER 1\n\u{1b}[2J";
        assert_eq!(say(&mut dialogue, noise), None);
        assert!(!dialogue.told().has_begun);
        let flood = format!("MOSHPUNCH INSTALL leaves {}\n", "x".repeat(5000)).repeat(100);
        say(&mut dialogue, &flood);
        assert_eq!(dialogue.told().leaves, vec!["x".repeat(TOLD_CHARACTERS_MAXIMUM); DIRECTORIES_MAXIMUM]);
        dialogue.handle_line(b"MOSHPUNCH INSTALL at \xff\xfe");
        assert_eq!(dialogue.told().place.as_deref(), Some("\u{fffd}\u{fffd}"));
    }

    #[test]
    fn how_much_has_come_is_a_number() {
        let mut dialogue = dialogue();
        assert_eq!(dialogue.size(), None);
        say(&mut dialogue, "MOSHPUNCH INSTALL system Linux x86_64\nMOSHPUNCH INSTALL ready");
        assert_eq!(dialogue.size(), Some(120));
        say(&mut dialogue, "MOSHPUNCH INSTALL came 60\nMOSHPUNCH INSTALL came x\nMOSHPUNCH INSTALL came -1");
        assert_eq!(dialogue.told().came, 60);
    }

    #[test]
    fn what_stood_in_the_way_is_told_in_the_hosts_words() {
        let mut dialogue = dialogue();
        say(&mut dialogue, "MOSHPUNCH INSTALL failed write cat: write error: No space left on device ");
        let words = "cat: write error: No space left on device".to_owned();
        assert_eq!(dialogue.told().obstacle, Some((Obstacle::Write, words)));
        say(&mut dialogue, "MOSHPUNCH INSTALL failed home ");
        assert_eq!(dialogue.told().obstacle, Some((Obstacle::Home, String::new())));
    }

    #[test]
    fn nothing_is_sent_to_a_host_from_which_it_is_taken() {
        let mut dialogue = Dialogue::uninstalling();
        let lines = "MOSHPUNCH INSTALL system Linux x86_64\nMOSHPUNCH INSTALL ready\nMOSHPUNCH INSTALL removed moshpunch 1";
        assert_eq!(say(&mut dialogue, lines), None);
        assert_eq!(dialogue.told().removed.as_deref(), Some("moshpunch 1"));
    }
}
