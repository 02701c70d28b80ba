//! A host of the LAN that writes lines of its own into the lease file, by a mapping that it may make.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Daemon, Host, Lab, Miniupnpd, wait_until};

use crate::common::{PATIENCE, computes};
use crate::home::Home;

const LEASE_FILE: &str = "/var/lib/miniupnpd/upnp.leases";
const SERVICE: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";

/// What the description of one mapping can bring: other ports, other hosts, no end.
const FORGED: [&str; 12] = [
    "TCP:443:10.0.0.66:443:0:y",
    "TCP:22:10.0.0.66:22:0:y",
    "TCP:60002:192.168.1.66:22:0:y",
    "UDP:53:10.0.0.66:53:0:y",
    "UDP:123:192.168.1.12:123:0:y",
    "UDP:51820:192.168.1.12:51820:1999999999:y",
    "UDP:60500:192.168.1.12:60500:0:out of the range",
    "UDP:60002:192.168.1.12:53:0:another port inside",
    "UDP:60003:192.168.1.12:60003:0:but for the rule",
    "UDP:60004:192.168.1.1:60004:0:the router itself",
    "UDP:60011:192.168.1.66:60011:0:its own, for another",
    "UDP:60011:192.168.1.12:60011:0:once more",
];
/// miniupnpd takes 128 bytes of a description, so the forger needs some mappings.
const FIRST_OF_FORGER: u16 = 60011;
/// Of these, some are held until the firewall was read, since miniupnpd could have made them.
const HELD_BY_NONE: [u16; 6] = [53, 123, 443, 22, 51820, 60500];
const HELD_AT_THE_MOST_FOR_A_READING: [u16; 3] = [60002, 60003, 60004];

/// The write-up's.
fn tight_rules(home: &Home) -> Result<Daemon> {
    let permissions = ["allow 60000-60023 192.168.1.0/24 60000-60023", "deny 0-65535 0.0.0.0/0 0-65535"];
    let permissions = permissions.map(str::to_owned).to_vec();
    home.router.miniupnpd(&Miniupnpd { permissions, ..Home::configuration() })
}

/// miniupnpc cleans a description, so the request is our own.
fn map(host: &Host, port: u16, internal: &str, description: &str) -> Result<()> {
    let mut body = format!(
        "<?xml version=\"1.0\"?>\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <u:AddPortMapping xmlns:u=\"{SERVICE}\">"
    );
    for (name, value) in [
        ("RemoteHost", ""),
        ("ExternalPort", &port.to_string()),
        ("Protocol", "UDP"),
        ("InternalPort", &port.to_string()),
        ("InternalClient", internal),
        ("Enabled", "1"),
        ("PortMappingDescription", description),
        ("LeaseDuration", "3600"),
    ] {
        write!(body, "<New{name}>{value}</New{name}>")?;
    }
    body += "</u:AddPortMapping></s:Body></s:Envelope>\n";
    let head = format!(
        "POST /ctl/IPConn HTTP/1.0\r\nHost: 192.168.1.1:5000\r\nSOAPAction: \"{SERVICE}#AddPortMapping\"\r\n\
         Content-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = host.inside(|| {
        let mut stream = TcpStream::connect("192.168.1.1:5000")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all((head + &body).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })?;
    ensure!(answer.contains(" 200 OK"), "{answer}");
    Ok(())
}

fn hairpin(home: &Home) -> Result<String> {
    let rules = home.router.nft_ruleset()?;
    let table = rules.split("table ").find(|table| table.starts_with("inet moshpunch_guard"));
    Ok(table.context("there is no hairpin")?.to_owned())
}

