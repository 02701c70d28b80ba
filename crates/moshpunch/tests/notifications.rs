//! What UPnP gateways notify everybody of: a restart is noticed by it, and nobody else can make us believe in one.

mod common;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use common::home::{LEASE_FILE, LeaseFile};
use common::{PATIENCE, end_sessions, keeper, no_moshpunch_is_left, raise, wait_for_empty_table};
use fake_gateway::{Decoy, FakeGateway, Protocol, Restart};
use lab::{Daemon, Host, Lab, Miniupnpd, Signal, WriteUp, scenario, wait_until};

/// A restart that is not noticed is mended at the next check, which is later than this.
const LONG_BEFORE_A_CHECK: Duration = Duration::from_secs(60);

/// Longer than a suspicion waits for its question.
const A_QUESTION_WOULD_COME: Duration = Duration::from_secs(2);

const KEEPER_LOG: &str = "/tmp/keeper.log";
const DEVICE: &str = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";

fn upnp_alone(http_port: u16) -> Miniupnpd {
    Miniupnpd { nat_pmp_and_pcp: false, http_port, ..Miniupnpd::new(WriteUp::OUTSIDE, WriteUp::INSIDE) }
}

/// What `ssh` would run on the server for a client outside. mosh-server waits a minute for that one.
fn start_session(server: &Host) -> Result<()> {
    let command = server.command("moshpunch").args(["server", "--budget", "60", "--log", KEEPER_LOG]);
    let command = command.args(["new", "-p", "60001:60999", "-s"]).as_user(lab::USER);
    command.env("SSH_CONNECTION", "20.0.0.9 40000 192.168.1.10 22").run(PATIENCE).map(drop)
}

/// As when the router loses its power: no byebye.
fn kill(router: &Host, miniupnpd: Daemon, lease_file: LeaseFile) -> Result<()> {
    miniupnpd.signal(Signal::KILL)?;
    miniupnpd.wait_exit(PATIENCE)?;
    if lease_file == LeaseFile::Lost {
        router.command("rm").arg(LEASE_FILE).run(PATIENCE)?;
    }
    router.flush_upnp_rules()
}

fn wait_for_mappings(router: &Host, count: usize, within: Duration) -> Result<()> {
    wait_until(&format!("{count} mappings with their rules"), within, || {
        let leases = router.leases()?;
        for lease in &leases {
            ensure!(router.has_upnp_rule(lease.protocol, lease.external_port)?, "no rule: {lease:?}");
        }
        Ok((leases.len() == count).then_some(()))
    })
}

/// With http_port 0 it is another one each time.
fn ten_keepers_survive_a_restart(lab: &Lab, lease_file: LeaseFile, http_ports: [u16; 2]) -> Result<()> {
    let network = raise(lab)?;
    let miniupnpd = network.router.miniupnpd(&upnp_alone(http_ports[0]))?;
    for _ in 0..10 {
        start_session(&network.server)?;
    }
    wait_for_mappings(&network.router, 10, PATIENCE)?;
    kill(&network.router, miniupnpd, lease_file)?;
    let renewals =
        || -> Result<usize> { Ok(network.server.read_file(KEEPER_LOG)?.matches("Renewed(Mapping").count()) };
    let before = renewals()?;

    let _miniupnpd = network.router.miniupnpd(&upnp_alone(http_ports[1]))?;
    wait_until("each keeper to have its mapping again", LONG_BEFORE_A_CHECK, || {
        Ok((renewals()? >= before + 10).then_some(()))
    })?;
    wait_for_mappings(&network.router, 10, PATIENCE)?;
    end_sessions(&network.server)?;
    wait_for_empty_table(&network.router, PATIENCE)?;
    no_moshpunch_is_left(&network.server)
}

fn ten_keepers_notice_a_restart_that_lost_everything(lab: &Lab) -> Result<()> {
    ten_keepers_survive_a_restart(lab, LeaseFile::Lost, [5000, 5000])
}

fn ten_keepers_notice_a_restart_with_the_lease_file(lab: &Lab) -> Result<()> {
    ten_keepers_survive_a_restart(lab, LeaseFile::Kept, [5000, 5000])
}

fn ten_keepers_notice_a_restart_on_another_port(lab: &Lab) -> Result<()> {
    ten_keepers_survive_a_restart(lab, LeaseFile::Lost, [5000, 5001])
}

fn ten_keepers_notice_a_restart_on_another_port_with_the_lease_file(lab: &Lab) -> Result<()> {
    ten_keepers_survive_a_restart(lab, LeaseFile::Kept, [5000, 5001])
}

fn forty_keepers_have_their_mappings_again_after_a_restart(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let miniupnpd = network.router.miniupnpd(&upnp_alone(5000))?;
    let keep = |port: u16| {
        let words = ["map", "add", &port.to_string(), "--keep", "--budget", "60"].map(str::to_owned);
        network.server.spawn("map", &network.server.command("moshpunch").args(words).as_user(lab::USER))
    };
    let _keepers = (60001..60041).map(keep).collect::<Result<Vec<_>>>()?;
    wait_for_mappings(&network.router, 40, LONG_BEFORE_A_CHECK)?;
    kill(&network.router, miniupnpd, LeaseFile::Lost)?;
    let _miniupnpd = network.router.miniupnpd(&upnp_alone(5001))?;
    wait_for_mappings(&network.router, 40, LONG_BEFORE_A_CHECK)
}

/// A session through a gateway that tells what it was asked, and an intruder on the same link.
struct Scene {
    network: WriteUp,
    gateway: FakeGateway,
    intruder: Host,
}

