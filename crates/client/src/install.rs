//! `moshpunch --install HOST` puts moshpunch into `~/.local/bin` there, and `--uninstall` takes it away: by one login, without a
//! terminal there, whose input is the program.
//!
//! The scripts that run there are with the other commands of a login (`remote_command`). What they say is understood by the
//! `dialogue`, which decides what they are answered; the `program` that fits is found here before anybody logs in; `outcome`
//! puts into words what came of it. This file drives all that.

mod dialogue;
mod outcome;
mod program;
mod silence;

use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};

use anyhow::Result;
use net::clock;
use net::wait::wait;
use programs::signals::Signals;
use report::{Machine, Step, Trouble, log};
use rustix::event::{PollFd, PollFlags};

use self::dialogue::{Dialogue, Reply};
use self::outcome::Outcome;
use self::program::{Processor, Programs, Sum};
use self::silence::Silence;
use crate::configuration::Configuration;
use crate::connect::INTERRUPTED;
use crate::login::diagnosis::{self, Attempt, Cause, Evidence};
use crate::login::flood::Printed;
use crate::login::input::Input;
use crate::login::pasted::pasted;
use crate::login::remote_command;
use crate::login::transcript::Line;
use crate::login::{Login, Terminals, ssh, surroundings};
use crate::terminal::console::Console;

/// How much more has come each time that it is told.
const BYTES_TOLD: u64 = 100_000;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// With the directory of the programs for hosts, or such a program; unsaid, this one and those beside it.
    Install {
        from: Option<PathBuf>,
    },
    Uninstall,
}

/// # Errors
///
/// ssh cannot be started, or the terminal is gone.
pub fn run(configuration: &Configuration, wanted: Wanted) -> Result<ExitCode> {
    if let Some(log) = &configuration.log {
        log::append_to(log);
    }
    let dialogue = match wanted {
        Wanted::Install { from } => Dialogue::installing(Programs::find(from.as_deref())),
        Wanted::Uninstall => Dialogue::uninstalling(),
    };
    if let Some(why) = dialogue.programs().and_then(Programs::missing) {
        report::trouble(&outcome::no_program(why));
        return Ok(ExitCode::FAILURE);
    }
    let mut signals = Signals::of_the_end()?;
    let ended = Errand::begin(configuration, dialogue)?.run(&mut signals)?;
    Ok(ended.tell(configuration))
}

/// One login, until it has ended.
#[derive(Debug)]
struct Errand<'a> {
    configuration: &'a Configuration,
    dialogue: Dialogue,
    login: Login,
    console: Console,
    evidence: Evidence,
    printed: Printed,
    input: Option<Input>,
    sending: Option<Sending>,
    silence: Silence,
    last_line: String,
}

#[derive(Debug)]
struct Sending {
    bytes: Vec<u8>,
    sent: usize,
}

/// How the login ended.
#[derive(Debug)]
struct Ended {
    dialogue: Dialogue,
    evidence: Evidence,
    last_line: String,
    by: End,
}

#[derive(Debug)]
enum End {
    Itself(ExitStatus),
    Interrupted,
    Silence,
    Flood,
}

impl<'a> Errand<'a> {
    fn begin(configuration: &'a Configuration, dialogue: Dialogue) -> Result<Self> {
        let is_installing = dialogue.programs().is_some();
        let command = if is_installing { remote_command::install() } else { remote_command::uninstall() };
        let words = ssh::errand(configuration, &command, false);
        let mut console = Console::new(configuration.verbose)?;
        console.detail(&format!("running {}", pasted(&words)));
        let terminals = Terminals::open(false, command.is_written_to);
        let mut login =
            Login::attended(&words, terminals, |command| surroundings::prepare(configuration, command))?;
        console.step(&format!("logging in to {} …", configuration.host));
        Ok(Self {
            configuration,
            dialogue,
            input: login.take_input(),
            login,
            console,
            evidence: Evidence::default(),
            printed: Printed::default(),
            sending: None,
            silence: Silence::begin(clock::now()),
            last_line: String::new(),
        })
    }

