//! Where no hole can be punched, and a TURN server that the user has named relays the session.

mod lives;
mod secrecy;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Daemon, Host, Lab, Nat, scenario};
use net::clock;

use crate::common::PATIENCE;
use crate::scene::Scene;
use crate::traffic;

const NAMED: [&str; 3] =
    ["--turn=turn:20.0.0.3", "--turn-user=alice", "--turn-password-file=/home/alice/password"];

const BY_SECRET: [&str; 2] = ["--turn=turn:20.0.0.3", "--turn-secret-file=/home/alice/password"];

const PASSWORD: &str = "vollgeheim";

const WITH_PASSWORDS: [&str; 2] = ["--lt-cred-mech", "--user=alice:vollgeheim"];

const WITH_A_SECRET: [&str; 2] = ["--use-auth-secret", "--static-auth-secret=vollgeheim"];

/// As the farewell has it.
const RELAYED: &str = "(by the relay that you named)";

/// A session that nothing but a relay's loss moves.
const LONG: Duration = Duration::from_secs(70);

pub(crate) fn scenarios() -> Vec<Scenario> {
    let scenarios = [
        scenario!(between_two_symmetric_nats_a_session_is_relayed_and_outlives_ssh),
        scenario!(from_a_symmetric_nat_to_a_home_a_session_is_relayed),
        scenario!(from_a_home_to_a_symmetric_nat_a_session_is_relayed),
        scenario!(a_servers_own_secret_serves_as_well),
        scenario!(the_manuals_set_up_serves),
        scenario!(a_relayed_session_goes_on_in_another_network),
        scenario!(nonces_that_become_stale_are_no_trouble),
        scenario!(a_server_that_is_killed_is_left_for_ssh_and_used_again_when_it_is_back),
        scenario!(a_server_that_forgets_permissions_makes_it_no_worse_than_carried),
        scenario!(what_a_session_was_given_is_given_back_at_its_end),
        scenario!(a_wrong_password_is_told),
        scenario!(a_quota_that_is_used_up_is_told).needs(&["turnutils_uclient"]),
        scenario!(a_server_that_denies_the_host_is_told),
        scenario!(a_server_that_is_down_is_told_and_keeps_nobody_waiting),
        scenario!(a_name_that_leads_nowhere_is_told),
        scenario!(a_password_that_others_can_read_is_refused),
    ];
    let scenarios = scenarios.into_iter().chain(lives::scenarios()).chain(secrecy::scenarios());
    scenarios.map(|scenario| scenario.needs(&["turnserver"])).collect()
}

fn between_two_symmetric_nats_a_session_is_relayed_and_outlives_ssh(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let host = host_on_the_internet(lab, &scene)?;
    let _server = turn_server(&host, &WITH_PASSWORDS)?;
    scene.begin(&NAMED)?;
    scene.goes("Relayed")?;
    shows_no_password(&scene)?;
    let router = scene.on_the_way.clone();
    traffic::cut_ssh(&router)?;
    for _ in 0..3 {
        scene.computes()?;
    }
    leaves_having_been_relayed(&mut scene)
}

fn from_a_symmetric_nat_to_a_home_a_session_is_relayed(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab, Some(Nat::symmetric("wan0")), Nat::home("wan0"))?;
    is_relayed(lab, scene, &NAMED, &WITH_PASSWORDS)
}

fn from_a_home_to_a_symmetric_nat_a_session_is_relayed(lab: &Lab) -> Result<()> {
    let scene = Scene::raise(lab, Some(Nat::home("wan0")), Nat::symmetric("wan0"))?;
    is_relayed(lab, scene, &NAMED, &WITH_PASSWORDS)
}

fn a_servers_own_secret_serves_as_well(lab: &Lab) -> Result<()> {
    is_relayed(lab, two_symmetric(lab)?, &BY_SECRET, &WITH_A_SECRET)
}

/// As it is written there.
fn the_manuals_set_up_serves(lab: &Lab) -> Result<()> {
    let (_, rest) = MANUAL.split_once("`/etc/turnserver.conf`:\n\n```\n").context("a configuration")?;
    let (configuration, _) = rest.split_once("```").context("its end")?;
    let password = configuration.lines().find_map(|line| line.strip_prefix("user=alice:"));
    let mut scene = two_symmetric(lab)?;
    let host = host_on_the_internet(lab, &scene)?;
    host.write_user_file("/tmp/turnserver.conf", configuration)?;
    let _server = spawned(&host, &["-c", "/tmp/turnserver.conf"])?;
    scene.laptop().write_user_file("/home/alice/password", password.context("a password")?)?;
    scene.begin(&NAMED)?;
    scene.goes("Relayed")?;
    leaves_having_been_relayed(&mut scene)
}

const MANUAL: &str = include_str!("../../../../../docs/relay.md");

