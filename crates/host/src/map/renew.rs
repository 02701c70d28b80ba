//! `moshpunch map renew`.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use net::clock;
use portmap::mapper::{External, Wanted};
use portmap::mapping::Transport;
use programs::signals::Signals;

use super::budget::Budget;
use super::failure::Failure;
use super::ledger::Ledger;
use super::obtain::{Identity, Request};
use super::output::Output;
use super::place::Place;
use super::record::{self, FoundRecord, MapRecord};
use super::view::{Lines, MappingView};
use crate::map::exit_code::ExitCode;
use crate::state::locked_file::LockedFile;

/// What was said to `map renew`.
#[derive(Debug)]
pub struct Renew {
    /// Of this host.
    pub port: NonZeroU16,
    /// Only the mapping of this port of the router.
    pub external: Option<NonZeroU16>,
    pub transport: Transport,
    /// From now on; as it was added, if nothing is said.
    pub lease: Option<Duration>,
}

pub(super) fn run(said: &Renew, budget: Budget, output: &mut Output) -> Result<ExitCode, Failure> {
    let signals = Signals::of_the_end()?;
    let deadline = clock::now() + budget.total;
    let one = |found: FoundRecord| {
        let (file, before) = found.adopt()?;
        let obtained = request(file, &before, said.lease, budget, deadline).obtain(&signals);
        let obtained = obtained.map_err(|failure| about(&before, failure))?;
        Ok(MappingView::new(&obtained.mapping, &obtained.record.name.description))
    };
    let found = record::of_port(said.port, said.transport, said.external)?;
    let views = found.into_iter().map(one).collect::<Result<Vec<_>, Failure>>()?;
    output.answer(&Lines(&views), &views)?;
    Ok(ExitCode::Success)
}

/// The same mapping again: same gateway, protocol, ports, name and nonce.
pub(super) fn request(
    file: LockedFile,
    record: &MapRecord,
    lease: Option<Duration>,
    budget: Budget,
    deadline: Instant,
) -> Request {
    let mapping = &record.mapping;
    let lease = lease.unwrap_or(record.lease);
    Request {
        place: Place { internal: mapping.internal, gateway: mapping.gateway },
        identity: Identity::of(record),
        wanted: Wanted {
            transport: mapping.transport(),
            internal_port: mapping.internal_port,
            external: External::Only(mapping.external_port),
        },
        protocols: vec![mapping.protocol()],
        lease,
        budget,
        deadline,
        ledger: Ledger::continued(file, record, lease),
    }
}

/// That nothing answers says more where something did before.
pub(super) fn about(record: &MapRecord, failure: Failure) -> Failure {
    match failure.code {
        ExitCode::NoGateway => gone(record),
        _ => failure,
    }
}

pub(super) fn gone(record: &MapRecord) -> Failure {
    let (gateway, protocol) = (record.mapping.gateway, super::view::protocol_name(record.mapping.protocol()));
    Failure::new(
        ExitCode::NoGateway,
        format!("the gateway {gateway}, which made this mapping by {protocol}, is not there any more"),
        "connect to its network again, or let the lease run out",
    )
}
