//! Each folder of `tests/corpus` is a router: what it sends, and what has to come of it.
//! The README there tells how to add one.

mod replay;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};

use replay::Case;

/// The transcript that a case has to give.
const EXPECTED: &str = "expected.txt";
/// With this in the environment transcripts are written where they differ. The cases fail all the same: somebody
/// has to judge them.
const WRITE: &str = "CORPUS_WRITE";

fn main() {
    let arguments = Arguments::from_args();
    let folders = folders();
    let trials = folders.into_iter().map(|folder| Trial::test(name(&folder), move || check(&folder)));
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn folders() -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries = fs::read_dir(&corpus).expect("the corpus is beside this file");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    assert!(!folders.is_empty(), "{}: no case in it", corpus.display());
    folders
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn check(folder: &Path) -> Result<(), Failed> {
    let file = folder.join(EXPECTED);
    let expected = fs::read_to_string(&file).ok();
    if let Some(missing) =
        expected.iter().flat_map(|text| files_of(text)).find(|name| !folder.join(name).exists())
    {
        return Err(format!("{missing} is missing, of which {EXPECTED} tells").into());
    }
    let found = Case::read(folder)?.transcript()?;
    if expected.as_ref() == Some(&found) {
        return Ok(());
    }
    if env::var_os(WRITE).is_some() {
        fs::write(&file, &found).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Err(match expected {
        Some(expected) => difference(&expected, &found),
        None => format!("{EXPECTED} is missing. If this is what has to come of the case, it is:\n\n{found}"),
    }
    .into())
}

/// A transcript begins with its files, each at the start of a line.
fn files_of(transcript: &str) -> impl Iterator<Item = &str> {
    let lines = transcript.lines().take_while(|line| !line.is_empty());
    lines.filter(|line| !line.starts_with(' ')).filter_map(|line| Some(line.split_once(": ")?.0))
}

fn difference(expected: &str, found: &str) -> String {
    let first = expected.lines().zip(found.lines()).take_while(|(expected, found)| expected == found).count();
    let line = |text: &str| text.lines().nth(first).unwrap_or("(the end)").to_owned();
    format!(
        "line {} of {EXPECTED} is not what came of the case\n  expected: {}\n     found: {}\n\nall of it:\n{found}",
        first + 1,
        line(expected),
        line(found)
    )
}
