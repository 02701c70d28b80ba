//! What a keeper holds on to while its host changes: another address, a disk that is full, a sleep.

mod common;
#[path = "offer/told.rs"]
mod told;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use common::home::{LEASE_FILE, close, hear_only};
use common::{
    PATIENCE, computes, end_sessions, keeper, no_moshpunch_is_left, raise, signal, state_files,
    wait_for_empty_table,
};
use lab::{Daemon, Host, Lab, Miniupnpd, Signal, Terminal, USER, WriteUp, scenario, wait_until};
use portmap::mapper::{CHECK_INTERVAL, Protocol};
use told::{join, on_lan, told};

const ADDRESSES: [&str; 2] = ["192.168.1.10", "192.168.1.21"];
const KEEPER_LOG: &str = "/tmp/keeper.log";
const RUNTIME_DIRECTORY: &str = "/run/user/1000/moshpunch";

/// A session of our own client's kind, with a client on the host itself: whatever becomes of the host's address, the session
/// goes on.
struct Session {
    network: WriteUp,
    miniupnpd: Daemon,
    _terminal: Terminal,
}

impl Session {
    fn open(lab: &Lab, configuration: &Miniupnpd, only: Option<Protocol>) -> Result<Self> {
        Self::open_on(raise(lab)?, configuration, only)
    }

    fn open_on(network: WriteUp, configuration: &Miniupnpd, only: Option<Protocol>) -> Result<Self> {
        close(&network.router)?;
        if let Some(protocol) = only {
            ADDRESSES.iter().try_for_each(|address| hear_only(&network.router, address, protocol))?;
        }
        let miniupnpd = network.router.miniupnpd(configuration)?;
        let output = on_lan(&network.server, &format!("moshpunch server --log {KEEPER_LOG} --offer new"))?;
        let _terminal = join(&network.server, "127.0.0.1", 60001, &output)?;
        ensure!(told(&output.stdout).iter().any(|line| line.starts_with("mapped=")), "{output}");
        Ok(Self { network, miniupnpd, _terminal })
    }

    /// Returns once the keeper has the mapping there.
    fn move_to(&self, address: &str) -> Result<()> {
        let before = self.grants_at(address)?;
        self.network.server.readdress("eth0", &[&format!("{address}/24")], &[WriteUp::ROUTER_INSIDE])?;
        let granted = || Ok((self.grants_at(address)? > before).then_some(()));
        let waited = wait_until(&format!("a mapping to {address}"), PATIENCE, granted);
        waited.with_context(|| self.log().unwrap_or_default())
    }

    fn grants_at(&self, address: &str) -> Result<usize> {
        let granted = format!("Mapping {{ internal: {address}:60001");
        Ok(self.log()?.lines().filter(|line| line.contains(&granted)).count())
    }

    fn log(&self) -> Result<String> {
        self.network.server.read_file(KEEPER_LOG)
    }

    fn leases(&self) -> Result<Vec<(u16, String)>> {
        let leases = self.network.router.leases()?;
        Ok(leases.iter().map(|lease| (lease.external_port, lease.internal_address.to_string())).collect())
    }

    fn current_offer(&self) -> Result<Vec<String>> {
        Ok(told(&server(&self.network.server, &["offer", "60001"])?))
    }

    fn wait_for_offer(&self, expected: &str, within: Duration) -> Result<()> {
        wait_until(&format!("the offer {expected:?}"), within, || {
            Ok(self.current_offer()?.iter().any(|line| line.contains(expected)).then_some(()))
        })
        .with_context(|| format!("{:?}\n{}", self.current_offer(), self.log().unwrap_or_default()))
    }
}

fn server(host: &Host, words: &[&str]) -> Result<String> {
    let command = host.command("moshpunch").arg("server").args(words);
    Ok(command.env("LC_ALL", "C.UTF-8").as_user(USER).run(PATIENCE)?.stdout)
}

fn by(only: Option<Protocol>) -> Miniupnpd {
    let others = only != Some(Protocol::Upnp);
    Miniupnpd { nat_pmp_and_pcp: others, ..Miniupnpd::new(WriteUp::OUTSIDE, WriteUp::INSIDE) }
}

