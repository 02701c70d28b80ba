//! UDP is blocked somewhere, or in one direction alone; stock mosh beside it has no prompt.

use anyhow::Result;
use lab::harness::Scenario;
use lab::{Lab, scenario};

use crate::scene::{LINE, Scene, WORDS};
use crate::stock::Stock;
use crate::wall::Wall;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(where_the_laptop_may_not_use_udp_there_is_a_prompt),
        scenario!(where_the_host_may_not_use_udp_there_is_a_prompt),
        scenario!(where_neither_may_there_is_a_prompt),
        scenario!(where_udp_gets_through_to_the_laptop_alone_there_is_a_prompt),
        scenario!(where_udp_gets_through_to_the_host_alone_there_is_a_prompt),
    ]
}

fn there_is_a_prompt(lab: &Lab, walls: &[Wall]) -> Result<()> {
    let mut scene = Scene::raise(lab, walls, &[])?;
    let stock = Stock::hears_nothing(scene.laptop(), &WORDS)?;
    scene.opens(LINE)?;
    scene.computes()?;
    stock.has_heard_nothing()?;
    scene.leaves_having_gone_over_ssh()
}

fn where_the_laptop_may_not_use_udp_there_is_a_prompt(lab: &Lab) -> Result<()> {
    there_is_a_prompt(lab, &[Wall::AtLaptop])
}

fn where_the_host_may_not_use_udp_there_is_a_prompt(lab: &Lab) -> Result<()> {
    there_is_a_prompt(lab, &[Wall::AtHost])
}

fn where_neither_may_there_is_a_prompt(lab: &Lab) -> Result<()> {
    there_is_a_prompt(lab, &[Wall::AtLaptop, Wall::AtHost])
}

fn where_udp_gets_through_to_the_laptop_alone_there_is_a_prompt(lab: &Lab) -> Result<()> {
    there_is_a_prompt(lab, &[Wall::TowardHost])
}

/// mosh-server hears whatever comes by UDP first, and answers there.
fn where_udp_gets_through_to_the_host_alone_there_is_a_prompt(lab: &Lab) -> Result<()> {
    there_is_a_prompt(lab, &[Wall::TowardLaptop])
}