fn a_relayed_session_goes_on_in_another_network(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let host = host_on_the_internet(lab, &scene)?;
    let _server = turn_server(&host, &WITH_PASSWORDS)?;
    scene.begin(&NAMED)?;
    scene.goes("Relayed")?;
    scene.leaf_to_the_end();
    scene.laptop().join("eth0", &scene.inside, &["10.1.0.77/24"], &["10.1.0.1"])?;
    scene.goes("Relayed")?;
    leaves_having_been_relayed(&mut scene)
}

fn nonces_that_become_stale_are_no_trouble(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let host = host_on_the_internet(lab, &scene)?;
    let _server = turn_server(&host, &[&WITH_PASSWORDS[..], &["--stale-nonce=20"]].concat())?;
    scene.begin(&NAMED)?;
    scene.goes("Relayed")?;
    goes_on_for(&mut scene, LONG)?;
    let log = scene.log();
    ensure!(
        !log.contains("kind: Carried") || log.rfind("kind: Relayed") > log.rfind("kind: Carried"),
        "{log}"
    );
    leaves_having_been_relayed(&mut scene)
}

fn a_server_that_is_killed_is_left_for_ssh_and_used_again_when_it_is_back(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let host = host_on_the_internet(lab, &scene)?;
    let server = turn_server(&host, &WITH_PASSWORDS)?;
    scene.begin(&NAMED)?;
    scene.goes("Relayed")?;
    scene.leaf_to_the_end();
    drop(server);
    scene.goes("Carried")?;
    scene.leaf_to_the_end();
    let _server = turn_server(&host, &WITH_PASSWORDS)?;
    is_relayed_again(&mut scene)?;
    leaves_having_been_relayed(&mut scene)
}

/// It is asked again ever more rarely.
fn is_relayed_again(scene: &mut Scene) -> Result<()> {
    let again = lab::wait_until("the relay again", Duration::from_secs(120), || {
        scene.computes()?;
        Ok(scene.news().contains("kind: Relayed").then_some(()))
    });
    scene.explained(again)
}

fn a_server_that_forgets_permissions_makes_it_no_worse_than_carried(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let host = host_on_the_internet(lab, &scene)?;
    let short = ["--permission-lifetime=20", "--channel-lifetime=20"];
    let _server = turn_server(&host, &[&WITH_PASSWORDS[..], &short].concat())?;
    scene.begin(&NAMED)?;
    scene.goes("Relayed")?;
    goes_on_for(&mut scene, LONG)?;
    scene.leaves().map(drop)
}

/// Else the second would find none.
fn what_a_session_was_given_is_given_back_at_its_end(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let host = host_on_the_internet(lab, &scene)?;
    let _server = turn_server(&host, &[&WITH_PASSWORDS[..], &["--user-quota=1"]].concat())?;
    for _ in 0..2 {
        scene.begin(&NAMED)?;
        scene.goes("Relayed")?;
        leaves_having_been_relayed(&mut scene)?;
    }
    Ok(())
}

fn a_wrong_password_is_told(lab: &Lab) -> Result<()> {
    let other = ["--lt-cred-mech", "--user=alice:another"];
    is_carried_and_told(lab, &other, "refuses this user or password")
}

fn a_quota_that_is_used_up_is_told(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let host = host_on_the_internet(lab, &scene)?;
    let _server = turn_server(&host, &[&WITH_PASSWORDS[..], &["--user-quota=2"]].concat())?;
    let words = ["-v", "-c", "-e", "20.0.0.2", "-n", "100000", "-u", "alice", "-w", PASSWORD, "20.0.0.3"];
    let other = host.spawn("somebody else", &host.command("turnutils_uclient").args(words))?;
    lab::wait_until("the other's two addresses", PATIENCE, || {
        Ok((other.log().matches("Received relay addr").count() == 2).then_some(()))
    })?;
    carried_and_told(&mut scene, &NAMED, "relays no more for this user")
}

fn a_server_that_denies_the_host_is_told(lab: &Lab) -> Result<()> {
    let denied = [&WITH_PASSWORDS[..], &["--denied-peer-ip=20.0.0.1"]].concat();
    is_carried_and_told(lab, &denied, "relays nothing to the host's addresses")
}

fn a_server_that_is_down_is_told_and_keeps_nobody_waiting(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let _host = host_on_the_internet(lab, &scene)?;
    carried_and_told(&mut scene, &NAMED, "does not answer")
}

fn a_name_that_leads_nowhere_is_told(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let _host = host_on_the_internet(lab, &scene)?;
    let named = [&["--turn=turn:nowhere"], &NAMED[1..]].concat();
    carried_and_told(&mut scene, &named, "there is no way to the TURN server nowhere")
}

fn a_password_that_others_can_read_is_refused(lab: &Lab) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let host = host_on_the_internet(lab, &scene)?;
    let _server = turn_server(&host, &WITH_PASSWORDS)?;
    keep_password(&scene, "644")?;
    scene.begin(&NAMED)?;
    let log = scene.log();
    ensure!(log.contains("chmod 600") && !log.contains(PASSWORD), "{log}");
    scene.stays_carried()
}

