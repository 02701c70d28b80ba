//! `moshpunch map gateway`.

use net::clock;
use portmap::mapper::Protocol;
use portmap::mapper::survey::Extent;

use super::budget::Budget;
use super::failure::Failure;
use super::output::{Output, caution};
use super::place::{Place, Where};
use super::survey::survey;
use super::view::SurveyView;
use crate::map::exit_code::ExitCode;

pub(super) fn run(place: &Where, budget: Budget, output: &mut Output) -> Result<ExitCode, Failure> {
    let deadline = clock::now() + budget.total;
    let place = Place::find(place)?;
    let mut sockets = place.sockets()?;
    let survey = survey(place, &mut sockets, &Protocol::ALL, Extent::Everybody, budget, deadline)?;
    let failure = survey.cause(place.gateway).map(|cause| Failure::from(&cause));
    let view = SurveyView::new(place, &survey, failure.as_ref());
    output.answer(&view, &view)?;
    let Some(failure) = failure else { return Ok(ExitCode::Success) };
    caution(&failure);
    // A gateway behind another NAT maps all the same.
    Ok(if survey.answers() { ExitCode::Success } else { failure.code })
}
