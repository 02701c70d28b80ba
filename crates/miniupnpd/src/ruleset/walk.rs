//! Takes a packet through the chains, both ways where a rule may fit or not.

use std::collections::BTreeMap;

use serde_json::Value;

use super::matching::Fit;
use super::{Chain, ChainName, Packet, Ruleset};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Passes,
    /// The chain that does it.
    Dropped(ChainName),
    /// The chain that may or may not.
    Unknown(ChainName),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    Yes,
    No,
    Perhaps,
}

/// What may become of a packet in a chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Outcomes {
    accepted: bool,
    dropped: bool,
    /// It comes to the end of the chain.
    returned: bool,
    /// It comes to the chain that is looked for.
    found: bool,
}

impl Outcomes {
    const ACCEPTED: Self = Self { accepted: true, dropped: false, returned: false, found: false };
    const DROPPED: Self = Self { dropped: true, ..Self { accepted: false, ..Self::ACCEPTED } };
    const RETURNED: Self = Self { returned: true, ..Self { accepted: false, ..Self::ACCEPTED } };
    const FOUND: Self = Self { found: true, ..Self { accepted: false, ..Self::ACCEPTED } };
    const ANY: Self = Self { accepted: true, dropped: true, returned: true, found: false };

    fn or(self, other: Self) -> Self {
        Self {
            accepted: self.accepted || other.accepted,
            dropped: self.dropped || other.dropped,
            returned: self.returned || other.returned,
            found: self.found || other.found,
        }
    }

    fn passes(self) -> bool {
        self.accepted || self.returned || self.found
    }
}

/// What a rule does with a packet that it fits.
enum Effect {
    /// The packet goes on to the next rule.
    None,
    Ends(Outcomes),
    Calls(String),
    GoesTo(String),
}

impl Ruleset {
    /// What becomes of `packet` at a hook, provided that the chain `accepting` accepts all that comes to it.
    #[must_use]
    pub fn verdict(&self, hook: &str, packet: &Packet<'_>, accepting: Option<&ChainName>) -> Verdict {
        let (mut doubtful, mut walk) = (None, Walk::new(self, packet, accepting));
        for (name, chain, own) in self.hooked(hook) {
            let mut outcomes = walk.through(name, chain);
            if outcomes.returned && own.drops_by_default {
                outcomes = Outcomes { returned: false, dropped: true, ..outcomes };
            }
            if outcomes.dropped && !outcomes.passes() {
                return Verdict::Dropped(name.clone());
            }
            if outcomes.dropped {
                doubtful.get_or_insert_with(|| name.clone());
            }
        }
        doubtful.map_or(Verdict::Passes, Verdict::Unknown)
    }

    /// Whether `packet` comes to `chain` by way of a hook.
    #[must_use]
    pub fn reaches(&self, hook: &str, packet: &Packet<'_>, chain: &ChainName) -> Reached {
        let (mut reached, mut walk) = (Reached::No, Walk::new(self, packet, Some(chain)));
        for (name, own, _) in self.hooked(hook) {
            let outcomes = walk.through(name, own);
            if outcomes == Outcomes::FOUND {
                return Reached::Yes;
            }
            if outcomes.found {
                reached = Reached::Perhaps;
            }
        }
        reached
    }
}

/// One packet on its way. What becomes of it in a chain is found out once, however many rules jump there.
struct Walk<'a> {
    ruleset: &'a Ruleset,
    packet: &'a Packet<'a>,
    goal: Option<&'a ChainName>,
    known: BTreeMap<ChainName, Outcomes>,
}

impl<'a> Walk<'a> {
    fn new(ruleset: &'a Ruleset, packet: &'a Packet<'a>, goal: Option<&'a ChainName>) -> Self {
        Self { ruleset, packet, goal, known: BTreeMap::new() }
    }

    fn through(&mut self, name: &ChainName, chain: &Chain) -> Outcomes {
        let mut outcomes = Outcomes::default();
        for statements in &chain.rules {
            let (fit, effect) = self.apply(statements, name);
            if fit == Fit::No {
                continue;
            }
            let after = match effect {
                Effect::None => continue,
                Effect::Ends(after) => after,
                Effect::GoesTo(target) => self.call(name, &target),
                Effect::Calls(target) => {
                    let called = self.call(name, &target);
                    outcomes = outcomes.or(Outcomes { returned: false, ..called });
                    if called.returned {
                        continue;
                    }
                    Outcomes::default()
                }
            };
            outcomes = outcomes.or(after);
            if fit == Fit::Yes {
                return outcomes;
            }
        }
        Outcomes { returned: true, ..outcomes }
    }

    fn call(&mut self, from: &ChainName, target: &str) -> Outcomes {
        let name = ChainName { name: target.to_owned(), ..from.clone() };
        if self.goal == Some(&name) {
            return Outcomes::FOUND;
        }
        if let Some(known) = self.known.get(&name) {
            return *known;
        }
        let Some(chain) = self.ruleset.chains.get(&name) else { return Outcomes::RETURNED };
        // nftables has no loops; of something else that has, nothing is said.
        self.known.insert(name.clone(), Outcomes::ANY);
        let outcomes = self.through(&name, chain);
        self.known.insert(name, outcomes);
        outcomes
    }

    fn apply(&self, statements: &[Value], chain: &ChainName) -> (Fit, Effect) {
        let mut fit = Fit::Yes;
        for statement in statements {
            let Some((kind, body)) = statement.as_object().and_then(|object| object.iter().next()) else {
                return (Fit::Perhaps, Effect::Ends(Outcomes::ANY));
            };
            match kind.as_str() {
                "match" => fit = fit.and(self.ruleset.fits(body, self.packet, chain)),
                "vmap" => return self.look_up(fit, body, chain),
                // They fit at times.
                "limit" | "quota" | "ct count" => fit = fit.and(Fit::Perhaps),
                _ => match effect(kind, body) {
                    Effect::None => {}
                    effect => return (fit, effect),
                },
            }
            if fit == Fit::No {
                break;
            }
        }
        (fit, Effect::None)
    }

    fn look_up(&self, fit: Fit, map: &Value, chain: &ChainName) -> (Fit, Effect) {
        let unknown = (fit.and(Fit::Perhaps), Effect::Ends(Outcomes::ANY));
        let Some(entries) = map["data"]["set"].as_array() else { return unknown };
        for entry in entries {
            match self.ruleset.key_fits(&map["key"], &entry[0], self.packet, chain) {
                Fit::No => {}
                Fit::Perhaps => return unknown,
                Fit::Yes => {
                    let verdict = entry[1].as_object().and_then(|object| object.iter().next());
                    return verdict.map_or(unknown, |(kind, body)| (fit, effect(kind, body)));
                }
            }
        }
        (Fit::No, Effect::None)
    }
}

fn effect(kind: &str, body: &Value) -> Effect {
    let target = || body["target"].as_str().unwrap_or_default().to_owned();
    match kind {
        "accept" | "dnat" | "snat" | "masquerade" | "redirect" => Effect::Ends(Outcomes::ACCEPTED),
        "drop" | "reject" => Effect::Ends(Outcomes::DROPPED),
        "return" => Effect::Ends(Outcomes::RETURNED),
        "jump" => Effect::Calls(target()),
        "goto" => Effect::GoesTo(target()),
        "counter" | "log" | "comment" | "mangle" | "notrack" | "set" | "map" | "flow" | "ct helper"
        | "ct timeout" | "continue" => Effect::None,
        _ => Effect::Ends(Outcomes::ANY),
    }
}
