//! Many seeds of one scenario over several threads, and what they came to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde::{Deserialize, Serialize};

use super::run::{Report, Run};
use super::scenario::Scenario;
use crate::probes::{Probe, Probes};

/// How a campaign is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Campaign<'a> {
    /// The weather.
    pub scenario: &'a Scenario,
    /// Runs at once.
    pub jobs: usize,
    /// Whether each seed is run twice, which must come to the same.
    pub twice: bool,
}

/// What a campaign came to. Two of them can be added up.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// Seeds that were run.
    pub seeds: u64,
    /// Of those, run twice.
    pub doubles: u64,
    /// Virtual time, in ms.
    pub simulated_ms: u64,
    /// Steps of all engines.
    pub steps: u64,
    /// Operations of clients.
    pub operations: u64,
    /// Writes acknowledged.
    pub written: u64,
    /// Writes of which nobody can say.
    pub lost: u64,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// The sum of all runs' digests: equal for the same seeds, wherever they ran.
    pub digest: i64,
    /// How often rare paths were taken.
    pub probes: Probes,
    /// In how many runs each oracle had its say.
    pub oracles: BTreeMap<String, u64>,
    /// What failed, by seed.
    pub failures: BTreeMap<String, String>,
}

impl Campaign<'_> {
    /// Runs seeds until there are no more, or until told to stop between two of them;
    /// tells `progress` after each.
    ///
    /// # Panics
    /// If the operating system has no threads to give.
    pub fn run(
        &self,
        seeds: impl Iterator<Item = u64> + Send,
        stop: &AtomicBool,
        progress: impl Fn(&Sheet) + Sync,
    ) -> Sheet {
        let (seeds, sheet) = (Mutex::new(seeds), Mutex::new(Sheet::default()));
        let next = || {
            let more = !stop.load(Ordering::Relaxed);
            more.then(|| seeds.lock().expect("no panic").next()).flatten()
        };
        thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| {
                    while let Some(seed) = next() {
                        let one = self.seed(seed);
                        let mut sheet = sheet.lock().expect("no panic");
                        sheet.add(one);
                        progress(&sheet);
                    }
                });
            }
        });
        sheet.into_inner().expect("no panic")
    }

    fn seed(&self, seed: u64) -> Sheet {
        let run = Run::draw(self.scenario, seed);
        let report = run.report(false);
        let mut sheet = Sheet::of(&run, &report);
        if self.twice {
            sheet.doubles = 1;
            if let Some(difference) = differs(&run, &report) {
                let failure = sheet.failures.entry(seed.to_string()).or_default();
                *failure = format!("same seed, same run: {difference}");
            }
        }
        sheet
    }
}

/// The first event in which the same run differs from itself, if it does.
fn differs(run: &Run, report: &Report) -> Option<String> {
    if run.report(false).digest == report.digest {
        return None;
    }
    let (one, two) = (run.report(true), run.report(true));
    let at = one.lines().zip(two.lines()).position(|(one, two)| one != two);
    let at = at.unwrap_or(one.journal.len().min(two.journal.len()));
    let line = |of: &Report| of.lines().nth(at).unwrap_or_else(|| "the end".into());
    Some(format!("event {at} is\n  {}\nand then\n  {}", line(&one), line(&two)))
}

impl Sheet {
    fn of(run: &Run, report: &Report) -> Self {
        let mut faults = BTreeMap::new();
        for step in &run.plan.steps {
            *faults.entry(step.action.kind().to_owned()).or_default() += 1;
        }
        for broken in &run.plan.broken {
            *faults.entry(broken.how.name().to_owned()).or_default() += 1;
        }
        let failure = report.failure.iter().map(|it| (run.seed.to_string(), it.to_string()));
        Self {
            seeds: 1,
            doubles: 0,
            simulated_ms: report.simulated_ms,
            steps: report.steps,
            operations: report.operations as u64,
            written: report.written as u64,
            lost: report.lost as u64,
            faults,
            digest: report.digest.cast_signed(),
            probes: report.probes,
            oracles: report.judged.iter().map(|oracle| ((*oracle).to_owned(), 1)).collect(),
            failures: failure.collect(),
        }
    }

    /// Adds what another campaign came to: of other seeds, or this one goes for the same
    /// twice.
    pub fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.doubles += other.doubles;
        self.simulated_ms += other.simulated_ms;
        self.steps += other.steps;
        self.operations += other.operations;
        self.written += other.written;
        self.lost += other.lost;
        sum(&mut self.faults, other.faults);
        sum(&mut self.oracles, other.oracles);
        self.digest = self.digest.wrapping_add(other.digest);
        self.probes.add(&other.probes);
        self.failures.extend(other.failures);
    }
}

