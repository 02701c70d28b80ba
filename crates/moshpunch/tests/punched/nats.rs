//! Which pairs of NATs a hole can be punched through.

use anyhow::Result;
use lab::harness::Scenario;
use lab::{Lab, Nat, scenario};

use crate::scene::Scene;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(between_two_homes_a_session_goes_directly),
        scenario!(from_the_internet_to_a_home_a_session_goes_directly),
    ]
}

fn between_two_homes_a_session_goes_directly(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, Some(Nat::home("wan0")), Nat::home("wan0"))?;
    scene.begin(&[])?;
    scene.goes("Punched")?;
    scene.leaves_having_gone_through_a_hole()
}

fn from_the_internet_to_a_home_a_session_goes_directly(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, None, Nat::home("wan0"))?;
    scene.begin(&[])?;
    scene.goes("Punched")?;
    scene.leaves_having_gone_through_a_hole()
}
