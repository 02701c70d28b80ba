//! The text of a configuration file: its keys, each with its section and line. A line that cannot be read is left out and
//! told, and with what may be a section's header all that stands below it: no key may come to hold for another host.

use toml::de::{DeTable, DeValue};

/// So many lines that cannot be read are left out. What has more is no TOML.
const MOST_WRONG_LINES: usize = 16;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) section: Section,
    pub(super) key: String,
    pub(super) value: Value,
    /// From 1.
    pub(super) line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Section {
    Client,
    /// By its patterns.
    Host(String),
    Server,
    /// Above every section.
    None,
}

/// What a setting may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Switch(bool),
    Text(String),
    Number(String),
    Other,
}

/// Why a line, counted from 1, is left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) line: usize,
    pub(super) why: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    /// In the order of the file.
    pub(super) entries: Vec<Entry>,
    /// Sections that nobody here knows, and what is called as ours but is a list.
    pub(super) unknown: Vec<(String, usize)>,
    pub(super) wrong: Vec<Wrong>,
}

impl Document {
    /// # Errors
    ///
    /// It is no TOML; why the first line is none.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Wrong> {
        let (mut text, mut wrong) = utf8(bytes);
        loop {
            let error = match DeTable::parse(&text) {
                Ok(root) => return Ok(Self { wrong, ..Self::of(root.into_inner(), &text) }),
                Err(error) => error,
            };
            let at = error.span().map_or(text.len(), |span| span.start);
            let Some(line) = leave_out(&mut text, at).filter(|_| wrong.len() < MOST_WRONG_LINES) else {
                let line = line_of(&text, at);
                return Err(wrong.into_iter().next().unwrap_or(Wrong { line, why: why(&error) }));
            };
            wrong.push(Wrong { line, why: why(&error) });
        }
    }

    fn of(root: DeTable<'_>, text: &str) -> Self {
        let mut document = Self::default();
        for (key, value) in root {
            let line = line_of(text, key.span().start);
            let name = key.into_inner().into_owned();
            match (name.as_str(), value.into_inner()) {
                ("client", DeValue::Table(keys)) => document.add(&Section::Client, keys, text),
                ("server", DeValue::Table(keys)) => document.add(&Section::Server, keys, text),
                ("host", DeValue::Table(hosts)) => document.add_hosts(hosts, text),
                (_, value) if is_section(&value) => document.unknown.push((name, line)),
                (_, value) => document.add_one(Section::None, name, value, line),
            }
        }
        document.entries.sort_by_key(|entry| entry.line);
        document.unknown.sort_by_key(|(_, line)| *line);
        document
    }

    fn add_hosts(&mut self, hosts: DeTable<'_>, text: &str) {
        for (pattern, value) in hosts {
            let line = line_of(text, pattern.span().start);
            let pattern = pattern.into_inner().into_owned();
            match value.into_inner() {
                DeValue::Table(keys) => self.add(&Section::Host(pattern), keys, text),
                value if is_section(&value) => self.unknown.push((format!("host.{pattern:?}"), line)),
                value => self.add_one(Section::None, format!("host.{pattern}"), value, line),
            }
        }
    }

    fn add(&mut self, section: &Section, keys: DeTable<'_>, text: &str) {
        for (key, value) in keys {
            let line = line_of(text, key.span().start);
            self.add_one(section.clone(), key.into_inner().into_owned(), value.into_inner(), line);
        }
    }

    fn add_one(&mut self, section: Section, key: String, value: DeValue<'_>, line: usize) {
        self.entries.push(Entry { section, key, value: value.into(), line });
    }
}

impl From<DeValue<'_>> for Value {
    fn from(value: DeValue<'_>) -> Self {
        match value {
            DeValue::Boolean(on) => Self::Switch(on),
            DeValue::String(text) => Self::Text(text.into_owned()),
            DeValue::Integer(number) if number.radix() == 10 => Self::Number(number.as_str().to_owned()),
            DeValue::Float(number) => Self::Number(number.as_str().to_owned()),
            DeValue::Integer(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => Self::Other,
        }
    }
}

