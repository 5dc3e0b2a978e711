//! Every instant of every golden story at which the power may fail, on every node, with
//! what was under way dropped, torn or kept: the node starts again, no property breaks,
//! and the cluster serves. `QUORATE_STORY=NAME` tries one story.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use quorate_engine::tree;
use quorate_engine::{Change, Content, NodeId, Outcome, Request, Write};
use quorate_sim::disk::{Keep, Lose, Mercy, Tear};
use quorate_sim::tabletop::story::Story;
use quorate_sim::tabletop::{Mishap, Tabletop};

/// Rounds of ticks within which a cluster must serve again.
const ROUNDS: usize = 200;

/// Inputs of the longest story that is tried: each is told anew for every crash.
const LONGEST: usize = 600;

/// Fewer tried crashes mean that stories were lost, or are not told to their end.
const LEAST: usize = 10_000;

/// A story in which nothing goes wrong.
const SIMPLE: &str = "a-write-is-answered-when-a-majority-has-it-on-disk.txt";

/// What happens to what is under way, in words and in deed.
type Fate = (&'static str, fn() -> Box<dyn Mercy>);

/// What is under way when the power fails.
const FATES: [Fate; 4] = [
    ("dropped", || Box::new(Lose)),
    ("torn after a sector", || Box::new(Tear(1))),
    ("torn after three", || Box::new(Tear(3))),
    ("kept", || Box::new(Keep)),
];

#[test]
fn the_power_may_fail_at_any_instant_of_any_story() {
    let stories = Mutex::new(stories().into_iter());
    let (tried, told) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let next = || stories.lock().expect("no panic").next();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(story) = next() {
                    let crashes = crash_everywhere(&story);
                    tried.fetch_add(crashes, Ordering::Relaxed);
                    told.fetch_add(usize::from(crashes > 0), Ordering::Relaxed);
                }
            });
        }
    });
    let (tried, told) = (tried.into_inner(), told.into_inner());
    println!("{tried} crashes in {told} stories");
    assert!(std::env::var("QUORATE_STORY").is_ok() || tried >= LEAST && told >= 10, "{tried}");
}

/// The canary: disks that complete what they have not kept.
#[test]
fn what_disks_only_pretended_to_keep_is_missed() {
    let story = stories().into_iter().find(|file| file.ends_with(SIMPLE)).expect("it is there");
    let mut table = told(&commands(&story), usize::MAX);
    let ids: Vec<NodeId> = table.ids().collect();
    for id in &ids {
        table.disk_of(*id).expect("a node").pretend(true);
    }
    let lost = (0..5).try_for_each(|_| table.client(1, write()).map(|_| ()));
    let lost = lost.and_then(|()| table.settle());
    let lost = lost.and_then(|()| ids.iter().try_for_each(|id| table.crash(*id, &mut Lose)));
    let mishap = lost.and_then(|()| serves_again(&mut table)).expect_err("it must be missed");
    assert!(matches!(mishap, Mishap::Violation(_)), "{mishap}");
}

/// The golden stories, but for those in which a disk breaks its promise or something is
/// not to be healed.
fn stories() -> Vec<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/golden"));
    let only = std::env::var("QUORATE_STORY").unwrap_or_default();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|file| file.to_string_lossy().contains(&only))
        .filter(|file| !commands(file).iter().any(|it| breaks_a_promise(it)))
        .collect();
    files.sort();
    files
}

fn breaks_a_promise(command: &str) -> bool {
    ["rot ", "fail "].iter().any(|verb| command.trim_start_matches("quiet ").starts_with(verb))
}

/// What stands in each paragraph before its rule.
fn commands(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("readable");
    let paragraphs = text.split("\n\n");
    let commands = paragraphs.flat_map(|it| it.lines().take_while(|line| *line != "----"));
    commands.filter(|it| !it.is_empty() && !it.starts_with('#')).map(str::to_owned).collect()
}

/// How many crashes were tried: none of a story that is too long.
fn crash_everywhere(file: &Path) -> usize {
    let commands = commands(file);
    let last = told(&commands, usize::MAX).steps();
    let mut tried = 0;
    if last > LONGEST {
        return 0;
    }
    for steps in 0..=last {
        let table = told(&commands, steps);
        for id in table.ids().filter(|id| table.is_up(*id)) {
            let busy = !table.is_disk_idle(id);
            for (fate, mercy) in FATES.iter().take(if busy { FATES.len() } else { 1 }) {
                let case = || format!("{}: n{id}, after {steps} inputs, {fate}", file.display());
                crash(told(&commands, steps), id, &mut *mercy(), case);
                tried += 1;
            }
        }
    }
    tried
}

/// The story as far as it goes.
fn told(commands: &[String], steps: usize) -> Tabletop {
    let mut story = Story::of(steps);
    // What is told beyond the last step is impossible.
    let _ = commands.iter().try_for_each(|command| story.tell(command).map(|_| ()));
    let mut table = story.into_table().expect("every story begins with a cluster");
    table.limit(usize::MAX);
    table
}

fn crash(mut table: Tabletop, id: NodeId, mercy: &mut dyn Mercy, case: impl Fn() -> String) {
    let recovered = table.crash(id, mercy).and_then(|()| serves_again(&mut table));
    if let Err(mishap) = recovered {
        let journal = table.take_journal();
        let last = &journal[journal.len().saturating_sub(100)..];
        panic!("{}\n{}: {mishap}", last.join("\n"), case());
    }
}

fn write() -> Request {
    let path = tree::Path::new("/served-again").expect("clean");
    let change = Change::Set { content: Content::File("".into()), ttl: None };
    Request::Write(Write { path, change })
}

fn serves_again(table: &mut Tabletop) -> Result<(), Mishap> {
    table.heal();
    for id in table.ids().collect::<Vec<_>>() {
        table.stall(id, false)?;
        if !table.is_up(id) {
            table.restart(id)?;
        }
        if !table.is_up(id) {
            return Err(Mishap::Impossible(format!("n{id} does not start again")));
        }
    }
    let first = table.ids().next().expect("a node");
    let mut asked = None;
    for _ in 0..ROUNDS {
        table.pass()?;
        match asked.map(|id| table.reply(id)) {
            Some(Some(Outcome::Done(_))) => return Ok(()),
            Some(None) => {}
            _ => {
                asked = Some(table.client(first, write())?);
            }
        }
    }
    Err(Mishap::Impossible("it does not serve again".into()))
}
