//! A network of real programs on one machine: sshd, mosh, miniupnpd, nftables, each in the network namespace of
//! the host that it runs on.
//!
//! # The life of a lab
//! [`Lab::new`] makes a directory and an empty network. [`Lab::link`] adds Ethernets, [`Lab::host`] describes
//! hosts, and [`HostBuilder::start`] brings one up: its own network, processes, host name, and its own view of the
//! files that it may change. [`Host::nat`], [`Host::sshd`] and [`Host::miniupnpd`] make routers and servers of
//! hosts. A scenario then runs programs ([`Host::command`]), lets some run beside it ([`Host::spawn`]), sits before
//! others as a user would ([`Host::terminal`]), and reads the results.
//!
//! Meanwhile the network may change: [`Link::impair`] and [`Host::impair`] lose, delay or slow frames, [`Host::join`] takes
//! a host to another link, [`Host::readdress`] gives it other addresses, [`Host::flush_upnp_rules`] reloads a
//! router's firewall.
//!
//! A lab ends when it is dropped, and no later than the process that made it: every host hangs on a pipe that only
//! that process holds. `lab clean` removes the directory that a killed owner leaves behind.
//!
//! # What a lab is not
//! Hosts share the machine's kernel, its clock and its read-only files, and root in a host is root on the machine:
//! a lab keeps tests apart, it is no jail. No host has a way to the machine's own network.

pub mod harness;

mod account;
mod clean;
mod command;
mod configure;
mod connections;
mod daemon;
mod delay_line;
mod directory;
mod fabric;
mod filesystem;
mod firewall;
mod home_and_away;
mod host;
mod impairment;
mod journal;
mod keys;
mod lab;
mod lease;
mod link;
mod miniupnpd;
mod miniupnpd_package;
mod names;
mod namespace;
mod nat;
mod nat_rules;
mod place;
mod process;
mod readings;
mod relay;
mod requirements;
mod roam;
mod router;
mod signals;
mod sshd;
mod terminal;
mod udp;
mod wait;
mod write_up;

pub use account::USER;
pub use clean::{Cleaned, clean, holders};
pub use command::{Command, Output};
pub use daemon::Daemon;
pub use directory::{FoundLab, find_labs};
pub use firewall::Blocked;
pub use home_and_away::{HomeAndAway, Spot};
pub use host::{Host, HostBuilder};
pub use impairment::{Direction, Impairment};
pub use lab::Lab;
pub use lease::Lease;
pub use link::Link;
pub use miniupnpd::Miniupnpd;
pub use miniupnpd_package::{MINIUPNPD_IPTABLES_PACKAGE, MINIUPNPD_PACKAGE};
pub use nat::{Filtering, Forward, Mapping, Nat, Protocol};
pub use readings::HostProcess;
pub use requirements::Requirements;
pub use rustix::process::Signal;
pub use sshd::Sshd;
pub use terminal::Terminal;
pub use udp::UdpPeer;
pub use wait::wait_until;
pub use write_up::WriteUp;
