//! From the start of ssh to the connect line.

mod another_login;
mod beside;
mod ending;

use anyhow::Result;
use net::clock;
use net::wait::wait;
use path::Candidate;
use programs::signals::Signals;
use report::Trouble;
use rustix::event::{PollFd, PollFlags};
use wire::locale;

use crate::addresses::destination::Destination;
use crate::addresses::intake::Intake;
use crate::addresses::look_up::LookUp;
use crate::addresses::whereabouts::{Offers, Whereabouts};
use crate::configuration::{Configuration, RemoteIp};
use crate::login::diagnosis::{Attempt, Evidence};
use crate::login::flood::Printed;
use crate::login::pasted::{installation, pasted};
use crate::login::remote_command::{self, RemoteCommand, ServerWords};
use crate::login::transcript::{Connect, Line, without_secret};
use crate::login::{Login, Terminals, locale_variables, ssh, surroundings};
use crate::session::farewell;
use crate::session::mosh_client::Prepared;
use crate::terminal::colours::Colours;
use crate::terminal::console::Console;
use crate::terminal::progress::Progress;
use crate::terminal::silence::{self, Alarm, Silence};

use self::beside::Beside;

/// Of a host where a moshpunch is, and of no use.
const WITH_A_BROKEN_ONE: &str = "has a moshpunch that does not run, so it is served as by mosh";

#[derive(Debug)]
pub(crate) struct Connecting {
    configuration: Configuration,
    /// Where ssh is told to go, and what it runs there.
    destination: String,
    command: RemoteCommand,
    login: Login,
    beside: Beside,
    console: Console,
    silence: Silence,
    evidence: Evidence,
    whereabouts: Whereabouts,
    /// A moshpunch was found there; or none was.
    has_ours: bool,
    has_none_of_ours: bool,
    printed: Printed,
    /// What to run there as mosh itself does, where that may help and was not tried.
    as_mosh: Option<RemoteCommand>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Connected(Box<Connected>),
    /// With the exit code of ssh.
    Failed(Trouble, Option<i32>),
    Interrupted,
    /// The terminal has this number of colours, and the host was told another.
    Miscounted(String),
}

/// A mosh-server waits.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) configuration: Configuration,
    pub(crate) connect: Connect,
    /// What came with the connect line, behind it.
    pub(crate) unread: Vec<Line>,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) intake: Intake,
    pub(crate) offers: Offers,
    pub(crate) login: Login,
    pub(crate) look_up: Option<LookUp>,
    pub(crate) client: Prepared,
    pub(crate) progress: Progress,
}

impl Connecting {
    pub(crate) fn start(
        configuration: Configuration,
        destination: Destination,
        colours: Colours,
    ) -> Result<Self> {
        let mut console = Console::new(configuration.verbose)?;
        let Destination { host: destination, address } = destination;
        let words = ServerWords {
            bind: configuration.bind.clone(),
            port: configuration.port.clone(),
            colours: colours.number.clone(),
            locale: locale_variables::settings(),
            command: configuration.command.clone(),
            tell_address: configuration.remote_ip == RemoteIp::Remote && !configuration.local,
            channel: configuration.wants_channel(),
        };
        let as_mosh = (configuration.server.is_none() && !configuration.local)
            .then(|| remote_command::stock("mosh-server", &words));
        let command = remote_command::start(configuration.server.as_deref(), &words);
        let login = log_in(&configuration, &destination, &command, &console)?;
        console.step(&first_step(&configuration));
        Ok(Self {
            silence: Silence::new(clock::now()),
            evidence: Evidence::default(),
            whereabouts: Whereabouts::new(&configuration, address),
            has_ours: false,
            has_none_of_ours: false,
            printed: Printed::default(),
            configuration,
            destination,
            command,
            login,
            beside: Beside::new(colours),
            console,
            as_mosh,
        })
    }

    pub(crate) fn run(mut self, signals: &mut Signals) -> Result<Outcome> {
        loop {
            if signals.have_come() {
                return self.interrupted();
            }
            if let Some(counted) = self.beside.miscount() {
                return self.miscounted(counted);
            }
            self.console.keep_up();
            self.beside.keep_up(&self.configuration)?;
            let ended = self.login.ended();
            // In this order: mosh-server greets on stderr after its connect line, and must not be taken for older than that.
            let messages = self.login.messages(ended.is_some());
            let (lines, connected) = up_to_connect_line(self.login.lines(ended.is_some()));
            self.printed.add(&lines, &messages);
            if self.printed.is_a_flood() {
                return self.flooded();
            }
            self.pass_on(&messages, lines, ended.is_some(), connected.is_some())?;
            if let Some((connect, unread)) = connected {
                self.beside.wait_for_count(signals)?;
                return if let Some(counted) = self.beside.miscount() {
                    self.miscounted(counted)
                } else if self.beside.is_counting() {
                    self.interrupted()
                } else {
                    self.connected(connect, unread)
                };
            }
            if let Some(status) = ended {
                if self.log_in_otherwise(status)? {
                    continue;
                }
                return self.failed(status);
            }
            self.console.show_unfinished(self.login.unfinished(), self.login.has_keyboard())?;
            self.login.type_keys(&self.console.keys());
            self.listen_for_silence()?;
            if self.login.ended().is_none() {
                self.wait(signals)?;
            }
        }
    }

