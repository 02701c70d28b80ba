//! The laptop's end of a channel, spoken by hand: an ssh whose input is a pipe of ours, and whose output is a log.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Daemon, Host, USER, wait_until};
use wire::channel::{Frame, Side};

use crate::common::PATIENCE;

/// By the router's forward, which leads to the server.
pub(crate) const TO_SERVER: [&str; 3] = ["-p", "8022", "router"];

pub(crate) const NEW: &str = "MOSHPUNCH_OFFER=1 MOSHPUNCH_CHANNEL=1 moshpunch server new";

pub(crate) struct Login {
    pub(crate) ssh: Daemon,
    input: Option<File>,
}

impl Login {
    /// `name` is no other login's. `words` are ssh's options and the host.
    pub(crate) fn open(laptop: &Host, name: &str, words: &[&str], command: &str) -> Result<Self> {
        Self::open_by(laptop, name, "ssh", words, command)
    }

    pub(crate) fn open_by(
        laptop: &Host,
        name: &str,
        ssh: &str,
        words: &[&str],
        command: &str,
    ) -> Result<Self> {
        let pipe = format!("/tmp/{name}");
        laptop.command("mkfifo").arg(&pipe).as_user(USER).run(PATIENCE)?;
        let script = format!("exec \"$@\" <{pipe}");
        let ssh = laptop.command("sh").args(["-c", &script, "sh", ssh]).args(words).arg(command);
        let ssh = laptop.spawn(name, &ssh.as_user(USER))?;
        // For reading, too: whoever only writes waits for the other end.
        let open = || Ok(OpenOptions::new().read(true).write(true).open(&pipe)?);
        Ok(Self { ssh, input: Some(laptop.inside(open)?) })
    }

    pub(crate) fn new_session(laptop: &Host) -> Result<Self> {
        Self::open(laptop, "first", &[&["-T"], &TO_SERVER[..]].concat(), NEW)
    }

    pub(crate) fn say(&mut self, text: &str) -> Result<()> {
        let input = self.input.as_mut().context("its end was said")?;
        Ok(input.write_all(text.as_bytes())?)
    }

    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    pub(crate) fn hears(&self, text: &str) -> Result<()> {
        self.ssh.wait_for_log(text, PATIENCE)
    }

    pub(crate) fn ends(&self) -> Result<()> {
        self.ssh.wait_exit(PATIENCE).map(drop)
    }

    /// What the host has said so far, in whole lines.
    pub(crate) fn frames(&self) -> Vec<Frame> {
        let log = self.ssh.log();
        let whole = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.filter_map(|line| Frame::parse(line.as_bytes(), Side::Host)).collect()
    }

    /// The session's id, as the first line of the channel tells it.
    pub(crate) fn session(&self) -> Result<String> {
        self.hears("MOSHPUNCH CHANNEL 1 ")?;
        let hello = self.frames().into_iter().find_map(|frame| match frame {
            Frame::Hello(hello) => Some(hello.session.to_string()),
            _ => None,
        });
        hello.context("no session is told")
    }

    pub(crate) fn key(&self) -> Result<String> {
        let log = self.ssh.log();
        let line = log.lines().find(|line| line.starts_with("MOSH CONNECT ")).context("no connect line")?;
        Ok(line.split_whitespace().nth(3).context("no key")?.to_owned())
    }
}

/// One that is no secret and not authentic; mosh-server leaves it aside.
pub(crate) fn any_datagram(number: u64) -> String {
    Frame::Datagram { number, tos: 0, datagram: vec![7; 60] }.encode()
}

/// Hands datagrams on between a channel and a mosh-client that sends to `socket`, until `is_enough`.
pub(crate) struct Carried {
    socket: UdpSocket,
    sent: u64,
    heard: u64,
}

impl Carried {
    pub(crate) fn on(laptop: &Host) -> Result<Self> {
        let socket = laptop.inside(|| Ok(UdpSocket::bind(("127.0.0.1", 0))?))?;
        Ok(Self { socket, sent: 0, heard: 0 })
    }

    pub(crate) fn port(&self) -> Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    pub(crate) fn until(
        &mut self,
        login: &mut Login,
        what: &str,
        is_enough: impl Fn() -> bool,
    ) -> Result<()> {
        self.socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let carried = wait_until(what, 2 * PATIENCE, || {
            self.carry(login)?;
            self.hand_on(login)?;
            Ok(is_enough().then_some(()))
        });
        carried.with_context(|| login.ssh.log())
    }

    fn carry(&mut self, login: &mut Login) -> Result<()> {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            self.socket.connect(from)?;
            self.sent += 1;
            let frame = Frame::Datagram { number: self.sent, tos: 2, datagram: buffer[..length].to_vec() };
            login.say(&frame.encode())?;
        }
        Ok(())
    }

    fn hand_on(&mut self, login: &mut Login) -> Result<()> {
        let before = self.heard;
        for frame in login.frames() {
            if let Frame::Datagram { number, tos, datagram } = frame
                && number > self.heard
            {
                ensure!(number == self.heard + 1, "{number} behind {}", self.heard);
                ensure!(tos & 3 == 2, "mosh marks what it sends for ECN: {tos}");
                self.socket.send(&datagram)?;
                self.heard = number;
            }
        }
        if self.heard > before {
            login.say(&Frame::Delivered { number: self.heard }.encode())?;
        }
        Ok(())
    }
}
