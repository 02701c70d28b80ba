//! Asks who is there.

use std::time::{Duration, Instant};

use anyhow::Result;
use net::{MapperSockets, clock, drive};
use portmap::mapper::survey::{Extent, Survey};
use portmap::mapper::{Protocol, Settings};
use portmap::pcp::Nonce;

use super::budget::Budget;
use super::failure::Failure;
use super::place::Place;
use crate::state::remembered;

/// What is known when everybody has been heard, or the time is over.
pub(super) fn survey(
    place: Place,
    sockets: &mut MapperSockets,
    protocols: &[Protocol],
    extent: Extent,
    budget: Budget,
    deadline: Instant,
) -> Result<Survey, Failure> {
    let settings = Settings {
        internal: place.internal,
        gateway: Some(place.gateway),
        protocols: protocols.to_vec(),
        remembered: remembered::recall(place.gateway).filter(|_| extent == Extent::UntilTable),
        description: String::new(),
        lease: Duration::ZERO,
        only_this_lease: false,
        search_window: budget.search_window,
        nonce: Nonce([0; 12]),
        seed: 0,
    };
    let mut survey = Survey::new(&settings, extent, clock::now());
    drive(&mut survey, sockets, Some(deadline), None)?;
    Ok(survey)
}
