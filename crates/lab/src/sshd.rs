//! A real sshd.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::account::{USER_ID, runtime_directory};
use crate::daemon::Daemon;
use crate::host::Host;
use crate::keys;

const CONFIGURATION: &str = "/etc/ssh/sshd_config";
const HOST_KEY: &str = "/etc/ssh/lab_host_key";
const TIME_TO_START: Duration = Duration::from_secs(30);

/// How sshd is configured.
#[derive(Clone, Debug)]
pub struct Sshd {
    pub port: u16,
    /// Lines for sshd_config, before all others: there the first mention of an option counts.
    pub extra: Vec<String>,
}

impl Default for Sshd {
    fn default() -> Self {
        Self { port: 22, extra: Vec::new() }
    }
}

impl Sshd {
    /// The text of sshd_config. What a login under systemd would set by PAM is set by `SetEnv`.
    fn configuration(&self) -> String {
        let mut text = String::new();
        for line in &self.extra {
            writeln!(text, "{line}").expect("a String takes every write");
        }
        let runtime_directory = runtime_directory(USER_ID);
        write!(
            text,
            "Port {}\nHostKey {HOST_KEY}\nUsePAM no\nPasswordAuthentication no\nPrintMotd no\nUseDNS no\n\
             MaxStartups 200\nLogLevel VERBOSE\nAcceptEnv LANG LC_*\nSetEnv XDG_RUNTIME_DIR={runtime_directory}\n",
            self.port
        )
        .expect("a String takes every write");
        text
    }
}

impl Host {
    /// Starts sshd; it listens when this returns.
    ///
    /// # Errors
    /// When it does not start; the error shows its log.
    pub fn sshd(&self, sshd: &Sshd) -> Result<Daemon> {
        let shared = self.lab().directory().join("shared");
        self.inside(|| {
            fs::create_dir_all("/run/sshd")?;
            fs::write(CONFIGURATION, sshd.configuration())?;
            keys::make_host_key(Path::new(HOST_KEY), &shared)
        })?;
        let daemon = self.spawn("sshd", &self.command("/usr/sbin/sshd").args(["-D", "-e"]))?;
        daemon.wait_for_log("Server listening on 0.0.0.0", TIME_TO_START)?;
        Ok(daemon)
    }
}