    fn wait(&self, signals: &Signals) -> Result<()> {
        let mut descriptors: Vec<_> = self.login.descriptors().chain(self.console.descriptors()).collect();
        descriptors.push(PollFd::new(signals, PollFlags::IN));
        descriptors.extend(self.beside.descriptors());
        let deadline = self.console.poll_timeout().into_iter().chain(self.silence.poll_timeout()).min();
        Ok(wait(&mut descriptors, deadline)?)
    }

    /// ssh's messages are older than the lines that come with them, save for the last.
    fn pass_on(&mut self, messages: &[u8], lines: Vec<Line>, ended: bool, connected: bool) -> Result<()> {
        let messages = if connected { worth_showing(messages) } else { messages.to_vec() };
        let last_words = ended && !connected;
        if !last_words {
            self.console.show_messages(&messages);
        }
        lines.into_iter().try_for_each(|line| self.read(line))?;
        if last_words {
            self.console.show_messages(&messages);
        }
        if !messages.is_empty() {
            self.silence.handle_message();
            self.evidence.add_messages(&messages);
        }
        Ok(())
    }

    fn read(&mut self, line: Line) -> Result<()> {
        if !matches!(line, Line::Text(_)) {
            self.evidence.begin();
        }
        match line {
            // Told from the others before.
            Line::Connect(_) => {}
            Line::Offer(offer) => {
                let offered = self.whereabouts.handle_offer(&offer, clock::now());
                self.console.detail(&format!("the host offers {}", farewell::listed(&offered)));
            }
            Line::UnusableOffer(why) => {
                self.console.detail(&format!("the host's offer is of no use: {why}"));
            }
            Line::Present => {
                self.has_ours = true;
                self.beside.prepare_client(&self.configuration)?;
                self.console.step("logged in; starting mosh-server there, and looking for its gateway …");
            }
            Line::Absent => {
                self.has_none_of_ours = true;
                self.beside.prepare_client(&self.configuration)?;
                self.console.detail("the host has no moshpunch; starting its mosh-server as mosh does");
            }
            Line::Broken(what) => {
                self.beside.prepare_client(&self.configuration)?;
                let (host, install) = (&self.configuration.host, installation(&self.configuration));
                self.console.note(&format!(
                    "{host} {WITH_A_BROKEN_ONE}: {what}; `{install}` puts one there that does"
                ));
            }
            Line::Locale(name) => self.console.note(&locale::told(&self.configuration.host, &name)),
            Line::Address(address) => self.whereabouts.handle_address(address),
            // There is no channel yet.
            Line::Channel(_) => {}
            Line::Malformed(line) => self.evidence.malformed = Some(line),
            Line::Text(text) => {
                let text = without_secret(&text);
                self.evidence.add_line(text);
                self.console.show_line(text)?;
            }
        }
        Ok(())
    }

    /// Says so where nothing comes any more, and what helps.
    fn listen_for_silence(&mut self) -> Result<()> {
        let now = clock::now();
        if self.login.has_spoken() {
            self.silence.handle_output(now);
        }
        if self.login.is_left_to_others() {
            self.silence.handle_end(now);
        }
        match self.silence.poll_alarm(now) {
            Some(Alarm::NeverHeard) => self.leave_dead_master()?,
            Some(Alarm::FellSilent) => {
                let (words, is_asked) = self.console.last_words();
                let attempt = self.attempt();
                self.console.note(&silence::told(attempt.host, &attempt.call(), &words, is_asked));
            }
            Some(Alarm::Lost) => self.login.give_up(),
            None => {}
        }
        Ok(())
    }

    fn attempt(&self) -> Attempt<'_> {
        let Configuration { host, ssh, server, local, .. } = &self.configuration;
        Attempt {
            host,
            ssh,
            server: server.as_deref(),
            is_openssh: ssh::ends_as_openssh(&self.configuration),
            is_local: *local,
        }
    }
}

fn log_in(
    configuration: &Configuration,
    destination: &str,
    command: &RemoteCommand,
    console: &Console,
) -> Result<Login> {
    let words = ssh::login(configuration, destination, command);
    console.detail(&format!("running {}", pasted(&words)));
    let has_terminal = configuration.ssh_terminal && !configuration.local;
    let terminals = Terminals::open(has_terminal, command.is_written_to);
    Login::attended(&words, terminals, |command| surroundings::prepare(configuration, command))
}

fn first_step(configuration: &Configuration) -> String {
    if configuration.local {
        "starting mosh-server on this machine …".to_owned()
    } else {
        format!("logging in to {} …", configuration.host)
    }
}

/// What came before the connect line; then that, if it has come, and what came behind it.
fn up_to_connect_line(lines: Vec<Line>) -> (Vec<Line>, Option<(Connect, Vec<Line>)>) {
    let (mut lines, mut before) = (lines.into_iter(), Vec::new());
    while let Some(line) = lines.next() {
        match line {
            Line::Connect(connect) => return (before, Some((connect, lines.collect()))),
            line => before.push(line),
        }
    }
    (before, None)
}

/// What comes with the connect line is mosh-server's greeting, but for what the host's moshpunch has to say.
fn worth_showing(messages: &[u8]) -> Vec<u8> {
    let lines = messages.split_inclusive(|&byte| byte == b'\n');
    lines.filter(|line| line.starts_with(report::BEGINNING.as_bytes())).flatten().copied().collect()
}
