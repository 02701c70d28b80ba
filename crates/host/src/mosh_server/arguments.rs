//! Where mosh-server will listen, read from its arguments as it reads them itself (mosh-server(1), 1.4.0).
//!
//! What is wrong in them is mosh-server's to say: it gets them unchanged.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;

use portmap::mapper::External;
use wire::Bind;

/// mosh-server's own: it tries from 60001 upward. (Its manual says 60000-61000.)
const DEFAULT_PORTS: RangeInclusive<u16> = 60001..=60999;

/// Of getopt(3), as mosh-server gives it: these take a value.
const OPTIONS_WITH_VALUE: &str = "@ipcl";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listening {
    pub(crate) bind: Bind,
    pub(crate) ports: RangeInclusive<NonZeroU16>,
    /// Whether the client said which ports.
    pub(crate) ports_are_named: bool,
    /// `-v`: mosh-server keeps its terminal.
    pub(crate) verbose: bool,
}

impl Listening {
    pub(crate) fn from_arguments(arguments: &[OsString]) -> Self {
        let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let options: Vec<&str> = words.iter().map(String::as_str).take_while(|word| *word != "--").collect();
        let mut listening = Self {
            bind: Bind::Any,
            ports: port_range("").unwrap_or(ALL_PORTS),
            ports_are_named: false,
            verbose: false,
        };
        match options.split_first() {
            Some((&"new", options)) => listening.apply_options(options),
            Some((address, rest)) => {
                listening.apply('i', address);
                listening.apply('p', rest.first().unwrap_or(&""));
            }
            None => {}
        }
        listening
    }

    fn apply_options(&mut self, words: &[&str]) {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(letters) = word.strip_prefix('-') else { continue };
            let Some((at, letter)) = letters.char_indices().find(|(_, letter)| {
                self.apply_flag(*letter);
                OPTIONS_WITH_VALUE.contains(*letter)
            }) else {
                continue;
            };
            let attached = &letters[at + 1..];
            let value = if attached.is_empty() { words.next().copied().unwrap_or("") } else { attached };
            self.apply(letter, value);
        }
    }

    fn apply_flag(&mut self, letter: char) {
        match letter {
            's' => self.bind = Bind::Ssh,
            'v' => self.verbose = true,
            _ => {}
        }
    }

    fn apply(&mut self, letter: char, value: &str) {
        match letter {
            'i' => self.bind = Bind::Address(value.to_owned()),
            'p' => {
                self.ports = port_range(value).unwrap_or(ALL_PORTS);
                self.ports_are_named = true;
            }
            _ => {}
        }
    }
}

/// The same, but for that place, where nothing was said about it.
pub(crate) fn with_bind(arguments: &[OsString], bind: &Bind) -> Vec<OsString> {
    let free = Listening::from_arguments(arguments).bind == Bind::Any;
    let mut arguments = arguments.to_vec();
    if free && arguments.first().is_some_and(|word| word == "new") {
        arguments.splice(1..1, bind.arguments());
    }
    arguments
}

/// The arguments with `ports` in them, unless they say which ports themselves, or are in the old form, which does.
pub(crate) fn with_ports(arguments: &[OsString], ports: &RangeInclusive<NonZeroU16>) -> Vec<OsString> {
    let mut arguments = arguments.to_vec();
    let is_new = arguments.first().is_some_and(|word| word == "new");
    if is_new && !Listening::from_arguments(&arguments).ports_are_named {
        let range = format!("{}:{}", ports.start(), ports.end());
        arguments.splice(1..1, ["-p".into(), range.into()]);
    }
    arguments
}

/// Which port outside will do for the one of `ports` that mosh-server took. Where they are one, the user chose it, for the
/// outside too.
pub(crate) fn external(taken: NonZeroU16, ports: RangeInclusive<NonZeroU16>) -> External {
    if ports.start() == ports.end() { External::Only(taken) } else { External::Near(ports) }
}

const ALL_PORTS: RangeInclusive<NonZeroU16> = NonZeroU16::MIN..=NonZeroU16::MAX;

