//! A unified diff, as diff(1) writes it.

use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::udiff::UnifiedHunkHeader;
use similar::{DiffOp, group_diff_ops};

const CONTEXT: usize = 3;

/// `None` stands for a file that is not there.
pub(super) fn unified(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> String {
    let name = |side: Option<&[u8]>| side.map_or("/dev/null", |_| path);
    let text = |side: Option<&[u8]>| String::from_utf8_lossy(side.unwrap_or_default()).into_owned();
    let texts = (text(before), text(after));
    let (old, new) = (lines(&texts.0), lines(&texts.1));
    let hunks = group_diff_ops(operations(&old, &new), CONTEXT);
    if hunks.is_empty() {
        return String::new();
    }
    let header = format!("--- {}\n+++ {}\n", name(before), name(after));
    header + &hunks.iter().map(|operations| hunk(operations, &old, &new)).collect::<String>()
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// By this algorithm alone: `TextDiff` chooses one while it runs, so all of them, 0.5 MB, would be in the program.
fn operations(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let mut hook = Compact::new(Replace::new(Capture::new()), old, new);
    let Ok(()) = myers::diff_deadline_raw(&mut hook, old, 0..old.len(), new, 0..new.len(), None);
    hook.into_inner().into_inner().into_ops()
}

fn hunk(operations: &[DiffOp], old: &[&str], new: &[&str]) -> String {
    let changes = operations.iter().flat_map(|operation| operation.iter_changes(old, new));
    let lines = changes.map(|change| {
        let end = if change.missing_newline() { "\n\\ No newline at end of file\n" } else { "" };
        format!("{}{}{end}", change.tag(), change.value())
    });
    format!("{}\n", UnifiedHunkHeader::new(operations)) + &lines.collect::<String>()
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
    fn of_a_file_that_stays_as_it_is_nothing_is_shown() {
        let same = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
        for text in ["", same] {
            assert_eq!(unified("/a", Some(text.as_bytes()), Some(text.as_bytes())), "");
        }
    }

    #[test]
    fn a_carriage_return_ends_no_line() {
        let shown = unified("/a", Some(b"a\rb\nc\r\n"), Some(b"a\rb\nd\r\n"));
        assert_eq!(shown, "--- /a\n+++ /a\n@@ -1,2 +1,2 @@\n a\rb\n-c\r\n+d\r\n");
    }
}
