//! What a run against real processes came to.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::record::Told;
use super::schedule;
use crate::check::watches;
use crate::weather::{Failure, Run};

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Operations of clients.
    pub operations: usize,
    /// Writes acknowledged.
    pub written: usize,
    /// Writes of which nobody can say.
    pub lost: usize,
    /// Watches, and watches of everything each time they were connected, that were shown
    /// something.
    pub watched: usize,
    /// Faults that were done: links cut, members killed or stopped.
    pub faults: usize,
    /// What of the run could not be had, or not quite so: a line each.
    pub differences: Vec<String>,
    /// How long it took.
    pub lasted: Duration,
    /// What went wrong, if anything.
    pub failure: Option<Failure>,
    /// Where data and logs are, if something did.
    pub kept: Option<PathBuf>,
}

impl Report {
    pub(super) fn of(run: &Run, told: &Told, faults: usize, lasted: Duration) -> Self {
        let operations = told.history.operations();
        let shown = |it: &&watches::Watching| matches!(it.told, Some(watches::Told::Shown { .. }));
        Self {
            operations: operations.len(),
            written: operations.iter().filter(|it| it.event().is_some()).count(),
            lost: operations.iter().filter(|it| it.is_unknown_write()).count(),
            watched: told.watchings.iter().filter(shown).count(),
            faults,
            differences: schedule::differences(run),
            lasted,
            failure: told.failure.clone(),
            kept: None,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.differences.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        let Self { operations, written, lost, watched, faults, .. } = self;
        writeln!(
            f,
            "{faults} faults in {:.1} s: {operations} operations, {written} written, {lost} \
             unknown; {watched} watches shown something",
            self.lasted.as_secs_f64()
        )?;
        match &self.failure {
            None => write!(f, "nothing failed")?,
            Some(failure) => write!(f, "FAILED {failure}")?,
        }
        match &self.kept {
            None => Ok(()),
            Some(kept) => write!(f, "\ndata and logs are kept in {}", kept.display()),
        }
    }
}
