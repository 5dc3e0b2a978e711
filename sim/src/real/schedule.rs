//! What of a run can be had with real processes: a plan as blows against them, and the
//! rest by name.

use std::collections::BTreeMap;

use quorate_engine::NodeId;
use rand::RngExt;

use super::cluster::WINDOW;
use super::links::{Link, Way};
use crate::weather::{Action, Broken, How, Run, Scenario, stream};

/// Something done to a process or to links, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// These links are cut.
    Cut(Vec<Link>, Way),
    /// They are whole again.
    Join(Vec<Link>, Way),
    /// SIGKILL.
    Kill(NodeId),
    /// It starts again, unless it runs or is down for good.
    Start(NodeId),
    /// SIGSTOP.
    Stop(NodeId),
    /// SIGCONT.
    Continue(NodeId),
    /// SIGKILL, for good.
    Down(NodeId),
    /// All die, their data is copied, and they start again.
    Copy,
    /// All die, the copies take the place of their data, and they start again.
    Forget,
}

/// A run's blows in order of time, in ms since the storm began. What would be undone
/// after the storm is left to the calm, which undoes everything. A cluster that
/// `forgets` loses the second half of the storm.
pub(super) fn blows(run: &Run, forgets: bool) -> Vec<(u64, Blow)> {
    let storm_ms = run.scenario.storm_s * 1_000;
    let rng = &mut stream(run.seed, "real cuts");
    let mut blows = Vec::new();
    if forgets {
        blows.extend([(storm_ms / 2, Blow::Copy), (storm_ms.saturating_sub(1), Blow::Forget)]);
    }
    for step in &run.plan.steps {
        let pair = |first, after: u64, second| {
            vec![(step.at_ms, first), (step.at_ms.saturating_add(after), second)]
        };
        blows.extend(match &step.action {
            Action::Cut(links, ms) => {
                let way = if rng.random_bool(0.5) { Way::Holds } else { Way::Breaks };
                pair(Blow::Cut(links.clone(), way), *ms, Blow::Join(links.clone(), way))
            }
            Action::Clog(links, ms) => {
                let way = Way::Holds;
                pair(Blow::Cut(links.clone(), way), *ms, Blow::Join(links.clone(), way))
            }
            &(Action::Crash(id, ms) | Action::Kill(id, ms)) => {
                pair(Blow::Kill(id), ms, Blow::Start(id))
            }
            &Action::KillCrash(id, ms) => [
                pair(Blow::Kill(id), ms, Blow::Kill(id)),
                pair(Blow::Start(id), ms, Blow::Start(id)),
            ]
            .concat(),
            &Action::Pause(id, ms) => pair(Blow::Stop(id), ms, Blow::Continue(id)),
            &Action::Down(id) => vec![(step.at_ms, Blow::Down(id))],
            _ => Vec::new(),
        });
    }
    blows.retain(|(at_ms, _)| *at_ms < storm_ms);
    blows.sort_by_key(|(at_ms, _)| *at_ms);
    blows
}

/// What breaks a node for ever once the storm is over.
pub(super) fn breaks(broken: &Broken, nodes: u64) -> Option<Blow> {
    let id = broken.node;
    let others = || (1..=nodes).filter(|other| *other != id);
    let to = || others().map(|other| (id, other));
    let from = || others().map(|other| (other, id));
    Some(match broken.how {
        How::Dark => Blow::Down(id),
        How::Paused => Blow::Stop(id),
        How::Stalled => return None,
        How::Isolated => Blow::Cut(to().chain(from()).collect(), Way::Breaks),
        How::Deaf => Blow::Cut(from().collect(), Way::Holds),
        How::Mute => Blow::Cut(to().collect(), Way::Holds),
    })
}

/// Whether a step of a plan can be carried out, and how else than in the simulator.
fn carried_out(action: &Action) -> Result<Option<&'static str>, &'static str> {
    match action {
        Action::Crash(..) | Action::KillCrash(..) | Action::Down(_) => {
            Ok(Some("as SIGKILL: the page cache survives"))
        }
        Action::Cut(..) => Ok(Some("connections are held back or broken")),
        Action::Clog(..) | Action::Kill(..) | Action::Pause(..) => Ok(None),
        Action::Stall(..)
        | Action::DiskError(_)
        | Action::NoSpace(..)
        | Action::Rot(..)
        | Action::RotTail(..)
        | Action::Misdirect(_)
        | Action::LostNames(..) => Err(DISK),
        Action::Jump(..) | Action::Drift(..) | Action::Freeze(..) | Action::Strobe(..) => {
            Err(CLOCK)
        }
        Action::Ambush(..) | Action::Strand(..) => Err("nobody sees a process come into a state"),
        Action::PauseProcess(..) | Action::CrashProcess(..) => Err("there are no recipes"),
    }
}

const DISK: &str = "the disk is the machine's";
const CLOCK: &str = "the clock is the machine's";

