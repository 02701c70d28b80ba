//! What `router check` says: facts that a shell has read, judged.
//!
//! What was not read, or cannot be decided, is [`Verdict::Unknown`] and never guessed.

mod addresses;
mod daemon;
mod facts;
mod finding;
mod firewall;
mod permissions;
mod settings;
mod table;

pub use self::facts::{Facts, LeasePlace, Listener, Process};
pub use self::finding::{Finding, Verdict};

use self::daemon::Daemon;
use crate::build::Build;
use crate::configuration::Configuration;
use crate::interfaces::Interface;
use crate::ruleset::Ruleset;

/// Facts, read.
struct Router<'a> {
    facts: &'a Facts,
    build: Build,
    configuration: Configuration,
    daemon: Daemon<'a>,
    /// `None`: nobody could read them.
    ruleset: Option<Ruleset>,
}

/// Every finding, in the order in which a packet or a reader would come to it.
#[must_use]
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let Some(bytes) = &facts.configuration else {
        return vec![Finding::unknown(
            "configuration",
            format!("{} cannot be read", facts.configuration_path),
            "install miniupnpd, say where its file is with --miniupnpd-conf, or run this as root",
        )];
    };
    let ruleset = facts.ruleset.as_deref().and_then(|text| Ruleset::parse(text).ok());
    let router = Router {
        facts,
        build: facts.version.as_deref().map(Build::parse).unwrap_or_default(),
        configuration: Configuration::parse(bytes),
        daemon: daemon::find(facts),
        ruleset,
    };
    vec![
        settings::lines(&router),
        daemon::runs(&router),
        daemon::starts(&router),
        daemon::has_read_its_file(&router),
        addresses::wan_interface(&router),
        addresses::lan_interface(&router),
        addresses::wan_address(&router),
        settings::secure_mode(&router),
        settings::protocols(&router),
        permissions::denial(&router),
        permissions::range(&router),
        permissions::others(&router),
        settings::lease_file(&router),
        settings::cleaning(&router),
        daemon::forwards_packets(&router),
        firewall::chains(&router),
        firewall::prerouting(&router),
        firewall::forward(&router),
        firewall::from_the_lan(&router),
        firewall::from_the_wan(&router),
        table::agrees(&router),
        table::is_held(&router),
    ]
}

impl Router<'_> {
    fn interface(&self, name: &str) -> Option<&Interface> {
        self.facts.interfaces.iter().find(|interface| interface.name == name)
    }

    fn wan(&self) -> Option<&Interface> {
        self.interface(&self.configuration.option("ext_ifname")?)
    }

    /// What runs may have been told so when it was called.
    fn speaks_pcp(&self) -> bool {
        let Daemon::Runs(process) = self.daemon else { return self.configuration.speaks_pcp(&self.build) };
        process.arguments.iter().any(|argument| argument == "-N")
            || self.configuration.speaks_pcp(&self.build)
    }

    /// The first that is listened on; it may be named by an address.
    fn lan(&self) -> Option<&Interface> {
        let listening = self.configuration.listening();
        listening.iter().find_map(|value| {
            let address = value.split('/').next().and_then(|text| text.parse().ok());
            let has_it =
                |interface: &&Interface| interface.addresses.iter().any(|(own, _)| Some(*own) == address);
            self.interface(value).or_else(|| self.facts.interfaces.iter().find(has_it))
        })
    }
}

#[cfg(test)]
mod tests;
