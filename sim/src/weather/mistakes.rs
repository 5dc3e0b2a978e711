//! Mistakes in a weather file that no type catches: each with its field, and its line.

use super::scenario::{Fault, Scenario};

/// Nodes of a cluster, at most: names are one byte in digests, and nobody runs more.
const MOST_NODES: u64 = 15;

/// What is wrong where.
type Mistake = (&'static str, &'static str, &'static str);

/// The first mistake, in words.
pub(super) fn look(scenario: &Scenario, text: &str) -> Result<(), String> {
    let mistakes = [counts(scenario), shares(scenario), ranges(scenario), faults(scenario)];
    let Some((section, field, what)) = mistakes.into_iter().flatten().next() else {
        return Ok(());
    };
    let name = if section.is_empty() { field.to_owned() } else { format!("{section}.{field}") };
    match line(text, section, field) {
        Some(line) => Err(format!("line {line}, `{name}`: {what}")),
        None => Err(format!("`{name}` is missing: {what}")),
    }
}

/// On which line a field of a section is given.
fn line(text: &str, section: &str, field: &str) -> Option<usize> {
    let mut here = "";
    for (nth, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            here = name.trim();
            if here == field && section.is_empty() || here == format!("{section}.{field}") {
                return Some(nth + 1);
            }
        }
        let key = line.split('=').next().unwrap_or_default().trim();
        if here == section && key == field && line.contains('=') {
            return Some(nth + 1);
        }
    }
    None
}

fn first<const N: usize>(checks: [(bool, Mistake); N]) -> Option<Mistake> {
    checks.into_iter().find(|(sound, _)| !sound).map(|(_, mistake)| mistake)
}

fn counts(it: &Scenario) -> Option<Mistake> {
    let faults = &it.faults;
    let damages = [faults.rot, faults.rot_tail, faults.misdirect, faults.lost_names];
    let damages = damages.iter().any(Option::is_some);
    let processes = faults.process_pause.or(faults.process_crash).is_some();
    let down = it.down.map_or(0, |down| down.nodes);
    first([
        ((1..=MOST_NODES).contains(&it.nodes), ("", "nodes", "from 1 to 15")),
        (it.clients > 0, ("", "clients", "at least 1")),
        (it.storm_s > 0, ("", "storm_s", "at least 1")),
        (it.ttl_percent <= 100, ("", "ttl_percent", "at most 100")),
        (down <= it.nodes, ("", "down", "more nodes than there are")),
        (it.damaged <= it.nodes, ("", "damaged", "more nodes than there are")),
        (
            !damages || it.damaged > 0,
            (
                "",
                "damaged",
                "rot, rot_tail, misdirect and lost_names befall so many nodes, at least 1",
            ),
        ),
        (
            damages || it.damaged == 0,
            ("", "damaged", "nothing damages them: give rot, rot_tail, misdirect or lost_names"),
        ),
        (it.damaged == 0 || down == 0, ("", "damaged", "nodes are either damaged or down")),
        (
            it.recipe.is_some() || !processes,
            ("", "recipe", "without one there are no processes to pause or crash"),
        ),
    ])
}

fn shares(it: &Scenario) -> Option<Mistake> {
    let share = |share: f64| (0.0..=1.0).contains(&share);
    first([
        (share(it.links.loss), ("links", "loss", "a share, from 0 to 1")),
        (share(it.links.duplicate), ("links", "duplicate", "a share, from 0 to 1")),
        (share(it.links.tail), ("links", "tail", "a share, from 0 to 1")),
        ((0.0..=0.5).contains(&it.clocks.drift), ("clocks", "drift", "a share, from 0 to 0.5")),
        (
            it.clocks.drift > 0.0 || it.faults.clock_drift.is_none(),
            ("clocks", "drift", "clock_drift stays within it: more than 0"),
        ),
    ])
}

fn ranges(it: &Scenario) -> Option<Mistake> {
    const WHAT: &str = "two numbers, the first not above the second";
    const SOME: &str = "two numbers from 1 on, the first not above the second";
    let rises = |[low, high]: [u64; 2]| low <= high;
    let some = |range: [u64; 2]| rises(range) && range[0] > 0;
    let engine = &it.engine;
    first([
        (rises(it.links.delay_ms), ("links", "delay_ms", WHAT)),
        (rises(it.disks.delay_ms), ("disks", "delay_ms", WHAT)),
        (engine.tick_ms > 0, ("engine", "tick_ms", "at least 1")),
        (some(engine.snapshot_entries), ("engine", "snapshot_entries", SOME)),
        (rises(engine.catch_up_entries), ("engine", "catch_up_entries", WHAT)),
        (some(engine.segment_bytes), ("engine", "segment_bytes", SOME)),
        (some(engine.chunk_bytes), ("engine", "chunk_bytes", SOME)),
        (some(engine.history_events), ("engine", "history_events", SOME)),
        (some(engine.forward_window), ("engine", "forward_window", SOME)),
        (some(engine.max_pending_writes), ("engine", "max_pending_writes", SOME)),
        (some(engine.max_append_bytes), ("engine", "max_append_bytes", SOME)),
    ])
}

fn faults(it: &Scenario) -> Option<Mistake> {
    let sound = |fault: &Fault| fault.every_s > 0.0 && fault.lasts_ms[0] <= fault.lasts_ms[1];
    let wrong = it.faults.by_name().into_iter();
    let wrong = wrong.filter_map(|(name, fault)| Some((name, fault?)));
    wrong.filter(|(_, fault)| !sound(fault)).map(|(name, _)| name).next().map(|name| {
        ("faults", name, "every_s above 0, and in lasts_ms the first not above the second")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "claim = \"c\"\nnodes = 3\nclients = 1\nthink_ms = 1\nstorm_s = 1\n\
                         calm_s = 1\n\n[links]\nloss = 0.1\n\n[faults]\n\
                         crash = { every_s = 1, lasts_ms = [1, 2] }\n";

    fn mistake(from: &str, to: &str) -> String {
        let text = SOUND.replace(from, to);
        assert_ne!(text, SOUND);
        Scenario::parse(&text).expect_err("there is one").to_string()
    }

    #[test]
    fn mistakes_name_line_and_field() {
        assert!(Scenario::parse(SOUND).is_ok());
        assert_eq!(mistake("nodes = 3", "nodes = 0"), "line 2, `nodes`: from 1 to 15");
        let loss = mistake("loss = 0.1", "loss = 1.1");
        assert_eq!(loss, "line 9, `links.loss`: a share, from 0 to 1");
        let crash = mistake("[1, 2]", "[2, 1]");
        assert!(crash.starts_with("line 12, `faults.crash`: every_s above 0"), "{crash}");
        let down = mistake("\n[links]", "\n[down]\nnodes = 4\nexpect = \"serves\"\n\n[links]");
        assert_eq!(down, "line 8, `down`: more nodes than there are");
        let rot = mistake("crash =", "rot =");
        assert!(rot.starts_with("`damaged` is missing: rot, rot_tail, misdirect"), "{rot}");
    }

    #[test]
    fn what_is_unknown_or_of_another_kind_is_told_with_its_line() {
        let unknown = mistake("crash =", "crush =");
        assert!(unknown.contains("line 12") && unknown.contains("crush"), "{unknown}");
        let kind = mistake("clients = 1", "clients = \"many\"");
        assert!(kind.contains("line 3"), "{kind}");
    }
}
