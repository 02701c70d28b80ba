//! From the start of ssh to the connect line.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;

use anyhow::Result;
use net::wait::wait;
use path::Candidate;
use rustix::event::{PollFd, PollFlags};

use super::destination::Destination;
use super::diagnosis::Evidence;
use super::login::Login;
use super::look_up::LookUp;
use super::messages::Messages;
use super::progress::Progress;
use super::remote_command::{self, ServerWords};
use super::scout::{OURS, Offers};
use super::transcript::{Connect, Line};
use super::{candidates, child, farewell, ssh, surroundings};
use crate::arguments::RemoteIp;
use crate::configuration::ConnectConfiguration;
use crate::report;
use crate::session::Failure;

/// Of a host that stock mosh is as good for.
const WITHOUT_OURS: &str =
    "has no moshpunch, so its router maps no port; as with mosh, its UDP port must be reachable";

/// As mosh's script collects them.
const LOCALE: [&str; 15] = [
    "LANG",
    "LANGUAGE",
    "LC_CTYPE",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_COLLATE",
    "LC_MONETARY",
    "LC_MESSAGES",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
    "LC_ALL",
];

#[derive(Debug)]
pub(crate) struct Connecting {
    configuration: ConnectConfiguration,
    login: Login,
    look_up: Option<LookUp>,
    progress: Progress,
    messages: Messages,
    evidence: Evidence,
    told: Told,
}

/// What the host has told so far, before its port is known.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) offered: Vec<Candidate>,
    pub(crate) offers: Offers,
    addresses: Vec<IpAddr>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Connected(Box<Connected>),
    /// With the exit code of ssh.
    Failed(Failure, Option<i32>),
    Interrupted,
}

/// A mosh-server waits.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) configuration: ConnectConfiguration,
    pub(crate) connect: Connect,
    /// What came with the connect line, behind it.
    pub(crate) unread: Vec<Line>,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) offers: Offers,
    pub(crate) login: Login,
    pub(crate) look_up: Option<LookUp>,
    pub(crate) progress: Progress,
}

impl Connecting {
    pub(crate) fn start(
        configuration: ConnectConfiguration,
        destination: Destination,
        colours: String,
    ) -> Result<Self> {
        let mut progress = Progress::new(configuration.verbose);
        let Destination { host, address } = destination;
        let told = Told { addresses: address.into_iter().collect(), ..Told::default() };
        let words = ServerWords {
            bind: configuration.bind.clone(),
            port: configuration.port.clone(),
            colours,
            locale: locale(),
            command: configuration.command.clone(),
        };
        let command = remote_command::start(configuration.server.as_deref(), &words);
        let words = ssh::login(&configuration, &host, command);
        progress.detail(&format!("running {}", child::shown(&words)));
        let login = Login::start(&words, |command| surroundings::prepare(&configuration, command))?;
        progress.step(&format!("logging in to {} …", configuration.host));
        let look_up = (configuration.remote_ip == RemoteIp::Proxy || configuration.local)
            .then(|| LookUp::start(&configuration.ssh, &configuration.host))
            .transpose()?;
        let (messages, evidence) = (Messages::new(), Evidence::default());
        Ok(Self { configuration, login, look_up, progress, messages, evidence, told })
    }

    pub(crate) fn run(mut self, signals: &mut UnixStream) -> Result<Outcome> {
        loop {
            if signals.read(&mut [0; 16]).is_ok() {
                return Ok(self.interrupted());
            }
            let ended = self.login.ended();
            // In this order: mosh-server greets on stderr after its connect line, and must not be taken for older than that.
            let messages = self.login.messages(ended.is_some());
            let lines = self.login.lines(ended.is_some());
            if let Some((connect, unread)) = self.pass_on(&messages, lines, ended.is_some())? {
                return Ok(self.connected(connect, unread));
            }
            if let Some(status) = ended {
                return Ok(self.failed(status));
            }
            let mut descriptors: Vec<_> = self.login.descriptors().collect();
            descriptors.push(PollFd::new(&*signals, PollFlags::IN));
            wait(&mut descriptors, None)?;
        }
    }

