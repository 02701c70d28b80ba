//! How many colours the terminal has, as mosh-client counts them: the first use of mosh-client, and so where it is
//! missed, and where a terminal of a type that it does not know is found out.
//!
//! Most of the time that it takes goes by before it counts. Where the terminal's description is found and says how many there
//! are, mosh-client is asked beside the login, and has the last word: another number begins the login anew. Else nobody logs
//! in before it has answered.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags};
use rustix::process::Pid;
use system::process::Handle;
use terminfo_lean::{locate, parse};

const CURE: &str = "set TERM to a type of terminal that this machine knows, such as TERM=xterm-256color, \
                    or install the types that it misses (Debian: apt install ncurses-term)";

/// terminfo(5): as many colours as can be shown at once; a terminal that nothing more is known of; and one that prints on
/// paper. For the latter two mosh-client has no use.
const COLOURS: &str = "colors";
const OF_NO_USE: [&str; 2] = ["gn", "hc"];

/// The longest that term(5) has.
const DESCRIPTION_BYTES_MAXIMUM: u64 = 32 * 1024;

/// As text, for mosh-server's `-c`.
#[derive(Debug)]
pub(crate) struct Colours {
    pub(crate) number: String,
    /// Who has the last word.
    pub(crate) count: Option<Count>,
}

/// mosh-client, who is asked.
#[derive(Debug)]
pub(crate) struct Count {
    client: PathBuf,
    asked: Child,
    end: Handle,
}

impl Colours {
    /// With an answer, where it must be waited for.
    pub(crate) fn begin_count(client: &Path) -> Result<Self> {
        let count = Count::start(client)?;
        match described(env::var_os("TERM").as_deref()) {
            Some(number) => Ok(Self { number, count: Some(count) }),
            None => Ok(Self::counted(count.finish()?)),
        }
    }

    pub(crate) fn counted(number: String) -> Self {
        Self { number, count: None }
    }
}

impl Count {
    fn start(client: &Path) -> Result<Self> {
        let mut command = Command::new(client);
        command.arg("-c").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let asked = match command.spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(
                "{} is not installed on this machine; install mosh (Debian: apt install mosh), or name it with --client",
                client.display()
            ),
            asked => asked.with_context(|| client.display().to_string())?,
        };
        Ok(Self { client: client.to_owned(), end: Handle::of(Pid::from_child(&asked))?, asked })
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.asked.try_wait(), Ok(None))
    }

    /// Waits for it.
    pub(crate) fn finish(self) -> Result<String> {
        let Self { client, asked, .. } = self;
        let output = asked.wait_with_output().with_context(|| client.display().to_string())?;
        if !output.status.success() {
            bail!(unusable(&client, env::var_os("TERM").as_deref(), &output));
        }
        Ok(number(&output.stdout))
    }

    /// Can be read from once it has ended.
    pub(crate) fn descriptor(&self) -> PollFd<'_> {
        PollFd::new(&self.end, PollFlags::IN)
    }
}

/// What the terminal's description says (term(5)), if one is where mosh-client's library looks for it in any case.
fn described(terminal: Option<&OsStr>) -> Option<String> {
    let is_elsewhere = |place: OsString| !Path::new(&place).is_absolute();
    if env::var_os("TERMINFO").is_some_and(is_elsewhere) {
        return None;
    }
    // That would be a path, of whatever is there.
    let terminal = terminal.filter(|name| !name.as_bytes().contains(&b'/'))?;
    let mut description = Vec::new();
    let file = File::open(locate::locate(terminal).ok()?).ok()?;
    file.take(DESCRIPTION_BYTES_MAXIMUM).read_to_end(&mut description).ok()?;
    number_in(&description)
}

fn number_in(description: &[u8]) -> Option<String> {
    let terminal = parse::parse(description).ok()?;
    let is_of_use = !OF_NO_USE.iter().any(|name| terminal.booleans.contains(name));
    is_of_use.then(|| terminal.numbers.get(COLOURS).copied().unwrap_or(0).to_string())
}

/// mosh's script takes what is no number, and the -1 of a terminal without colours, for none.
fn number(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let number = text.trim();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { number.to_owned() } else { "0".to_owned() }
}

fn unusable(client: &Path, terminal: Option<&OsStr>, output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr);
    let words = words.lines().map(|line| line.trim().trim_end_matches('.')).rfind(|line| !line.is_empty());
    let words = words.map_or_else(|| output.status.to_string(), str::to_owned);
    let terminal = match terminal.filter(|terminal| !terminal.is_empty()) {
        Some(terminal) => format!("with TERM={}", terminal.display()),
        None => "without TERM".to_owned(),
    };
    format!("{} -c failed {terminal}: {words}; {CURE}", client.display())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn what_is_no_number_of_colours_is_none() {
        for (output, expected) in [("256\n", "256"), ("-1\n", "0"), ("", "0"), ("many\n", "0")] {
            assert_eq!(number(output.as_bytes()), expected, "{output:?}");
        }
    }

    /// As term(5) has it, with 16-bit numbers: names; the flags up to `gn` and `hc`; the numbers up to `colors`.
    fn description(generic: u8, hardcopy: u8, colours: i16) -> Vec<u8> {
        let header = [0x11a, 2, 8, 14, 0, 0].map(u16::to_le_bytes).concat();
        let numbers = [[-1; 13].as_slice(), &[colours]].concat();
        let numbers = numbers.into_iter().flat_map(i16::to_le_bytes).collect();
        [header, b"t\0".to_vec(), vec![0, 0, 0, 0, 0, 0, generic, hardcopy], numbers].concat()
    }

    #[test]
    fn a_path_is_no_name_of_a_terminal() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, description(0, 0, 8)).unwrap();
        assert_eq!(described(Some(file.path().as_os_str())), None);
    }

    #[test]
    fn a_description_says_how_many_colours_there_are() {
        for (description, number) in [
            (description(0, 0, 256), Some("256")),
            (description(0, 0, -1), Some("0")),
            (description(1, 0, 8), None),
            (description(0, 1, 8), None),
            (b"no description".to_vec(), None),
            (description(0, 0, 8)[..30].to_vec(), None),
        ] {
            assert_eq!(number_in(&description).as_deref(), number, "{description:?}");
        }
    }

    #[test]
    fn a_terminal_that_mosh_client_cannot_use_is_named() {
        let output = |stderr: &str| Output {
            status: ExitStatus::from_raw(256),
            stdout: Vec::new(),
            stderr: stderr.into(),
        };
        let told = |terminal: &str, stderr: &str| {
            unusable(Path::new("mosh-client"), Some(OsStr::new(terminal)), &output(stderr))
        };
        assert_eq!(
            told("odd", "'odd': unknown terminal type.\n"),
            format!("mosh-client -c failed with TERM=odd: 'odd': unknown terminal type; {CURE}")
        );
        assert_eq!(told("", ""), format!("mosh-client -c failed without TERM: exit status: 1; {CURE}"));
    }
}
