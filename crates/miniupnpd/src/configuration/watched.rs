//! What concerns those who watch miniupnpd.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use super::{Configuration, DEFAULT_PREROUTING_CHAIN};
use crate::build::Build;
use crate::rule::Rule;

/// The build for iptables has another name where the file says nothing.
const DEFAULT_CHAINS: [&str; 2] = [DEFAULT_PREROUTING_CHAIN, "MINIUPNPD"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    pub outside_interface: String,
    /// Where miniupnpd notes its mappings; it does so only if told where.
    pub lease_file: Option<PathBuf>,
    /// The outside address that it tells clients in place of the interface's own.
    pub told_address: Option<Ipv4Addr>,
    /// The chains, one of which holds its redirections.
    pub chains: Vec<String>,
    /// What it lets hosts map.
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    NoOutsideInterface,
    BadInterfaceName(String),
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoOutsideInterface => f.write_str("ext_ifname is not set"),
            Self::BadInterfaceName(name) => {
                write!(f, "ext_ifname is {name:?}, which no interface can be called")
            }
        }
    }
}

impl std::error::Error for Unusable {}

impl Configuration {
    /// # Errors
    ///
    /// It does not say which interface is outside.
    pub fn watched(&self) -> Result<Watched, Unusable> {
        let outside_interface = self.option("ext_ifname").ok_or(Unusable::NoOutsideInterface)?;
        if !is_interface_name(&outside_interface) {
            return Err(Unusable::BadInterfaceName(outside_interface));
        }
        let chains = match self.option("upnp_nat_chain") {
            Some(chain) => vec![chain],
            None => DEFAULT_CHAINS.map(str::to_owned).to_vec(),
        };
        Ok(Watched {
            outside_interface,
            lease_file: self.option("lease_file").map(PathBuf::from),
            told_address: self.option("ext_ip").and_then(|address| address.parse().ok()),
            chains,
            rules: self.rules(&Build::default()),
        })
    }
}

/// As the kernel has it (`dev_valid_name`), without what would end a string of nftables.
fn is_interface_name(name: &str) -> bool {
    (1..16).contains(&name.len())
        && !name.contains(|character: char| {
            character.is_whitespace() || character.is_control() || "/:\"\\".contains(character)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(file: &str) -> Result<Watched, Unusable> {
        Configuration::parse(file.as_bytes()).watched()
    }

    #[test]
    fn what_the_file_says_holds() {
        let file = "# lease_file=/no\next_ifname=eth9\n ext_ifname = wan0 \nlease_file=/var/lib/miniupnpd/upnp.leases\n\
                    ext_ip=20.0.0.7\nupnp_nat_chain=upnp_prerouting\nallow 60000-60023 192.168.1.0/24 60000-60023\n";
        let expected = Watched {
            outside_interface: "wan0".into(),
            lease_file: Some("/var/lib/miniupnpd/upnp.leases".into()),
            told_address: Some(Ipv4Addr::new(20, 0, 0, 7)),
            chains: vec!["upnp_prerouting".into()],
            rules: vec!["allow 60000-60023 192.168.1.0/24 60000-60023".parse().unwrap()],
        };
        assert_eq!(watched(file), Ok(expected));
    }

    #[test]
    fn what_it_does_not_say_is_miniupnpds_default() {
        let watched = watched("ext_ifname=wan0\nlease_file=\n").unwrap();
        assert_eq!((watched.lease_file, watched.told_address), (None, None));
        assert_eq!(watched.chains, ["prerouting_miniupnpd", "MINIUPNPD"]);
    }

    #[test]
    fn without_an_outside_interface_nothing_can_be_said() {
        assert_eq!(watched("#ext_ifname=wan0\n"), Err(Unusable::NoOutsideInterface));
        for name in ["wan0\" accept", "a/b", "an-interface-name", "tab\t0"] {
            let bad = Err(Unusable::BadInterfaceName(name.into()));
            assert_eq!(watched(&format!("ext_ifname={name}\n")), bad, "{name}");
        }
    }
}
