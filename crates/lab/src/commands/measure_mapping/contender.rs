//! Who is measured, and what each leaves to be cleared away.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Command, USER};
use rustix::process::{Pid, Signal, kill_process};

use super::network::{Network, Server};

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Contender {
    pub(super) name: &'static str,
    /// The name of the one that it is compared with.
    pub(super) peer: Option<&'static str>,
    server: Server,
    program: Program,
    /// How miniupnpd describes the mapping that it makes; `None`: none is made.
    makes: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    Map,
    Server,
    /// With what it remembers of this network.
    ServerAgain,
    MoshServer,
    Natpmpc,
    Upnpc,
}

const NATPMPC: &str = "natpmpc -a";
const UPNPC: &str = "upnpc -a";
const MOSH_SERVER: &str = "mosh-server new";

pub(super) fn contenders(network: &Network) -> Vec<Contender> {
    let Network { pcp, nat_pmp, upnp, unheard, .. } = network;
    let contender = |name, program, server: &Server, makes, peer| Contender {
        name,
        peer,
        server: server.clone(),
        program,
        makes,
    };
    vec![
        contender("moshpunch map add, by PCP", Program::Map, pcp, Some("PCP MAP "), Some(NATPMPC)),
        contender("moshpunch map add, by NAT-PMP", Program::Map, nat_pmp, Some("NAT-PMP "), Some(NATPMPC)),
        contender(NATPMPC, Program::Natpmpc, nat_pmp, Some("NAT-PMP "), None),
        contender("moshpunch map add, by UPnP", Program::Map, upnp, Some("moshpunch "), Some(UPNPC)),
        contender(UPNPC, Program::Upnpc, upnp, Some("a peer"), None),
        contender("moshpunch map add, without a gateway", Program::Map, unheard, None, None),
        contender("moshpunch server new, by PCP", Program::Server, pcp, Some("PCP MAP "), Some(MOSH_SERVER)),
        contender(
            "moshpunch server new, by UPnP",
            Program::Server,
            upnp,
            Some("moshpunch "),
            Some(MOSH_SERVER),
        ),
        contender("… found there before", Program::ServerAgain, upnp, Some("moshpunch "), Some(MOSH_SERVER)),
        contender("moshpunch server new, without a gateway", Program::Server, unheard, None, None),
        contender(MOSH_SERVER, Program::MoshServer, pcp, None, None),
    ]
}

impl Contender {
    pub(super) fn measure(&self, network: &Network) -> Result<Duration> {
        let output = self.command().output(PATIENCE)?;
        let made: Vec<_> = network.router.leases()?.into_iter().map(|lease| lease.description).collect();
        match self.makes {
            None => ensure!(made.is_empty(), "no mapping was to be had: {made:?}"),
            Some(start) => ensure!(made.len() == 1 && made[0].starts_with(start), "{made:?}\n{output}"),
        }
        self.clear_away()?;
        network.wait_for_empty_table()?;
        Ok(output.took)
    }

    fn command(&self) -> Command {
        let Server { host, address } = &self.server;
        let words: &[&str] = match self.program {
            Program::Map => &["moshpunch", "map", "add", "60001"],
            Program::Server | Program::ServerAgain => &["moshpunch", "server", "new", "-s"],
            Program::MoshServer => &["mosh-server", "new", "-s"],
            Program::Natpmpc => &["natpmpc", "-a", "60001", "60001", "udp", "3600"],
            Program::Upnpc => &["upnpc", "-e", "a peer", "-a", address, "60001", "60001", "UDP", "3600"],
        };
        let command = host.command(words[0]).args(&words[1..]).as_user(USER);
        let command = command.env("SSH_CONNECTION", format!("20.0.0.9 40000 {address} 22"));
        match self.program {
            Program::ServerAgain => command,
            _ => command.env("XDG_CACHE_HOME", "/nowhere"),
        }
    }

    fn clear_away(&self) -> Result<()> {
        let words: &[&str] = match self.program {
            Program::Server | Program::ServerAgain | Program::MoshServer => return self.end_sessions(),
            Program::Map if self.makes.is_none() => return Ok(()),
            Program::Map => &["moshpunch", "map", "remove", "60001"],
            Program::Natpmpc => &["natpmpc", "-a", "60001", "60001", "udp", "0"],
            Program::Upnpc => &["upnpc", "-d", "60001", "UDP"],
        };
        self.server.host.command(words[0]).args(&words[1..]).as_user(USER).run(PATIENCE).map(drop)
    }

    fn end_sessions(&self) -> Result<()> {
        for process in self.server.host.processes("mosh-server")? {
            let pid = Pid::from_raw(i32::try_from(process.pid)?).context("a process has a number")?;
            let _already_gone = kill_process(pid, Signal::KILL);
        }
        Ok(())
    }
}
