//! The laptop sleeps while the routers forget the hole, and the host ends what was connected.

use std::time::Duration;

use anyhow::Result;
use lab::harness::Scenario;
use lab::{Lab, Signal, scenario, wait_until};
use net::clock;

use crate::common::{attendant, client, process, signal};
use crate::moves::{ends_logins_on_the_host, gets_another_address, logins, new_logins, punched};
use crate::scene::Scene;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario!(after_a_sleep_that_nothing_outlived_it_goes_directly_again)]
}

/// Longer than what mosh-client lets pass without a datagram, several times over: to the session no other sleep is longer.
pub(crate) const ASLEEP: Duration = Duration::from_secs(15);

fn after_a_sleep_that_nothing_outlived_it_goes_directly_again(lab: &Lab) -> Result<()> {
    let mut scene = punched(lab)?;
    sleeps_for(&scene, ASLEEP)?;
    scene.computes()?;
    scene.goes("Punched")?;
    assert!(new_logins(&scene) > 0, "{}", scene.news());
    scene.leaves_having_gone_through_a_hole().map(drop)
}

/// All that belongs to the session, as in a machine that is suspended; who looks after the others first.
pub(crate) fn sleeps_for(scene: &Scene, span: Duration) -> Result<()> {
    let laptop = scene.laptop();
    let mut all = vec![attendant(laptop)?, process(laptop, "mosh-client")?, client(laptop)?];
    all.extend(logins(laptop)?);
    all.iter().try_for_each(|process| signal(process, Signal::STOP))?;
    // Its address outside is another one afterwards, and so is the port of every flow.
    gets_another_address(scene)?;
    scene.network.router.forget_connections()?;
    ends_logins_on_the_host(scene)?;
    let morning = clock::now() + span;
    wait_until("the morning", span * 2, || Ok((clock::now() >= morning).then_some(())))?;
    all.iter().rev().try_for_each(|process| signal(process, Signal::CONT))
}
