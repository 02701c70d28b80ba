//! A router with its own mosh-server, three servers behind it, a laptop outside and a desk inside.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Daemon, Host, Lab, Miniupnpd, Nat, Protocol, Sshd, Terminal, wait_until};

use crate::common::program;
use crate::common::{PATIENCE, be_patient};

pub(crate) const OUTSIDE: &str = "20.0.0.1";
pub(crate) const SERVERS: usize = 3;

/// How soon a mapped port must be held, and how soon after its mapping it must be free: before the guard looks for itself,
/// which it does twice a minute.
pub(crate) const HELD_WITHIN: Duration = Duration::from_secs(15);
pub(crate) const FREE_WITHIN: Duration = Duration::from_secs(20);

/// Of which miniupnpd leaves the range of the router's and the servers' sessions open.
const PERMISSIONS: [&str; 2] =
    ["allow 60000-60999 192.168.1.0/24 60000-60999", "deny 0-65535 0.0.0.0/0 0-65535"];

pub(crate) struct Home {
    pub(crate) router: Host,
    pub(crate) servers: Vec<Host>,
    pub(crate) laptop: Host,
    pub(crate) desk: Host,
    _sshd: Daemon,
}

/// A session that was opened; `port` is what the client was told.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) host: String,
    pub(crate) port: u16,
    key: String,
}

impl Home {
    pub(crate) fn raise(lab: &Lab) -> Result<Self> {
        lab.install(&program::path())?;
        let (internet, home) = (lab.link("internet")?, lab.link("home")?);
        let router = lab.host("router").attach("wan0", &internet, &["20.0.0.1/24"]);
        let router = router.attach("lan0", &home, &["192.168.1.1/24"]).start()?;
        router.nat(&Nat::home("wan0").forward(Protocol::Tcp, 8022, "192.168.1.10:22").hairpin())?;
        let inside = |name: &str, address: String| {
            lab.host(name).attach("eth0", &home, &[&address]).default_route("192.168.1.1").start()
        };
        let server = |number| {
            let server = inside(&format!("server{number}"), format!("{}/24", address_of_server(number)))?;
            be_patient(&server).map(|()| server)
        };
        let servers = (0..SERVERS).map(server).collect::<Result<Vec<_>>>()?;
        let desk = inside("desk", "192.168.1.50/24".to_owned())?;
        let laptop = lab.host("laptop").attach("eth0", &internet, &["20.0.0.9/24"]).start()?;
        let _sshd = servers[0].sshd(&Sshd::default())?;
        Ok(Self { router, servers, laptop, desk, _sshd })
    }

    pub(crate) fn miniupnpd(&self) -> Result<Daemon> {
        self.router.miniupnpd(&Self::configuration())
    }

    pub(crate) fn configuration() -> Miniupnpd {
        let permissions = PERMISSIONS.map(str::to_owned).to_vec();
        Miniupnpd { permissions, http_port: 5000, lifetimes: (2, 86400), ..Miniupnpd::new("wan0", "lan0") }
    }

    /// Ready when this returns.
    pub(crate) fn guard(&self, options: &[&str]) -> Result<Daemon> {
        let command = self.router.command("moshpunch").args(["router", "guard"]);
        let command = command.args(["--miniupnpd-conf", "/etc/miniupnpd/lab.conf"]).args(options);
        let guard = self.router.spawn("guard", &command)?;
        guard.wait_for_log("guarding:", PATIENCE)?;
        Ok(guard)
    }

    /// On the router itself, with mosh-server alone, for a client outside.
    pub(crate) fn open_on_router(&self, bind: &[&str]) -> Result<Session> {
        let command = self.router.command("mosh-server").args(["new", "-p", "60001:60999"]).args(bind);
        open(&self.router, command.env("SSH_CONNECTION", format!("20.0.0.9 40000 {OUTSIDE} 22")))
    }

    /// On the router itself, as our own client asks it to.
    pub(crate) fn offer_on_router(&self) -> Result<Session> {
        let command = self.router.command("moshpunch").args(["server", "--offer", "new"]);
        open(&self.router, command.env("SSH_CONNECTION", format!("20.0.0.9 40000 {OUTSIDE} 22")))
    }

    /// On a server, as ssh would run it for a client outside.
    pub(crate) fn open_on_server(&self, number: usize, options: &[&str], new: &[&str]) -> Result<Session> {
        let command = self.servers[number].command("moshpunch").arg("server").args(options).arg("new");
        let command = command.arg("-s").args(new);
        let ssh = format!("20.0.0.9 40000 {} 22", address_of_server(number));
        open(&self.servers[number], command.env("SSH_CONNECTION", ssh))
    }

    /// A stock client outside that joins the session; it is there when this returns.
    pub(crate) fn join(&self, session: &Session) -> Result<Terminal> {
        let terminal = self.client(session)?;
        wait_for_prompt(session, &terminal)?;
        Ok(terminal)
    }

    pub(crate) fn client(&self, session: &Session) -> Result<Terminal> {
        Self::client_on(&self.laptop, session)
    }

    pub(crate) fn client_on(host: &Host, session: &Session) -> Result<Terminal> {
        let client = host.command("mosh-client").args([OUTSIDE, &session.port.to_string()]);
        host.terminal(&client.env("MOSH_KEY", &session.key).as_user(lab::USER), 24, 80)
    }

    /// Whether any socket of the router has the port.
    pub(crate) fn is_held(&self, port: u16) -> Result<bool> {
        Ok(self.router.udp_ports()?.contains(&port))
    }

    /// A file below /proc/net, as the router's kernel shows it.
    pub(crate) fn kernel_table(&self, name: &str) -> Result<String> {
        Ok(std::fs::read_to_string(format!("/proc/{}/net/{name}", self.router.holder_pid()))?)
    }

    pub(crate) fn wait_until_held(&self, port: u16) -> Result<()> {
        wait_until(&format!("port {port} to be held"), HELD_WITHIN, || Ok(self.is_held(port)?.then_some(())))
    }

    pub(crate) fn wait_until_free(&self, port: u16) -> Result<()> {
        wait_until(&format!("port {port} to be free"), FREE_WITHIN, || {
            Ok((!self.is_held(port)?).then_some(()))
        })
    }
}

pub(crate) fn wait_for_prompt(session: &Session, terminal: &Terminal) -> Result<()> {
    let prompt = terminal.wait_for(&format!("alice@{}", session.host), PATIENCE);
    prompt.with_context(|| format!("{session:?}"))
}

fn address_of_server(number: usize) -> String {
    format!("192.168.1.{}", 10 + number)
}

fn open(host: &Host, command: lab::Command) -> Result<Session> {
    let output = command.as_user(lab::USER).run(PATIENCE)?;
    ensure!(!output.stderr.contains("moshpunch:"), "{output}");
    let line = output.stdout.lines().find_map(|line| line.strip_prefix("MOSH CONNECT "));
    let (port, key) = line.and_then(|line| line.split_once(' ')).context("no connect line")?;
    Ok(Session { host: host.name().to_owned(), port: port.parse()?, key: key.to_owned() })
}