fn sum(counts: &mut BTreeMap<String, u64>, others: BTreeMap<String, u64>) {
    for (name, count) in others {
        *counts.entry(name).or_default() += count;
    }
}

/// A label and what belongs to it, in as many lines as it takes.
fn list(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    items: impl Iterator<Item = String>,
) -> fmt::Result {
    const WIDTH: usize = 100;
    let mut line = format!("{label:<11}");
    for (at, item) in items.enumerate() {
        line.push_str(if at > 0 { "," } else { "" });
        if line.len() + 1 + item.len() >= WIDTH {
            writeln!(f, "{line}")?;
            line = " ".repeat(11);
        }
        line.push(' ');
        line.push_str(&item);
    }
    writeln!(f, "{}", line.trim_end())
}

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, doubles, steps, operations, written, lost, .. } = self;
        writeln!(f, "seeds       {seeds}, of which {doubles} twice")?;
        writeln!(f, "simulated   {:.1} h", self.simulated_ms as f64 / 3_600_000.0)?;
        writeln!(f, "steps       {steps}")?;
        writeln!(f, "operations  {operations}: {written} written, {lost} unknown")?;
        list(f, "faults", self.faults.iter().map(|(kind, count)| format!("{count} {kind}")))?;
        self.fmt_oracles(f)?;
        self.fmt_probes(f)?;
        writeln!(f, "digest      {:016x}", self.digest)?;
        self.fmt_failures(f)
    }
}

impl Sheet {
    /// The oracles, and in how many runs they had their say if it was not all.
    fn fmt_oracles(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self.oracles.iter().map(|(name, runs)| match *runs == self.seeds {
            true => name.clone(),
            false => format!("{name} ({runs})"),
        });
        list(f, "oracles", each)
    }

    /// Every probe, room by room, and what the dark ones would have seen.
    fn fmt_probes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, dark) = (Probe::ALL.len(), self.probes.dark().count());
        writeln!(f, "probes      {} of {all} hit", all - dark)?;
        for room in Probe::ALL.chunk_by(|one, other| one.room() == other.room()) {
            let each = room.iter().map(|it| format!("{} {}", self.probes.count(*it), it.name()));
            list(f, &format!("  {}", room[0].room()), each)?;
        }
        writeln!(f, "dark        {dark}")?;
        self.probes.dark().try_for_each(|it| writeln!(f, "  {}: {}", it.name(), it.what()))
    }

    /// What failed; if nothing did, what that leaves open (the rule of three).
    fn fmt_failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seeds, failed) = (self.seeds, self.failures.len());
        if failed > 0 {
            writeln!(f, "failures    {failed}")?;
            let mut each = self.failures.iter();
            return each.try_for_each(|(seed, what)| writeln!(f, "  seed {seed}: {what}"));
        }
        if seeds == 0 {
            return writeln!(f, "failures    none, of nothing");
        }
        writeln!(f, "failures    none")?;
        writeln!(
            f,
            "risk        0 failures in {seeds} seeds: at 95 % confidence, fewer than 3 in {seeds} \
             of such seeds fail"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_says_what_it_proves_and_what_not() {
        let mut sheet = Sheet { seeds: 40, ..Sheet::default() };
        sheet.probes.hit_times(Probe::SuffixCut, 7);
        sheet.oracles = [("durable".into(), 40), ("(n-1)/2".into(), 3)].into();
        let text = sheet.to_string();
        for line in [
            "oracles     (n-1)/2 (3), durable\n",
            " 7 suffix-cut,",
            "\n  all-down: All nodes were down at once.\n",
            "risk        0 failures in 40 seeds: at 95 % confidence, fewer than 3 in 40 of",
        ] {
            assert!(text.contains(line), "{line:?} is not in\n{text}");
        }
        assert!(!text.contains("  suffix-cut:"), "it is not dark");
        assert!(text.lines().filter(|line| !line.contains(':')).all(|line| line.len() <= 100));
        sheet.failures.insert("9".into(), "halt: n1 halts".into());
        let text = sheet.to_string();
        assert!(text.contains("failures    1\n  seed 9: halt: n1 halts\n"));
        assert!(!text.contains("risk"), "{text}");
    }

    #[test]
    fn sheets_are_kept_and_added_up() {
        let mut one = Sheet { seeds: 2, ..Sheet::default() };
        one.probes.hit(Probe::SuffixCut);
        one.oracles.insert("durable".into(), 2);
        let text = toml::to_string(&one).expect("a table");
        let mut sum: Sheet = toml::from_str(&text).expect("what we wrote");
        sum.add(one);
        assert_eq!((sum.seeds, sum.probes.count(Probe::SuffixCut)), (4, 2));
        assert_eq!(sum.oracles["durable"], 4);
    }
}