fn twenty_four_moves_leave_one_mapping_for_each_address(lab: &Lab, only: Protocol) -> Result<()> {
    let session = Session::open(lab, &by(Some(only)), Some(only))?;
    for number in 1..=24 {
        session.move_to(ADDRESSES[number % 2])?;
    }
    let mut leases = session.leases()?;
    leases.sort();
    let of = |address: &str| leases.iter().filter(|lease| lease.1 == address).count();
    ensure!(
        leases.len() == 2 && of(ADDRESSES[0]) == 1 && of(ADDRESSES[1]) == 1 && leases[0].0 == 60001,
        "one for each address: {leases:?}\n{}",
        session.log()?
    );
    let host = &session.network.server;
    end_sessions(host)?;
    no_moshpunch_is_left(host)?;
    let left = session.leases()?;
    ensure!(left.len() == 1 && left[0].1 == ADDRESSES[1], "what only that address may delete: {left:?}");
    assert_eq!(state_files(host)?.len(), 1);

    // The next session of this user sweeps; elsewhere there is nothing that it could do.
    let next = ["--budget", "0", "new", "-i", "127.0.0.1"];
    server(host, &next)?;
    no_moshpunch_is_left(host)?;
    assert_eq!(session.leases()?, left);
    host.readdress("eth0", &[&format!("{}/24", ADDRESSES[1])], &[WriteUp::ROUTER_INSIDE])?;
    server(host, &next)?;
    wait_for_empty_table(&session.network.router, PATIENCE)?;
    no_moshpunch_is_left(host)?;
    assert_eq!(state_files(host)?, [""; 0]);
    end_sessions(host)
}

fn moves_leave_one_mapping_for_each_address_by_pcp(lab: &Lab) -> Result<()> {
    twenty_four_moves_leave_one_mapping_for_each_address(lab, Protocol::Pcp)
}

fn moves_leave_one_mapping_for_each_address_by_upnp(lab: &Lab) -> Result<()> {
    twenty_four_moves_leave_one_mapping_for_each_address(lab, Protocol::Upnp)
}

