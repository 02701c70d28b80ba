//! docs/routers.md tells of every quirk, and of nothing that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const QUIRKS: u8 = 92;
/// A row that names no test says one of these.
const EXCUSES: [&str; 3] = ["**Not handled**", "**No test**", "**Does not apply**"];
const FOLDER: &str = "corpus/";

/// A row of the page: its text, and the names in its last column.
struct Row {
    text: String,
    names: Vec<String>,
}

#[test]
fn every_quirk_has_its_row_and_every_row_a_test_or_a_reason() {
    let rows = rows();
    let numbers: Vec<u8> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=QUIRKS).collect::<Vec<_>>());
    for (number, row) in &rows {
        let excused = EXCUSES.iter().any(|excuse| row.text.contains(excuse));
        assert!(excused || !row.names.is_empty(), "quirk {number} has neither a test nor a reason");
    }
}

#[test]
fn every_name_on_the_page_exists() {
    let (tests, folders) = (tests(), folders());
    for (number, row) in rows() {
        for name in &row.names {
            let exists = match name.strip_prefix(FOLDER) {
                Some(folder) => folders.get(folder).is_some_and(|quirks| quirks.contains(&number)),
                None => tests.iter().any(|test| stands_for(name, test)),
            };
            assert!(exists, "quirk {number}: there is no {name}, or it is of other quirks");
        }
    }
}

#[test]
fn every_test_and_folder_of_a_quirk_is_on_the_page() {
    let rows: BTreeMap<u8, Row> = rows().into_iter().collect();
    let of_tests = tests().into_iter().map(|test| (numbers_in(&test), test));
    let of_folders = folders().into_iter().map(|(folder, quirks)| (quirks, format!("{FOLDER}{folder}")));
    for (numbers, name) in of_tests.chain(of_folders) {
        for number in numbers {
            let row = rows.get(&number).unwrap_or_else(|| panic!("{name}: there is no quirk {number}"));
            let named = row.names.iter().any(|on_page| stands_for(on_page, &name));
            assert!(named, "{name} is not in the row of quirk {number}");
        }
    }
}

fn stands_for(on_page: &str, name: &str) -> bool {
    on_page.strip_suffix('*').map_or(on_page == name, |beginning| name.starts_with(beginning))
}

/// `quirk_35_…`, `quirk_36_and_37_…`, `quirks_36_37_38_…`.
fn numbers_in(test: &str) -> Vec<u8> {
    let Some(rest) = test.strip_prefix("quirk_").or_else(|| test.strip_prefix("quirks_")) else {
        return Vec::new();
    };
    let words = rest.split('_').filter(|word| *word != "and");
    words.map_while(|word| word.parse().ok()).collect()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rows() -> Vec<(u8, Row)> {
    let page = fs::read_to_string(repository().join("docs/routers.md")).expect("docs/routers.md");
    let cells = page.lines().map(|line| line.trim_matches('|').split('|').collect::<Vec<_>>());
    let rows = cells.filter_map(|cells| Some((cells.first()?.trim().parse().ok()?, cells)));
    let rows = rows.map(|(number, cells)| {
        assert_eq!(cells.len(), 4, "quirk {number}: a row has four columns");
        let names = cells[3].split('`').skip(1).step_by(2).map(str::to_owned);
        (number, Row { text: cells.concat(), names: names.collect() })
    });
    rows.collect()
}

/// The names of all functions below `crates` that stand on lines of their own; tests are among them.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    let mut folders = vec![repository().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).expect("a source is text");
                let functions = source.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
                tests.extend(functions.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())));
            }
        }
    }
    tests
}

/// The corpus: which quirks each folder is of.
fn folders() -> BTreeMap<String, Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let paths = fs::read_dir(corpus).expect("the corpus").map(|entry| entry.expect("readable").path());
    let folders = paths.filter(|path| path.is_dir()).map(|path| {
        let facts = fs::read_to_string(path.join("router.toml")).expect("router.toml");
        let facts: toml::Table = facts.parse().expect("TOML");
        let numbers = facts["quirks"].as_array().expect("a list").iter().filter_map(toml::Value::as_integer);
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, numbers.map(|number| u8::try_from(number).expect("a number of the page")).collect())
    });
    folders.collect()
}