pub(crate) fn forged_lines_hold_and_redirect_nothing(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = tight_rules(&home)?;
    let guard = home.guard(&["--hairpin"])?;
    let forger = &home.servers[1];
    for (port, lines) in (FIRST_OF_FORGER..).zip(FORGED.chunks(2)) {
        map(forger, port, "192.168.1.11", &format!("x\n{}\nx", lines.join("\n")))?;
        home.wait_until_held(port)?;
    }
    let leases = home.router.read_file(LEASE_FILE)?;
    ensure!(FORGED.iter().all(|line| leases.contains(&format!("\n{line}\n"))), "{leases}");
    wait_until("clients inside to be led to the mapping", PATIENCE, || {
        Ok(hairpin(&home)?.contains("60016 : 192.168.1.11 . 60016").then_some(()))
    })?;
    let rules = hairpin(&home)?;
    ensure!(!FORGED.iter().any(|line| rules.contains(address(line))), "{rules}");
    ensure!(!rules.contains("443") && !rules.contains("22 :"), "{rules}");
    for port in HELD_BY_NONE.iter().chain(&HELD_AT_THE_MOST_FOR_A_READING) {
        ensure!(!home.is_held(*port)?, "{port} is held: {}", guard.log());
    }
    // The router's own resolver may start, and its mosh-server has the ports that are nobody's.
    let resolver = home.router.inside(|| Ok(UdpSocket::bind("[::]:53")?))?;
    drop(resolver);
    assert_eq!(home.open_on_router(&["-s", "-p", "60002"])?.port, 60002);

    ensure!(!guard.log().contains("leads to"), "{}", guard.log());

    // A port of which a forged line speaks can be mapped, and is held then.
    map(&home.servers[2], 60003, "192.168.1.12", "a true one")?;
    home.wait_until_held(60003)?;
    computes(&mut home.join(&home.open_on_server(0, &[], &[])?)?, 2201)?;

    // When the forger's mapping has gone, its lines have not.
    forger.command("upnpc").args(["-d", "60011", "UDP"]).run(PATIENCE)?;
    let leases = home.router.read_file(LEASE_FILE)?;
    ensure!(leases.contains(FORGED[0]) && leases.contains(FORGED[8]), "{leases}");
    home.wait_until_free(60011)?;
    wait_until("clients inside to be led nowhere", PATIENCE, || {
        Ok((!hairpin(&home)?.contains("60011 :")).then_some(()))
    })?;
    ensure!(!home.is_held(60004)?, "{}", guard.log());
    Ok(())
}

fn address(line: &str) -> &str {
    line.split(':')
        .nth(2)
        .filter(|address| !["192.168.1.12", "192.168.1.1"].contains(address))
        .unwrap_or("10.0.0.66")
}

/// Of each kind one, for every port.
fn a_hundred_thousand_lines() -> String {
    let mut lines = String::new();
    for number in 0..25_000_u32 {
        let (any, moshs, host) = (number % 65_535 + 1, 60_000 + number % 24, number % 254 + 1);
        writeln!(lines, "UDP:{any}:10.0.0.66:{any}:0:y").expect("a String takes every write");
        writeln!(lines, "TCP:{any}:192.168.1.{host}:{moshs}:0:y").expect("as above");
        writeln!(lines, "UDP:{moshs}:192.168.1.{host}:60001:0:y").expect("as above");
        writeln!(lines, "UDP:{moshs}:10.0.0.{host}:{any}:1999999999:{any}").expect("as above");
    }
    lines
}

pub(crate) fn a_hundred_thousand_forged_lines_cost_little_and_hide_nothing(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = tight_rules(&home)?;
    let guard = home.guard(&["--hairpin"])?;
    let before = descriptors(&guard)?;
    home.router.write_file(LEASE_FILE, &a_hundred_thousand_lines())?;
    map(&home.servers[2], 60003, "192.168.1.12", "a true one")?;
    home.wait_until_held(60003)?;
    wait_until("only what the firewall has to be held", PATIENCE, || {
        let held: Vec<_> = home.router.udp_ports()?.into_iter().filter(|port| *port > 60_000).collect();
        Ok((held == [60003]).then_some(()))
    })?;
    // Written over and over, as fast as can be.
    let (start, spent) = (net::clock::now(), processor_time(&guard)?);
    let written = home.router.inside(|| {
        let mut written = 0;
        while net::clock::now() - start < Duration::from_secs(5) {
            let mut file = std::fs::OpenOptions::new().append(true).open(LEASE_FILE)?;
            file.write_all(b"UDP:60004:192.168.1.12:60004:0:y\n")?;
            written += 1;
        }
        Ok(written)
    })?;
    let (took, spent) = (net::clock::now() - start, processor_time(&guard)? - spent);
    map(&home.servers[2], 60005, "192.168.1.12", "another true one")?;
    home.wait_until_held(60005)?;
    wait_until("clients inside to be led to both", PATIENCE, || {
        let rules = hairpin(&home)?;
        Ok((rules.contains("60003 : 192.168.1.12") && rules.contains("60005 : 192.168.1.12")).then_some(()))
    })?;
    let (memory, after) = (peak_memory_kilobytes(&guard)?, descriptors(&guard)?);
    println!(
        "written {written} times: {spent:?} of {took:?}, {memory} kB at the most, descriptors {before} to {after}"
    );
    ensure!(after <= before + 2 + 23, "{after} descriptors, {before} before");
    ensure!(memory < 64 * 1024, "{memory} kB");
    ensure!(spent < took.mul_f64(0.8), "{spent:?} of {took:?}");
    Ok(())
}

