//! Single calls of the pure crates, as `cargo bench` has measured them with criterion.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::Bench;
use crate::row::{Group, Row, Unit};
use crate::sample::Sample;

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

/// Of the time of one call, in nanoseconds.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    confidence_interval: Interval,
    point_estimate: f64,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Group>> {
    let mut rows = Vec::new();
    collect(&bench.criterion, &mut rows)?;
    ensure!(!rows.is_empty(), "nothing in {}: run `cargo bench` first", bench.criterion.display());
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(vec![Group { title: "single calls", rows }])
}

/// criterion keeps each newest result in a directory `new`, however deep.
fn collect(directory: &Path, rows: &mut Vec<Row>) -> Result<()> {
    let entries = fs::read_dir(directory)
        .with_context(|| format!("reading {}: run `cargo bench` first", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.ends_with("new") {
            rows.push(row(&path).with_context(|| format!("reading {}", path.display()))?);
        } else if path.is_dir() {
            collect(&path, rows)?;
        }
    }
    Ok(())
}

fn row(directory: &Path) -> Result<Row> {
    let benchmark: Benchmark = serde_json::from_slice(&fs::read(directory.join("benchmark.json"))?)?;
    let estimates: Estimates = serde_json::from_slice(&fs::read(directory.join("estimates.json"))?)?;
    let Estimate { confidence_interval: Interval { lower_bound, upper_bound }, point_estimate } =
        estimates.median;
    let sample: Sample = [lower_bound, point_estimate, upper_bound].map(Some).into_iter().collect();
    Ok(Row::new(benchmark.full_id, Unit::Nanoseconds, sample))
}
