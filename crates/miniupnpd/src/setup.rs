//! The edits that make a router of the write-up's kind: what `router setup` wants the files to say.
//!
//! Nothing here depends on what an earlier setup did, so that the second one changes nothing.

mod rules;
mod surroundings;

pub use self::surroundings::{Surroundings, look};

use crate::build::{Build, Knows};
use crate::configuration::{BadLine, ChainNames, Configuration, FAMILY_SPLIT, PCP, PCP_TOO, TABLE};
use crate::document::Document;
use crate::firewall;
use crate::plan::Plan;
use crate::rule::Network;

/// Where the Debian package makes a directory for it.
pub const LEASE_FILE: &str = "/var/lib/miniupnpd/upnp.leases";

/// OpenWrt's. A port that stays is one that a firewall can know and that a client can remember.
const HTTP_PORT: u16 = 5000;

const PRESTART: &str = "MiniUPnPd_PRESTART_COMMAND";
const POSTSTOP: &str = "MiniUPnPd_POSTSTOP_COMMAND";
const START_DAEMON: &str = "START_DAEMON";

/// The package's service may have two tasks; its iptables scripts are pipes of more.
pub const SERVICE_FILE: &str = "/etc/systemd/system/miniupnpd.service.d/moshpunch.conf";
const SERVICE: &str = "\
# By `moshpunch router setup`: the iptables scripts of the package need more than its two tasks.
[Service]
TasksMax=32
";

/// Which of the two Debian packages brought miniupnpd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    Nftables,
    Iptables,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    pub wan: String,
    pub lan: String,
    pub lan_network: Network,
    pub plan: Plan,
    pub flavour: Flavour,
    /// The miniupnpd that will read the file.
    pub build: Build,
    /// Whether the administrator's firewall already leads to the chains that the configuration names.
    pub chains_are_there: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub configuration: Vec<u8>,
    pub defaults: Vec<u8>,
    /// For [`firewall::FILE`].
    pub firewall: Option<String>,
    /// For [`SERVICE_FILE`].
    pub service: Option<&'static str>,
    /// What the user should know beside the difference.
    pub notes: Vec<String>,
}

#[must_use]
pub fn edit(configuration: &[u8], defaults: &[u8], wishes: &Wishes) -> Files {
    let (mut document, mut notes) = without_bad_lines(configuration, &wishes.build);
    let read = Configuration::parse(&document.to_bytes());
    let own_start = starts_by_its_own(&Document::parse(defaults), wishes);
    if let Some(command) = &own_start {
        notes.push(format!(
            "kept: {PRESTART}={command}; the chains for miniupnpd's rules, and keeping the WAN away from it, are its task"
        ));
    }
    let brings_file = wishes.flavour == Flavour::Nftables && own_start.is_none();
    let names = read.chain_names(&wishes.build);
    if brings_file && names.is_none() {
        notes.push(format!(
            "{} cannot be told which chains to use: it needs those of its own scripts",
            wishes.build
        ));
    }
    let brings_chains =
        brings_file && names.is_some_and(|names| !wishes.chains_are_there || has_own_name(&names));
    let uses_scripts = wishes.flavour == Flavour::Iptables && own_start.is_none();
    if uses_scripts {
        notes.push(NOTE_ON_IPTABLES.into());
    }
    let http_port = read.http_port().unwrap_or(HTTP_PORT);

    set_options(&mut document, &read, http_port, wishes);
    if brings_chains {
        set_chain_names(&mut document);
    }
    notes.extend(rules::edit(&mut document, wishes));
    let mut started = Document::parse(defaults);
    set_start(&mut started, own_start.is_some(), wishes);
    Files {
        configuration: document.to_bytes(),
        defaults: started.to_bytes(),
        firewall: brings_file.then(|| firewall::rules(&wishes.wan, http_port, brings_chains)),
        service: uses_scripts.then_some(SERVICE),
        notes,
    }
}

/// What miniupnpd would not start with. What it may know stays.
fn without_bad_lines(configuration: &[u8], build: &Build) -> (Document, Vec<String>) {
    let read = Configuration::parse(configuration);
    let mut document = read.document().clone();
    let bad = read.bad_lines(build);
    let note = |BadLine { number, text, objection }| {
        if !objection.is_certain() {
            return format!("kept: '{text}'; {objection}");
        }
        document.comment_out(number - 1);
        format!("commented out: '{text}'; {objection}")
    };
    let notes = bad.map(note).collect();
    (document, notes)
}

