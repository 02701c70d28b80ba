//! The text of a configuration file: its keys, each with its section and line. Where it is no TOML as a whole, what of it
//! is `legible` counts.

mod legible;

use std::ops::RangeInclusive;

use toml::de::{DeArray, DeTable, DeValue};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) section: Section,
    /// Of a table within a section, the names that lead to it, with dots between.
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
    Texts(Vec<String>),
    Number(String),
    Table,
    Other,
}

/// A section that nobody here knows, or what is called as ours but is a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    pub(super) name: String,
    pub(super) is_list: bool,
    /// From 1.
    pub(super) line: usize,
}

/// What of a file cannot be read. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) line: usize,
    /// Of this line, where one can be made out.
    pub(super) key: Option<String>,
    pub(super) why: String,
    /// What is left out for it.
    pub(super) lines: RangeInclusive<usize>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    /// In the order of the file.
    pub(super) entries: Vec<Entry>,
    pub(super) unknown: Vec<Unknown>,
    pub(super) wrong: Vec<Wrong>,
}

impl Document {
    /// # Errors
    ///
    /// It is no TOML; where it is none first.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Wrong> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let whole = str::from_utf8(bytes).ok().and_then(|text| Some((DeTable::parse(text).ok()?, text)));
        if let Some((root, text)) = whole {
            return Ok(Reading::of(root.into_inner(), text).into_document(vec![]));
        }
        legible::read(bytes, |root, text, wrong| Reading::of(root, text).into_document(wrong))
    }
}

/// What is found, each with the byte where it stands.
#[derive(Debug)]
struct Reading {
    lines: Lines,
    entries: Vec<(usize, Entry)>,
    unknown: Vec<(usize, Unknown)>,
}

impl Reading {
    fn of(root: DeTable<'_>, text: &str) -> Self {
        let mut reading = Self { lines: Lines::of(text), entries: vec![], unknown: vec![] };
        for (key, value) in root {
            let at = key.span().start;
            let name = key.into_inner().into_owned();
            match (name.as_str(), value.into_inner()) {
                ("client", DeValue::Table(keys)) => reading.add_section(&Section::Client, keys),
                ("server", DeValue::Table(keys)) => reading.add_section(&Section::Server, keys),
                ("host", DeValue::Table(hosts)) => reading.add_hosts(hosts),
                (_, value) if is_section(&value) => reading.add_unknown(name, &value, at),
                (_, value) => reading.add(&Section::None, name, value.into(), at),
            }
        }
        reading
    }

    fn into_document(mut self, wrong: Vec<Wrong>) -> Document {
        self.entries.sort_by_key(|(at, _)| *at);
        self.unknown.sort_by_key(|(at, _)| *at);
        Document {
            entries: self.entries.into_iter().map(|(_, entry)| entry).collect(),
            unknown: self.unknown.into_iter().map(|(_, unknown)| unknown).collect(),
            wrong,
        }
    }

    fn add_hosts(&mut self, hosts: DeTable<'_>) {
        for (pattern, value) in hosts {
            let at = pattern.span().start;
            let pattern = pattern.into_inner().into_owned();
            match value.into_inner() {
                DeValue::Table(keys) => self.add_section(&Section::Host(pattern), keys),
                value if is_section(&value) => self.add_unknown(format!("host.{pattern:?}"), &value, at),
                value => self.add(&Section::None, format!("host.{pattern}"), value.into(), at),
            }
        }
    }

    fn add_section(&mut self, section: &Section, keys: DeTable<'_>) {
        for (key, value) in keys {
            let at = key.span().start;
            let key = key.into_inner().into_owned();
            match value.into_inner() {
                DeValue::Table(within) => self.add_tables(section, key, within, at),
                value => self.add(section, key, value.into(), at),
            }
        }
    }

    /// This one and those within it; one that has no keys of its own only leads to them.
    fn add_tables(&mut self, section: &Section, key: String, table: DeTable<'_>, at: usize) {
        let only_leads = !table.is_empty() && table.values().all(|value| value.get_ref().is_table());
        for (name, value) in table {
            let at = name.span().start;
            if let DeValue::Table(within) = value.into_inner() {
                self.add_tables(section, format!("{key}.{}", name.into_inner()), within, at);
            }
        }
        if !only_leads {
            self.add(section, key, Value::Table, at);
        }
    }

    fn add(&mut self, section: &Section, key: String, value: Value, at: usize) {
        let line = self.lines.of_byte(at);
        self.entries.push((at, Entry { section: section.clone(), key, value, line }));
    }