fn descriptors(guard: &Daemon) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{}/fd", guard.pid()))?.count())
}

/// proc(5), `VmHWM`.
fn peak_memory_kilobytes(guard: &Daemon) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", guard.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Its own and that of the nfts that it waited for (proc(5), `utime` to `cstime` of stat).
fn processor_time(guard: &Daemon) -> Result<Duration> {
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", guard.pid()))?;
    let fields = stat.rsplit_once(") ").context("no stat")?.1.split(' ');
    let ticks: u32 = fields.skip(11).take(4).map(str::parse::<u32>).sum::<Result<_, _>>()?;
    Ok(TICK * ticks)
}

/// What is no file is not waited for, and the next one is read.
pub(crate) fn a_lease_file_that_is_a_pipe_is_told_and_not_waited_for(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let guard = home.guard(&[])?;
    home.router
        .command("sh")
        .args(["-c", &format!("mkfifo {LEASE_FILE}.new && mv {LEASE_FILE}.new {LEASE_FILE}")])
        .run(PATIENCE)?;
    guard.wait_for_log("upnp.leases: it is not a file", PATIENCE)?;
    home.router.command("rm").arg(LEASE_FILE).run(PATIENCE)?;
    map(&home.servers[2], 60003, "192.168.1.12", "a true one")?;
    home.wait_until_held(60003)
}

/// A program of that name that comes first there may say anything.
pub(crate) fn whatever_path_says_nft_is_the_systems(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    home.router.command("mkdir").arg("/run/first").run(PATIENCE)?;
    home.router.write_script("/run/first/nft", "#!/bin/sh\ntouch /run/fooled\n")?;
    let command = home.router.command("/usr/local/bin/moshpunch").args(["router", "guard", "--hairpin"]);
    let command = command.args(["--miniupnpd-conf", "/etc/miniupnpd/lab.conf"]);
    let command = command.env("PATH", "/run/first:/usr/sbin:/usr/bin");
    let guard = home.router.spawn("guard", &command)?;
    guard.wait_for_log("guarding:", PATIENCE)?;
    ensure!(!guard.log().contains("cannot be read"), "{}", guard.log());
    hairpin(&home)?;
    home.router.write_script("/usr/local/bin/nft", "#!/bin/sh\ntouch /run/fooled\n")?;
    home.router
        .command("moshpunch")
        .args(["router", "check", "--miniupnpd-conf", "/etc/miniupnpd/lab.conf"])
        .output(PATIENCE)?;
    ensure!(home.router.read_file("/run/fooled").is_err(), "another nft was run");
    home.router.command("rm").arg("/usr/local/bin/nft").run(PATIENCE).map(drop)
}

pub(crate) fn other_ports_than_the_routers_own_are_not_held(lab: &Lab) -> Result<()> {
    let home = Home::raise(lab)?;
    let _miniupnpd = home.miniupnpd()?;
    let guard = home.guard(&["--ports", "60005-60009"])?;
    map(&home.servers[0], 60003, "192.168.1.10", "not the router's")?;
    map(&home.servers[0], 60007, "192.168.1.10", "the router's")?;
    home.wait_until_held(60007)?;
    ensure!(!home.is_held(60003)?, "{}", guard.log());
    let refused =
        home.router.command("moshpunch").args(["router", "guard", "--ports", "53"]).output(PATIENCE)?;
    ensure!(!refused.status.success() && refused.stderr.contains("below 1024"), "{refused}");
    Ok(())
}
