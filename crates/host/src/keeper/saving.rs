//! The session's state file, as long as there is something to write down.
//!
//! Without it the mappings are kept all the same; only a crash would leave them to their leases, and the session's current
//! offer lacks them. So what could not be written is tried again soon, and a file that says what is no longer so is removed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::session::{State, StateFile};

/// A disk that is full now may not be in a moment; one that stays so should not be written to all day long.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);

pub(super) struct Saving {
    /// Where others look for it now: that may be another one once the user has logged out, or in again.
    directory: fn() -> Result<PathBuf>,
    file: Option<StateFile>,
    /// What is in the file.
    saved: Option<State>,
    retries: Option<Instant>,
    patience: Duration,
}

impl Saving {
    pub(super) fn new(directory: fn() -> Result<PathBuf>) -> Self {
        Self { directory, file: None, saved: None, retries: None, patience: FIRST_RETRY }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.retries
    }

    /// Whether to [`save`](Self::save), though nothing is new.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.retries.is_some_and(|retries| retries <= now) || self.is_out_of_place()
    }

    pub(super) fn save(&mut self, state: &State, now: Instant) {
        if self.is_out_of_place()
            && let Err(error) = self.remove()
        {
            tracing::debug!(%error, "left where nobody looks");
        }
        if self.saved.as_ref() == Some(state) {
            self.retries = None;
            return;
        }
        match self.write(state).or_else(|error| self.write_anew(state).map_err(|_| error)) {
            Ok(()) => {
                self.saved = Some(state.clone());
                (self.retries, self.patience) = (None, FIRST_RETRY);
            }
            Err(error) => {
                tracing::warn!(%error, "state not saved");
                self.retries = Some(now + self.patience);
                self.patience = (self.patience * 2).min(LAST_RETRY);
            }
        }
    }

    fn write(&mut self, state: &State) -> Result<()> {
        match &mut self.file {
            Some(file) => file.replace(state),
            None => {
                self.file = Some(StateFile::create(&(self.directory)()?, state)?);
                Ok(())
            }
        }
    }

    /// Its room may be all that is needed.
    fn write_anew(&mut self, state: &State) -> Result<()> {
        let is_wrong = self.saved.as_ref().is_some_and(|saved| !saved.tells_as(state));
        if is_wrong {
            self.remove()?;
        }
        self.write(state)
    }

    fn is_out_of_place(&self) -> bool {
        let is_elsewhere = |file: &StateFile| (self.directory)().is_ok_and(|here| !file.is_in(&here));
        self.file.as_ref().is_some_and(|file| file.is_gone() || is_elsewhere(file))
    }

    pub(super) fn remove(&mut self) -> Result<()> {
        self.saved = None;
        self.file.take().map_or(Ok(()), StateFile::remove)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use anyhow::bail;
    use net::clock;

    use super::*;

    // The runtime directory is the environment's; what is written there is a scenario's to look at.

    #[test]
    fn retries_come_later_and_later_until_one_succeeds() {
        let now = clock::now();
        let directory = tempfile::tempdir().unwrap();
        let state: State = serde_json::from_str(
            r#"{"name":{"id":"a","description":"b"},"process":{"pid":1,"started":2},"mappings":[]}"#,
        )
        .unwrap();
        let file = StateFile::create(directory.path(), &state).unwrap();
        let in_its_way = directory.path().join("a.new");
        fs::create_dir(&in_its_way).unwrap();
        let mut saving = Saving { file: Some(file), ..Saving::new(|| bail!("no directory")) };
        let mut waits = Vec::new();
        for _ in 0..7 {
            saving.save(&state, now);
            waits.push((saving.poll_timeout().unwrap() - now).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert!(!saving.is_due(now) && saving.is_due(now + Duration::from_secs(30)));
        fs::remove_dir(&in_its_way).unwrap();
        saving.save(&state, now);
        assert_eq!(saving.poll_timeout(), None);
    }
}
