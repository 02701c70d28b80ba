//! The host's name leads to a link of this machine's own, or to this machine; IPv6 sockets are for IPv6 alone.

use std::fs;

use anyhow::{Context, Result, ensure};
use lab::harness::Scenario;
use lab::{Daemon, Host, Lab, Link, Sshd, Terminal, USER, WriteUp, scenario, wait_until};

use crate::common::program;
use crate::common::{PATIENCE, computes, raise};
use crate::place::CONFIGURATION;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(a_scope_is_kept_where_the_way_out_is_another_interface),
        scenario!(a_scope_is_kept_where_the_link_comes_first),
        scenario!(a_scope_is_kept_on_the_way_to_a_host_of_stock_mosh),
        scenario!(the_name_that_a_host_has_for_its_own_interface_says_nothing),
        scenario!(locally_the_host_is_any_address_of_this_machine),
        scenario!(a_cable_may_be_unplugged_and_plugged_in_again),
        scenario!(ipv6_sockets_that_are_for_ipv6_alone_are_no_obstacle),
        scenario!(a_host_whose_ipv6_sockets_are_for_ipv6_alone_serves_both_families),
        scenario!(this_machine_is_a_host_as_any_other),
    ]
}

const BY_THE_CABLE: &str = "Host board\n HostName fe80::2%%usb0\n";
const BY_THE_LINK: &str = "the session went over [fe80::2%usb0]:60001 (";
const EXITING: &str = "[mosh is exiting.]";

/// A laptop on a network that leads out, with a board on a cable, where nobody has addresses but those of the link.
struct Desk {
    laptop: Host,
    board: Host,
    _gateway: Host,
    _sshd: Daemon,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    WayOut,
    Cable,
}

impl Desk {
    /// With moshpunch on both.
    fn raise(lab: &Lab, first: First, interface_of_board: &str) -> Result<Self> {
        lab.install(&program::path())?;
        Self::of_stock_mosh(lab, first, interface_of_board)
    }

    fn of_stock_mosh(lab: &Lab, first: First, interface_of_board: &str) -> Result<Self> {
        let (air, cable) = (lab.link("air")?, lab.link("cable")?);
        let gateway =
            lab.host("gateway").attach("eth0", &air, &["192.168.7.1/24", "2a00:9::1/64"]).start()?;
        let board = lab.host("board").attach(interface_of_board, &cable, &["fe80::2/64"]).start()?;
        let way_out: (&str, &Link, &[&str]) = ("eth0", &air, &["192.168.7.2/24", "2a00:9::2/64"]);
        let own: (&str, &Link, &[&str]) = ("usb0", &cable, &["fe80::1/64"]);
        let interfaces = if first == First::WayOut { [way_out, own] } else { [own, way_out] };
        let laptop = interfaces
            .into_iter()
            .fold(lab.host("laptop"), |laptop, (name, link, addresses)| laptop.attach(name, link, addresses));
        let laptop = laptop.default_route("192.168.7.1").default_route("2a00:9::1").start()?;
        laptop.write_user_file(CONFIGURATION, BY_THE_CABLE)?;
        let sshd = board.sshd(&Sshd::default())?;
        Ok(Self { laptop, board, _gateway: gateway, _sshd: sshd })
    }

    /// By mosh and by ours, however it is said where the host is.
    fn is_reached(&self) -> Result<()> {
        used(&self.laptop, &["mosh", "board"], EXITING)?;
        for words in [
            &["board"][..],
            &["fe80::2%usb0"],
            &["-6", "alice@fe80::2%usb0"],
            &["--bind-server=ssh", "board"],
            &["--experimental-remote-ip=local", "alice@fe80::2%usb0"],
            &["--experimental-remote-ip=remote", "fe80::2%usb0"],
        ] {
            used(&self.laptop, &[&["moshpunch"], words].concat(), BY_THE_LINK)?;
        }
        Ok(())
    }
}

/// A session that is used and left, and what is said at its end.
fn used(laptop: &Host, words: &[&str], farewell: &str) -> Result<()> {
    let (program, options) = words.split_first().context("a program")?;
    let command = laptop.command(program).args(options).as_user(USER);
    let mut terminal = laptop.terminal(&command, 24, 100)?;
    use_and_leave(&mut terminal, farewell).with_context(|| format!("{words:?}"))
}

fn use_and_leave(terminal: &mut Terminal, farewell: &str) -> Result<()> {
    terminal.wait_for("alice@", PATIENCE)?;
    computes(terminal, 6501)?;
    terminal.type_text("exit\r")?;
    ensure!(terminal.wait_exit(PATIENCE)?.success(), "{}", terminal.screen());
    terminal.wait_for(farewell, PATIENCE)?;
    ensure!(!terminal.screen().contains("no datagram"), "{}", terminal.screen());
    Ok(())
}

fn a_scope_is_kept_where_the_way_out_is_another_interface(lab: &Lab) -> Result<()> {
    Desk::raise(lab, First::WayOut, "usb0")?.is_reached()
}

fn a_scope_is_kept_where_the_link_comes_first(lab: &Lab) -> Result<()> {
    Desk::raise(lab, First::Cable, "usb0")?.is_reached()
}

