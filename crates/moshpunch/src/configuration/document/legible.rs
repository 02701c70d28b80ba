//! What can be read of a file that is no TOML as a whole: the lines that are TOML each on its own.
//!
//! Nothing may come to hold for another host, and no text become keys. So what may be a section's header is left out with
//! all that stands below it, and what may begin a value of several lines with all to the end of the file: where such a
//! value ends nobody knows then. Where one ends that has not begun, nobody knows what above it was text: nothing is left.

use std::borrow::Cow;

use toml::de::{DeTable, Error};

use super::{Lines, Wrong};

/// What has more lines that cannot be read is no TOML.
const MOST_WRONG: usize = 16;

const TEXT_OF_SEVERAL_LINES: [&str; 2] = ["\"\"\"", "'''"];

const NOT_UTF8: &str = "is not UTF-8";

/// Hands on what is left, and what is wrong.
///
/// # Errors
///
/// It is no TOML; where it is none first.
pub(super) fn read<T>(
    bytes: &[u8],
    then: impl FnOnce(DeTable<'_>, &str, Vec<Wrong>) -> T,
) -> Result<T, Wrong> {
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        let line = line_of_byte(bytes, at) + 1;
        return Err(Wrong { line, key: None, why: "no text has NUL bytes".into(), lines: line..=line });
    }
    let mut legible = Legible::of(bytes)?;
    loop {
        let text = legible.lines.concat();
        let error = match DeTable::parse(&text) {
            Ok(root) => return Ok(then(root.into_inner(), &text, legible.into_wrong())),
            Err(error) => error,
        };
        let at = error.span().map_or(0, |span| span.start);
        legible.leave_out_repeated(Lines::of(&text).of_byte(at) - 1, why(&error))?;
    }
}

/// Lines are counted from 0 here. Those that are left out are empty, so that the others keep their numbers.
#[derive(Debug)]
struct Legible<'a> {
    lines: Vec<Cow<'a, str>>,
    /// Where a value of several lines begins that is TOML to the end of the file, with all below it.
    several: Option<usize>,
    wrong: Vec<Wrong>,
    /// Beside the first, of which this is told.
    more_not_utf8: usize,
}

impl<'a> Legible<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, Wrong> {
        let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let texts = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
        let mut legible = Self { lines: texts, several: None, wrong: vec![], more_not_utf8: 0 };
        for number in 0..lines.len() {
            if legible.several.is_none() && !legible.lines[number].trim().is_empty() {
                legible.read_line(number, &lines)?;
            }
        }
        Ok(legible)
    }

    fn read_line(&mut self, number: usize, lines: &[&[u8]]) -> Result<(), Wrong> {
        let Some((_, why)) = first_error(lines[number]) else { return Ok(()) };
        let line = self.lines[number].trim();
        let why = lacking_quotes(line).map_or(why, str::to_owned);
        if line.starts_with('#') {
            self.leave_out(number, number + 1, number, why)
        } else if may_begin_several_lines(line) {
            self.read_several_lines(number, &lines[number..].concat())
        } else if has_quotes_of_several_lines(line) {
            Err(Wrong { line: number + 1, key: None, why, lines: 1..=self.lines.len() })
        } else if may_be_header(line) {
            self.leave_out(number, self.end_of_section(number), number, why)
        } else {
            self.leave_out(number, number + 1, number, why)
        }
    }

    fn read_several_lines(&mut self, number: usize, all_below: &[u8]) -> Result<(), Wrong> {
        match first_error(all_below) {
            Some((at, why)) => self.leave_out(number, self.lines.len(), number + at, why),
            None => {
                self.several = Some(number);
                Ok(())
            }
        }
    }

    /// It is TOML on its own, but not below the others.
    fn leave_out_repeated(&mut self, number: usize, why: String) -> Result<(), Wrong> {
        match self.several.filter(|several| *several <= number) {
            Some(several) => self.leave_out(several, self.lines.len(), number, why),
            None if is_header(&self.lines[number]) => {
                self.leave_out(number, self.end_of_section(number), number, why)
            }
            None => self.leave_out(number, number + 1, number, why),
        }
    }

    /// For what is wrong in line `at`.
    fn leave_out(&mut self, first: usize, end: usize, at: usize, why: String) -> Result<(), Wrong> {
        let last = (first + 1..end).rev().find(|&line| !self.lines[line].trim().is_empty()).unwrap_or(first);
        let key = key(&self.lines[at]).map(str::to_owned);
        self.lines[first..end].fill("\n".into());
        if why == NOT_UTF8 && last == first && self.wrong.iter().any(|wrong| wrong.why == NOT_UTF8) {
            self.more_not_utf8 += 1;
            return Ok(());
        }
        self.wrong.push(Wrong { line: at + 1, key, why, lines: first + 1..=last + 1 });
        if self.wrong.len() > MOST_WRONG { Err(self.wrong.remove(0)) } else { Ok(()) }
    }

    /// That of the file, where within the section a text may begin that has lines like headers.
    fn end_of_section(&self, header: usize) -> usize {
        let below = header + 1..self.lines.len();
        let end = below.clone().find(|&line| is_header(&self.lines[line])).unwrap_or(below.end);
        let is_of_several_lines = |line: &Cow<'_, str>| {
            (may_begin_several_lines(line) || has_quotes_of_several_lines(line))
                && DeTable::parse(line).is_err()
        };
        if self.lines[header + 1..end].iter().any(is_of_several_lines) { below.end } else { end }
    }

    fn into_wrong(mut self) -> Vec<Wrong> {
        let not_utf8 = self.wrong.iter_mut().find(|wrong| wrong.why == NOT_UTF8);
        if let Some(wrong) = not_utf8.filter(|_| self.more_not_utf8 > 0) {
            wrong.why = format!("{NOT_UTF8}, and {} more", self.more_not_utf8);
        }
        self.wrong
    }
}

