//! Replays what a router sends, and tells what comes of it.

mod case;
mod codecs;
mod host;
mod request;
mod router;

use std::fmt::Write as _;

pub(crate) use self::case::Case;

impl Case {
    /// What the codecs make of each file, then what the mapper makes of the router, where it can be found.
    ///
    /// # Errors
    ///
    /// A file that no request asked for: it is misnamed, or does not belong to this case.
    pub(crate) fn transcript(&self) -> Result<String, String> {
        let mut transcript = String::new();
        for file in self.files() {
            let _ = writeln!(transcript, "{}: {}", file.name, codecs::meaning(self, file));
        }
        if self.is_found_by_a_search() {
            transcript.push('\n');
            for line in host::live(self)? {
                let _ = writeln!(transcript, "{line}");
            }
        }
        Ok(transcript)
    }
}
