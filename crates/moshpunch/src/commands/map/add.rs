//! `moshpunch map add`.

use net::clock;
use portmap::cause::Cause;
use portmap::mapper::External;

use super::keep::keep;
use super::ledger::Ledger;
use super::obtain::{Identity, Obtained, Request};
use super::output::{Output, caution};
use super::place::Place;
use super::record::{self, FoundRecord};
use super::renew;
use super::trouble::Trouble;
use super::view::MappingView;
use crate::arguments::AddArguments;
use crate::configuration::{AddConfiguration, Budget};
use crate::exit_code::ExitCode;
use crate::signals::Signals;

pub(super) fn run(
    arguments: &AddArguments,
    budget: Budget,
    output: &mut Output,
) -> Result<ExitCode, Trouble> {
    let configuration = AddConfiguration::resolve(arguments);
    let signals = Signals::of_the_end()?;
    let deadline = clock::now() + budget.total;
    let place = Place::find(&arguments.place)?;
    let fresh = || {
        let AddConfiguration { wanted, protocols, lease, title } = configuration.clone();
        let identity = Identity::new(title.as_deref())?;
        let ledger = Ledger::new(identity.name.clone(), place.internal, lease);
        Request { place, identity, wanted, protocols, lease, budget, deadline, ledger }.obtain(&signals)
    };
    let obtained = match earlier(&configuration, place)? {
        None => fresh()?,
        Some(earlier) => {
            let (file, record) = earlier.adopt()?;
            match renew::request(file, &record, Some(configuration.lease), budget, deadline).obtain(&signals)
            {
                Err(Trouble { code: ExitCode::PortTaken, .. }) if arguments.external.is_none() => fresh()?,
                obtained => obtained?,
            }
        }
    };
    let view = MappingView::new(&obtained.mapping, &obtained.record.name.description);
    output.answer(&view, &view)?;
    warn_of_the_network_above(&obtained);
    match arguments.keep {
        true => keep(obtained, &signals, output),
        false => Ok(ExitCode::Success),
    }
}

/// The mapping that an earlier `map add` made of the same port: asked for again, it stays one.
fn earlier(configuration: &AddConfiguration, place: Place) -> Result<Option<FoundRecord>, Trouble> {
    let AddConfiguration { wanted, protocols, title, .. } = configuration;
    let external = match wanted.external {
        External::Only(port) => Some(port),
        External::Near(_) | External::Within(_) => None,
    };
    let same = |found: &FoundRecord| {
        let mapping = &found.record.mapping;
        found.record.is_for(wanted.internal_port, wanted.transport, external)
            && (mapping.internal, mapping.gateway) == (place.internal, place.gateway)
            && protocols.contains(&mapping.protocol())
    };
    Ok(record::all()?.into_iter().filter(|_| title.is_none()).find(same))
}

/// Such a mapping may still work, where the NAT above forwards everything.
fn warn_of_the_network_above(obtained: &Obtained) {
    let gateway = obtained.mapping.record.control.gateway();
    if let Some(cause) = Cause::of_external_address(gateway, obtained.mapping.external_address) {
        caution(&(&cause).into());
    }
}