fn a_scope_is_kept_on_the_way_to_a_host_of_stock_mosh(lab: &Lab) -> Result<()> {
    let desk = Desk::of_stock_mosh(lab, First::WayOut, "usb0")?;
    desk.laptop.install(&program::path())?;
    desk.is_reached()
}

/// There `SSH_CONNECTION` names eth0, which here leads elsewhere; and a wrapper that tells an address tells such a one.
fn the_name_that_a_host_has_for_its_own_interface_says_nothing(lab: &Lab) -> Result<()> {
    let desk = Desk::raise(lab, First::WayOut, "eth0")?;
    desk.is_reached()?;
    let script = "#!/bin/sh\nprintf 'MOSH IP fe80::2%%eth0\\n'\nexec mosh-server \"$@\"\n";
    desk.board.write_script("/usr/local/bin/told", script)?;
    used(&desk.laptop, &["moshpunch", "--server=told", "board"], BY_THE_LINK)
}

fn locally_the_host_is_any_address_of_this_machine(lab: &Lab) -> Result<()> {
    let desk = Desk::raise(lab, First::WayOut, "usb0")?;
    for (host, path) in [
        ("fe80::1%usb0", "[fe80::1%usb0]:60001 ("),
        ("192.168.7.2", "192.168.7.2:60001 ("),
        ("127.0.0.1", "127.0.0.1:60001 ("),
        ("::1", "[::1]:60001 ("),
        ("0.0.0.0", ""),
        ("::", ""),
    ] {
        used(&desk.laptop, &["mosh", "--local", host], EXITING)?;
        used(&desk.laptop, &["moshpunch", "--local", host], &format!("the session went over {path}"))?;
    }
    Ok(())
}

fn a_cable_may_be_unplugged_and_plugged_in_again(lab: &Lab) -> Result<()> {
    let desk = Desk::raise(lab, First::WayOut, "usb0")?;
    let moshpunch = desk.laptop.command("moshpunch").args(["-v", "--log=/tmp/log", "board"]).as_user(USER);
    let mut terminal = desk.laptop.terminal(&moshpunch, 24, 100)?;
    terminal.wait_for("alice@", PATIENCE)?;
    computes(&mut terminal, 6502)?;
    desk.laptop.interface_down("usb0")?;
    let silent = || Ok(desk.laptop.read_file("/tmp/log")?.contains("event=Silent").then_some(()));
    wait_until("a silence", PATIENCE, silent)?;
    desk.laptop.interface_up("usb0")?;
    computes(&mut terminal, 6503)?;
    // ssh may have been the faster.
    let moved_back = || {
        let log = desk.laptop.read_file("/tmp/log")?;
        let last = log.lines().rfind(|line| line.contains("event=Moved"));
        Ok(last.is_some_and(|line| line.contains("kind: Resolved,")).then_some(()))
    };
    wait_until("the address of the link", PATIENCE, moved_back)?;
    use_and_leave(&mut terminal, BY_THE_LINK)?;
    let first = "0.000 s: [fe80::2%usb0]:60001 (looked up by its name), because it answered first";
    ensure!(terminal.screen().contains(first), "{}", terminal.screen());
    Ok(())
}

fn only_ipv6(host: &Host) -> Result<()> {
    host.inside(|| Ok(fs::write("/proc/sys/net/ipv6/bindv6only", "1")?))
}

/// mosh-client cannot send to an IPv4 address then by the sockets that it makes for IPv6.
fn ipv6_sockets_that_are_for_ipv6_alone_are_no_obstacle(lab: &Lab) -> Result<()> {
    let desk = Desk::raise(lab, First::WayOut, "usb0")?;
    only_ipv6(&desk.laptop)?;
    desk.is_reached()
}

/// On the host mosh-server asks for both families by itself.
fn a_host_whose_ipv6_sockets_are_for_ipv6_alone_serves_both_families(lab: &Lab) -> Result<()> {
    let air = lab.link("air")?;
    lab.install(&program::path())?;
    let host = lab.host("board").attach("eth0", &air, &["192.168.7.2/24", "2a00:9::2/64"]).start()?;
    let laptop = lab.host("laptop").attach("eth0", &air, &["192.168.7.9/24", "2a00:9::9/64"]).start()?;
    only_ipv6(&host)?;
    let _sshd = host.sshd(&Sshd::default())?;
    for (family, path) in [("-4", "192.168.7.2:60001"), ("-6", "[2a00:9::2]:60001")] {
        used(&laptop, &["moshpunch", family, "board"], &format!("the session went over {path}"))?;
    }
    Ok(())
}

fn this_machine_is_a_host_as_any_other(lab: &Lab) -> Result<()> {
    let WriteUp { laptop, .. } = raise(lab)?;
    let _sshd = laptop.sshd(&Sshd::default())?;
    for host in ["localhost", "::1", "0.0.0.0"] {
        used(&laptop, &["mosh", host], EXITING)?;
        for how in ["local", "remote", "proxy"] {
            let how = format!("--experimental-remote-ip={how}");
            used(&laptop, &["moshpunch", &how, host], "the session went over ")?;
        }
    }
    Ok(())
}
