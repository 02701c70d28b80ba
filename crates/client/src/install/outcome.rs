//! What the user is told in the end.

use report::{Machine, Step, Trouble};

use super::dialogue::{Dialogue, Found, Obstacle, Reply, Told};
use super::program::Processor;

/// On how many machines it can be put.
const BUILT_FOR: &str = "moshpunch is built for Linux on x86_64 and aarch64";

const AS_IT_WAS: &str = "what was there is as it was";

/// Lines about what was done, and what the user may want to do something about; whether all that was wanted is done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) notes: Vec<String>,
    pub(super) troubles: Vec<Trouble>,
    pub(super) is_success: bool,
}

/// Of a script that came to its end, or has told what is in its way. None: it has done neither.
pub(super) fn of(dialogue: &Dialogue, host: &str) -> Option<Outcome> {
    let told = dialogue.told();
    if let Some((obstacle, words)) = &told.obstacle {
        return Some(failed(in_the_way(*obstacle, words, told, host)));
    }
    match dialogue.reply() {
        Some(Reply::Nothing) => Some(failed(nothing_fits(dialogue, host))),
        _ if !told.is_done => None,
        Some(reply) => Some(installed(reply, dialogue, host)),
        None if dialogue.programs().is_some() => None,
        None => Some(uninstalled(told, host)),
    }
}

/// Before anybody logs in.
pub(super) fn no_program(why: &str) -> Trouble {
    let cure = "`make dist` builds it for each kind of host; --from DIRECTORY says where it is";
    trouble(Machine::Laptop, format!("there is no moshpunch here that runs on any host: {why}"), cure)
}

fn failed(trouble: Trouble) -> Outcome {
    Outcome { troubles: vec![trouble], ..Outcome::default() }
}

fn trouble(machine: Machine, what: impl Into<String>, cure: impl Into<String>) -> Trouble {
    Trouble::told(machine, Step::Login, what, cure)
}

fn installed(reply: Reply, dialogue: &Dialogue, host: &str) -> Outcome {
    let told = dialogue.told();
    let place = place(told);
    let note = match (&told.put, &told.was) {
        (Some(is), Some(was)) if was.starts_with("moshpunch ") => {
            format!("{host} has {is} now, at {place}, in place of {was}")
        }
        (Some(is), Some(_)) => format!("{host} has {is} now, at {place}, in place of one that did not run"),
        (Some(is), None) => format!("{host} has {is} now, at {place}"),
        (None, _) => format!("moshpunch on {host} is up to date, at {place}"),
    };
    if let (Reply::Keep, Some(Found::None(words))) = (reply, &told.found) {
        let what = format!("moshpunch on {host} is up to date, and does not run there: {words}");
        return failed(trouble(Machine::Host, what, "see whether its file system may have programs (mount)"));
    }
    let troubles = found_first(told, host).into_iter().chain(lacks_mosh(told, host)).collect();
    Outcome { notes: vec![note], troubles, is_success: true }
}

fn found_first(told: &Told, host: &str) -> Option<Trouble> {
    let cure = "remove that one, or put ~/.local/bin before it in the PATH of a login by ssh; \
                --server=\"~/.local/bin/moshpunch server\" takes the new one";
    match &told.found {
        Some(Found::Other(other)) => {
            Some(trouble(Machine::Host, format!("a login to {host} finds another one first: {other}"), cure))
        }
        Some(Found::None(words)) => {
            Some(trouble(Machine::Host, format!("a login to {host} finds none that runs: {words}"), cure))
        }
        Some(Found::It) | None => None,
    }
}

fn lacks_mosh(told: &Told, host: &str) -> Option<Trouble> {
    let manager = told.lacks_mosh?;
    let cure = manager.map_or("install mosh there".to_owned(), |manager| {
        format!("as root there: {}", manager.installs_mosh())
    });
    Some(trouble(Machine::Host, format!("{host} has no mosh-server, which each session needs"), cure))
}

fn uninstalled(told: &Told, host: &str) -> Outcome {
    let place = place(told);
    let done = match &told.removed {
        Some(was) => {
            format!("{was} is removed from {host}: {place}; what runs of it goes on until its session ends")
        }
        None => format!("{host} has no {place}: there is nothing to remove"),
    };
    let other = match &told.found {
        Some(Found::Other(other)) => Some(format!("a login to {host} still finds another one: {other}")),
        _ => None,
    };
    let leaves = (!told.leaves.is_empty()).then(|| format!("left on {host}: {}", told.leaves.join(", ")));
    let notes = [done].into_iter().chain(other).chain(leaves).collect();
    Outcome { notes, troubles: Vec::new(), is_success: true }
}

fn place(told: &Told) -> &str {
    told.place.as_deref().unwrap_or("~/.local/bin/moshpunch")
}

