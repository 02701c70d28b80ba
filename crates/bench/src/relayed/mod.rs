//! Sessions over ssh, through a hole and by a relay, beside each other and beside ssh, on a line of 50 ms round trip that loses
//! one packet in a hundred.

mod begin;
mod echo;
mod moves;
mod network;

use anyhow::Result;
use lab::Lab;

use self::network::Way;
use crate::Bench;
use crate::row::Group;

const SSH: &str = "ssh";

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let mut rows = Vec::new();
    for way in Way::ALL {
        let lab = Lab::new("bench")?;
        let network = network::raise(bench, &lab, way)?;
        rows.extend(begin::measure(bench, &network, way)?);
        rows.extend(echo::measure(bench, &network, way)?);
        rows.extend(moves::measure(bench, &network, way)?);
    }
    Ok(vec![Group { title: "50 ms round trip, one packet in a hundred is lost", rows }])
}
