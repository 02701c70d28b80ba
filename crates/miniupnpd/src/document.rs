//! A file of `name=value` lines that can be edited without touching what is not meant: comments, order, spacing,
//! foreign lines and bytes that are no text all stay.
//!
//! Both miniupnpd.conf and /etc/default/miniupnpd are such files.

/// The lines, each with its own end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    lines: Vec<Vec<u8>>,
}

impl Document {
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        Self { lines: bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect() }
    }

    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.lines.concat()
    }

    /// Each line without its end and without the spaces around it.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = (usize, String)> {
        self.lines.iter().map(|line| String::from_utf8_lossy(line).trim().to_owned()).enumerate()
    }

    /// The values of a name, in the order of the file.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<String> {
        self.settings(name).map(|(_, value)| value).collect()
    }

    /// The last value of a name, which is the one that holds.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<String> {
        self.values(name).pop()
    }

    /// The lines that set a name, each with its value.
    pub fn settings(&self, name: &str) -> impl DoubleEndedIterator<Item = (usize, String)> {
        self.lines().filter_map(move |(index, line)| match setting(&line) {
            Some((found, value)) if found == name => Some((index, value.to_owned())),
            _ => None,
        })
    }

    /// Whether it is set, or would be, were the line no comment.
    #[must_use]
    pub fn mentions(&self, name: &str) -> bool {
        self.value(name).is_some() || self.commented(name).is_some()
    }

    /// Makes `value` the only value of `name`.
    pub fn set(&mut self, name: &str, value: &str) {
        let active: Vec<_> = self.settings(name).collect();
        let Some(((last, old), earlier)) = active.split_last() else { return self.add(name, value) };
        earlier.iter().for_each(|(index, _)| self.comment_out(*index));
        if old != value {
            self.replace(*last, &format!("{name}={value}"));
        }
    }

    /// Adds a line below the others of that name, or below those that are commented out, or at the end.
    pub fn add(&mut self, name: &str, value: &str) {
        let active = self.settings(name).next_back().map(|(index, _)| index);
        let place = active.or_else(|| self.commented(name)).map_or(self.lines.len(), |index| index + 1);
        self.insert(place, &format!("{name}={value}"));
    }

    pub fn comment_out(&mut self, index: usize) {
        self.lines[index].insert(0, b'#');
    }

    pub fn remove(&mut self, index: usize) {
        self.lines.remove(index);
    }

    /// Puts a line before the one at `index`, or at the end.
    pub fn insert(&mut self, index: usize, line: &str) {
        if index == self.lines.len()
            && let Some(last) = self.lines.last_mut()
            && !last.ends_with(b"\n")
        {
            last.push(b'\n');
        }
        self.lines.insert(index, format!("{line}\n").into_bytes());
    }

    fn replace(&mut self, index: usize, text: &str) {
        let line = &mut self.lines[index];
        let end = if line.ends_with(b"\r\n") { "\r\n" } else { "\n" };
        let indentation = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        line.truncate(indentation);
        line.extend_from_slice(text.as_bytes());
        line.extend_from_slice(end.as_bytes());
    }

    /// The last line that would set `name`, were it no comment.
    fn commented(&self, name: &str) -> Option<usize> {
        let mut lines = self.lines().rev();
        let is_it = |line: &str| {
            let line = line.strip_prefix('#')?.trim_start_matches(['#', ' ', '\t']);
            Some(setting(line)?.0 == name)
        };
        lines.find(|(_, line)| is_it(line) == Some(true)).map(|(index, _)| index)
    }
}

/// Name and value of a line that is no comment.
pub(crate) fn setting(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim_end();
    (!name.starts_with('#')).then_some((name, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, edit: impl FnOnce(&mut Document)) -> String {
        let mut document = Document::parse(text.as_bytes());
        edit(&mut document);
        String::from_utf8(document.to_bytes()).unwrap()
    }

    fn set(text: &str, name: &str, value: &str) -> String {
        let once = edited(text, |document| document.set(name, value));
        assert_eq!(
            edited(&once, |document| document.set(name, value)),
            once,
            "a second time changes nothing"
        );
        once
    }

    #[test]
    fn a_value_is_changed_in_its_place_and_nothing_else_is() {
        assert_eq!(set("# wan\n  ext_ifname = a \nx=1\n", "ext_ifname", "b"), "# wan\n  ext_ifname=b\nx=1\n");
        assert_eq!(set("a=1\r\nb=2\r\n", "a", "3"), "a=3\r\nb=2\r\n");
        assert_eq!(set("a = 1 \nb=2", "a", "1"), "a = 1 \nb=2");
    }

    #[test]
    fn a_new_line_goes_below_the_commented_ones() {
        assert_eq!(set("#a=1\n#a=2\n#b=\nc=3\n", "a", "7"), "#a=1\n#a=2\na=7\n#b=\nc=3\n");
        assert_eq!(set("# a=1, or so\nb=2", "a", "7"), "# a=1, or so\na=7\nb=2");
        assert_eq!(set("b=2", "a", "7"), "b=2\na=7\n");
        assert_eq!(set("", "a", "7"), "a=7\n");
    }

    #[test]
    fn the_last_value_holds_and_the_others_are_commented_out() {
        assert_eq!(set("a=1\na=2\n", "a", "7"), "#a=1\na=7\n");
        assert_eq!(Document::parse(b"a=1\n #a=3\na=2 \nab=4\n").values("a"), ["1", "2"]);
    }

    /// A small generator (Knuth, MMIX), so that a failure can be repeated.
    fn noise(seed: u64) -> Vec<u8> {
        const ALPHABET: &[u8] = b"a=#\n\r \t0\xff\0-/.";
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 40).unwrap()
        };
        let length = next() % 64;
        (0..length).map(|_| ALPHABET[next() % ALPHABET.len()]).collect()
    }

    #[test]
    fn whatever_comes_in_goes_out_as_it_was() {
        for seed in 0..20_000 {
            let bytes = noise(seed);
            assert_eq!(Document::parse(&bytes).to_bytes(), bytes, "{seed}");
        }
    }

    #[test]
    fn setting_a_value_in_any_file_holds_and_is_idempotent() {
        for seed in 0..20_000 {
            let mut document = Document::parse(&noise(seed));
            document.set("a", "7");
            assert_eq!(document.values("a"), ["7"], "{seed}");
            let once = document.clone();
            document.set("a", "7");
            assert_eq!(document, once, "{seed}");
            assert_eq!(Document::parse(&once.to_bytes()), once, "{seed}");
        }
    }
}
