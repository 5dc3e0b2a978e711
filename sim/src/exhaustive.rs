//! Every interleaving of two clients' operations with one crash, one lost message and
//! one election on three nodes, up to a depth.
//!
//! A [`Scene`] says what two clients ask for, of which node. From a cluster that has a
//! leader and is quiet, a schedule chooses again and again what happens next:
//!
//! - a client asks for its next operation, once its last was answered or its node died;
//! - the first message on one of the six links arrives;
//! - one of a node's disk operations completes, of those that may be next;
//! - at most once, at any moment, a node loses power, and what its disk has under way is
//!   dropped, torn after a sector or kept; any time later it starts again; what is on
//!   its way to it stays so;
//! - at most once, at any moment, the first message on a link is lost;
//! - at most once, at any moment, a follower whose log is not being written stands for
//!   election: an election timeout passes for all that do not lead, while the leader's
//!   clock stands still. No other time passes.
//!
//! All of this up to [`Exploration::depth`] choices, or until nothing but a fault can
//! happen any more. Then everything under way happens, the dead start again, and time
//! passes: the cluster serves within 20 election timeouts and comes to one state, and
//! what clients saw is linearizable and durable. Every [property](crate::properties)
//! watches every step.
//!
//! What is not tried twice: two schedules in which the same happened to each node, in
//! the same order, with the same message lost, and the same answers known before each
//! call, differ only in the order of steps that know nothing of each other. They lead
//! to the same nodes, disks, messages and answers, because an engine is a function of
//! its inputs, and only the first of them goes on ([`Play::key_after`]). Their keys are
//! digests of 64 bits: of ten million, two are the same by chance once in 300,000 times.
//! What the properties say of the others is not looked at.
//!
//! Left out: a second fault of a kind, messages that overtake each other on one link or
//! come twice, other elections, times to live, watches.

mod choice;
mod ending;
mod play;
mod scene;

use std::collections::HashSet;
use std::fmt;
use std::sync::Mutex;
use std::thread;

pub use choice::{Choice, Fate};
pub use scene::Scene;

use play::Play;

/// One scene, to be played in every way.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// Who asks for what.
    pub scene: Scene,
    /// How many choices are free, one after the other.
    pub depth: usize,
    /// Whether they may come after any number of steps of the plain run, or else are
    /// the first.
    pub anywhere: bool,
    /// The promise that is broken, if one is.
    pub lie: Option<Lie>,
}

/// A broken promise, to prove that somebody notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Disks complete what they have not made durable.
    PretendedSyncs,
    /// Reads are answered without asking a leader.
    UnconfirmedReads,
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Schedules played to their end, and judged.
    pub schedules: u64,
    /// Of these, ended because nothing but a fault could happen any more.
    pub quiet: u64,
    /// Choices that led to a state that had been tried.
    pub met: u64,
    /// Different states.
    pub states: u64,
    /// Inputs that nodes were given, in all schedules.
    pub inputs: u64,
    /// Schedules with a crash, with a lost message, with an election, with all three.
    pub faults: [u64; 4],
}

/// An oracle's objection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// Which oracle.
    pub oracle: &'static str,
    /// What it says.
    pub what: String,
}

/// A schedule to which an oracle objects.
#[derive(Clone, Debug)]
pub struct Found {
    /// The scene's name.
    pub scene: &'static str,
    /// What was chosen.
    pub schedule: Vec<Choice>,
    /// Every input and output of its end.
    pub journal: Vec<String>,
    /// What is said of it.
    pub objection: Objection,
}

/// Plays scenes on so many threads; tells `progress` of what was tried now and then.
///
/// # Errors
/// The first schedule to which an oracle objects, of the first scene that has one.
///
/// # Panics
/// If the operating system has no threads to give.
pub fn explore(
    scenes: &[Exploration],
    jobs: usize,
    progress: impl Fn(&Sheet) + Sync,
) -> Result<Sheet, Box<Found>> {
    let next = Mutex::new(0..scenes.len());
    let sum = Mutex::new(Sheet::default());
    let found = Mutex::new(vec![None; scenes.len()]);
    let add = |part: Sheet| {
        let mut sum = sum.lock().expect("no panic");
        sum.add(part);
        progress(&sum);
    };
    let next = || next.lock().expect("no panic").next();
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(at) = next() {
                    let objection = scenes[at].explore(add).err();
                    found.lock().expect("no panic")[at] = objection;
                }
            });
        }
    });
    match found.into_inner().expect("no panic").into_iter().flatten().next() {
        Some(found) => Err(found),
        None => Ok(sum.into_inner().expect("no panic")),
    }
}

/// Schedules between two tellings of progress.
const PART: u64 = 1_000;

impl Exploration {
    /// Plays every schedule, depth first; tells what was tried since it last did.
    fn explore(&self, tell: impl Fn(Sheet)) -> Result<(), Box<Found>> {
        let mut seen = HashSet::new();
        let mut part = Sheet::default();
        for before in self.beginnings()? {
            let to = before.len() + self.depth;
            let mut open = vec![before];
            while let Some(mut schedule) = open.pop() {
                let played = self.play(&mut schedule, to, &mut seen, &mut open, &mut part);
                played.map_err(|objection| self.found(schedule, objection))?;
                if part.schedules >= PART {
                    tell(std::mem::take(&mut part));
                }
            }
        }
        tell(part);
        Ok(())
    }

