//! The permission rules: only the plan's ports, for the LAN, before everything is denied.

use super::Wishes;
use crate::build::Build;
use crate::configuration::Configuration;
use crate::document::Document;
use crate::plan::Plan;
use crate::rule::{Action, Network, Rule};

/// By these lines a later setup knows its own rules again.
const BEGIN: &str = "# moshpunch router setup: begin";
const END: &str = "# moshpunch router setup: end";

/// Returns what the user should know of rules that were there before.
pub(super) fn edit(document: &mut Document, wishes: &Wishes) -> Vec<String> {
    let Wishes { plan, build, .. } = wishes;
    remove_own(document);
    let wanted = plan.rules(wishes.lan_network);
    let mut notes = comment_out_wider(document, build, plan, &wanted);
    notes.extend(narrower_denials(document, build, &wanted));
    let missing: Vec<_> = wanted.iter().filter(|wanted| !holds(document, build, wanted)).copied().collect();
    let denial = rule_lines(document, build)
        .into_iter()
        .find(|(_, rule)| rule.action == Action::Deny && rule.covers(&Rule::deny_all()));
    let place = missing.iter().filter_map(|rule| first_denial(document, build, rule)).min();
    let place = place.or_else(|| Some(denial?.0)).unwrap_or_else(|| end_of_rules(document));
    let closing = denial.is_none().then(Rule::deny_all);
    let lines: Vec<_> = missing.into_iter().chain(closing).map(|rule| rule.to_string()).collect();
    if !lines.is_empty() {
        let block = [BEGIN.to_owned()].into_iter().chain(lines).chain([END.to_owned()]);
        (place..).zip(block).for_each(|(index, line)| document.insert(index, &line));
    }
    notes
}

fn rule_lines(document: &Document, build: &Build) -> Vec<(usize, Rule)> {
    Configuration::parse(&document.to_bytes()).rule_lines(build).collect()
}

fn remove_own(document: &mut Document) {
    let find = |document: &Document, text: &str, from: usize| {
        document.lines().skip(from).find(|(_, line)| line == text).map(|(index, _)| index)
    };
    while let Some(begin) = find(document, BEGIN, 0) {
        // Somebody may have removed the other end.
        let end = find(document, END, begin).unwrap_or(begin);
        (begin..=end).for_each(|_| document.remove(begin));
    }
}

/// A rule that allows what the plan allows and more would make the plan void.
fn comment_out_wider(document: &mut Document, build: &Build, plan: &Plan, wanted: &[Rule]) -> Vec<String> {
    let limit = Rule::allow(plan.range(), Network::ALL);
    let is_wider = |rule: &Rule| match plan {
        Plan::Shared(_) => {
            wanted.iter().any(|wanted| rule.overlaps(wanted))
                && !(limit.external.covers(&rule.external) && limit.internal.covers(&rule.internal))
        }
        Plan::Divided(_) => limit.external.overlaps(&rule.external) && !wanted.contains(rule),
    };
    let wider: Vec<_> = rule_lines(document, build)
        .into_iter()
        .filter(|(_, rule)| rule.action == Action::Allow && is_wider(rule))
        .collect();
    let note = |(index, rule): (usize, Rule)| {
        document.comment_out(index);
        format!("commented out: '{rule}' allows more than {}", plan.range())
    };
    wider.into_iter().map(note).collect()
}

/// Somebody's own exceptions stay.
fn narrower_denials(document: &Document, build: &Build, wanted: &[Rule]) -> Vec<String> {
    let is_exception = |rule: &Rule| {
        rule.action == Action::Deny
            && wanted.iter().any(|wanted| rule.overlaps(wanted) && !rule.covers(wanted))
    };
    let exceptions = rule_lines(document, build).into_iter().filter(|(_, rule)| is_exception(rule));
    exceptions.map(|(_, rule)| format!("kept: '{rule}' denies a part of what is allowed now")).collect()
}

/// Whether the rule is there already, and no denial of all that it allows comes before it.
fn holds(document: &Document, build: &Build, wanted: &Rule) -> bool {
    let rules = rule_lines(document, build).into_iter().map(|(_, rule)| rule);
    let mut deciding = rules.filter(|rule| rule.covers(wanted));
    deciding.next() == Some(*wanted)
}

fn first_denial(document: &Document, build: &Build, wanted: &Rule) -> Option<usize> {
    let mut rules = rule_lines(document, build).into_iter();
    rules.find(|(_, rule)| rule.action == Action::Deny && rule.covers(wanted)).map(|(index, _)| index)
}

/// Behind the last rule, even if it is commented out, as all are in Debian's file.
fn end_of_rules(document: &Document) -> usize {
    let is_rule = |line: &str| line.trim_start_matches(['#', ' ', '\t']).parse::<Rule>().is_ok();
    let last = document.lines().rev().find(|(_, line)| is_rule(line));
    last.map_or(document.lines().count(), |(index, _)| index + 1)
}
