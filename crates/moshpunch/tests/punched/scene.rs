//! A laptop in a café, and a server at home; each behind a router of its own, through which ssh alone is forwarded. Between
//! the two routers is a third one, as on the internet.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Host, Lab, Link, Nat, Protocol, Terminal, USER, WriteUp, wait_until};

use crate::common::{PATIENCE, computes_within, leave_and_read, raise};
use crate::traffic::{self, Traffic};

pub(crate) const LOG: &str = "/tmp/log";

/// As the farewell and the log have it.
pub(crate) const HOLE: &str = "(through a hole punched into firewalls and NATs)";

/// By the home's router, which forwards ssh.
const TO_ROUTER: [&str; 2] = ["--ssh=ssh -p 8022", "router"];

pub(crate) struct Scene {
    pub(crate) network: WriteUp,
    /// The café's router.
    pub(crate) cafe: Host,
    /// Between the cafés and the home's provider.
    pub(crate) city: Link,
    pub(crate) inside: Link,
    /// The router between the two, or another one that all packets pass.
    pub(crate) on_the_way: Host,
    /// The words that lead ssh to the server.
    pub(crate) destination: [&'static str; 2],
    home: Nat,
    session: Option<Terminal>,
    /// How long the log was when it began.
    logged_before: usize,
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
        network.router.readdress("wan0", &["20.0.0.1/24"], &["20.0.0.2"])?;
        let scene = Self {
            network,
            cafe: router,
            city,
            inside,
            on_the_way: provider,
            destination: TO_ROUTER,
            home: home.forward(Protocol::Tcp, 8022, "192.168.1.10:22"),
            session: None,
            logged_before: 0,
            typed: 3_000,
            seen: 0,
        };
        scene.sit_down(cafe)?;
        Ok(scene)
    }

    /// In a café with such a NAT, or in a network without. No router remembers anybody.
    pub(crate) fn sit_down(&self, cafe: Option<Nat>) -> Result<()> {
        self.network.router.nat(&self.home)?;
        self.network.router.forget_connections()?;
        self.cafe.forget_connections()?;
        match cafe {
            Some(cafe) => {
                self.cafe.nat(&cafe)?;
                self.laptop().join("eth0", &self.inside, &["10.1.0.5/24"], &["10.1.0.1"])
            }
            None => self.laptop().join("eth0", &self.city, &["20.0.1.9/24"], &["20.0.1.1"]),
        }
    }

    pub(crate) fn laptop(&self) -> &Host {
        &self.network.laptop
    }

    pub(crate) fn begin(&mut self, options: &[&str]) -> Result<()> {
        self.begin_with(&[], options)
    }

    /// In such an environment.
    pub(crate) fn begin_with(&mut self, variables: &[(&str, &str)], options: &[&str]) -> Result<()> {
        let words = [&["-v", "--log", LOG], options, &self.destination].concat();
        let command = self.laptop().command("moshpunch").args(words).as_user(USER);
        let command = variables.iter().fold(command, |command, (name, value)| command.env(name, value));
        (self.logged_before, self.seen) = (self.whole_log().len(), 0);
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
        let moved = wait_until(kind, PATIENCE, || {
            let log = self.news();
            let last = log.lines().rfind(|line| line.contains("event=Moved"));
            Ok(last.is_some_and(|line| line.contains(&format!("kind: {kind},"))).then_some(()))
        });
        self.explained(moved)?;
        self.computes()
    }

    /// A hole is punched, ssh is silent while the user types, and then is cut. What was said of the way.
    pub(crate) fn goes_through_a_hole(&mut self) -> Result<String> {
        self.goes("Punched")?;
        let router = self.on_the_way.clone();
        wait_until("what is typed, without a packet of ssh's", PATIENCE, || {
            traffic::count(&router)?;
            self.computes()?;
            let Traffic { udp, tcp } = traffic::counted(&router)?;
            Ok((udp >= 2 && tcp == 0).then_some(()))
        })?;
        traffic::cut_ssh(&router)?;
        self.computes()?;
        let said = self.leaves_having_gone_through_a_hole()?;
        traffic::let_ssh_through(&router)?;
        Ok(said)
    }

    /// Both orders are tried in vain, and no hole is thought to be there.
    pub(crate) fn stays_carried(&mut self) -> Result<()> {
        let failed =
            wait_until("the end of two rounds", PATIENCE, || Ok(is_over(&self.log(), 2).then_some(())));
        self.explained(failed)?;
        self.computes()?;
        let log = self.log();
        ensure!(!log.contains("kind: Punched"), "{log}");
        let said = self.leaves()?;
        ensure!(said.contains("the session went over ssh"), "{said}\n{log}");
        Ok(())
    }

    /// What it said of its ways.
    pub(crate) fn leaves(&mut self) -> Result<String> {
        let session = self.session.take().context("a session has begun")?;
        let said = leave_and_read(session);
        self.explained(said)
    }

    pub(crate) fn leaves_having_gone_through_a_hole(&mut self) -> Result<String> {
        let said = self.leaves()?;
        let used = said.lines().find(|line| line.contains("the session went over")).unwrap_or_default();
        ensure!(used.contains(HOLE), "{said}\n{}", self.log());
        Ok(used.to_owned())
    }

    /// The client's, of this session.
    pub(crate) fn log(&self) -> String {
        self.whole_log().split_off(self.logged_before)
    }

    fn whole_log(&self) -> String {
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

/// Whether a round has ended, and one of its sockets, that for IPv4 as a rule, is closed.
pub(crate) fn is_over(log: &str, round: u32) -> bool {
    let Some((_, rest)) = log.split_once(&format!("event=Punch {{ round: {round},")) else { return false };
    let asked = rest.lines().next().unwrap_or_default();
    let socket = asked.rsplit_once("SocketId(").and_then(|(_, rest)| rest.split(')').next());
    socket.is_some_and(|socket| rest.contains(&format!("event=Close {{ socket: SocketId({socket}) }}")))
}
