//! From a hole to what is better.

use anyhow::Result;
use lab::harness::Scenario;
use lab::{Lab, Miniupnpd, Nat, WriteUp, scenario};

use crate::scene::Scene;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario!(once_its_router_maps_the_port_a_session_leaves_its_hole).needs(&["miniupnpd"])]
}

fn once_its_router_maps_the_port_a_session_leaves_its_hole(lab: &Lab) -> Result<()> {
    let mut scene = Scene::raise(lab, Some(Nat::home("wan0")), Nat::home("wan0"))?;
    scene.begin(&[])?;
    scene.goes("Punched")?;
    let miniupnpd = Miniupnpd::new(WriteUp::OUTSIDE, WriteUp::INSIDE);
    let _miniupnpd = scene.network.router.miniupnpd(&miniupnpd)?;
    scene.goes("Mapped")?;
    scene.leaves().map(drop)
}
