//! A laptop in a café, and a server at home; each behind a router of its own, through which ssh alone is forwarded. Between
//! the two routers is a third one, as on the internet.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Host, Lab, Link, Nat, Terminal, USER, WriteUp};

use crate::common::{PATIENCE, computes_within, leave_and_read, raise};

pub(crate) const LOG: &str = "/tmp/log";

/// As the farewell and the log have it.
pub(crate) const HOLE: &str = "(through a hole punched into firewalls and NATs)";

pub(crate) struct Scene {
    pub(crate) network: WriteUp,
    /// Between the home's provider and the cafés.
    pub(crate) city: Link,
    /// The café's router.
    pub(crate) cafe: Host,
    pub(crate) inside: Link,
    session: Option<Terminal>,
    typed: u32,
    /// Of the log, what has been seen.
    seen: usize,
}

impl Scene {
    /// With a café whose NAT is `cafe`, and a home whose is `home`; none is a network without NAT.
    pub(crate) fn raise(lab: &Lab, cafe: Option<Nat>, home: Nat) -> Result<Self> {
        let network = raise(lab)?;
        let [city, inside] = [lab.link("city")?, lab.link("cafe")?];
        let provider = lab.host("provider").attach("east0", &network.internet, &["20.0.0.2/24"]);
        let provider = provider.attach("west0", &city, &["20.0.1.1/24"]).start()?;
        provider.forward_packets()?;
        let router = lab.host("cafe").attach("wan0", &city, &["20.0.1.50/24"]).default_route("20.0.1.1");
        let router = router.attach("lan0", &inside, &["10.1.0.1/24"]).start()?;
        network.router.nat(&home.forward(lab::Protocol::Tcp, 8022, "192.168.1.10:22"))?;
        network.router.readdress("wan0", &["20.0.0.1/24"], &["20.0.0.2"])?;
        match cafe {
            Some(cafe) => {
                router.nat(&cafe)?;
                network.laptop.join("eth0", &inside, &["10.1.0.5/24"], &["10.1.0.1"])?;
            }
            None => network.laptop.join("eth0", &city, &["20.0.1.9/24"], &["20.0.1.1"])?,
        }
        Ok(Self { network, city, cafe: router, inside, session: None, typed: 3_000, seen: 0 })
    }

    pub(crate) fn laptop(&self) -> &Host {
        &self.network.laptop
    }

    pub(crate) fn begin(&mut self, options: &[&str]) -> Result<()> {
        self.begin_with(&[], options)
    }

    /// In such an environment.
    pub(crate) fn begin_with(&mut self, variables: &[(&str, &str)], options: &[&str]) -> Result<()> {
        self.leaf_to_the_end();
        let words = [&["-v", "--log", LOG, "--ssh=ssh -p 8022"], options, &["router"]].concat();
        let command = self.laptop().command("moshpunch").args(words).as_user(USER);
        let command = variables.iter().fold(command, |command, (name, value)| command.env(name, value));
        self.session = Some(self.laptop().terminal(&command, 50, 160)?);
        let prompted = self.session()?.wait_for("alice@server", PATIENCE);
        self.explained(prompted)?;
        self.computes()
    }

    pub(crate) fn session(&mut self) -> Result<&mut Terminal> {
        self.session.as_mut().context("a session has begun")
    }

    pub(crate) fn computes(&mut self) -> Result<()> {
        self.computes_within(PATIENCE)
    }

    pub(crate) fn computes_within(&mut self, within: Duration) -> Result<()> {
        self.typed += 1;
        let typed = self.typed;
        let computed = computes_within(self.session()?, typed, within);
        self.explained(computed)
    }

    /// The session goes by such a way.
    pub(crate) fn goes(&mut self, kind: &str) -> Result<()> {
        let moved = lab::wait_until(kind, PATIENCE, || {
            let log = self.news();
            let last = log.lines().rfind(|line| line.contains("event=Moved"));
            Ok(last.is_some_and(|line| line.contains(&format!("kind: {kind},"))).then_some(()))
        });
        self.explained(moved)?;
        self.computes()
    }

    /// What it said of its ways.
    pub(crate) fn leaves(&mut self) -> Result<String> {
        let session = self.session.take().context("a session has begun")?;
        let said = leave_and_read(session);
        self.explained(said)
    }

    pub(crate) fn leaves_having_gone_through_a_hole(&mut self) -> Result<()> {
        let said = self.leaves()?;
        let used = said.lines().find(|line| line.contains("the session went over")).unwrap_or_default();
        ensure!(used.contains(HOLE), "{said}\n{}", self.log());
        Ok(())
    }

    pub(crate) fn log(&self) -> String {
        self.laptop().read_file(LOG).unwrap_or_default()
    }

    /// What comes of the next move is looked for behind this.
    pub(crate) fn leaf_to_the_end(&mut self) {
        self.seen = self.log().len();
    }

    /// Of the log, what came since.
    pub(crate) fn news(&self) -> String {
        self.log().get(self.seen..).unwrap_or_default().to_owned()
    }

    pub(crate) fn explained<T>(&self, result: Result<T>) -> Result<T> {
        result.with_context(|| format!("the client's log:\n{}", self.log()))
    }
}