fn is_section(value: &DeValue<'_>) -> bool {
    let is_list_of_sections =
        |list: &toml::de::DeArray<'_>| !list.is_empty() && list.iter().all(|one| one.get_ref().is_table());
    value.is_table() || value.as_array().is_some_and(is_list_of_sections)
}

fn why(error: &toml::de::Error) -> String {
    error.message().lines().next().unwrap_or_default().to_owned()
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Without the lines that are no text.
fn utf8(bytes: &[u8]) -> (String, Vec<Wrong>) {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    if let Ok(text) = str::from_utf8(bytes) {
        return (text.to_owned(), vec![]);
    }
    let (mut text, mut wrong) = (String::new(), Vec::new());
    let mut is_below_a_wrong_header = false;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        is_below_a_wrong_header &= !line.trim_ascii_start().starts_with(b"[");
        match str::from_utf8(line) {
            Ok(line) if !is_below_a_wrong_header => text.push_str(line),
            Ok(_) => text.push('\n'),
            Err(_) => {
                wrong.push(index + 1);
                is_below_a_wrong_header |= may_be_header(&String::from_utf8_lossy(line));
                text.push('\n');
            }
        }
    }
    let why = match wrong.len() {
        1 => "is not UTF-8".to_owned(),
        lines => format!("is not UTF-8, and {} more", lines - 1),
    };
    (text, wrong.first().map(|&line| Wrong { line, why }).into_iter().collect())
}

/// Whether a line that cannot be read was to begin a section.
fn may_be_header(line: &str) -> bool {
    let line = line.trim();
    let key = line.split_once('=').map_or("", |(key, _)| key.trim());
    let is_of_a_key = |character: char| character.is_alphanumeric() || "_-.\"'".contains(character);
    let is_a_key = !key.is_empty() && key.chars().all(is_of_a_key);
    let is_called_so = ["client", "host", "server"].iter().any(|name| line.starts_with(name));
    !is_a_key && (line.contains(['[', ']']) || is_called_so)
}

