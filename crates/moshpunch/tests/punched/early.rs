//! Routers that take what comes too early for a connection of their own, as Linux does that drops nothing of it: what goes out
//! by the same port later gets another one.

use std::time::Duration;

use anyhow::Result;
use lab::harness::Scenario;
use lab::{Lab, Nat, scenario, wait_until};

use crate::common::PATIENCE;
use crate::common::home::{close, nft};
use crate::scene::{Scene, is_over};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(where_both_routers_keep_what_is_early),
        scenario!(where_the_cafes_router_keeps_what_is_early),
        scenario!(where_the_homes_router_keeps_what_is_early),
        scenario!(where_neither_router_keeps_what_is_early),
        scenario!(where_both_routers_reject_what_is_early),
        scenario!(next_to_a_home_that_keeps_what_is_early_until_it_forgets),
        scenario!(next_to_a_home_from_a_cafe_that_keeps_what_is_early),
        scenario!(next_to_a_home_where_both_keep_what_is_early),
    ]
}

/// After two rounds in vain.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Early {
    Kept,
    Dropped,
    /// And whoever has sent it is told.
    Rejected,
}

use Early::{Dropped, Kept, Rejected};

const REJECTED: &str = "table inet rejected { chain input { type filter hook input priority filter; iifname wan0 meta \
                        l4proto udp reject with icmpx port-unreachable; }; }\n";

fn raise(lab: &Lab, cafe: Early, home: Early) -> Result<Scene> {
    let scene = Scene::raise(lab, Some(Nat::home("wan0")), Nat::home("wan0"))?;
    for (router, early) in [(&scene.cafe, cafe), (&scene.network.router, home)] {
        match early {
            Kept => {}
            Dropped => close(router)?,
            Rejected => nft(router, REJECTED)?,
        }
    }
    Ok(scene)
}

/// The first datagram of ours dies on its way, and the host's is awaited where it arrives.
fn a_hole_is_punched(lab: &Lab, cafe: Early, home: Early) -> Result<()> {
    let mut scene = raise(lab, cafe, home)?;
    scene.begin(&[])?;
    scene.goes_through_a_hole().map(drop)
}

fn where_both_routers_keep_what_is_early(lab: &Lab) -> Result<()> {
    a_hole_is_punched(lab, Kept, Kept)
}

fn where_the_cafes_router_keeps_what_is_early(lab: &Lab) -> Result<()> {
    a_hole_is_punched(lab, Kept, Dropped)
}

fn where_the_homes_router_keeps_what_is_early(lab: &Lab) -> Result<()> {
    a_hole_is_punched(lab, Dropped, Kept)
}

fn where_neither_router_keeps_what_is_early(lab: &Lab) -> Result<()> {
    a_hole_is_punched(lab, Dropped, Dropped)
}

/// Which comes to the laptop as well, and to mosh-server.
fn where_both_routers_reject_what_is_early(lab: &Lab) -> Result<()> {
    a_hole_is_punched(lab, Rejected, Rejected)
}

/// No router is between the café's and the home's, so that nothing dies before the home's.
fn next_door(lab: &Lab, cafe: Early, home: Early) -> Result<Scene> {
    let mut scene = raise(lab, cafe, home)?;
    scene.cafe.join("wan0", &scene.network.internet, &["20.0.0.50/24"], &[])?;
    scene.on_the_way = scene.cafe.clone();
    Ok(scene)
}

/// In the first round our datagram comes too early. So mosh-server gets another port, and has it in the second round as well,
/// though nothing comes too early any more. Linux remembers it for half a minute, and for up to another one until it clears up.
/// In the first round after that the host is the first again.
fn next_to_a_home_that_keeps_what_is_early_until_it_forgets(lab: &Lab) -> Result<()> {
    let mut scene = next_door(lab, Dropped, Kept)?;
    scene.begin(&[])?;
    let second = || Ok(is_over(&scene.log(), 2).then_some(()));
    scene.explained(wait_until("the end of two rounds", PATIENCE, second))?;
    scene.network.router.forget_connections()?;
    scene.computes()?;
    // One more is given up before the host is asked: nobody here maps a port.
    let third = || Ok((scene.log().matches("event=Punch ").count() >= 3).then_some(()));
    scene.explained(wait_until(
        "the third that the host is asked for",
        BETWEEN_ATTEMPTS + PATIENCE,
        third,
    ))?;
    scene.goes_through_a_hole().map(drop)
}

fn next_to_a_home_from_a_cafe_that_keeps_what_is_early(lab: &Lab) -> Result<()> {
    let mut scene = next_door(lab, Kept, Dropped)?;
    scene.begin(&[])?;
    scene.goes_through_a_hole().map(drop)
}

/// Whoever is first is too early.
fn next_to_a_home_where_both_keep_what_is_early(lab: &Lab) -> Result<()> {
    let mut scene = next_door(lab, Kept, Kept)?;
    scene.begin(&[])?;
    scene.stays_carried()
}