fn two_symmetric(lab: &Lab) -> Result<Scene> {
    Scene::raise(lab, Some(Nat::symmetric("wan0")), Nat::symmetric("wan0"))
}

fn keep_password(scene: &Scene, mode: &str) -> Result<()> {
    scene.laptop().write_user_file("/home/alice/password", &format!("{PASSWORD}\n"))?;
    let laptop = scene.laptop();
    laptop.command("chmod").args([mode, "/home/alice/password"]).run(PATIENCE).map(drop)
}

fn host_on_the_internet(lab: &Lab, scene: &Scene) -> Result<Host> {
    keep_password(scene, "600")?;
    let host = lab.host("turn").attach("eth0", &scene.network.internet, &["20.0.0.3/24"]);
    host.default_route("20.0.0.2").start()
}

fn turn_server(host: &Host, options: &[&str]) -> Result<Daemon> {
    turn_server_at(host, "20.0.0.3", options)
}

fn turn_server_at(host: &Host, address: &str, options: &[&str]) -> Result<Daemon> {
    let listening = format!("--listening-ip={address}");
    let always = ["-n", "--no-cli", "--no-tls", "--no-dtls", &listening, "--realm=lab"];
    spawned(host, &[&always[..], options].concat())
}

fn spawned(host: &Host, options: &[&str]) -> Result<Daemon> {
    let places =
        ["--log-file=stdout", "--simple-log", "--pidfile=/tmp/turnserver.pid", "--userdb=/tmp/turndb"];
    let command = host.command("turnserver").args(options).args(places);
    let server = host.spawn("turnserver", &command)?;
    lab::wait_until("the TURN server", PATIENCE, || {
        let listening = host.command("ss").args(["-Huln", "sport", "=", ":3478"]).run(PATIENCE)?;
        Ok((!listening.stdout.trim().is_empty()).then_some(()))
    })?;
    Ok(server)
}

fn is_relayed(lab: &Lab, mut scene: Scene, named: &[&str], options: &[&str]) -> Result<()> {
    let host = host_on_the_internet(lab, &scene)?;
    let _server = turn_server(&host, options)?;
    scene.begin(named)?;
    scene.goes("Relayed")?;
    shows_no_password(&scene)?;
    leaves_having_been_relayed(&mut scene)
}

fn leaves_having_been_relayed(scene: &mut Scene) -> Result<()> {
    let said = scene.leaves()?;
    let used = said.lines().find(|line| line.contains("the session went over")).unwrap_or_default();
    ensure!(used.contains(RELAYED), "{said}\n{}", scene.log());
    Ok(())
}

fn goes_on_for(scene: &mut Scene, time: Duration) -> Result<()> {
    let end = clock::now() + time;
    while clock::now() < end {
        scene.computes_within(Duration::from_secs(10))?;
    }
    Ok(())
}

fn is_carried_and_told(lab: &Lab, options: &[&str], told: &str) -> Result<()> {
    let mut scene = two_symmetric(lab)?;
    let host = host_on_the_internet(lab, &scene)?;
    let _server = turn_server(&host, options)?;
    carried_and_told(&mut scene, &NAMED, told)
}

fn carried_and_told(scene: &mut Scene, named: &[&str], told: &str) -> Result<()> {
    scene.begin(named)?;
    let failed = lab::wait_until("the relay's refusal", PATIENCE, || {
        Ok(scene.log().contains("outcome=Failed").then_some(()))
    });
    scene.explained(failed)?;
    scene.computes()?;
    shows_no_password(scene)?;
    let said = scene.leaves()?;
    ensure!(said.contains("the session went over ssh"), "{said}\n{}", scene.log());
    // It is said behind that, and logged as it is said.
    let is_told = lab::wait_until("what the relay refused", PATIENCE, || {
        let log = scene.log();
        let said = log.lines().filter(|line| line.contains("trouble=Trouble"));
        Ok(said.into_iter().any(|line| line.contains(told)).then_some(()))
    });
    scene.explained(is_told)
}

/// Neither the log, nor a command line, nor an environment of a process of the laptop's user.
fn shows_no_password(scene: &Scene) -> Result<()> {
    ensure!(!scene.log().contains(PASSWORD), "{}", scene.log());
    let words = [
        "-c",
        "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep vollgeh[e]im || true",
    ];
    let shown = scene.laptop().command("sh").args(words).run(PATIENCE)?;
    // turnserver's own, in the lab, if the hosts share their processes.
    let others =
        shown.stdout.lines().filter(|line| !line.contains("--user=") && !line.contains("--static-auth"));
    let shown: Vec<_> = others.collect();
    ensure!(shown.is_empty(), "{shown:?}");
    Ok(())
}