    /// What may be before the choices that are free, the longest first: a state that is
    /// met again has been gone on with at least as far.
    fn beginnings(&self) -> Result<Vec<Vec<Choice>>, Box<Found>> {
        if !self.anywhere {
            return Ok(vec![Vec::new()]);
        }
        let mut beginnings = Vec::new();
        for patient in [false, true] {
            let plain = self.plain(patient)?;
            beginnings.extend((0..=plain.len()).map(|many| plain[..many].to_vec()));
        }
        beginnings.sort_by_key(|schedule| std::cmp::Reverse(schedule.len()));
        Ok(beginnings)
    }

    /// What happens when nothing goes wrong, to its end: always the first that may, where
    /// clients ask as soon as they can, or are patient and ask when nothing else can
    /// happen.
    fn plain(&self, patient: bool) -> Result<Vec<Choice>, Box<Found>> {
        let mut schedule = Vec::new();
        let begun = Play::begin(&self.scene, self.lie, true);
        let mut play = begun.map_err(|objection| self.found(Vec::new(), objection))?;
        loop {
            let mut choices = play.choices();
            choices.retain(|choice| !choice.is_fault());
            choices.sort_by_key(|choice| patient && matches!(choice, Choice::Call { .. }));
            let Some(&choice) = choices.first() else { return Ok(schedule) };
            schedule.push(choice);
            play.take(choice).map_err(|objection| self.found(schedule.clone(), objection))?;
        }
    }

    /// Plays the schedule given and goes on with it to an end; what else could have
    /// happened on the way, and is new, is left open.
    fn play(
        &self,
        schedule: &mut Vec<Choice>,
        to: usize,
        seen: &mut HashSet<u64>,
        open: &mut Vec<Vec<Choice>>,
        sheet: &mut Sheet,
    ) -> Result<(), Objection> {
        let mut play = Play::begin(&self.scene, self.lie, true)?;
        schedule.iter().try_for_each(|choice| play.take(*choice))?;
        let mut quiet = false;
        while schedule.len() < to && !quiet {
            let choices = play.choices();
            quiet = choices.iter().all(|choice| choice.is_fault());
            let many = choices.len();
            let fresh: Vec<Choice> =
                choices.into_iter().filter(|it| seen.insert(play.key_after(*it))).collect();
            sheet.states += fresh.len() as u64;
            sheet.met += (many - fresh.len()) as u64;
            let mut fresh = fresh.into_iter();
            let next = if quiet { None } else { fresh.next() };
            open.extend(fresh.rev().map(|choice| [&schedule[..], &[choice]].concat()));
            if let Some(choice) = next {
                schedule.push(choice);
                play.take(choice)?;
            } else if !quiet {
                return Ok(());
            }
        }
        ending::end(&mut play)?;
        sheet.count(schedule, quiet, play.table.steps() as u64);
        Ok(())
    }

    /// The schedule once more, with its journal.
    fn found(&self, schedule: Vec<Choice>, objection: Objection) -> Box<Found> {
        let mut journal = Vec::new();
        if let Ok(mut play) = Play::begin(&self.scene, self.lie, false) {
            play.table.take_journal();
            let taken = schedule.iter().try_for_each(|choice| play.take(*choice));
            // It objects as it did before.
            let _ = taken.and_then(|()| ending::end(&mut play));
            journal = play.table.take_journal();
        }
        Found { scene: self.scene.name, schedule, journal, objection }.into()
    }
}

impl Sheet {
    fn count(&mut self, schedule: &[Choice], quiet: bool, inputs: u64) {
        let any = |is: fn(&Choice) -> bool| u64::from(schedule.iter().any(is));
        let crashes = any(|it| matches!(it, Choice::Crash { .. }));
        let losses = any(|it| matches!(it, Choice::Drop { .. }));
        let elections = any(|it| matches!(it, Choice::Stand { .. }));
        let faults = [crashes, losses, elections, crashes & losses & elections];
        self.add(Self { schedules: 1, quiet: quiet.into(), inputs, faults, ..Self::default() });
    }

    fn add(&mut self, other: Self) {
        self.schedules += other.schedules;
        self.quiet += other.quiet;
        self.met += other.met;
        self.states += other.states;
        self.inputs += other.inputs;
        for (sum, other) in self.faults.iter_mut().zip(other.faults) {
            *sum += other;
        }
    }
}

impl Objection {
    fn new(oracle: &'static str, what: String) -> Self {
        Self { oracle, what }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.oracle, self.what)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:", self.scene)?;
        self.schedule.iter().try_for_each(|choice| writeln!(f, "  {choice}"))?;
        writeln!(f, "every input and output:")?;
        self.journal.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        write!(f, "{}", self.objection)
    }
}

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schedules, quiet, met, states, inputs, faults, .. } = self;
        let [crashes, losses, elections, all] = faults;
        writeln!(f, "schedules   {schedules}, of which {quiet} to the end of all that can happen")?;
        writeln!(
            f,
            "  with      {crashes} a crash, {losses} a lost message, {elections} an election, {all} all three"
        )?;
        writeln!(f, "states      {states}, and {met} choices that led to one of them again")?;
        writeln!(f, "inputs      {inputs}")
    }
}

#[cfg(test)]
mod tests;
