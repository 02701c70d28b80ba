//! `moshpunch map remove`.

use std::num::NonZeroU16;
use std::time::Instant;

use net::{Driven, clock, drive};
use portmap::mapper::survey::{Extent, Outcome};
use portmap::mapper::{Control, Protocol, Record};
use portmap::mapping::Transport;
use portmap::upnp::Ours;
use portmap::upnp::soap::PortMappingEntry;
use portmap::upnp::table::{End, Reader};
use report::sanitized;

use super::budget::Budget;
use super::failure::Failure;
use super::output::{Output, caution};
use super::place::Place;
use super::record::{self, FoundRecord, MapRecord};
use super::renew::gone;
use super::survey::survey;
use super::view::{Lines, RemovalView};
use crate::map::exit_code::ExitCode;
use crate::release::release;
use crate::state::saved_mapping::SavedMapping;

/// What was said to `map remove`.
#[derive(Debug)]
pub enum Remove {
    Of {
        /// Of this host.
        port: NonZeroU16,
        /// Only the mapping of this port of the router.
        external: Option<NonZeroU16>,
        transport: Transport,
    },
    /// Every mapping that this user's `map add` made on this host.
    All,
}

pub(super) fn run(said: &Remove, budget: Budget, output: &mut Output) -> Result<ExitCode, Failure> {
    let deadline = clock::now() + budget.total;
    let found = match *said {
        Remove::Of { port, external, transport } => record::of_port(port, transport, external)?,
        Remove::All => record::all()?,
    };
    let (mut views, mut code) = (Vec::new(), ExitCode::Success);
    for found in found {
        let before = found.record.clone();
        let result = remove(found, budget, deadline);
        if let Err(failure) = &result {
            caution(failure);
            code = if code == ExitCode::Success { failure.code } else { code };
        }
        views.push(RemovalView::new(&before, result.is_ok()));
    }
    match views.is_empty() {
        true => output.answer(&"there is nothing to remove", &views)?,
        false => output.answer(&Lines(&views), &views)?,
    }
    Ok(code)
}

/// What is not there any more, or somebody else's now, needs no record.
fn remove(found: FoundRecord, budget: Budget, deadline: Instant) -> Result<(), Failure> {
    let (file, record) = found.adopt()?;
    let result = remove_from_gateway(&record, budget, deadline);
    let over = record.seconds_left(clock::unix_seconds()) == Some(0);
    match &result {
        Ok(()) | Err(Failure { code: ExitCode::NotOurs, .. }) => file.remove()?,
        Err(_) if over => file.remove()?,
        // The mapping may still be there.
        Err(_) => drop(file),
    }
    result
}

fn remove_from_gateway(record: &MapRecord, budget: Budget, deadline: Instant) -> Result<(), Failure> {
    let SavedMapping { internal, gateway, .. } = record.mapping;
    let place = Place { internal, gateway };
    let mut sockets = place.sockets()?;
    let protocol = record.mapping.protocol();
    let survey = survey(place, &mut sockets, &[protocol], Extent::UntilTable, budget, deadline)?;
    let answers = |outcome: &Outcome| matches!(outcome, Outcome::Answered { .. } | Outcome::Refused(_));
    if !survey.findings().iter().any(|finding| answers(&finding.outcome)) {
        return Err(gone(record));
    }
    let mut mapping = record.mapping.clone();
    // The router may control the service elsewhere since it restarted.
    if let Some(control) = survey.control().filter(|_| protocol == Protocol::Upnp) {
        let before = mapping.record()?;
        let Record { external_port, transport, .. } = before;
        let mut reader = Reader::of_entry(control.clone(), internal, external_port, transport, clock::now());
        if let Driven::Told(table) = drive(&mut reader, &mut sockets, Some(deadline), None)?
            && table.end == End::Complete
        {
            verify(record, table.entries.first())?;
        }
        mapping = SavedMapping::new(internal, &Record { control: Control::Upnp(control), ..before });
    }
    drop(sockets);
    match release(&mapping, &record.name.description, Some(deadline))? {
        true => Ok(()),
        false => Err(unconfirmed(record)),
    }
}

fn verify(record: &MapRecord, entry: Option<&PortMappingEntry>) -> Result<(), Failure> {
    let SavedMapping { internal, gateway, external_port, internal_port, .. } = record.mapping;
    let cure = "`moshpunch map list` shows what there is, and whose";
    let Some(entry) = entry else {
        let cause = format!("the router {gateway} has no mapping of port {external_port} any more");
        return Err(Failure::new(ExitCode::NotOurs, cause, cure));
    };
    let (description, listing) = (&record.name.description, &record.mapping.listing());
    if (Ours { internal, internal_port: internal_port.get(), description, listing }).is(entry) {
        return Ok(());
    }
    let description = sanitized(&entry.description);
    let cause = format!(
        "port {external_port} of the router {gateway} is somebody else's now (\"{description}\"), and left alone"
    );
    Err(Failure::new(ExitCode::NotOurs, cause, cure))
}

fn unconfirmed(record: &MapRecord) -> Failure {
    let left = match record.seconds_left(clock::unix_seconds()) {
        Some(seconds) => format!("wait: its lease ends in {seconds} s"),
        None => "try again".into(),
    };
    let gateway = record.mapping.gateway;
    let cause = format!("the router {gateway} did not confirm that it removed the mapping");
    Failure::new(ExitCode::NoAnswer, cause, left)
}

#[cfg(test)]
mod tests {
    use portmap::upnp::soap::InternalClient;

    use super::super::record::tests::record;
    use super::*;

    fn entry(client: &str, port: u16, description: &str) -> PortMappingEntry {
        PortMappingEntry {
            external_port: Some(60001),
            transport: None,
            internal_client: InternalClient::Address(client.parse().unwrap()),
            internal_port: port,
            enabled: true,
            description: description.into(),
            lease_seconds: None,
        }
    }

    #[test]
    fn only_an_entry_with_our_address_port_and_name_is_ours() {
        let ours = "moshpunch alice@server 1a2b3c4d";
        assert_eq!(verify(&record(), Some(&entry("192.168.1.10", 60001, ours))), Ok(()));
        for other in [
            entry("192.168.1.20", 60001, ours),
            entry("192.168.1.10", 60002, ours),
            entry("192.168.1.10", 60001, "moshpunch bob@other 99999999"),
        ] {
            let failure = verify(&record(), Some(&other)).unwrap_err();
            assert_eq!(failure.code, ExitCode::NotOurs, "{other:?}");
            assert!(failure.trouble.cause.what.contains("is somebody else's now"), "{failure:?}");
        }
        assert!(
            verify(&record(), None)
                .unwrap_err()
                .trouble
                .cause
                .what
                .ends_with("has no mapping of port 60001 any more")
        );
    }
}
