//! Who is measured takes turns, so that all meet the same moods of the machine.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _, stderr};

use anyhow::{Context as _, Result};

use crate::sample::{Reading, Sample};

/// One way to do something, that is measured run by run.
pub(crate) struct Contender<'a> {
    pub(crate) name: &'static str,
    measure: Box<dyn FnMut() -> Result<Reading> + 'a>,
}

impl<'a> Contender<'a> {
    pub(crate) fn new(name: &'static str, measure: impl FnMut() -> Result<Reading> + 'a) -> Self {
        Self { name, measure: Box::new(measure) }
    }
}

/// The readings of each, by its name. Who missed twice is not asked again: each time costs the whole limit.
pub(crate) fn take_turns(
    title: &str,
    contenders: Vec<Contender<'_>>,
    runs: usize,
) -> Result<BTreeMap<&'static str, Sample>> {
    let mut entries: Vec<_> = contenders.into_iter().map(|contender| (contender, Vec::new())).collect();
    for run in 1..=runs {
        for (contender, readings) in &mut entries {
            if readings.iter().filter(|reading: &&Reading| reading.is_none()).count() < 2 {
                progress(&format!("{title}: run {run} of {runs}, {}", contender.name));
                readings.push((contender.measure)().with_context(|| contender.name.to_owned())?);
            }
        }
    }
    progress("");
    Ok(entries
        .into_iter()
        .map(|(contender, readings)| (contender.name, readings.into_iter().collect()))
        .collect())
}

/// What is being done, on a line of its own that the next replaces.
pub(crate) fn progress(text: &str) {
    if stderr().is_terminal() {
        let _nobody_looks = write!(stderr(), "\r\x1b[K{text}");
    }
}
