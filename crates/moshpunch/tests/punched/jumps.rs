//! Where ssh comes to the host from a third one, the host does not see where the laptop is.

use anyhow::Result;
use lab::harness::Scenario;
use lab::{Daemon, Filtering, Lab, Nat, Sshd, scenario};

use crate::scene::Scene;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(by_a_jump_host_ssh_carries_between_two_homes),
        scenario!(by_a_jump_host_a_session_goes_directly_from_a_public_address),
        scenario!(by_a_jump_host_a_session_goes_directly_to_a_nat_that_filters_nothing),
    ]
}

fn by_a_jump_host(lab: &Lab, cafe: Option<Nat>, home: Nat) -> Result<(Scene, Daemon)> {
    let mut scene = Scene::raise(lab, cafe, home)?;
    let jump = lab.host("jump").attach("eth0", &scene.network.internet, &["20.0.0.70/24"]);
    let jump = jump.default_route("20.0.0.2").start()?;
    let sshd = jump.sshd(&Sshd::default())?;
    scene.destination = ["--ssh=ssh -J jump -p 8022", "router"];
    scene.begin(&[])?;
    Ok((scene, sshd))
}

/// Openers go to the jump host, and to an address that nobody outside the café has.
fn by_a_jump_host_ssh_carries_between_two_homes(lab: &Lab) -> Result<()> {
    let (mut scene, _sshd) = by_a_jump_host(lab, Some(Nat::home("wan0")), Nat::home("wan0"))?;
    scene.stays_carried()
}

/// Which the laptop tells.
fn by_a_jump_host_a_session_goes_directly_from_a_public_address(lab: &Lab) -> Result<()> {
    let (mut scene, _sshd) = by_a_jump_host(lab, None, Nat::home("wan0"))?;
    scene.goes_through_a_hole().map(drop)
}

/// Whatever opener opens it, it is open to all.
fn by_a_jump_host_a_session_goes_directly_to_a_nat_that_filters_nothing(lab: &Lab) -> Result<()> {
    let home = Nat::home("wan0").filtering(Filtering::EndpointIndependent);
    let (mut scene, _sshd) = by_a_jump_host(lab, Some(Nat::home("wan0")), home)?;
    scene.goes_through_a_hole().map(drop)
}
