//! Which pairs of NATs a hole can be punched through.

use anyhow::{Context, Result};
use lab::harness::Scenario;
use lab::{Filtering, Lab, Mapping, Nat, scenario};

use crate::scene::Scene;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario!(to_a_home_whose_nat_filters_by_port),
        scenario!(to_a_home_whose_nat_filters_by_address),
        scenario!(to_a_home_whose_nat_filters_nothing),
        scenario!(to_a_home_whose_nat_gives_each_address_a_port),
        scenario!(to_a_home_whose_nat_gives_each_peer_a_port),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    Nothing,
    /// Known as a full cone: whoever has an outside port, everybody may send there.
    OpenNat,
    NatByAddress,
    /// As home routers have it.
    NatByPort,
    /// Each address sees another port, and may send there.
    NatPerAddress,
    /// Each peer sees another port.
    SymmetricNat,
}

use Behind::{NatByAddress, NatByPort, NatPerAddress, Nothing, OpenNat, SymmetricNat};

impl Behind {
    fn nat(self) -> Option<Nat> {
        let home = Nat::home("wan0");
        match self {
            Nothing => None,
            OpenNat => Some(home.filtering(Filtering::EndpointIndependent)),
            NatByAddress => Some(home.filtering(Filtering::AddressDependent)),
            NatByPort => Some(home),
            NatPerAddress => {
                Some(home.mapping(Mapping::AddressDependent).filtering(Filtering::AddressDependent))
            }
            SymmetricNat => Some(Nat::symmetric("wan0")),
        }
    }
}

/// By the home's NAT: from where a session goes through a hole, and from where ssh has to carry it. Where one side tells no
/// port that it keeps, the other has to let in what comes from any.
const TABLE: [(Behind, &[Behind], &[Behind]); 5] = [
    (OpenNat, &[Nothing, OpenNat, NatByAddress, NatByPort, NatPerAddress, SymmetricNat], &[]),
    (NatByAddress, &[Nothing, OpenNat, NatByAddress, NatByPort, NatPerAddress, SymmetricNat], &[]),
    (NatByPort, &[Nothing, OpenNat, NatByAddress, NatByPort], &[NatPerAddress, SymmetricNat]),
    (NatPerAddress, &[Nothing, OpenNat, NatByAddress], &[NatByPort, NatPerAddress, SymmetricNat]),
    (SymmetricNat, &[Nothing, OpenNat, NatByAddress], &[NatByPort, NatPerAddress, SymmetricNat]),
];

/// One session after the other.
fn is_as_in_the_table(lab: &Lab, home: Behind) -> Result<()> {
    let (_, through_a_hole, carried) =
        TABLE.iter().find(|(row, ..)| *row == home).context("a row of the table")?;
    let mut scene = Scene::raise(lab, None, home.nat().context("a home has a NAT")?)?;
    for place in *through_a_hole {
        scene.sit_down(place.nat())?;
        let goes = scene.begin(&[]).and_then(|()| scene.goes_through_a_hole());
        goes.with_context(|| format!("from behind {place:?}"))?;
    }
    for place in *carried {
        scene.sit_down(place.nat())?;
        let stays = scene.begin(&[]).and_then(|()| scene.stays_carried());
        stays.with_context(|| format!("from behind {place:?}"))?;
    }
    Ok(())
}

fn to_a_home_whose_nat_filters_by_port(lab: &Lab) -> Result<()> {
    is_as_in_the_table(lab, NatByPort)
}

fn to_a_home_whose_nat_filters_by_address(lab: &Lab) -> Result<()> {
    is_as_in_the_table(lab, NatByAddress)
}

fn to_a_home_whose_nat_filters_nothing(lab: &Lab) -> Result<()> {
    is_as_in_the_table(lab, OpenNat)
}

fn to_a_home_whose_nat_gives_each_address_a_port(lab: &Lab) -> Result<()> {
    is_as_in_the_table(lab, NatPerAddress)
}

fn to_a_home_whose_nat_gives_each_peer_a_port(lab: &Lab) -> Result<()> {
    is_as_in_the_table(lab, SymmetricNat)
}