/// `PORT` or `LOW:HIGH`; nothing, or 0, stands for the default.
fn port_range(text: &str) -> Option<RangeInclusive<NonZeroU16>> {
    let (low, high) = match text.split_once(':') {
        Some((low, high)) => (low.parse().ok()?, high.parse().ok()?),
        None if text.is_empty() || text == "0" => (*DEFAULT_PORTS.start(), *DEFAULT_PORTS.end()),
        None => (text.parse().ok()?, text.parse().ok()?),
    };
    Some(NonZeroU16::new(low)?..=NonZeroU16::new(high)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(line: &str) -> (Bind, RangeInclusive<u16>, bool) {
        let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        let Listening { bind, ports, verbose, .. } = Listening::from_arguments(&words);
        (bind, ports.start().get()..=ports.end().get(), verbose)
    }

    #[test]
    fn options_are_read_as_mosh_server_reads_them() {
        let address = |text: &str| Bind::Address(text.into());
        for (line, expected) in [
            ("", (Bind::Any, 60001..=60999, false)),
            ("new", (Bind::Any, 60001..=60999, false)),
            ("new -s -c 256 -l LANG=C.UTF-8", (Bind::Ssh, 60001..=60999, false)),
            ("new -p 60005", (Bind::Any, 60005..=60005, false)),
            ("new -p60005:60010 -s", (Bind::Ssh, 60005..=60010, false)),
            ("new -svp 7", (Bind::Ssh, 7..=7, true)),
            ("new -p 0", (Bind::Any, 60001..=60999, false)),
            ("new -i 192.168.1.10", (address("192.168.1.10"), 60001..=60999, false)),
            ("new -i ::", (address("::"), 60001..=60999, false)),
            ("new -l -s -- bash -p 5", (Bind::Any, 60001..=60999, false)),
            ("new -@ new -s", (Bind::Ssh, 60001..=60999, false)),
            ("192.168.1.10 60007", (address("192.168.1.10"), 60007..=60007, false)),
        ] {
            assert_eq!(listening(line), expected, "{line}");
        }
    }

    #[test]
    fn every_address_is_served_where_none_was_chosen() {
        for (line, expected) in [
            ("new", "new -i ::"),
            ("new -c 256 -l LANG=C.UTF-8 -- bash -s", "new -i :: -c 256 -l LANG=C.UTF-8 -- bash -s"),
            ("new -p 60005", "new -i :: -p 60005"),
            ("new -s", "new -s"),
            ("new -i 192.168.1.10", "new -i 192.168.1.10"),
            ("192.168.1.10 60007", "192.168.1.10 60007"),
            ("", ""),
        ] {
            let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
            let words = with_bind(&words, &Bind::Address("::".into()));
            let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
            assert_eq!(words.join(" "), expected, "{line}");
        }
    }

    #[test]
    fn the_address_that_ssh_came_in_on_is_asked_for_as_mosh_does() {
        let words = ["new", "-p", "60005"].map(OsString::from);
        assert_eq!(with_bind(&words, &Bind::Ssh), ["new", "-s", "-p", "60005"]);
        assert_eq!(with_bind(&words, &Bind::Any), words);
    }

    #[test]
    fn ports_are_added_where_the_client_names_none() {
        let ports = NonZeroU16::new(60006).unwrap()..=NonZeroU16::new(60010).unwrap();
        for (line, expected) in [
            ("new", "new -p 60006:60010"),
            ("new -s -c 256 -- bash -p 5", "new -p 60006:60010 -s -c 256 -- bash -p 5"),
            ("new -s -p 60001", "new -s -p 60001"),
            ("new -sp60001:60003", "new -sp60001:60003"),
            ("192.168.1.10 60007", "192.168.1.10 60007"),
            ("", ""),
        ] {
            let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
            let with = with_ports(&words, &ports);
            let with: Vec<_> = with.iter().map(|word| word.to_str().unwrap()).collect();
            assert_eq!(with.join(" "), expected, "{line}");
        }
    }

    #[test]
    fn a_single_port_is_wanted_outside_too() {
        let port = |number| NonZeroU16::new(number).unwrap();
        let (one, many) = (port(60005)..=port(60005), port(60005)..=port(60006));
        assert_eq!(external(port(60005), one), External::Only(port(60005)));
        assert_eq!(external(port(60005), many.clone()), External::Near(many));
    }

    #[test]
    fn wrong_ports_are_left_to_mosh_server() {
        for line in ["new -p none", "new -p 70000", "new -p 5:x", "new -p -1", "new -p 0:9"] {
            assert_eq!(listening(line), (Bind::Any, 1..=65535, false), "{line}");
            let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
            let ports = NonZeroU16::new(60006).unwrap()..=NonZeroU16::new(60010).unwrap();
            assert_eq!(with_ports(&words, &ports), words, "{line}");
        }
    }
}
