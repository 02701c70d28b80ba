//! `moshpunch map list`.

use std::net::IpAddr;

use net::interfaces::Attachment;
use net::{Driven, clock, drive};
use portmap::cause::Cause;
use portmap::mapper::Protocol;
use portmap::mapper::survey::{Extent, Outcome, Survey};
use portmap::upnp::soap::PortMappingEntry;
use portmap::upnp::table::{End, Reader, Table};

use super::budget::Budget;
use super::failure::Failure;
use super::output::{Output, caution};
use super::place::{Place, Where};
use super::record;
use super::survey::survey;
use super::view::{ListView, protocol_name};
use super::whose::{Known, Owner};
use crate::map::exit_code::ExitCode;
use crate::session::StateFile;
use crate::state::runtime_directory;

pub(super) fn run(place: &Where, budget: Budget, output: &mut Output) -> Result<ExitCode, Failure> {
    let deadline = clock::now() + budget.total;
    let place = Place::find(place)?;
    let mut sockets = place.sockets()?;
    let survey = survey(place, &mut sockets, &Protocol::ALL, Extent::UntilTable, budget, deadline)?;
    let records: Vec<_> = record::all()?.into_iter().map(|found| found.record).collect();
    let sessions = StateFile::all(&runtime_directory::open()?)?;
    let known = records.iter().map(|record| Known::new(&record.mapping, &record.name.description));
    let of_sessions = sessions.iter().flat_map(|session| {
        let kept = session.mappings.iter().chain(&session.elsewhere);
        kept.map(|kept| Known::new(&kept.mapping, &session.name.description))
    });
    let known = known.chain(of_sessions);
    let known: Vec<_> = known.collect();

    let Some(control) = survey.control() else {
        let view = ListView::without_table(place.gateway, &records, clock::unix_seconds());
        output.answer(&view, &view)?;
        let failure = no_table(&survey, place.gateway);
        caution(&failure);
        return Ok(failure.code);
    };
    let gateway = control.gateway;
    let mut reader = Reader::of_table(control, place.internal, clock::now());
    let table = match drive(&mut reader, &mut sockets, Some(deadline), None)? {
        Driven::Told(table) => table,
        Driven::TimeIsOver | Driven::Woken => reader.so_far(),
    };
    let host = Attachment::read()?;
    let is_here = |address: IpAddr| address == place.internal || host.is_own(address);
    let owner = |entry: &PortMappingEntry| Owner::of(entry, &known, is_here);
    let view = ListView::of_table(gateway, &table, owner, &records, clock::unix_seconds());
    output.answer(&view, &view)?;
    match incomplete(gateway, &table) {
        None => Ok(ExitCode::Success),
        Some(failure) => {
            caution(&failure);
            Ok(failure.code)
        }
    }
}

/// PCP and NAT-PMP have no question for it.
fn no_table(survey: &Survey, gateway: IpAddr) -> Failure {
    let findings = survey.findings();
    let answers = findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Answered { .. }));
    let spoken: Vec<_> = answers.map(|finding| protocol_name(finding.protocol)).collect();
    if spoken.is_empty() {
        return (&Cause::NoGateway).into();
    }
    Failure::new(
        ExitCode::Success,
        format!("{gateway} speaks {} only, which cannot list what is mapped", spoken.join(" and ")),
        "switch UPnP on in the router to see all; above is what `map add` made here",
    )
}

fn incomplete(gateway: IpAddr, table: &Table) -> Option<Failure> {
    let (code, why) = match table.end {
        End::Complete => return None,
        End::TooLong => (ExitCode::Success, "it has no end".to_owned()),
        End::Refused { code } => (ExitCode::Refused, format!("the router refuses to go on (error {code})")),
        End::NoAnswer => (ExitCode::NoAnswer, "the router did not answer in time".to_owned()),
    };
    let cause = format!("the table of {gateway} is shown up to entry {}: {why}", table.entries.len());
    Some(Failure::new(code, cause, "give it more time with --budget, or look into the router"))
}
