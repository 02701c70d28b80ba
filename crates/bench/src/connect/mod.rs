//! From enter to the first prompt on the screen.

mod on_a_link;
mod server_command;
mod through_a_router;

use anyhow::Result;

use crate::Bench;
use crate::row::Group;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let mut groups = through_a_router::measure(bench)?;
    groups.extend(on_a_link::measure(bench)?);
    groups.extend(server_command::measure(bench)?);
    Ok(groups)
}