    /// ssh's messages are older than the lines that come with them, save for the last. Gives the connect line, and what
    /// came behind it.
    fn pass_on(
        &mut self,
        messages: &[u8],
        mut lines: Vec<Line>,
        ended: bool,
    ) -> Result<Option<(Connect, Vec<Line>)>> {
        let end = lines.iter().position(|line| matches!(line, Line::Connect(_)));
        let unread = lines.split_off(end.unwrap_or(lines.len()));
        let messages = if end.is_some() { worth_showing(messages) } else { messages.to_vec() };
        let last_words = ended && end.is_none();
        if !last_words {
            self.show_messages(&messages);
        }
        lines.into_iter().try_for_each(|line| self.read(line))?;
        if last_words {
            self.show_messages(&messages);
        }
        let mut unread = unread.into_iter();
        match unread.next() {
            Some(Line::Connect(connect)) => Ok(Some((connect, unread.collect()))),
            _ => Ok(None),
        }
    }

    fn read(&mut self, line: Line) -> Result<()> {
        match line {
            // Told from the others before.
            Line::Connect(_) => {}
            Line::Offer(offer) => {
                self.told.offers.follow(&offer);
                let offered = candidates::offered(&offer, self.configuration.families);
                self.progress.detail(&format!("the host offers {}", farewell::listed(&offered)));
                self.told.offered.extend(offered);
            }
            Line::UnusableOffer(why) => {
                self.progress.detail(&format!("the host's offer is of no use: {why}"));
            }
            Line::Present => {
                self.progress.step("logged in; starting mosh-server there, and looking for its gateway …");
            }
            Line::Absent => {
                self.evidence.absent = true;
                self.progress.detail("the host has no moshpunch; starting its mosh-server as mosh does");
            }
            Line::Address(address) => self.told.addresses.push(address),
            Line::Malformed(line) => self.evidence.malformed = Some(line),
            Line::Text(text) => self.show(&text)?,
        }
        Ok(())
    }

    /// As mosh's script does with what it does not understand.
    fn show(&mut self, text: &[u8]) -> Result<()> {
        self.evidence.add(text);
        self.evidence.add(b"\n");
        if text.is_empty() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(text)?;
        stdout.write_all(b"\n")?;
        Ok(stdout.flush()?)
    }

    fn show_messages(&mut self, messages: &[u8]) {
        if !messages.is_empty() {
            self.evidence.add(messages);
            self.messages.show(messages);
        }
    }

    fn connected(mut self, connect: Connect, unread: Vec<Line>) -> Outcome {
        let port = connect.port;
        if self.evidence.absent {
            report::note(format_args!("{} {WITHOUT_OURS}", self.configuration.host));
        }
        let mapping = match self.told.offers {
            Offers::Unfinished => ", not mapped yet",
            Offers::Complete | Offers::None => "",
        };
        self.progress.step(&format!("mosh-server waits on UDP port {port}{mapping}; looking for a path …"));
        let families = self.configuration.families;
        let mut found = self.told.offered;
        let own =
            self.told.addresses.iter().filter_map(|&address| candidates::of_host(address, port, families));
        found.extend(own);
        Outcome::Connected(Box::new(Connected {
            configuration: self.configuration,
            connect,
            unread,
            candidates: found,
            offers: self.told.offers,
            login: self.login,
            look_up: self.look_up,
            progress: self.progress,
        }))
    }

    fn failed(mut self, status: ExitStatus) -> Outcome {
        self.progress.clear();
        let ConnectConfiguration { ssh, host, .. } = &self.configuration;
        let failure = self.evidence.cause(ssh, status.code()).explained(host, &child::shown(ssh));
        Outcome::Failed(failure, status.code())
    }

    fn interrupted(mut self) -> Outcome {
        self.progress.clear();
        self.login.end();
        Outcome::Interrupted
    }
}

/// What comes with the connect line is mosh-server's greeting, but for what the host's moshpunch has to say.
fn worth_showing(messages: &[u8]) -> Vec<u8> {
    let lines = messages.split_inclusive(|&byte| byte == b'\n');
    lines.filter(|line| line.starts_with(OURS)).flatten().copied().collect()
}

fn locale() -> Vec<OsString> {
    let set = LOCALE.iter().filter_map(|&name| Some((name, env::var_os(name)?)));
    let words = set.map(|(name, value)| {
        let mut word = OsString::from(name);
        word.push("=");
        word.push(value);
        word
    });
    words.collect()
}
