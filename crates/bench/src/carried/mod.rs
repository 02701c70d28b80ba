//! Sessions over ssh, where UDP is blocked, beside ssh itself.

mod echo;
mod flood;
mod moves;
mod prompt;
mod upgrade;

use std::time::Duration;

use anyhow::Result;

use crate::Bench;
use crate::row::Group;

const PATIENCE: Duration = Duration::from_secs(30);

const OURS: &str = "moshpunch";
const SSH: &str = "ssh";

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let mut rows = prompt::measure(bench)?;
    rows.extend(echo::measure(bench)?);
    rows.extend(flood::measure(bench)?);
    rows.extend(moves::measure(bench)?);
    rows.extend(upgrade::measure(bench)?);
    Ok(vec![Group { title: "over ssh, where UDP is blocked", rows }])
}
