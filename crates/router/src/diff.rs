//! A unified diff, as diff(1) writes it.

use similar::TextDiff;

/// `None` stands for a file that is not there.
pub(super) fn unified(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> String {
    let name = |side: Option<&[u8]>| side.map_or("/dev/null", |_| path);
    let text = |side: Option<&[u8]>| String::from_utf8_lossy(side.unwrap_or_default()).into_owned();
    TextDiff::from_lines(text(before), text(after))
        .unified_diff()
        .header(name(before), name(after))
        .to_string()
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
}
