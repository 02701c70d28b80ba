//! `moshpunch sessions …`: which mosh sessions of a user run on this host, and their end. docs/sessions.md is its manual.
//!
//! `gather` reads what the system and our own state files tell (`facts`); `seen` makes sessions of that, `chosen` says which
//! of them are meant, and `view` is what is printed: all three without I/O. `ending` ends one. `notice` tells a login.

mod chosen;
mod ending;
mod exit_code;
mod facts;
mod gather;
mod notice;
mod question;
mod seen;
mod table;
mod view;

use std::io::{self, Write};
use std::process;
use std::time::Duration;

use net::clock;

use self::chosen::{NotFound, is_left_alone};
use self::ending::{Ended, NotEnded};
pub use self::exit_code::EXIT_CODES;
use self::exit_code::ExitCode;
pub(crate) use self::notice::Notice;
use self::question::Answer;
use self::seen::Session;
use self::view::ListView;
use crate::sweep;

/// What a laptop in a drawer may miss, and its owner has forgotten.
pub const OLD: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    List { json: bool },
    Close { id: String },
    Clean { older_than: Duration, yes: bool },
}

/// Does it to the sessions of this user, or to `all`; the exit codes are those of docs/sessions.md.
pub fn run(command: &Command, all: bool) -> process::ExitCode {
    if all && !rustix::process::getuid().is_root() {
        report::note("only root sees the sessions of others; leave --all out");
        return ExitCode::Failure.into();
    }
    let done = match command {
        Command::List { json } => list(all, *json),
        Command::Close { id } => close(all, id),
        Command::Clean { older_than, yes } => clean(all, *older_than, *yes),
    };
    done.unwrap_or_else(|error| {
        report::error(&error.into());
        ExitCode::Failure
    })
    .into()
}

fn sessions(all: bool) -> Vec<Session> {
    seen::sessions(gather::facts(all))
}

fn list(all: bool, json: bool) -> io::Result<ExitCode> {
    print(&ListView::new(&sessions(all), all, clock::unix_seconds()), json)?;
    Ok(ExitCode::Success)
}

fn print(view: &ListView, json: bool) -> io::Result<()> {
    let text = if json { view.to_json() } else { view.to_string() };
    io::stdout().write_all(text.as_bytes())
}

fn close(all: bool, id: &str) -> io::Result<ExitCode> {
    let sessions = sessions(all);
    let session = match chosen::by_id(&sessions, id) {
        Ok(session) => session,
        Err(NotFound) => {
            let id = report::sanitized(id);
            report::note(format!("{id} is no session of yours here; `moshpunch sessions list` shows them"));
            return Ok(ExitCode::NotFound);
        }
    };
    let outcome = ending::end(session);
    sweep::start_if_needed();
    Ok(tell(session, &outcome))
}

fn tell(session: &Session, outcome: &Result<Ended, NotEnded>) -> ExitCode {
    let id = session.id();
    match outcome {
        Ok(Ended::WithItsMapping) => report::note(format!("{id} has ended")),
        Ok(Ended::MappingLeft) => {
            report::note(format!("{id} has ended; its keeper is still giving the mapping back"));
        }
        Err(why) => {
            report::note(format!("{id} has not ended: {why}"));
            return ExitCode::NotEnded;
        }
    }
    ExitCode::Success
}

fn clean(all: bool, older_than: Duration, yes: bool) -> io::Result<ExitCode> {
    let now = clock::unix_seconds();
    let mut old = sessions(all);
    old.retain(|session| !is_left_alone(session, older_than, now));
    let around = gather::around();
    let (own, old): (Vec<_>, Vec<_>) =
        old.into_iter().partition(|session| around.contains(&session.server.process.pid));
    for session in &own {
        report::note(format!("{} is left: this command runs in it", session.id()));
    }
    if old.is_empty() && own.is_empty() {
        report::note(format!("no session has been silent for {}", table::span(older_than.as_secs())));
    }
    if old.is_empty() {
        return Ok(ExitCode::Success);
    }
    print(&ListView::new(&old, all, now), false)?;
    let answer = if yes { Answer::Yes } else { question::ask(&format!("End {}?", count(old.len())))? };
    match answer {
        Answer::Yes => {}
        Answer::No => return Ok(ExitCode::NotConfirmed),
        Answer::NobodyToAsk => {
            report::note("nobody can be asked without a terminal; --yes ends them without a question");
            return Ok(ExitCode::NotConfirmed);
        }
    }
    let mut code = ExitCode::Success;
    for session in &old {
        // While the question stood, or others ended, its client may have come back.
        let is_back = is_left_alone(&gather::again(session), older_than, clock::unix_seconds());
        if is_back && session.server.process.is_alive() {
            report::note(format!("{} is left: it has been heard since", session.id()));
        } else if tell(session, &ending::end(session)) == ExitCode::NotEnded {
            code = ExitCode::NotEnded;
        }
    }
    sweep::start_if_needed();
    Ok(code)
}

fn count(sessions: usize) -> String {
    if sessions == 1 { "this session".into() } else { format!("these {sessions} sessions") }
}
