//! A line cut into words as mosh's script cuts that of `--ssh`: by the rules of Perl's Text::ParseWords. They are not
//! quite a shell's: nothing is a comment, within `"…"` a backslash stands before any character, and within `'…'` it
//! keeps a quote from ending the word, and stays.

use std::str::Chars;

/// None, if a quote has no end, or nothing follows the last backslash.
pub(super) fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        match character {
            ' ' | '\t'..='\r' => words.extend(word.take()),
            quote @ ('"' | '\'') => quoted(quote, &mut rest, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(rest.next()?),
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    Some(words)
}

fn quoted(quote: char, rest: &mut Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            character if character == quote => return Some(()),
            '\\' => {
                word.extend((quote == '\'').then_some('\\'));
                word.push(rest.next()?);
            }
            character => word.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Perl 5.36 cuts them.
    #[test]
    fn words_are_cut_as_perl_cuts_them() {
        for (line, expected) in [
            ("  ssh  -p\t22  ", "ssh|-p|22"),
            ("#a ssh -o a#b #c", "#a|ssh|-o|a#b|#c"),
            (r#"a\#b "x\$y" "a\"b" \c\ d"#, r#"a#b|x$y|a"b|c d"#),
            (r"'it\'s' 'a\b' c", r"it\'s|a\b|c"),
            (r#"a"b c"d'e f'g a""b "" c"#, "ab cde fg|ab||c"),
            ("a\\\nb \"\\\n\"", "a\nb|\n"),
            (" ", ""),
        ] {
            assert_eq!(split(line).map(|words| words.join("|")).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_has_no_end_is_no_line() {
        for line in ["a \"b", "a 'b\\'", "a\\", "\"\\"] {
            assert_eq!(split(line), None, "{line}");
        }
    }
}