/// One line for everything in a run that cannot be had, or not quite so, by name.
pub(super) fn differences(run: &Run) -> Vec<String> {
    let mut kinds = BTreeMap::new();
    for step in &run.plan.steps {
        kinds.entry(step.action.kind()).or_insert((0, carried_out(&step.action))).0 += 1;
    }
    let steps = kinds.into_iter().filter_map(|(kind, (times, how))| match how {
        Ok(None) => None,
        Ok(Some(how)) => Some(format!("otherwise: {kind} ({times} times): {how}")),
        Err(why) => Some(format!("skipped: {kind} ({times} times): {why}")),
    });
    let stalled = run.plan.broken.iter().filter(|broken| broken.how == How::Stalled);
    let stalled = stalled.map(|broken| format!("skipped: {broken}: {DISK}"));
    steps.chain(stalled).chain(of_weather(&run.scenario)).collect()
}

fn of_weather(scenario: &Scenario) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |is_so: bool, line: &str| lines.extend(is_so.then(|| line.to_owned()));
    let (links, clocks) = (&scenario.links, &scenario.clocks);
    say(links.duplicate > 0.0, "skipped: links.duplicate: a connection delivers once");
    say(links.loss > 0.0, "otherwise: links.loss: a share of what is sent breaks its connection");
    say(true, "otherwise: links.delay_ms: nothing overtakes on a connection");
    say(clocks.offset_ms > 0, &format!("skipped: clocks.offset_ms: {CLOCK}"));
    say(clocks.drift > 0.0, &format!("skipped: clocks.drift: {CLOCK}"));
    say(true, &format!("skipped: disks.delay_ms: {DISK}"));
    say(scenario.ttl_percent > 0, "skipped: ttl_percent: the wire does not show by which clock");
    say(true, "skipped: refreshes of times to live: no watch is shown them");
    say(
        true,
        "skipped: engine.catch_up_entries, segment_bytes, chunk_bytes, forward_window, \
         max_pending_writes, max_append_bytes: no flag sets them",
    );
    let window = format!(
        "otherwise: engine.history_events: {WINDOW}, since the certificate is a watch of everything"
    );
    lines.push(window);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weather::{Plan, Step};

    fn run(storm_s: u64, steps: impl IntoIterator<Item = (u64, Action)>) -> Run {
        let text = include_str!("../../../scenarios/weather/five-swarm.toml");
        let scenario = Scenario { storm_s, ..Scenario::parse(text).unwrap() };
        let steps = steps.into_iter().map(|(at_ms, action)| Step { at_ms, action }).collect();
        Run { scenario, seed: 1, plan: Plan { steps, ..Plan::default() }, lie: None }
    }

    #[test]
    fn every_blow_is_undone_at_its_time_and_none_after_the_storm() {
        let links = vec![(1, 2)];
        let run = run(
            1,
            [
                (100, Action::Clog(links.clone(), 50)),
                (120, Action::Pause(2, 900)),
                (130, Action::KillCrash(3, 10)),
                (200, Action::Stall(1, 100)),
                (300, Action::Down(1)),
            ],
        );
        let expected = [
            (100, Blow::Cut(links.clone(), Way::Holds)),
            (120, Blow::Stop(2)),
            (130, Blow::Kill(3)),
            (130, Blow::Start(3)),
            (140, Blow::Kill(3)),
            (140, Blow::Start(3)),
            (150, Blow::Join(links, Way::Holds)),
            (300, Blow::Down(1)),
        ];
        assert_eq!(blows(&run, false), expected);
    }

    #[test]
    fn cuts_hold_back_or_break_and_end_as_they_began() {
        let links = vec![(1, 2), (2, 1)];
        let cuts = (0..20).map(|nth| (nth * 10, Action::Cut(links.clone(), 5)));
        let blows = blows(&run(1, cuts), false);
        let ways = blows.chunks(2).map(|pair| match pair {
            [(_, Blow::Cut(_, way)), (_, Blow::Join(_, same))] if way == same => *way,
            other => panic!("{other:?}"),
        });
        let ways: Vec<Way> = ways.collect();
        assert!(ways.contains(&Way::Holds) && ways.contains(&Way::Breaks), "{ways:?}");
    }

    #[test]
    fn what_stays_broken_is_broken_in_its_way() {
        let broken = |how| breaks(&Broken { node: 2, how }, 3);
        assert_eq!(broken(How::Dark), Some(Blow::Down(2)));
        assert_eq!(broken(How::Stalled), None);
        let (to, from) = (vec![(2, 1), (2, 3)], vec![(1, 2), (3, 2)]);
        assert_eq!(broken(How::Mute), Some(Blow::Cut(to, Way::Holds)));
        assert_eq!(broken(How::Deaf), Some(Blow::Cut(from, Way::Holds)));
    }

    #[test]
    fn what_cannot_be_had_is_named() {
        let mut run = run(
            1,
            [
                (1, Action::Stall(1, 9)),
                (2, Action::Stall(2, 9)),
                (3, Action::Kill(1, 9)),
                (4, Action::Crash(1, 9)),
            ],
        );
        run.plan.broken = vec![Broken { node: 3, how: How::Stalled }];
        let said = differences(&run).join("\n");
        assert!(said.contains("skipped: stall (2 times): the disk"), "{said}");
        assert!(said.contains("skipped: n3 stays stalled for ever: the disk"), "{said}");
        assert!(said.contains("otherwise: crash (1 times): as SIGKILL"), "{said}");
        assert!(!said.contains("kill ("), "{said}");
        for name in ["duplicate", "loss", "offset_ms", "drift", "ttl_percent"] {
            assert!(said.contains(name), "{name}: {said}");
        }
    }
}