    fn add_unknown(&mut self, name: String, value: &DeValue<'_>, at: usize) {
        let line = self.lines.of_byte(at);
        self.unknown.push((at, Unknown { name, is_list: value.is_array(), line }));
    }
}

/// Where each begins.
#[derive(Debug)]
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let behind = text.match_indices('\n').map(|(at, _)| at + 1);
        Self([0].into_iter().chain(behind).collect())
    }

    /// From 1.
    fn of_byte(&self, at: usize) -> usize {
        self.0.partition_point(|&begin| begin <= at)
    }
}

impl From<DeValue<'_>> for Value {
    fn from(value: DeValue<'_>) -> Self {
        match value {
            DeValue::Boolean(on) => Self::Switch(on),
            DeValue::String(text) => Self::Text(text.into_owned()),
            DeValue::Integer(number) if number.radix() == 10 => Self::Number(number.as_str().to_owned()),
            DeValue::Float(number) => Self::Number(number.as_str().to_owned()),
            DeValue::Table(_) => Self::Table,
            DeValue::Array(list) => texts(&list).map_or(Self::Other, Self::Texts),
            DeValue::Integer(_) | DeValue::Datetime(_) => Self::Other,
        }
    }
}

/// `None`: it is a list of something else.
fn texts(list: &DeArray<'_>) -> Option<Vec<String>> {
    list.iter().map(|one| one.get_ref().as_str().map(str::to_owned)).collect()
}

