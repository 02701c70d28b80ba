//! Two hosts of one home, whose mosh-servers have the same port.

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Daemon, Host, Lab, Nat, Protocol, Sshd, Terminal, USER, scenario, wait_until};

use crate::common::home::nft;
use crate::common::{PATIENCE, be_patient, computes, leave_and_read};
use crate::scene::{HOLE, Scene, is_over};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(two_hosts_on_one_port_go_directly_where_both_keep_it),
        scenario!(of_two_hosts_on_one_port_only_the_one_that_keeps_it_goes_directly),
    ]
}

const LOG: &str = "/tmp/log-of-neighbour";

/// Another port than mosh-server's is given to the second host.
const ANOTHER_PORT: &str = "insert rule inet lab postrouting oifname wan0 ip saddr 192.168.1.11 meta l4proto udp \
                            masquerade to :40001\n";

struct Neighbours {
    scene: Scene,
    neighbour: Host,
    _sshd: Daemon,
}

impl Neighbours {
    fn raise(lab: &Lab) -> Result<Self> {
        let home = Nat::home("wan0").forward(Protocol::Tcp, 8023, "192.168.1.11:22");
        let scene = Scene::raise(lab, Some(Nat::home("wan0")), home)?;
        let neighbour = lab.host("neighbour").attach("eth0", &scene.network.home, &["192.168.1.11/24"]);
        let neighbour = neighbour.default_route("192.168.1.1").start()?;
        be_patient(&neighbour)?;
        let sshd = neighbour.sshd(&Sshd::default())?;
        Ok(Self { scene, neighbour, _sshd: sshd })
    }

    /// A session with each, at the same time; the neighbour's.
    fn begin(&mut self) -> Result<Terminal> {
        self.scene.begin(&[])?;
        self.scene.goes("Punched")?;
        let words = ["-v", "--log", LOG, "--ssh=ssh -p 8023", "router"];
        let command = self.scene.laptop().command("moshpunch").args(words).as_user(USER);
        let mut terminal = self.scene.laptop().terminal(&command, 50, 160)?;
        terminal.wait_for("alice@neighbour", PATIENCE)?;
        computes(&mut terminal, 5_001)?;
        for host in [&self.scene.network.server, &self.neighbour] {
            ensure!(host.udp_ports()?.contains(&60_001), "mosh-server is elsewhere: {:?}", host.udp_ports()?);
        }
        Ok(terminal)
    }

    fn waits(&self, what: &str, is_logged: impl Fn(&str) -> bool) -> Result<()> {
        let log = || self.scene.laptop().read_file(LOG).unwrap_or_default();
        let waited = wait_until(what, PATIENCE, || Ok(is_logged(&log()).then_some(())));
        waited.with_context(log)
    }
}

fn two_hosts_on_one_port_go_directly_where_both_keep_it(lab: &Lab) -> Result<()> {
    let mut both = Neighbours::raise(lab)?;
    let mut other = both.begin()?;
    both.waits("a hole", |log| log.contains("kind: Punched"))?;
    computes(&mut other, 5_002)?;
    let said = leave_and_read(other)?;
    ensure!(said.contains(HOLE), "{said}");
    both.scene.goes_through_a_hole().map(drop)
}

/// What the laptop sends for the other one to where it would be, had it kept its port, is the first one's, if anybody's.
fn of_two_hosts_on_one_port_only_the_one_that_keeps_it_goes_directly(lab: &Lab) -> Result<()> {
    let mut both = Neighbours::raise(lab)?;
    nft(&both.scene.network.router, ANOTHER_PORT)?;
    let mut other = both.begin()?;
    both.waits("the end of two rounds", |log| is_over(log, 2))?;
    computes(&mut other, 5_002)?;
    both.waits("what is not", |log| !log.contains("kind: Punched"))?;
    let said = leave_and_read(other)?;
    ensure!(said.contains("the session went over ssh"), "{said}");
    both.scene.goes_through_a_hole().map(drop)
}
