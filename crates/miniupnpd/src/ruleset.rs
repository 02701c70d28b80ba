//! What the nftables of a router do with a packet, as far as can be said without sending one.
//!
//! [`Ruleset::parse`] takes `nft -j list ruleset`, and [`verdict`](Ruleset::verdict) walks a [`Packet`] through it. What
//! cannot be decided from the rules alone (a mark, a limit, an extension) is followed both ways, so that an answer is
//! either certain or [`Verdict::Unknown`].

mod matching;
mod packet;
mod redirections;
mod walk;

use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

pub use self::packet::Packet;
pub use self::walk::{Reached, Verdict};

/// Rules of another family do not see the IPv4 packets of a mapping.
const FAMILIES: [&str; 2] = ["inet", "ip"];

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChainName {
    pub family: String,
    pub table: String,
    pub name: String,
}

impl ChainName {
    #[must_use]
    pub fn new(family: &str, table: &str, name: &str) -> Self {
        Self { family: family.into(), table: table.into(), name: name.into() }
    }
}

impl std::fmt::Display for ChainName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} of the table {} {}", self.name, self.family, self.table)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Hook {
    name: String,
    priority: i64,
    drops_by_default: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Chain {
    /// `None`: it is only jumped to.
    hook: Option<Hook>,
    /// Each a list of matches and statements.
    rules: Vec<Vec<Value>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruleset {
    chains: BTreeMap<ChainName, Chain>,
    /// By family, table and name.
    sets: BTreeMap<(String, String, String), Vec<Value>>,
}

#[derive(Debug, Error)]
#[error("this is not what `nft -j list ruleset` prints: {0}")]
pub struct Unreadable(String);

impl Ruleset {
    /// # Errors
    ///
    /// It is not JSON, or has no list of objects.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        let value: Value = serde_json::from_str(text).map_err(|error| Unreadable(error.to_string()))?;
        let objects =
            value["nftables"].as_array().ok_or_else(|| Unreadable("no list named nftables".into()))?;
        let mut ruleset = Self::default();
        objects.iter().for_each(|object| ruleset.add(object));
        Ok(ruleset)
    }

    #[must_use]
    pub fn has_chain(&self, name: &ChainName) -> bool {
        self.chains.contains_key(name)
    }

    fn add(&mut self, object: &Value) {
        if let Some(chain) = object.get("chain") {
            self.chains.entry(chain_name(chain, "name")).or_default().hook = hook(chain);
        } else if let Some(rule) = object.get("rule") {
            let statements = rule["expr"].as_array().cloned().unwrap_or_default();
            self.chains.entry(chain_name(rule, "chain")).or_default().rules.push(statements);
        } else if let Some(set) = object.get("set").or_else(|| object.get("map")) {
            let ChainName { family, table, name } = chain_name(set, "name");
            let elements = set["elem"].as_array().cloned().unwrap_or_default();
            self.sets.insert((family, table, name), elements);
        }
    }

    /// The chains of a hook in the order in which a packet comes to them.
    fn hooked<'a>(&'a self, hook: &'a str) -> Vec<(&'a ChainName, &'a Chain, &'a Hook)> {
        let chains = self.chains.iter().filter(|(name, _)| FAMILIES.contains(&name.family.as_str()));
        let mut found: Vec<_> =
            chains.filter_map(|(name, chain)| Some((name, chain, chain.hook.as_ref()?))).collect();
        found.retain(|(_, _, own)| own.name == hook);
        found.sort_by_key(|(_, _, own)| own.priority);
        found
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn chain_name(object: &Value, name: &str) -> ChainName {
    ChainName { family: text(&object["family"]), table: text(&object["table"]), name: text(&object[name]) }
}

fn hook(chain: &Value) -> Option<Hook> {
    Some(Hook {
        name: chain.get("hook")?.as_str()?.to_owned(),
        priority: chain["prio"].as_i64().unwrap_or_default(),
        drops_by_default: chain["policy"] == "drop",
    })
}

#[cfg(test)]
mod tests;