fn nothing_fits(dialogue: &Dialogue, host: &str) -> Trouble {
    let system = dialogue.told().system.as_deref().unwrap_or_default();
    let processor = Processor::of_system(system);
    match processor.zip(dialogue.programs()) {
        Some((processor, programs)) => {
            let why = programs.for_processor(processor).as_ref().err().map_or("", String::as_str);
            let what = format!(
                "there is no moshpunch here that runs on {host}, which is Linux on {}: {why}",
                processor.name()
            );
            let cure = "`make dist` builds it; --from DIRECTORY says where it is";
            trouble(Machine::Laptop, what, cure)
        }
        None => trouble(
            Machine::Host,
            format!("{host} says that it is \"{system}\", and {BUILT_FOR}"),
            "build it there, if it is another Linux: cargo build --release",
        ),
    }
}

fn in_the_way(obstacle: Obstacle, words: &str, told: &Told, host: &str) -> Trouble {
    let words = if words.is_empty() { "it says nothing" } else { words };
    let place = place(told);
    let directory = place.strip_suffix("/moshpunch").unwrap_or(place);
    let (what, cure) = match obstacle {
        Obstacle::Home => (
            format!("{host} does not say where you are at home: HOME is not set there"),
            "look in the start-up files of the login shell there".to_owned(),
        ),
        Obstacle::Directory => {
            (format!("{place} on {host} is a directory"), "rename or remove it there".to_owned())
        }
        Obstacle::Make => (
            format!("{directory} cannot be made on {host}: {words}"),
            "make it there, as a directory of yours; root may install moshpunch in /usr/local/bin".to_owned(),
        ),
        Obstacle::Write => (
            format!("moshpunch cannot be written to {host}: {words}; {AS_IT_WAS}"),
            format!("{directory} there must be yours to write, and have room for 4 MB"),
        ),
        Obstacle::Short => (
            format!("what came to {host} is not what was sent; {AS_IT_WAS}"),
            "say the same again; the connection may have been cut".to_owned(),
        ),
        Obstacle::NoExec => (
            format!("no program may run from {directory} on {host} (mount: noexec); {AS_IT_WAS}"),
            "have root there install moshpunch in /usr/local/bin".to_owned(),
        ),
        Obstacle::Run => (
            format!("what came to {host} does not run there: {words}; {AS_IT_WAS}"),
            "is its processor what `uname -sm` says there? cargo build --release there builds one that runs"
                .to_owned(),
        ),
        Obstacle::Replace => (
            format!("{place} on {host} cannot be replaced: {words}; it is as it was"),
            format!("{directory} there must be yours to write"),
        ),
        Obstacle::Link => (
            format!("{place} on {host} is a symbolic link, which --install never makes; it stays"),
            "remove it there, if it is yours".to_owned(),
        ),
        Obstacle::Stranger => (
            format!("{place} on {host} does not say that it is moshpunch ({words}), and stays"),
            "remove it there, if it is yours".to_owned(),
        ),
        Obstacle::Remove => (
            format!("{place} on {host} cannot be removed: {words}"),
            format!("{directory} there must be yours to write"),
        ),
    };
    trouble(Machine::Host, what, cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uninstalling(lines: &str) -> Option<Outcome> {
        let mut dialogue = Dialogue::uninstalling();
        for line in lines.lines() {
            dialogue.handle_line(format!("MOSHPUNCH INSTALL {line}").as_bytes());
        }
        of(&dialogue, "host")
    }

    #[test]
    fn a_script_that_was_cut_off_has_no_outcome() {
        assert_eq!(uninstalling("at /home/alice/.local/bin/moshpunch\nremoved moshpunch 1"), None);
    }

    #[test]
    fn a_host_that_never_asked_for_it_has_not_been_served() {
        let directory = tempfile::tempdir().unwrap();
        let programs = super::super::program::Programs::find(Some(directory.path()));
        let mut dialogue = Dialogue::installing(programs);
        dialogue.handle_line(b"MOSHPUNCH INSTALL done");
        assert_eq!(of(&dialogue, "host"), None);
    }

    #[test]
    fn what_is_left_is_told() {
        let outcome = uninstalling(
            "at /h/moshpunch\nremoved moshpunch 1\nfinds /usr/bin/moshpunch: moshpunch 0\nleaves /run/user/1/moshpunch\ndone",
        );
        let notes = outcome.unwrap().notes;
        assert_eq!(
            notes,
            [
                "moshpunch 1 is removed from host: /h/moshpunch; what runs of it goes on until its session ends",
                "a login to host still finds another one: /usr/bin/moshpunch: moshpunch 0",
                "left on host: /run/user/1/moshpunch",
            ]
        );
    }

    #[test]
    fn each_obstacle_has_words_and_a_cure() {
        for word in [
            "home",
            "directory",
            "make",
            "write",
            "short",
            "noexec",
            "run",
            "replace",
            "link",
            "stranger",
            "remove",
        ] {
            let outcome = uninstalling(&format!("at /h/.local/bin/moshpunch\nfailed {word} mv: no")).unwrap();
            assert!(!outcome.is_success && outcome.notes.is_empty());
            let [trouble] = &outcome.troubles[..] else { panic!("{word}: {outcome:?}") };
            assert!(trouble.cause.what.contains("host") && trouble.cause.cure.is_some(), "{trouble:?}");
            let silent = uninstalling(&format!("at /h/.local/bin/moshpunch\nfailed {word} ")).unwrap();
            assert!(!silent.troubles[0].cause.what.contains(": ;"), "{silent:?}");
        }
    }
}