const NOTE_ON_IPTABLES: &str = "miniupnpd-iptables needs iptables-legacy, and nothing keeps the WAN away from miniupnpd; \
                                better: apt install miniupnpd-nftables, and run this again";

fn set_options(document: &mut Document, read: &Configuration, http_port: u16, wishes: &Wishes) {
    document.set("ext_ifname", &wishes.wan);
    listen(document, wishes);
    document.set("secure_mode", "yes");
    let has_the_newer = read.document().mentions(PCP_TOO) && wishes.build.knows(PCP_TOO) == Knows::Yes;
    document.set(if has_the_newer { PCP_TOO } else { PCP }, "yes");
    if !read.speaks_upnp() {
        document.set("enable_upnp", "yes");
    }
    if read.http_port().is_none() {
        document.set("http_port", &http_port.to_string());
    }
    if read.option("lease_file").is_none_or(|path| is_volatile(&path)) {
        document.set("lease_file", LEASE_FILE);
    }
}

/// Other networks that are listened to stay; the WAN does not.
fn listen(document: &mut Document, wishes: &Wishes) {
    let first_word = |value: &str| value.split_whitespace().next().unwrap_or_default().to_owned();
    let listened = document.settings("listening_ip");
    let outside: Vec<_> = listened.filter(|(_, value)| first_word(value) == wishes.wan).collect();
    outside.iter().for_each(|(index, _)| document.comment_out(*index));
    let inside = |value: &str| {
        let word = first_word(value);
        let address = word.split('/').next().unwrap_or_default().parse();
        word == wishes.lan || address.is_ok_and(|address| wishes.lan_network.contains(address))
    };
    if !document.values("listening_ip").iter().any(|value| inside(value)) {
        document.add("listening_ip", &wishes.lan);
    }
}

/// What is emptied at a restart by name (file-hierarchy(7)); where else a tmpfs is mounted, `router check` sees.
fn is_volatile(path: &str) -> bool {
    ["/run/", "/var/run/", "/tmp/", "/dev/shm/"].iter().any(|directory| path.starts_with(directory))
}

fn has_own_name(names: &ChainNames) -> bool {
    names.nat_table == firewall::TABLE
}

/// Those of our own table, which is no split one.
fn set_chain_names(document: &mut Document) {
    let split: Vec<_> = document.settings(FAMILY_SPLIT).filter(|(_, value)| value == "yes").collect();
    split.iter().for_each(|(index, _)| document.comment_out(*index));
    let ChainNames { family: _, table, nat_table, forward, prerouting, postrouting } = firewall::own_names();
    for (option, name) in [
        (TABLE, table),
        ("upnp_nat_table_name", nat_table),
        ("upnp_forward_chain", forward),
        ("upnp_nat_chain", prerouting),
        ("upnp_nat_postrouting_chain", postrouting),
    ] {
        document.set(option, &name);
    }
}

/// The administrator's own start command, if there is one.
fn starts_by_its_own(defaults: &Document, wishes: &Wishes) -> Option<String> {
    let command = defaults.value(PRESTART)?;
    let words = command.trim_matches(['"', '\'']);
    let ours = [String::new(), "true".into(), "/bin/true".into(), commands(wishes).0];
    let is_ours = ours.iter().any(|known| known == words) || words.starts_with(IPTABLES_START);
    (!is_ours).then_some(command)
}

const IPTABLES_START: &str = "/etc/miniupnpd/iptables_init.sh -i ";
const IPTABLES_STOP: &str = "/etc/miniupnpd/iptables_removeall.sh -i ";

/// What makes the chains before miniupnpd starts, and removes them after it has stopped. The package's own helper finds
/// no interface for its iptables scripts, and no nft for the others.
fn commands(wishes: &Wishes) -> (String, String) {
    match wishes.flavour {
        Flavour::Nftables => (firewall::load_command(), firewall::removal_command()),
        Flavour::Iptables => {
            (format!("{IPTABLES_START}{}", wishes.wan), format!("{IPTABLES_STOP}{}", wishes.wan))
        }
    }
}

fn set_start(defaults: &mut Document, keeps_commands: bool, wishes: &Wishes) {
    if defaults.value(START_DAEMON).is_some() {
        defaults.set(START_DAEMON, "1");
    }
    if !keeps_commands {
        let (start, stop) = commands(wishes);
        defaults.set(PRESTART, &format!("\"{start}\""));
        defaults.set(POSTSTOP, &format!("\"{stop}\""));
    }
}

#[cfg(test)]
mod tests;