/// And in which line.
fn first_error(bytes: &[u8]) -> Option<(usize, String)> {
    let text = match str::from_utf8(bytes) {
        Err(error) => return Some((line_of_byte(bytes, error.valid_up_to()), NOT_UTF8.to_owned())),
        Ok(text) => text,
    };
    let error = DeTable::parse(text).err()?;
    let at = error.span().map_or(0, |span| span.start);
    Some((line_of_byte(bytes, at), why(&error)))
}

/// Of the end, the last that has anything on it.
fn line_of_byte(bytes: &[u8], at: usize) -> usize {
    let last = bytes.trim_ascii_end().len().saturating_sub(1);
    bytes[..at.min(last)].iter().filter(|byte| **byte == b'\n').count()
}

fn why(error: &Error) -> String {
    error.message().lines().next().unwrap_or_default().to_owned()
}

/// What stands left of `=`, if that is one.
fn key(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim();
    let is_of_a_key = |character: char| character.is_alphanumeric() || "_-.\"'".contains(character);
    (!key.is_empty() && key.chars().all(is_of_a_key)).then_some(key)
}

/// Where TOML's own words would help nobody: to it `60001:60010` is no time.
fn lacking_quotes(line: &str) -> Option<&'static str> {
    let value = line.split_once('=').map_or("", |(_, value)| value.trim());
    let has_quotes = line.contains(['"', '\'', '\\']);
    if key(line).is_some() && !value.is_empty() && !value.starts_with(['[', '{']) && !has_quotes {
        let is_value = DeTable::parse(&format!("x = {value}")).is_ok();
        return (!is_value)
            .then_some("the value is no number, neither true nor false, and no text in quotes");
    }
    let is_pattern = line.starts_with("[host.") && line.ends_with(']') && !has_quotes;
    is_pattern.then_some("a pattern stands in quotes")
}

fn is_header(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

/// Whether a line that is no TOML was to begin a section: `[host.work`, `host.work]`, `<host.work>`, `Host work`, `work:`.
fn may_be_header(line: &str) -> bool {
    if key(line).is_some() {
        return false;
    }
    let is_called_so =
        |word: &str| ["client", "host", "match", "server"].iter().any(|name| word.eq_ignore_ascii_case(name));
    let is_one_word = !line.contains('=') && line.split_whitespace().nth(1).is_none();
    let begins_as_no_key =
        !line.contains('=') && !line.starts_with(|first: char| first.is_alphanumeric() || first == '_');
    line.contains(['[', ']'])
        || line.split(|character: char| !character.is_alphanumeric()).any(is_called_so)
        || is_one_word
        || begins_as_no_key
}

/// Whether the lines below one that is no TOML may go on with its value: a text, of whose quotes one may be missing, a list,
/// a table.
fn may_begin_several_lines(line: &str) -> bool {
    let may_begin = |(at, _): (usize, &str)| {
        let value = line[at + 1..].trim_start();
        !line[..at].trim().is_empty() && ["\"\"", "''", "[", "{"].iter().any(|begin| value.starts_with(begin))
    };
    line.match_indices('=').any(may_begin)
}

fn has_quotes_of_several_lines(line: &str) -> bool {
    TEXT_OF_SEVERAL_LINES.iter().any(|quotes| line.contains(quotes))
}
