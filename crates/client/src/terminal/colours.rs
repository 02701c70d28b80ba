//! How many colours the terminal has, as mosh-client counts them: the first use of mosh-client, and so where it is
//! missed, and where a terminal of a type that it does not know is found out, before anybody logs in.

use std::env;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

const CURE: &str = "set TERM to a type of terminal that this machine knows, such as TERM=xterm-256color, \
                    or install the types that it misses (Debian: apt install ncurses-term)";

/// As text, for mosh-server's `-c`.
pub(crate) fn count(client: &Path) -> Result<String> {
    let output = Command::new(client).arg("-c").stdin(Stdio::null()).output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "{} is not installed on this machine; install mosh (Debian: apt install mosh), or name it with --client",
            client.display()
        ),
        output => output.with_context(|| client.display().to_string())?,
    };
    if !output.status.success() {
        bail!(unusable(client, env::var_os("TERM").as_deref(), &output));
    }
    Ok(number(&output.stdout))
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
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn what_is_no_number_of_colours_is_none() {
        for (output, expected) in [("256\n", "256"), ("-1\n", "0"), ("", "0"), ("many\n", "0")] {
            assert_eq!(number(output.as_bytes()), expected, "{output:?}");
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
