//! `router.py` in the router's place.

use std::fmt;

use anyhow::Result;
use lab::{Daemon, Host, WriteUp};

use crate::common::PATIENCE;

const PROGRAM: &str = "/tmp/router.py";
const TABLE: &str = "/tmp/table";

pub(crate) struct Router {
    host: Host,
    way: String,
    daemon: Daemon,
}

impl Router {
    pub(crate) fn start(host: &Host, way: &str) -> Result<Self> {
        host.write_file(PROGRAM, include_str!("router.py"))?;
        let arguments = [PROGRAM, way, WriteUp::ROUTER_INSIDE, WriteUp::ROUTER_OUTSIDE, TABLE];
        let daemon =
            host.spawn(&format!("router that does {way}"), &host.command("python3").args(arguments))?;
        daemon.wait_for_log("serving\n", PATIENCE)?;
        Ok(Self { host: host.clone(), way: way.to_owned(), daemon })
    }

    /// `PORT CLIENT:PORT LEASE DESCRIPTION`, a line an entry.
    pub(crate) fn table(&self) -> Result<Vec<String>> {
        Ok(self.host.read_file(TABLE)?.lines().map(str::to_owned).collect())
    }

    /// How often that was asked for.
    pub(crate) fn asked(&self, question: &str) -> usize {
        self.daemon.log().lines().filter(|line| line.starts_with(question)).count()
    }
}

impl fmt::Display for Router {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, asked\n{}", self.way, self.daemon.log())
    }
}
