//! More than one NAT on a side.

use anyhow::Result;
use lab::harness::Scenario;
use lab::{Lab, Nat, Protocol, scenario};

use crate::common::home::close;
use crate::scene::Scene;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(from_behind_two_nats),
        scenario!(from_behind_two_nats_the_outer_of_which_keeps_what_is_early),
        scenario!(to_a_home_behind_a_carriers_nat),
    ]
}

fn raise(lab: &Lab) -> Result<Scene> {
    Scene::raise(lab, Some(Nat::home("wan0")), Nat::home("wan0"))
}

/// With a router of the laptop's own, within the café.
fn from_a_room(lab: &Lab) -> Result<Scene> {
    let scene = raise(lab)?;
    let link = lab.link("room")?;
    let room = lab.host("room").attach("wan0", &scene.inside, &["10.1.0.7/24"]).default_route("10.1.0.1");
    let room = room.attach("lan0", &link, &["10.2.0.1/24"]).start()?;
    room.nat(&Nat::home("wan0"))?;
    scene.laptop().join("eth0", &link, &["10.2.0.5/24"], &["10.2.0.1"])?;
    Ok(scene)
}

/// What dies behind the first router does not make the second one expect anything: it drops the first openers.
fn from_behind_two_nats(lab: &Lab) -> Result<()> {
    let mut scene = from_a_room(lab)?;
    close(&scene.cafe)?;
    scene.begin(&[])?;
    scene.goes_through_a_hole().map(drop)
}

/// Nothing of ours passes that one before an opener comes, whoever begins.
fn from_behind_two_nats_the_outer_of_which_keeps_what_is_early(lab: &Lab) -> Result<()> {
    let mut scene = from_a_room(lab)?;
    scene.begin(&[])?;
    scene.stays_carried()
}

/// Whose address is the home's name. The home's own router has none that others know.
fn to_a_home_behind_a_carriers_nat(lab: &Lab) -> Result<()> {
    let mut scene = raise(lab)?;
    let homes = lab.link("homes")?;
    let carrier = lab.host("carrier").attach("wan0", &scene.network.internet, &["20.0.0.3/24"]);
    let carrier = carrier.default_route("20.0.0.2").attach("lan0", &homes, &["100.64.0.1/24"]).start()?;
    carrier.nat(&Nat::home("wan0").forward(Protocol::Tcp, 2022, "100.64.0.2:8022"))?;
    scene.network.router.join("wan0", &homes, &["100.64.0.2/24"], &["100.64.0.1"])?;
    scene.destination = ["--ssh=ssh -p 2022", "carrier"];
    scene.begin(&[])?;
    scene.goes_through_a_hole().map(drop)
}
