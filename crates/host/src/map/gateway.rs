//! `moshpunch map gateway`.

use net::clock;
use portmap::mapper::Protocol;
use portmap::mapper::survey::Extent;

use super::budget::Budget;
use super::output::{Output, caution};
use super::place::{Place, Where};
use super::survey::survey;
use super::trouble::Trouble;
use super::view::SurveyView;
use crate::map::exit_code::ExitCode;

pub(super) fn run(place: &Where, budget: Budget, output: &mut Output) -> Result<ExitCode, Trouble> {
    let deadline = clock::now() + budget.total;
    let place = Place::find(place)?;
    let mut sockets = place.sockets()?;
    let survey = survey(place, &mut sockets, &Protocol::ALL, Extent::Everybody, budget, deadline)?;
    let trouble = survey.cause(place.gateway).map(|cause| Trouble::from(&cause));
    let view = SurveyView::new(place, &survey, trouble.as_ref());
    output.answer(&view, &view)?;
    let Some(trouble) = trouble else { return Ok(ExitCode::Success) };
    caution(&trouble);
    // A gateway behind another NAT maps all the same.
    Ok(if survey.answers() { ExitCode::Success } else { trouble.code })
}
