//! What holds: flag, else environment, else the user's file, else the machine's, else default.
//!
//! `setting` is what there is to know of one setting; the tables are `connection` and `server`. `said` puts together what
//! is said by whom, and `shown` tells it. A `document` is the text of a `file`, which a `private_group` may write.

mod connection;
mod document;
mod file;
mod pattern;
mod private_group;
mod said;
mod server;
mod setting;
mod shell_words;
mod shown;
#[cfg(test)]
mod tests;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Error, Result};
use host::configuration::Configuration as Server;
use report::{Machine, Step, Told, Trouble};

pub(crate) use self::connection::Connection;
pub(crate) use self::said::{Said, Source};
#[cfg(test)]
pub(crate) use self::setting::Flag;
pub(crate) use self::setting::{Kind, Setting, Settings};
pub(crate) use self::shown::Format;

use self::said::{Held, Layer};

/// Of what is left out. More would hide what else there is to read.
const MOST_TOLD: usize = 8;

/// What is said of everything, and what holds.
#[derive(Debug)]
struct Resolved<C: 'static> {
    settings: C,
    held: Vec<Held<C>>,
    left_out: Vec<Told>,
    unknown_sections: Vec<String>,
}

/// What holds for one connection to `host`, of which the command line says `flags`. What is left out is told.
///
/// # Errors
///
/// A variable of mosh's own cannot be understood.
pub(crate) fn connection(
    host: &str,
    flags: &[Said],
    command: &[OsString],
) -> Result<client::configuration::Configuration> {
    let resolved = of_a_connection(host, flags)?;
    troubles(Machine::Laptop, resolved.left_out).iter().for_each(report::in_one_line);
    let colour_term = env::var_os("COLORTERM");
    Ok(resolved.settings.configuration(command, colour_term.as_deref()))
}

/// Prints what holds for one connection.
///
/// # Errors
///
/// As for the connection; or nobody reads it.
pub(crate) fn show(host: &str, flags: &[Said], format: Format) -> Result<ExitCode> {
    let Resolved { held, left_out, unknown_sections, .. } = of_a_connection(host, flags)?;
    let not_known = unknown_sections.into_iter().map(|section| format!("{section} is not known here"));
    let told: Vec<_> = left_out.iter().map(Told::in_one_line).chain(not_known).collect();
    let answer = match format {
        Format::Json => shown::json(host, &held, &told),
        Format::Text => {
            told.iter().for_each(report::note);
            shown::text(&held)
        }
    };
    io::stdout().write_all(answer.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// What holds for a session on this host, of which the command line says `flags`.
///
/// # Errors
///
/// The command line says what cannot hold.
pub(crate) fn server(flags: &[Said]) -> Result<Server> {
    let environment = Layer::of_the_environment::<Server>(|name| env::var_os(name));
    let files = file::layers::<Server>("");
    let resolved = resolve(Settings::unsaid(), flags, environment, files)?;
    Ok(Server {
        left_out: troubles(Machine::Host, resolved.left_out),
        unknown_sections: resolved.unknown_sections,
        ..resolved.settings
    })
}

fn of_a_connection(host: &str, flags: &[Said]) -> Result<Resolved<Connection>> {
    let environment = Layer::of_the_environment::<Connection>(|name| env::var_os(name));
    resolve(Connection::of(host), flags, environment, file::layers::<Connection>(host))
}

fn resolve<C: Settings>(
    mut settings: C,
    flags: &[Said],
    environment: Layer,
    files: Layer,
) -> Result<Resolved<C>> {
    let mut layer = Layer { said: flags.to_vec(), ..Layer::default() };
    layer.extend(environment);
    layer.extend(files);
    let Layer { said, left_out, unknown_sections } = layer;
    let mut held = said::hold(&said, &mut settings).map_err(Error::msg)?;
    for held in held.iter_mut().filter(|held| held.text.is_none()) {
        held.text = settings.implied(held.setting.name);
    }
    Ok(Resolved { settings, held, left_out, unknown_sections })
}

fn troubles(machine: Machine, left_out: Vec<Told>) -> Vec<Trouble> {
    few(left_out).into_iter().map(|cause| Trouble { machine, step: Step::Configuration, cause }).collect()
}

fn few(mut left_out: Vec<Told>) -> Vec<Told> {
    if left_out.len() > MOST_TOLD {
        let more = left_out.split_off(MOST_TOLD - 1).len();
        let what = format!("{more} more of these are left out");
        left_out.push(Told { what, cure: Some("correct or remove them".into()) });
    }
    left_out
}
