//! A unified diff, as diff(1) writes it.

use std::ops::Range;

/// Lines around a change.
const CONTEXT: usize = 3;

/// Pairs of lines that differ: some thousand lines in place of some thousand others. Beyond, all of them are shown as
/// changed.
const MOST_COMPARED: usize = 1 << 22;

/// `None` stands for a file that is not there.
pub(super) fn unified(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> String {
    let name = |side: Option<&[u8]>| side.map_or("/dev/null", |_| path);
    let text = |side: Option<&[u8]>| String::from_utf8_lossy(side.unwrap_or_default()).into_owned();
    let (old, new) = (text(before), text(after));
    let (old, new) = (lines(&old), lines(&new));
    let changes = changes(&old, &new);
    let hunks = changes.chunk_by(|one, next| next.old.start - one.old.end <= 2 * CONTEXT);
    let hunks: String = hunks.map(|changes| hunk(changes, &old, &new)).collect();
    match hunks.as_str() {
        "" => hunks,
        _ => format!("--- {}\n+++ {}\n{hunks}", name(before), name(after)),
    }
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Some lines in place of others.
struct Change {
    old: Range<usize>,
    new: Range<usize>,
}

fn changes(old: &[&str], new: &[&str]) -> Vec<Change> {
    let (mut changes, mut next) = (Vec::new(), (0, 0));
    for kept in in_common(old, new).into_iter().chain([(old.len(), new.len())]) {
        if kept != next {
            changes.push(Change { old: next.0..kept.0, new: next.1..kept.1 });
        }
        next = (kept.0 + 1, kept.1 + 1);
    }
    changes
}

/// As many lines as can be kept, by their places on both sides.
fn in_common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let between = longest_in_common(&old[head..old_end], &new[head..new_end]);
    let between = between.into_iter().map(|(old, new)| (head + old, head + new));
    let heads = (0..head).map(|line| (line, line));
    heads.chain(between).chain((0..tail).map(|line| (old_end + line, new_end + line))).collect()
}

/// The longest common subsequence.
fn longest_in_common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    if old.len().saturating_mul(new.len()) > MOST_COMPARED {
        return Vec::new();
    }
    // Of what follows each pair of lines.
    let mut lengths = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for (i, old_line) in old.iter().enumerate().rev() {
        for (j, new_line) in new.iter().enumerate().rev() {
            lengths[i][j] = match old_line == new_line {
                true => lengths[i + 1][j + 1] + 1,
                false => lengths[i + 1][j].max(lengths[i][j + 1]),
            };
        }
    }
    let (mut kept, mut i, mut j) = (Vec::new(), 0, 0);
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            kept.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[i + 1][j] >= lengths[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    kept
}

/// Changes that are near each other, and what is around them.
fn hunk(changes: &[Change], old: &[&str], new: &[&str]) -> String {
    let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return String::new() };
    let before = CONTEXT.min(first.old.start);
    let after = CONTEXT.min(old.len() - last.old.end);
    let shown_old = first.old.start - before..last.old.end + after;
    let shown_new = first.new.start - before..last.new.end + after;
    let mut text = format!("@@ -{} +{} @@\n", place(&shown_old), place(&shown_new));
    let mut kept = shown_old.start;
    for change in changes {
        push(&mut text, ' ', &old[kept..change.old.start]);
        push(&mut text, '-', &old[change.old.clone()]);
        push(&mut text, '+', &new[change.new.clone()]);
        kept = change.old.end;
    }
    push(&mut text, ' ', &old[kept..shown_old.end]);
    text
}

/// Counted from 1. Where there are none, the line before.
fn place(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        length => format!("{},{length}", lines.start + 1),
    }
}

fn push(text: &mut String, sign: char, lines: &[&str]) {
    for line in lines {
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
        assert_eq!(unified("/a", None, Some(b"x\n")), "--- /dev/null\n+++ /a\n@@ -0,0 +1 @@\n+x\n");
        assert_eq!(
            unified("/a", Some(b"x"), Some(b"x\n")),
            "--- /a\n+++ /a\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x\n"
        );
    }

    #[test]
    fn what_is_alike_is_no_change() {
        assert_eq!(unified("/a", Some(b"x\ny\n"), Some(b"x\ny\n")), "");
        assert_eq!(unified("/a", Some(b""), Some(b"")), "");
    }

    /// Each of up to four lines, which may be alike.
    fn texts() -> Vec<String> {
        let lines = ["", "a\n", "b\n", "c\n"];
        let longer = |texts: &[String]| -> Vec<String> {
            texts.iter().flat_map(|text| lines.map(|line| format!("{text}{line}"))).collect()
        };
        let mut texts = (0..4).fold(vec![String::new()], |texts, _| longer(&texts));
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    fn side(diff: &str, sign: char) -> String {
        let lines = diff.split_inclusive('\n').skip(3);
        lines.filter_map(|line| line.strip_prefix([' ', sign])).collect()
    }

    #[test]
    fn both_sides_can_be_read_off_it_and_as_few_lines_change_as_can() {
        for old in texts() {
            for new in texts().into_iter().filter(|new| *new != old) {
                let diff = unified("/a", Some(old.as_bytes()), Some(new.as_bytes()));
                assert_eq!((side(&diff, '-'), side(&diff, '+')), (old.clone(), new.clone()), "{diff}");
                let kept = diff.lines().filter(|line| line.starts_with(' ')).count();
                assert_eq!(kept, most_in_common(&lines(&old), &lines(&new)), "{diff}");
            }
        }
    }

    fn most_in_common(old: &[&str], new: &[&str]) -> usize {
        match (old, new) {
            ([], _) | (_, []) => 0,
            ([one, old @ ..], [other, new @ ..]) if one == other => 1 + most_in_common(old, new),
            ([_, rest @ ..], [_, others @ ..]) => most_in_common(rest, new).max(most_in_common(old, others)),
        }
    }

    #[test]
    fn of_too_many_all_are_changed() {
        let text =
            |mark: char| -> String { (0..3_000).map(|line| format!("{mark}{line}\nsame\n")).collect() };
        let diff = unified("/a", Some(text('a').as_bytes()), Some(text('b').as_bytes()));
        assert!(
            diff.starts_with("--- /a\n+++ /a\n@@ -1,6000 +1,6000 @@\n-a0\n-same\n-a1\n"),
            "{}",
            &diff[..80]
        );
    }
}
