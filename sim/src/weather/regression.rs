//! A run kept for good: the plan itself, since a seed draws another one as soon as
//! anything about the drawing changes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::lies::Lie;
use super::plan::{Plan, Step};
use super::run::{Failure, Run};
use super::scenario::{Scenario, ScenarioError};

/// A file of `scenarios/regressions`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Regression {
    /// What happened, in a sentence or a short story.
    pub story: String,
    /// The oracle that objected.
    pub oracle: String,
    /// What all chance comes from that the plan does not hold.
    pub seed: u64,
    /// The promise that neighbours broke. With one the run must fail for ever, and
    /// proves that failures are seen; without one the engine was wrong and is mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lie: Option<Lie>,
    /// What went wrong, and what clients left out.
    pub plan: Plan,
    /// The weather.
    pub scenario: Scenario,
}

impl Regression {
    /// A failing run.
    pub fn new(run: &Run, failure: &Failure) -> Self {
        let Run { scenario, seed, plan, lie } = run.clone();
        let story = Story { run, failure }.to_string();
        Self { story, oracle: failure.oracle.to_owned(), seed, lie, plan, scenario }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// With line and field.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        toml::from_str(text).map_err(ScenarioError::new)
    }

    /// The file's text.
    ///
    /// # Panics
    /// Never: all of it can be written.
    pub fn to_text(&self) -> String {
        toml::to_string(self).expect("plain data")
    }

    /// The run in it.
    pub fn run(&self) -> Run {
        let Self { scenario, seed, plan, lie, .. } = self.clone();
        Run { scenario, seed, plan, lie }
    }
}

/// What happened, in words.
struct Story<'a> {
    run: &'a Run,
    failure: &'a Failure,
}

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { scenario, plan, lie, .. } = self.run;
        write!(f, "{} nodes, {} clients", scenario.nodes, scenario.clients)?;
        if let Some(lie) = lie {
            write!(f, ", neighbours that lie ({lie:?})")?;
        }
        match plan.steps.len() {
            0 => f.write_str(". Nothing goes wrong but what links, disks and clocks do.\n")?,
            _ => f.write_str(".\n")?,
        }
        plan.steps.iter().try_for_each(|step: &Step| writeln!(f, "{step}"))?;
        plan.broken.iter().try_for_each(|broken| writeln!(f, "           {broken}"))?;
        write!(f, "Then {}.", self.failure)
    }
}