impl Scene {
    fn raise(lab: &Lab) -> Result<Self> {
        let network = raise(lab)?;
        let address = WriteUp::ROUTER_INSIDE.parse()?;
        let gateway = FakeGateway::builder().protocols(&[Protocol::Upnp]);
        let gateway = network.router.inside(|| Ok(gateway.bind(address)?))?;
        let intruder = lab.host("intruder").attach("eth0", &network.home, &["192.168.1.66/24"]).start()?;
        for (host, interface) in [(&intruder, "eth0"), (&network.router, WriteUp::INSIDE)] {
            let route = ["route", "add", "239.0.0.0/8", "dev", interface];
            host.command("ip").args(route).run(PATIENCE)?;
        }
        start_session(&network.server)?;
        let scene = Self { network, gateway, intruder };
        // From here on it is known in which of its lives the gateway is.
        scene.gateway.announce()?;
        Ok(scene)
    }

    fn questions(&self) -> usize {
        let counters = self.gateway.counters();
        counters.connections + counters.descriptions + counters.searches
    }

    /// Whether the gateway is asked anything, by the time that it would be.
    fn is_asked(&self, before: usize) -> bool {
        let asked = |it: &fake_gateway::Counters| it.connections + it.descriptions + it.searches > before;
        self.gateway.wait_until(A_QUESTION_WOULD_COME, asked)
    }

    /// A restart without a lease file is still noticed.
    fn a_real_restart_is_noticed(&self) -> Result<()> {
        self.gateway.restart(Restart::Forget)?;
        ensure!(self.gateway.mappings().is_empty());
        self.gateway.announce()?;
        wait_until("the mapping to be there again", LONG_BEFORE_A_CHECK, || {
            Ok((self.gateway.mappings().len() == 1).then_some(()))
        })
    }
}

fn notification(kind: &str, boot_id: u32, location: &str) -> String {
    format!(
        "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: {DEVICE}\r\nNTS: ssdp:{kind}\r\n\
         USN: uuid:0000000000000000000000000a80101::{DEVICE}\r\nLOCATION: {location}\r\n\
         BOOTID.UPNP.ORG: {boot_id}\r\n\r\n"
    )
}

fn notify(host: &Host, address: &str, text: &str, times: usize) -> Result<()> {
    let socket = host.udp(&format!("{address}:0"))?;
    (0..times).try_for_each(|_| socket.send(text, "239.255.255.250:1900"))
}

/// How often a process was awake.
fn turns(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    Ok(line.context("the kernel counts them")?.trim().parse()?)
}

fn what_another_host_notifies_costs_no_question_and_wakes_nobody(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    let decoy = scene.intruder.inside(|| Ok(Decoy::bind("192.168.1.66".parse()?)?))?;
    let keeper = keeper(&scene.network.server)?;
    ensure!(!scene.is_asked(scene.questions()), "what the gateway itself tells is nothing new");
    let (questions, turns_before) = (scene.questions(), turns(keeper.pid)?);
    for boot_id in 0..100 {
        let location = decoy.url("/rootDesc.xml");
        for text in [notification("alive", boot_id, &location), notification("byebye", boot_id, &location)] {
            notify(&scene.intruder, "192.168.1.66", &text, 5)?;
        }
    }
    ensure!(!scene.is_asked(questions), "{:?}", scene.gateway.counters());
    assert_eq!(decoy.connections(), 0);
    assert_eq!(turns(keeper.pid)?, turns_before, "the keeper slept all the while");
    scene.a_real_restart_is_noticed()
}

fn a_byebye_of_the_gateway_drops_nothing(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab)?;
    let before = scene.questions();
    let text = notification("byebye", 1, &scene.gateway.description_url());
    notify(&scene.network.router, WriteUp::ROUTER_INSIDE, &text, 3)?;
    ensure!(!scene.is_asked(before), "{:?}", scene.gateway.counters());
    assert_eq!(scene.gateway.mappings().len(), 1);
    assert_eq!(common::state_files(&scene.network.server)?.len(), 1);
    scene.a_real_restart_is_noticed()
}

fn root_may_hear_them_and_is_no_router_for_it(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&upnp_alone(5000))?;
    let command = network.server.command("moshpunch").args(["server", "--offer", "--budget", "60", "new"]);
    let start = || command.clone().env("SSH_CONNECTION", "20.0.0.9 40000 192.168.1.10 22").run(PATIENCE);
    for _ in 0..2 {
        start()?;
    }
    let sockets = fs::read_to_string(format!("/proc/{}/net/udp6", network.server.holder_pid()))?;
    let any = format!("{:032}:", 0);
    let dual = sockets.lines().filter(|line| line.contains(&format!(" {any}EA6"))).count();
    assert_eq!(dual, 2, "each serves both families: {sockets}");
    Ok(())
}

fn main() -> ExitCode {
    let needs = ["mosh-server", "miniupnpd"];
    lab::harness::run(
        [
            scenario!(ten_keepers_notice_a_restart_that_lost_everything),
            scenario!(ten_keepers_notice_a_restart_with_the_lease_file),
            scenario!(ten_keepers_notice_a_restart_on_another_port),
            scenario!(ten_keepers_notice_a_restart_on_another_port_with_the_lease_file),
            scenario!(forty_keepers_have_their_mappings_again_after_a_restart),
            scenario!(what_another_host_notifies_costs_no_question_and_wakes_nobody),
            scenario!(a_byebye_of_the_gateway_drops_nothing),
            scenario!(root_may_hear_them_and_is_no_router_for_it),
        ]
        .map(|scenario| scenario.needs(&needs)),
    )
}
