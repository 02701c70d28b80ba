//! What was measured, for people, for programs, and as a picture.

mod machine;
mod plot;
mod table;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use self::machine::Machine;
use crate::row::Group;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    groups: Vec<Group>,
}

impl Report {
    pub(crate) fn new(groups: Vec<Group>) -> Result<Self> {
        Ok(Self { machine: Machine::this()?, groups })
    }

    pub(crate) fn table(&self) -> String {
        table::of(&self.machine, &self.groups)
    }

    /// Writes `benchmarks.json` and `benchmarks.svg`.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        let write = |name: &str, text: String| {
            let path = directory.join(name);
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
        };
        fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
        write("benchmarks.json", serde_json::to_string_pretty(self)? + "\n")?;
        write("benchmarks.svg", plot::of(&self.machine, &self.groups))
    }
}