/// The line around `at`, or the last before it with anything on it; if it may be a header, what stands below it, too. Spaces
/// take their place, so that all others stay where they are. None: there is nothing left.
fn leave_out(text: &mut String, at: usize) -> Option<usize> {
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let around = line_of(text, at).min(lines.len());
    let first = (0..around).rev().find(|&line| !lines[line].trim().is_empty())?;
    let below = || lines[first + 1..].iter().take_while(|line| !line.trim_start().starts_with('['));
    let more = if may_be_header(lines[first]) { below().count() } else { 0 };
    let spaces = |line: &str| {
        let end = if line.ends_with('\n') { "\n" } else { "" };
        " ".repeat(line.len() - end.len()) + end
    };
    let is_out = |line: usize| (first..=first + more).contains(&line);
    *text = lines
        .iter()
        .enumerate()
        .map(|(line, text)| if is_out(line) { spaces(text) } else { (*text).to_owned() })
        .collect();
    Some(first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `LINE SECTION KEY VALUE`.
    fn entries(document: &Document) -> Vec<String> {
        let shown =
            |Entry { section, key, value, line }: &Entry| format!("{line} {section:?} {key} {value:?}");
        document.entries.iter().map(shown).collect()
    }

    fn parsed(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
    }

    fn wrong_lines(document: &Document) -> Vec<usize> {
        document.wrong.iter().map(|wrong| wrong.line).collect()
    }

    #[test]
    fn keys_have_their_section_and_line_in_the_order_of_the_file() {
        let document = parsed(
            "# habits\nport = 7\n[host.\"z*\"]\nssh = \"ssh -p 2\"\n\n[host.a]\nverbose = true\n[client]\n\
             ssh = 'ssh'\nport = 1_000\n[server]\nbudget = 0.5\n[other]\n[[client2]]\nx = 1\n",
        );
        assert_eq!(
            entries(&document),
            [
                "2 None port Number(\"7\")",
                "4 Host(\"z*\") ssh Text(\"ssh -p 2\")",
                "7 Host(\"a\") verbose Switch(true)",
                "9 Client ssh Text(\"ssh\")",
                "10 Client port Number(\"1000\")",
                "12 Server budget Number(\"0.5\")",
            ]
        );
        assert_eq!(document.unknown, [("other".to_owned(), 13), ("client2".to_owned(), 14)]);
        assert_eq!(document.wrong, []);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_left_out_alone() {
        for (text, wrong, left) in [
            ("[client]\nport = 60001:60002\nssh = \"a\"\n", vec![2], vec!["3 Client ssh Text(\"a\")"]),
            ("[client]\nssh = \"a\nport = 1\n", vec![2], vec!["3 Client port Number(\"1\")"]),
            ("[client]\nssh = \"a\"\nssh = \"b\"\n", vec![3], vec!["2 Client ssh Text(\"a\")"]),
            ("[client]\nlog /tmp/log\nport = 1", vec![2], vec!["3 Client port Number(\"1\")"]),
            ("[client]\n= 3\nport = 1", vec![2], vec!["3 Client port Number(\"1\")"]),
            ("[client]\nport = 1\nssh =", vec![3], vec!["2 Client port Number(\"1\")"]),
        ] {
            let document = parsed(text);
            assert_eq!(
                (wrong_lines(&document), entries(&document)),
                (wrong, left.iter().map(|&line| line.to_owned()).collect()),
                "{text}"
            );
        }
    }

    /// Else they would hold for other hosts.
    #[test]
    fn what_stands_below_a_header_that_cannot_be_read_is_left_out_with_it() {
        for header in
            ["[host.\"work]", "[host.work", "host.work]", "host.work", "=[host.work]", "[host.*]", "[client]"]
        {
            let document =
                parsed(&format!("[client]\nport = 1\n{header}\nssh = \"a\"\n\n[server]\nlease = 7\n"));
            assert_eq!(wrong_lines(&document), [3], "{header}");
            assert_eq!(entries(&document), ["2 Client port Number(\"1\")", "7 Server lease Number(\"7\")"]);
        }
    }

    #[test]
    fn a_line_that_is_not_utf8_is_left_out_alone() {
        let document = Document::parse(b"[client]\n# f\xfcr mich\nport = 1\nssh = \"\xff\"\n").unwrap();
        assert_eq!(document.wrong, [Wrong { line: 2, why: "is not UTF-8, and 1 more".into() }]);
        assert_eq!(entries(&document), ["3 Client port Number(\"1\")"]);
        let document = Document::parse(b"[client]\nport = 1\n[host.\"\xff\"]\nport = 2\n").unwrap();
        assert_eq!((wrong_lines(&document), entries(&document).len()), (vec![3], 1));
    }

    #[test]
    fn tabs_carriage_returns_and_a_mark_at_the_beginning_are_no_trouble() {
        let document = parsed("\u{feff}[client]\r\n\tport\t=\t1\r\n\tssh = \"a\"\r\n");
        assert_eq!(entries(&document), ["2 Client port Number(\"1\")", "3 Client ssh Text(\"a\")"]);
        assert_eq!(document.wrong, []);
    }

    #[test]
    fn what_is_no_toml_at_all_is_none() {
        let script = "#!/bin/sh\n".to_owned() + &"echo $((1 + 1)) | grep 2\n".repeat(100);
        assert_eq!(Document::parse(script.as_bytes()).unwrap_err().line, 2);
        let utf16: Vec<u8> = "[client]\nport = 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(Document::parse(&utf16).is_err() || parsed_entries(&utf16) == 0);
        assert_eq!(Document::parse(b""), Ok(Document::default()));
    }

    fn parsed_entries(bytes: &[u8]) -> usize {
        Document::parse(bytes).map_or(0, |document| document.entries.len())
    }
}
