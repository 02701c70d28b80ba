//! What holds for one connection.

pub(crate) mod secret;
mod stun_server;
mod turn_server;
mod uri_host;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use wire::Bind;

pub use self::stun_server::StunServer;
pub use self::turn_server::TurnServer;

/// All of it said, or by default; nothing is read from a file or the environment any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// `[USER@]HOST`, as ssh takes it.
    pub host: String,
    /// What to run there; a login shell, if empty.
    pub command: Vec<OsString>,
    /// mosh-client.
    pub client: PathBuf,
    /// Words for the login shell there. Unsaid, moshpunch is looked for, and then mosh-server.
    pub server: Option<String>,
    /// Where the server is to listen. Unsaid, ours finds what serves most, and stock mosh's takes the address of ssh.
    pub bind: Option<Bind>,
    /// A UDP port of the host, or a range `PORT:PORT2`.
    pub port: Option<String>,
    /// The program and its options.
    pub ssh: Vec<OsString>,
    pub ssh_terminal: bool,
    pub local: bool,
    pub remote_ip: RemoteIp,
    pub families: Families,
    /// Whether datagrams may go over ssh, where they get through no other way.
    pub carry: bool,
    /// Whether the host may be asked to let UDP in by sending first.
    pub punch: bool,
    /// Who may tell where this machine and the host are seen; nobody, unless the user names one.
    pub stun: Vec<StunServer>,
    /// Who may relay the session, where nothing else by UDP works; nobody, unless the user names one.
    pub turn: Option<TurnServer>,
    /// Its user there, whose password is in the file; or the server's own secret is, of which a password is made each time.
    pub turn_user: Option<String>,
    pub turn_password_file: Option<PathBuf>,
    pub turn_secret_file: Option<PathBuf>,
    pub predict: Predict,
    pub predict_overwrite: bool,
    pub terminal_init: bool,
    pub verbose: bool,
    pub log: Option<PathBuf>,
}

impl Configuration {
    /// Of a user who says nothing but the host.
    pub fn of(host: &str) -> Self {
        Self {
            host: host.into(),
            command: Vec::new(),
            client: "mosh-client".into(),
            server: None,
            bind: None,
            port: None,
            ssh: vec!["ssh".into()],
            ssh_terminal: true,
            local: false,
            remote_ip: RemoteIp::Proxy,
            families: Families::All,
            carry: true,
            punch: true,
            stun: Vec::new(),
            turn: None,
            turn_user: None,
            turn_password_file: None,
            turn_secret_file: None,
            predict: Predict::Adaptive,
            predict_overwrite: false,
            terminal_init: true,
            verbose: false,
            log: None,
        }
    }

    /// Servers that may be asked where this machine is seen. A TURN server tells, too.
    pub(crate) fn tell_where_we_are(&self) -> Vec<StunServer> {
        let relay = self.turn.iter().map(|turn| StunServer { host: turn.host.clone(), port: turn.port });
        let named = self.stun.iter().cloned().chain(relay);
        named.filter(|_| self.punch).collect()
    }

    /// Whether there is something to be said to the host while the session runs.
    pub(crate) fn wants_channel(&self) -> bool {
        self.carry || self.punch
    }
}

/// Which kinds of addresses may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    Only(path::Family),
    All,
}

impl Families {
    pub(crate) fn allow(self, family: path::Family) -> bool {
        self == Self::All || self == Self::Only(family)
    }
}

/// When to show what is typed before the host echoes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predict {
    Adaptive,
    Always,
    Never,
    Experimental,
}

impl Predict {
    /// The default first.
    pub const ALL: [Self; 4] = [Self::Adaptive, Self::Always, Self::Never, Self::Experimental];

    /// As mosh-client reads it from its environment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::Always => "always",
            Self::Never => "never",
            Self::Experimental => "experimental",
        }
    }

    /// The one of that [`name`](Self::name).
    pub fn named(name: &OsStr) -> Option<Self> {
        Self::ALL.into_iter().find(|predict| name == predict.name())
    }
}

/// Which address to try beside what the host offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteIp {
    Local,
    /// By `SSH_CONNECTION`.
    Remote,
    Proxy,
}