fn is_section(value: &DeValue<'_>) -> bool {
    let is_list_of_sections =
        |list: &DeArray<'_>| !list.is_empty() && list.iter().all(|one| one.get_ref().is_table());
    value.is_table() || value.as_array().is_some_and(is_list_of_sections)
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

    /// As `LINE KEY: FIRST-LAST`.
    fn wrong(document: &Document) -> Vec<String> {
        let shown = |Wrong { line, key, lines, .. }: &Wrong| {
            format!("{line} {}: {}-{}", key.as_deref().unwrap_or_default(), lines.start(), lines.end())
        };
        document.wrong.iter().map(shown).collect()
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
        let unknown = |name: &str, is_list, line| Unknown { name: name.into(), is_list, line };
        assert_eq!(document.unknown, [unknown("other", false, 13), unknown("client2", true, 14)]);
        assert_eq!(document.wrong, []);
    }

    #[test]
    fn keys_of_one_line_stand_as_they_do_there() {
        let document = parsed("host={work={port=2},\"*\"={port=1}}\n");
        let expected = ["1 Host(\"work\") port Number(\"2\")", "1 Host(\"*\") port Number(\"1\")"];
        assert_eq!(entries(&document), expected);
    }

    #[test]
    fn tables_within_a_section_are_keys_by_their_path() {
        let document =
            parsed("[host.a.b]\nport = 1\n[host.c.d.e]\n[host.c.d.f]\nx = 1\n[host.g]\nssh.x = 1\n");
        let expected = [
            "1 Host(\"a\") b Table",
            "3 Host(\"c\") d.e Table",
            "4 Host(\"c\") d.f Table",
            "7 Host(\"g\") ssh Table",
        ];
        assert_eq!(entries(&document), expected);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_left_out_alone() {
        for (text, expected, left) in [
            ("[client]\nport = 60001:60002\nssh = \"a\"\n", "2 port: 2-2", "3 Client ssh Text(\"a\")"),
            ("[client]\nport=60001-60002\nssh = \"a\"\n", "2 port: 2-2", "3 Client ssh Text(\"a\")"),
            ("[client]\nssh = \"a\nport = 1\n", "2 ssh: 2-2", "3 Client port Number(\"1\")"),
            ("[client]\nssh = \"a\"\nssh = \"b\"\n", "3 ssh: 3-3", "2 Client ssh Text(\"a\")"),
            ("[client]\nlog /tmp/log\nport = 1", "2 : 2-2", "3 Client port Number(\"1\")"),
            ("[client]\n= 3\nport = 1", "2 : 2-2", "3 Client port Number(\"1\")"),
            ("[client]\nport = 1\nssh =", "3 ssh: 3-3", "2 Client port Number(\"1\")"),
            ("[client]\nport = 1\n# \u{7} [x] '''\n", "3 : 3-3", "2 Client port Number(\"1\")"),
            ("[client]\nssh = \"\"\"a\"\"\"\nport = x\n", "3 port: 3-3", "2 Client ssh Text(\"a\")"),
        ] {
            let document = parsed(text);
            assert_eq!(
                (wrong(&document), entries(&document)),
                (vec![expected.to_owned()], vec![left.to_owned()]),
                "{text}"
            );
        }
    }

    /// Else they would hold for other hosts.
    #[test]
    fn what_stands_below_a_header_that_cannot_be_read_is_left_out_with_it() {
        for header in [
            "[host.\"work]",
            "[host.work",
            "host.work]",
            "host.work",
            "=[host.work]",
            "[host.*]",
            "[client]",
            "<host.work>",
            "(work)",
            "* work",
            "work:",
            "Host work",
            "MATCH all",
        ] {
            let document =
                parsed(&format!("[client]\nport = 1\n{header}\nssh = \"a\"\n\n[server]\nlease = 7\n"));
            assert_eq!(wrong(&document), ["3 : 3-4"], "{header}");
            assert_eq!(entries(&document), ["2 Client port Number(\"1\")", "7 Server lease Number(\"7\")"]);
        }
    }

    /// Else its text might become headers and keys.
    #[test]
    fn where_a_value_of_several_lines_is_wrong_all_from_it_on_is_left_out() {
        let below = "\n[host.evil]\nserver = \"\"\"\nssh -p 22\"\"\"\nport = 7\n";
        for (value, expected) in [
            ("ssh = \"\"\"\na \\q\"\"\"", "4 : 3-8"),
            ("ssh = \"\"\"a \\q\n\"\"\"", "3 ssh: 3-8"),
            ("ssh = \"\"\"\\\na \\q \\\nb\"\"\"", "4 : 3-9"),
            ("ssh = \"\"\"\na\n\"\"\"\nport = 1:2", "6 port: 3-10"),
            ("ssh = \"\"\"a", "6 : 3-7"),
            ("ssh = [\n\"a\" \"b\"\n]", "4 : 3-9"),
            ("ssh = { a = 1,\nb c\n}", "4 : 3-9"),
        ] {
            let document = parsed(&format!("[client]\nport = 1\n{value}{below}"));
            assert_eq!(wrong(&document), [expected], "{value}");
            assert_eq!(entries(&document), ["2 Client port Number(\"1\")"], "{value}");
        }
        let document =
            Document::parse(b"[client]\nport = 1\nssh = '''\n\xff'''\n[host.a]\nlog = '''\nport = 7\n'''\n");
        assert_eq!(wrong(&document.unwrap()), ["4 : 3-8"]);
    }

    #[test]
    fn a_value_of_several_lines_is_none_the_worse_for_what_is_wrong_above_it() {
        let text = "[client]\nport = 1:2\nssh = '''\na\n'''\n[host.a]\nport = 7\n";
        let document = parsed(text);
        assert_eq!(wrong(&document), ["2 port: 2-2"]);
        assert_eq!(entries(&document), ["3 Client ssh Text(\"a\\n\")", "7 Host(\"a\") port Number(\"7\")"]);
        let document = parsed(&format!("[host.a]\nlog = \"a\"\n{text}"));
        assert_eq!(wrong(&document), ["4 port: 4-4", "8 : 5-9"]);
        assert_eq!(entries(&document), ["2 Host(\"a\") log Text(\"a\")"]);
    }

    #[test]
    fn where_a_text_ends_that_has_not_begun_nothing_is_left() {
        for text in [
            "[client]\nport = 1\n[host.evil]\nserver \"\"\"\n[client]\nlog=\"/x\"\n\"\"\"\n",
            "[host.evil]\nserver = \"\"\n[client]\nlog=\"/x\"\n\"\"\"\n",
            "[host.evil]\nserver = ''\nlog=\"/x\"\nport = 7'''\n",
        ] {
            assert!(Document::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_line_that_is_not_utf8_is_left_out_alone() {
        let document = Document::parse(b"[client]\n# f\xfcr [mich]\nport = 1\nssh = \"\xff\"\n").unwrap();
        assert_eq!(wrong(&document), ["2 : 2-2"]);
        assert_eq!(document.wrong[0].why, "is not UTF-8, and 1 more");
        assert_eq!(entries(&document), ["3 Client port Number(\"1\")"]);
        let document = Document::parse(b"[client]\nport = 1\n[host.\"\xff\"]\nport = 2\n").unwrap();
        assert_eq!((wrong(&document), entries(&document).len()), (vec!["3 : 3-4".to_owned()], 1));
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
        for bytes in
            [&utf16, &[b"\xff\xfe", &*utf16].concat(), &b"\x7fELF\x02\0\n[client]\nport = 1\n".to_vec()]
        {
            assert!(Document::parse(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(Document::parse(b""), Ok(Document::default()));
    }

    #[test]
    fn many_sections_take_no_time() {
        let text: String = (0..30_000).map(|host| format!("[host.h{host}]\nport = 1\n")).collect();
        assert_eq!(parsed(&text).entries.last().unwrap().line, 60_000);
    }
}