    fn run(mut self, signals: &mut Signals) -> Result<Ended> {
        let by = loop {
            if signals.have_come() {
                break End::Interrupted;
            }
            self.console.keep_up();
            let ended = self.login.ended();
            self.listen(ended.is_some());
            if self.printed.is_a_flood() {
                break End::Flood;
            }
            if let Some(status) = ended {
                break End::Itself(status);
            }
            self.send();
            self.tell_of_silence();
            if self.silence.is_too_long(clock::now()) {
                break End::Silence;
            }
            if self.login.ended().is_none() {
                self.wait(signals)?;
            }
        };
        self.console.leave()?.clear();
        if !matches!(by, End::Itself(_)) {
            self.login.end();
        }
        let Self { dialogue, evidence, last_line, .. } = self;
        Ok(Ended { dialogue, evidence, last_line, by })
    }

    fn listen(&mut self, ended: bool) {
        let messages = self.login.messages(ended);
        self.console.show_messages(&messages);
        self.evidence.add_messages(&messages);
        let lines = self.login.lines(ended);
        self.printed.add(&lines, &messages);
        if !lines.is_empty() || !messages.is_empty() {
            self.silence.begin_anew(clock::now());
        }
        for line in lines {
            if let Line::Text(text) = line {
                self.read(&text);
            }
        }
    }

    fn read(&mut self, line: &[u8]) {
        let before = self.dialogue.told().came / BYTES_TOLD;
        let reply = self.dialogue.handle_line(line);
        if self.dialogue.told().came / BYTES_TOLD > before {
            self.tell_progress();
        }
        if self.dialogue.told().has_begun {
            self.evidence.begin();
        } else if !line.is_empty() {
            self.last_line = report::plain(&String::from_utf8_lossy(line));
        }
        self.evidence.add_line(line);
        match reply {
            None => {}
            Some(Reply::Nothing) => self.input = None,
            Some(Reply::Keep) => self.sending = Some(Sending { bytes: b"keep\n".to_vec(), sent: 0 }),
            Some(Reply::Put(processor)) => self.begin_to_send(processor),
        }
    }

    fn begin_to_send(&mut self, processor: Processor) {
        let programs = self.dialogue.programs().expect("an installation has them");
        let program = programs.for_processor(processor).as_ref().expect("only what is there is put");
        let Sum { crc, size } = program.sum;
        self.console.detail(&format!("copying {}", program.path.display()));
        let bytes = [format!("put {size} {crc}\n").as_bytes(), &program.bytes].concat();
        self.sending = Some(Sending { bytes, sent: 0 });
        self.tell_progress();
    }

    /// As much as is taken at once. Where nobody reads any more, the host has told why, or ssh will.
    fn send(&mut self) {
        let (Some(input), Some(Sending { bytes, sent })) = (&mut self.input, &mut self.sending) else {
            return;
        };
        let taken = input.write(&bytes[*sent..]).inspect_err(|error| tracing::debug!(%error, "not sent"));
        let is_broken = taken.is_err();
        let taken = taken.unwrap_or_default();
        *sent += taken;
        let is_over = is_broken || *sent == bytes.len();
        if taken > 0 {
            self.silence.begin_anew(clock::now());
        }
        if is_over {
            (self.input, self.sending) = (None, None);
        }
    }

    /// By what has come there: ssh takes megabytes that a slow network carries for minutes.
    fn tell_progress(&mut self) {
        let Some(size) = self.dialogue.size() else { return };
        let [came, all] = [self.dialogue.told().came.min(size), size].map(|bytes| bytes as f64 / 1e6);
        let host = &self.configuration.host;
        self.console.step(&format!("copying moshpunch to {host}: {came:.1} of {all:.1} MB …"));
    }

    fn tell_of_silence(&mut self) {
        let has_begun = self.dialogue.told().has_begun;
        if self.silence.is_to_be_told(has_begun, clock::now()) {
            let host = &self.configuration.host;
            let call = attempt(self.configuration).call();
            self.console.note(&format!(
                "{host} has said nothing yet; if ssh asks nothing, `{call} true` must end by itself"
            ));
        }
    }

