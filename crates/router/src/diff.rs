//! A unified diff, as diff(1) writes it.

use std::fmt::Write as _;

const CONTEXT: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Kept,
    Removed,
    Added,
}

/// `None` stands for a file that is not there.
pub(super) fn unified(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> String {
    let (old, new) = (lines(before), lines(after));
    let script = script(&old, &new);
    let name = |side: Option<&[u8]>, path: &str| side.map_or("/dev/null".to_owned(), |_| path.to_owned());
    let mut text = format!("--- {}\n+++ {}\n", name(before, path), name(after, path));
    for hunk in hunks(&script) {
        write_hunk(&mut text, &script, hunk);
    }
    text
}

fn lines(side: Option<&[u8]>) -> Vec<String> {
    let text = String::from_utf8_lossy(side.unwrap_or_default()).into_owned();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// The longest common part stays. These files have some hundred lines.
fn script<'a>(old: &'a [String], new: &'a [String]) -> Vec<(Change, &'a str)> {
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (i, ours) in old.iter().enumerate().rev() {
        for (j, theirs) in new.iter().enumerate().rev() {
            common[i][j] = match ours == theirs {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut script) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            script.push((Change::Kept, old[i].as_str()));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            script.push((Change::Removed, old[i].as_str()));
            i += 1;
        } else {
            script.push((Change::Added, new[j].as_str()));
            j += 1;
        }
    }
    script
}

/// Changes with their context; those that touch are one.
fn hunks(script: &[(Change, &str)]) -> Vec<std::ops::Range<usize>> {
    let mut hunks: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, _) in script.iter().enumerate().filter(|(_, (change, _))| *change != Change::Kept) {
        let range = index.saturating_sub(CONTEXT)..(index + CONTEXT + 1).min(script.len());
        match hunks.last_mut().filter(|last| last.end >= range.start) {
            Some(last) => last.end = range.end,
            None => hunks.push(range),
        }
    }
    hunks
}

fn write_hunk(text: &mut String, script: &[(Change, &str)], hunk: std::ops::Range<usize>) {
    let count =
        |part: &[(Change, &str)], other: Change| part.iter().filter(|(change, _)| *change != other).count();
    let part = &script[hunk.clone()];
    let start = |other: Change| match count(part, other) {
        0 => count(&script[..hunk.start], other),
        _ => count(&script[..hunk.start], other) + 1,
    };
    let side = |other: Change| format!("{},{}", start(other), count(part, other));
    writeln!(text, "@@ -{} +{} @@", side(Change::Added), side(Change::Removed))
        .expect("a String takes every write");
    for (change, line) in part {
        let sign = match change {
            Change::Kept => ' ',
            Change::Removed => '-',
            Change::Added => '+',
        };
        text.push(sign);
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_with_three_lines_around() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
        let after = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\n";
        assert_eq!(
            unified("/a", Some(before.as_bytes()), Some(after.as_bytes())),
            "--- /a\n+++ /a\n\
             @@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n\
             @@ -10,3 +10,4 @@\n 10\n 11\n 12\n+13\n"
        );
    }

    #[test]
    fn a_new_file_and_a_missing_last_newline_are_shown() {
        assert_eq!(unified("/a", None, Some(b"x\n")), "--- /dev/null\n+++ /a\n@@ -0,0 +1,1 @@\n+x\n");
        assert_eq!(
            unified("/a", Some(b"x"), Some(b"x\n")),
            "--- /a\n+++ /a\n@@ -1,1 +1,1 @@\n-x\n\\ No newline at end of file\n+x\n"
        );
    }
}