/// A host without a clock of its own starts sessions in the past. What they wrote down is over once it learns the time, and
/// the mappings are not.
fn what_is_over_by_the_clock_alone_is_deleted_all_the_same(lab: &Lab) -> Result<()> {
    let session = Session::open(lab, &by(None), None)?;
    let host = &session.network.server;
    signal(&keeper(host)?, Signal::KILL)?;
    end_sessions(host)?;
    no_moshpunch_is_left(host)?;
    assert_eq!(session.leases()?.len(), 1);
    let files = state_files(host)?;
    let [file] = &files[..] else { anyhow::bail!("one state file expected: {files:?}") };
    let script =
        format!(r#"sed -i -E 's/"expires":[0-9]+/"expires":1/' {file} && grep -c '"expires":1}}' {file}"#);
    host.command("sh").args(["-c", &script]).as_user(USER).run(PATIENCE)?;
    server(host, &["--budget", "0", "new", "-i", "127.0.0.1"])?;
    wait_for_empty_table(&session.network.router, PATIENCE)?;
    no_moshpunch_is_left(host)?;
    assert_eq!(state_files(host)?, [""; 0]);
    end_sessions(host)
}

/// Without secure mode, and with a client that knows the told port alone.
fn where_any_address_may_delete_the_told_port_moves_along(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    close(&network.router)?;
    let miniupnpd = Miniupnpd { secure_mode: false, ..by(Some(Protocol::Upnp)) };
    let _miniupnpd = network.router.miniupnpd(&miniupnpd)?;
    let words = ["--ssh=ssh -p 8022", "--server=moshpunch server", "--bind-server=any", "router"];
    let mosh = network.laptop.command("mosh").args(words).as_user(USER);
    let mut terminal = network.laptop.terminal(&mosh, 24, 80)?;
    terminal.wait_for("alice@server", PATIENCE)?;
    computes(&mut terminal, 9301)?;
    network.server.readdress("eth0", &["192.168.1.21/24"], &[WriteUp::ROUTER_INSIDE])?;
    wait_until("the mapping of the new address alone", PATIENCE, || {
        let leases = network.router.leases()?;
        let [lease] = &leases[..] else { return Ok(None) };
        Ok((lease.external_port == 60001 && lease.internal_address.octets()[3] == 21).then_some(()))
    })?;
    computes(&mut terminal, 9302)?;
    common::leave(terminal)?;
    wait_for_empty_table(&network.router, common::AT_ONCE)
}

/// Room for a few files.
fn with_a_tiny_runtime_directory(lab: &Lab) -> Result<WriteUp> {
    let network = raise(lab)?;
    let host = &network.server;
    host.command("mkdir").args(["-p", RUNTIME_DIRECTORY]).as_user(USER).run(PATIENCE)?;
    let options = "size=16k,mode=0700,uid=1000,gid=1000";
    host.command("mount").args(["-t", "tmpfs", "-o", options, "tmpfs", RUNTIME_DIRECTORY]).run(PATIENCE)?;
    Ok(network)
}

fn fill(host: &Host) -> Result<()> {
    let script = format!("cat /dev/zero >{RUNTIME_DIRECTORY}/filler; test -s {RUNTIME_DIRECTORY}/filler");
    let output = host.command("sh").args(["-c", &script]).as_user(USER).run(PATIENCE)?;
    ensure!(output.stderr.contains("No space left"), "{output}");
    Ok(())
}

fn make_room(host: &Host) -> Result<()> {
    host.command("rm").arg(format!("{RUNTIME_DIRECTORY}/filler")).run(PATIENCE)?;
    Ok(())
}

/// The router restarts, and says so; meanwhile the port is another host's.
fn with_a_full_runtime_directory_no_old_port_is_told(lab: &Lab) -> Result<()> {
    let configuration = by(None);
    let session = Session::open_on(with_a_tiny_runtime_directory(lab)?, &configuration, None)?;
    let (host, router) = (&session.network.server, &session.network.router);
    session.wait_for_offer("mapped=20.0.0.1:60001", PATIENCE)?;
    fill(host)?;
    session.miniupnpd.signal(Signal::KILL)?;
    session.miniupnpd.wait_exit(PATIENCE)?;
    router.flush_upnp_rules()?;
    let theirs = "UDP:60001:192.168.1.99:60001:0:another's\n";
    router.write_file(LEASE_FILE, theirs)?;
    let _miniupnpd = router.miniupnpd(&configuration)?;
    wait_until("another port", PATIENCE, || Ok((session.leases()?.len() == 2).then_some(())))?;
    let port = session.leases()?.iter().map(|lease| lease.0).find(|&port| port != 60001);
    let port = port.context("a port of ours")?;
    session.wait_for_offer(&format!("mapped=20.0.0.1:{port}"), PATIENCE)?;
    let files = state_files(host)?;
    ensure!(files.len() == 2 && !files.iter().any(|file| file.ends_with(".new")), "{files:?}");
    end_sessions(host)?;
    no_moshpunch_is_left(host)
}

fn what_a_full_runtime_directory_did_not_take_is_written_once_there_is_room(lab: &Lab) -> Result<()> {
    let network = with_a_tiny_runtime_directory(lab)?;
    fill(&network.server)?;
    let session = Session::open_on(network, &by(None), None)?;
    let host = &session.network.server;
    wait_until("a second try", PATIENCE, || {
        Ok((session.log()?.matches("state not saved").count() >= 2).then_some(()))
    })
    .with_context(|| session.log().unwrap_or_default())?;
    assert_eq!(state_files(host)?, [format!("{RUNTIME_DIRECTORY}/filler")]);
    make_room(host)?;
    session.wait_for_offer("mapped=20.0.0.1:60001", Duration::from_secs(40))?;
    end_sessions(host)?;
    wait_for_empty_table(&session.network.router, common::AT_ONCE)?;
    no_moshpunch_is_left(host)?;
    assert_eq!(state_files(host)?, [""; 0]);
    Ok(())
}

/// What is left of one session cannot be written down; that keeps nobody from the next.
fn with_a_full_runtime_directory_every_session_is_swept(lab: &Lab) -> Result<()> {
    let only = Some(Protocol::Pcp);
    let session = Session::open_on(with_a_tiny_runtime_directory(lab)?, &by(only), only)?;
    let host = &session.network.server;
    on_lan(host, "moshpunch server --offer new")?;
    session.move_to(ADDRESSES[1])?;
    let wait_for = |count: usize| {
        wait_until(&format!("{count} mappings of this address"), PATIENCE, || {
            let here = session.leases()?.iter().filter(|lease| lease.1 == ADDRESSES[1]).count();
            Ok((here == count).then_some(()))
        })
    };
    wait_for(2)?;
    wait_until("both in their files", PATIENCE, || {
        let text = host
            .command("sh")
            .args(["-c", &format!("cat {RUNTIME_DIRECTORY}/*.session")])
            .run(PATIENCE)?
            .stdout;
        let is_settled =
            text.matches(r#""mappings":[{"#).count() == 2 && text.matches(r#""elsewhere":[{"#).count() == 2;
        Ok(is_settled.then_some(()))
    })?;
    for process in host.processes("moshpunch")? {
        signal(&process, Signal::KILL)?;
    }
    end_sessions(host)?;
    no_moshpunch_is_left(host)?;
    fill(host)?;
    server(host, &["--budget", "0", "new", "-i", "127.0.0.1"])?;
    wait_for(0)?;
    no_moshpunch_is_left(host)?;
    end_sessions(host)
}

/// What is old in /tmp is cleared away on many hosts. A mapping that is renewed leads where it did.
fn a_state_file_whose_directory_is_gone_is_written_anew(lab: &Lab) -> Result<()> {
    let network = raise(lab)?;
    let _miniupnpd = network.router.miniupnpd(&by(Some(Protocol::Upnp)))?;
    let host = &network.server;
    on_lan(host, &format!("moshpunch server --lease 4 --log {KEEPER_LOG} --offer new"))?;
    let files = state_files(host)?;
    ensure!(files.len() == 1, "{files:?}");
    host.command("rm").args(["-r", RUNTIME_DIRECTORY]).run(PATIENCE)?;
    let is_back = || host.command("test").args(["-s", &files[0]]).output(PATIENCE);
    wait_until("the state file", PATIENCE, || Ok(is_back()?.status.success().then_some(())))
        .with_context(|| host.read_file(KEEPER_LOG).unwrap_or_default())?;
    end_sessions(host)?;
    wait_for_empty_table(&network.router, common::AT_ONCE)?;
    no_moshpunch_is_left(host)?;
    assert_eq!(state_files(host)?, [""; 0]);
    Ok(())
}

/// As the kernel tells of the timer (proc_pid_fdinfo(5)): it goes on in sleep, and comes with the next check.
fn a_keepers_deadlines_do_not_wait_for_a_sleep_to_be_made_up_for(lab: &Lab) -> Result<()> {
    let session = Session::open(lab, &by(None), None)?;
    let keeper = keeper(&session.network.server)?;
    let timers: Vec<_> = fs::read_dir(format!("/proc/{}/fdinfo", keeper.pid))?
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
        .filter(|information| information.contains("clockid: 7\n"))
        .collect();
    let [timer] = &timers[..] else { anyhow::bail!("one timer of CLOCK_BOOTTIME expected: {timers:?}") };
    let left = timer
        .split_once("it_value: (")
        .and_then(|(_, rest)| rest.split(',').next())
        .context(timer.clone())?;
    let left: u64 = left.parse()?;
    ensure!((1..=CHECK_INTERVAL.as_secs()).contains(&left), "{timer}");
    end_sessions(&session.network.server)
}

fn main() -> ExitCode {
    let long = Duration::from_secs(180);
    lab::harness::run(
        [
            scenario!(moves_leave_one_mapping_for_each_address_by_pcp).within(long),
            scenario!(moves_leave_one_mapping_for_each_address_by_upnp).within(long),
            scenario!(what_is_over_by_the_clock_alone_is_deleted_all_the_same),
            scenario!(where_any_address_may_delete_the_told_port_moves_along),
            scenario!(with_a_full_runtime_directory_no_old_port_is_told),
            scenario!(what_a_full_runtime_directory_did_not_take_is_written_once_there_is_room),
            scenario!(with_a_full_runtime_directory_every_session_is_swept),
            scenario!(a_state_file_whose_directory_is_gone_is_written_anew),
            scenario!(a_keepers_deadlines_do_not_wait_for_a_sleep_to_be_made_up_for),
        ]
        .map(|scenario| scenario.needs(&["mosh", "sshd", "miniupnpd"])),
    )
}