    fn wait(&self, signals: &Signals) -> Result<()> {
        let mut descriptors: Vec<_> = self.login.descriptors().chain(self.console.descriptors()).collect();
        descriptors.push(PollFd::new(signals, PollFlags::IN));
        descriptors.extend(self.input.iter().filter(|_| self.sending.is_some()).map(Input::room));
        let silence = self.silence.poll_timeout(self.dialogue.told().has_begun);
        let deadline = self.console.poll_timeout().into_iter().chain([silence]).min();
        Ok(wait(&mut descriptors, deadline)?)
    }
}

impl Ended {
    fn tell(&self, configuration: &Configuration) -> ExitCode {
        let host = &configuration.host;
        if let Some(Outcome { notes, troubles, is_success }) = outcome::of(&self.dialogue, host) {
            notes.iter().for_each(report::note);
            troubles.iter().for_each(report::trouble);
            return if is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        let (trouble, code) = match self.by {
            End::Itself(status) => (self.why(status, configuration), code(status)),
            End::Interrupted => {
                report::note(format_args!("interrupted; {}", self.left_behind(host)));
                return INTERRUPTED.into();
            }
            End::Silence if !self.dialogue.told().has_begun => {
                let call = attempt(configuration).call();
                let cure = format!(
                    "`{call} true` must end by itself: an account for files alone has no shell to do so"
                );
                (told(format!("{host} never ran what it was asked to"), cure), 1)
            }
            End::Silence => {
                let what = format!("{host} answers no more; {}", self.left_behind(host));
                (told(what, "say the same again once it can be reached"), 1)
            }
            End::Flood => {
                (told(format!("{host} prints without end"), "look what the login shell starts there"), 1)
            }
        };
        report::trouble(&trouble);
        code.into()
    }

    /// Of a login that ended before all was told.
    fn why(&self, status: ExitStatus, configuration: &Configuration) -> Trouble {
        let attempt = attempt(configuration);
        let (cause, blamed) = self.evidence.cause(&attempt, status);
        let host = &configuration.host;
        match cause {
            Cause::NoSsh
            | Cause::UnknownName
            | Cause::Refused
            | Cause::Unreachable
            | Cause::HostKey
            | Cause::Denied
            | Cause::NoShell
            | Cause::ExpiredPassword => diagnosis::explained(&cause, &blamed, &attempt),
            _ if self.dialogue.told().has_begun => {
                let what = format!("the login to {host} ended too soon; {}", self.left_behind(host));
                told(what, "say the same again; the connection may have been cut")
            }
            Cause::Ssh | Cause::Killed(_) => diagnosis::explained(&cause, &blamed, &attempt),
            _ => {
                let said = match self.last_line.as_str() {
                    "" => String::new(),
                    line => format!(": it says \"{line}\""),
                };
                let cure = format!(
                    "`{} true` must succeed: look in the start-up files of the login shell there for what ends it",
                    attempt.call()
                );
                told(format!("{host} ended the login without running what it was asked to{said}"), cure)
            }
        }
    }

    fn left_behind(&self, host: &str) -> String {
        let told = self.dialogue.told();
        match (&told.put, &told.removed) {
            (Some(is), _) => format!("{host} has {is} now"),
            (None, Some(was)) => format!("{was} is removed from {host}"),
            (None, None) => format!("what {host} had is as it was, or new as a whole"),
        }
    }
}

fn attempt(configuration: &Configuration) -> Attempt<'_> {
    let Configuration { host, ssh, local, .. } = configuration;
    let is_openssh = ssh::ends_as_openssh(configuration);
    Attempt { host, ssh, server: None, is_openssh, is_local: *local }
}

fn told(what: String, cure: impl Into<String>) -> Trouble {
    Trouble::told(Machine::Host, Step::Login, what, cure)
}

fn code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).filter(|&code| code != 0).unwrap_or(1)
}
