//! The commands of golden stories.
//!
//! ```text
//! cluster 3 [snapshot_entries=4 …]  fresh nodes n1, n2, n3
//! elect n1                          tick it alone until it leads, settling
//! tick n1 [times]                   let tick intervals pass
//! pass [times]                      one passes for every node that is up, then settle
//! wall n1 MS                        its wall clock jumps
//! settle                            deliver and complete everything, oldest first
//! deliver n1 n2 [nth]               the nth message on its way arrives (1 if not said)
//! lose n1 n2 [nth]                  it is lost
//! duplicate n1 n2 [nth]             it will arrive once more, behind the others
//! cut n1 [n2]                       nothing passes between them, or between n1 and anybody
//! oneway n1 n2                      nothing passes from n1 to n2
//! hold n1 n2                        settle leaves what n1 sends to n2 on its way
//! heal                              no cut, no hold
//! disk n1 [times]                   its oldest disk operation completes
//! fail n1                           its oldest disk operation fails
//! stall n1, unstall n1              settle leaves its disk alone, or no longer
//! crash n1 lose|keep|tear SECTORS   the power fails; of what is not durable, …
//! kill n1 lose|keep|tear SECTORS    the process dies; the page cache stays
//! restart n1                        it is born again
//! rot n1 FILE OFFSET                a durable byte changes
//! put, create, update n1 /a 1       a client writes; x*600 is 600 times x
//! cas n1 /a 1 2, cad n1 /a 1        … if the value is 1
//! post n1 /q 1                      it creates a key in order; like all that write, …
//! mkdir n1 /a ttl=5                 … with seconds to live, or without
//! refresh n1 /a ttl=5               it gives others
//! delete n1 /a, rmdir n1 /a
//! watch n1 /a FROM [recursive]      it waits for events from a store index on
//! read n1                           a client asks for a linearizable read
//! publish n1                        it makes its name known
//! forget n1 REQUEST                 the client goes away
//! get n1 /a                         what its view answers
//! state                             every node's view in a line
//! clock                             every node's clock and what is due next, in ms
//! flight                            what is on its way and under way
//! expect n1 leader|follower|down    or the story fails
//! quiet COMMAND                     the same, shown only if it fails
//! ```

use std::str::SplitWhitespace;
use std::sync::Arc;

use quorate_engine::tree::{Path, Read, Watch};
use quorate_engine::{
    Attributes, Change, Condition, Config, Content, FileName, NodeId, Refresh, Request, Role, Write,
};

use super::{Mishap, Tabletop};
use crate::disk::{Keep, Lose, Mercy, Tear};

/// The default of a log segment's size: a story is short.
const SEGMENT_BYTES: u64 = 32 << 10;

/// A story being told: a table, once there is a cluster.
#[derive(Debug, Default)]
pub struct Story {
    table: Option<Tabletop>,
    limit: Option<usize>,
}

/// The words of a command behind the first.
type Words<'a> = SplitWhitespace<'a>;

/// Sets a bound in a configuration.
type Bound = fn(&mut Config, u64);

impl Story {
    /// A story that ends, wherever it is, when nodes have been given so many inputs.
    pub fn of(steps: usize) -> Self {
        Self { table: None, limit: Some(steps) }
    }

    /// The cluster as the story has left it.
    pub fn into_table(self) -> Option<Tabletop> {
        self.table
    }

    /// Obeys one command; what follows from it, one line each.
    ///
    /// # Errors
    /// When it makes no sense, cannot be done, or breaks a property; with the
    /// lines that led there.
    pub fn tell(&mut self, command: &str) -> Result<Vec<String>, String> {
        let mut words = command.split_whitespace();
        let (verb, quiet) = match words.next() {
            Some("quiet") => (words.next(), true),
            verb => (verb, false),
        };
        let verb = verb.ok_or("an empty command")?;
        let told = self.obey(verb, &mut words).and_then(|lines| match words.next() {
            Some(word) => Err(format!("what is {word:?} for?")),
            None => Ok(lines),
        });
        let mut journal = self.table.as_mut().map(Tabletop::take_journal).unwrap_or_default();
        match told {
            Err(what) => Err(format!("{}\n{command}: {what}", journal.join("\n"))),
            Ok(_) if quiet => Ok(Vec::new()),
            Ok(lines) => {
                journal.extend(lines);
                Ok(counted(journal))
            }
        }
    }

    fn obey(&mut self, verb: &str, words: &mut Words<'_>) -> Result<Vec<String>, String> {
        if verb == "cluster" {
            let table = self.table.insert(cluster(words)?);
            self.limit.into_iter().for_each(|steps| table.limit(steps));
            return Ok(Vec::new());
        }
        let table = self.table.as_mut().ok_or("there is no cluster yet")?;
        match verb {
            "clock" => return Ok(table.ids().map(|id| clock(table, id)).collect()),
            "state" => return Ok(table.ids().map(|id| state(table, id)).collect()),
            "flight" => return Ok(table.under_way()),
            "get" => return get(table, words).map(|line| vec![line]),
            "expect" => expect(table, words)?,
            "rot" => rot(table, words)?,
            "cut" => cut(table, words)?,
            _ => step(table, verb, words)?.map_err(|mishap| mishap.to_string())?,
        }
        Ok(Vec::new())
    }
}

/// What a cluster does. The outer error is a command without sense.
fn step(
    table: &mut Tabletop,
    verb: &str,
    words: &mut Words<'_>,
) -> Result<Result<(), Mishap>, String> {
    Ok(match verb {
        "settle" => table.settle(),
        "heal" => {
            table.heal();
            Ok(())
        }
        "elect" => table.elect(node(words)?),
        "tick" => {
            let (id, times) = (node(words)?, count(words)?);
            (0..times).try_for_each(|_| table.tick(id))
        }
        "pass" => (0..count(words)?).try_for_each(|_| table.pass()),
        "wall" => table.jump(node(words)?, signed(words)?),
        "deliver" => table.deliver(node(words)?, node(words)?, count(words)? - 1),
        "lose" => table.lose(node(words)?, node(words)?, count(words)? - 1),
        "duplicate" => table.duplicate(node(words)?, node(words)?, count(words)? - 1),
        "oneway" => {
            table.cut(node(words)?, node(words)?);
            Ok(())
        }
        "hold" => {
            table.hold(node(words)?, node(words)?);
            Ok(())
        }
        "disk" => {
            let (id, times) = (node(words)?, count(words)?);
            (0..times).try_for_each(|_| table.disk(id))
        }
        "fail" => table.fail(node(words)?, "input/output error"),
        "stall" => table.stall(node(words)?, true),
        "unstall" => table.stall(node(words)?, false),
        "crash" => table.crash(node(words)?, &mut *mercy(words)?),
        "kill" => table.kill(node(words)?, &mut *mercy(words)?),
        "restart" => table.restart(node(words)?),
        "forget" => table.forget(node(words)?, number(words)?),
        _ => {
            let id = node(words)?;
            table.client(id, request(verb, id, words)?).map(|_| ())
        }
    })
}

fn cluster(words: &mut Words<'_>) -> Result<Tabletop, String> {
    let size = number(words)?;
    let tweaks = words.map(tweak).collect::<Result<Vec<_>, _>>()?;
    let tweak = |config: &mut Config| {
        config.segment_bytes = SEGMENT_BYTES;
        for (set, value) in &tweaks {
            set(config, *value);
        }
    };
    Tabletop::new(size, tweak).map_err(|mishap| mishap.to_string())
}

/// The fields of a configuration that stories like to have small.
fn tweak(word: &str) -> Result<(Bound, u64), String> {
    let (name, value) = word.split_once('=').ok_or("a tweak is FIELD=NUMBER")?;
    let bound: Bound = match name {
        "snapshot_entries" => |config, value| config.snapshot_entries = value,
        "catch_up_entries" => |config, value| config.catch_up_entries = value,
        "segment_bytes" => |config, value| config.segment_bytes = value,
        "max_append_bytes" => |config, value| config.max_append_bytes = value,
        "chunk_window" => |config, value| config.chunk_window = value,
        "history_events" => |config, value| config.history_events = value as usize,
        _ => return Err(format!("{name} cannot be tweaked")),
    };
    Ok((bound, value.parse().map_err(|_| format!("{value} is no number"))?))
}

fn request(verb: &str, id: NodeId, words: &mut Words<'_>) -> Result<Request, String> {
    match verb {
        "read" => return Ok(Request::Read),
        "publish" => {
            let client_urls = vec![format!("http://n{id}:2379")];
            return Ok(Request::Publish(Attributes { name: format!("n{id}"), client_urls }));
        }
        _ => {}
    }
    let path = path(words)?;
    if verb == "watch" {
        let (from, recursive) = (number(words)?, words.next() == Some("recursive"));
        return Ok(Request::Watch(Watch { path, recursive, from, limit: 100 }));
    }
    let change = match verb {
        "put" => Change::Set { content: Content::File(value(words)?), ttl: ttl(words)? },
        "create" => Change::Create { content: Content::File(value(words)?), ttl: ttl(words)? },
        "update" => Change::Update { value: Some(value(words)?), ttl: ttl(words)? },
        "post" => Change::CreateInOrder { content: Content::File(value(words)?), ttl: ttl(words)? },
        "refresh" => {
            let ttl = ttl(words)?.ok_or("a refresh wants ttl=SECONDS")?;
            Change::Refresh { ttl, like: Refresh::Set }
        }
        "cas" => {
            let condition = Condition { value: Some(value(words)?), index: None };
            Change::CompareAndSwap { condition, value: value(words)?, ttl: ttl(words)? }
        }
        "cad" => {
            let condition = Condition { value: Some(value(words)?), index: None };
            Change::CompareAndDelete { condition }
        }
        "delete" => Change::Delete { dir: false, recursive: false },
        "rmdir" => Change::Delete { dir: true, recursive: true },
        "mkdir" => Change::Create { content: Content::Dir, ttl: ttl(words)? },
        _ => return Err(format!("there is no command {verb}")),
    };
    Ok(Request::Write(Write { path, change }))
}

fn get(table: &Tabletop, words: &mut Words<'_>) -> Result<String, String> {
    let (id, path) = (node(words)?, path(words)?);
    let view = table.view(id).ok_or(format!("n{id} is down"))?;
    let (node, at) = match view.read(&Read { path, recursive: false }) {
        Ok(found) => found,
        Err(fault) => return Ok(format!("n{id} {fault}")),
    };
    let path = &node.path;
    let ttl = node.expires.map(|it| format!(" ttl {} until {}", it.ttl, it.wall_ms));
    let ttl = ttl.unwrap_or_default();
    Ok(match node.value {
        Some(value) => format!("n{id} {path}={value}{ttl} {at}"),
        None => format!("n{id} {path} dir of {}{ttl} {at}", node.nodes.len()),
    })
}

fn clock(table: &Tabletop, id: NodeId) -> String {
    let Some(view) = table.view(id) else { return format!("n{id} down") };
    let now = view.tree.clock().cluster_ms;
    match view.tree.next_deadline() {
        Some(due) => format!("n{id} clock {now} next due {due}"),
        None => format!("n{id} clock {now}"),
    }
}

fn state(table: &Tabletop, id: NodeId) -> String {
    let Some(view) = table.view(id) else { return format!("n{id} down") };
    let leader = match view.leader {
        Some(leader) if leader != id => format!(" of n{leader}"),
        _ => String::new(),
    };
    let (role, term) = (role(view.role), view.term);
    let (committed, applied) = (view.committed, view.applied);
    let store = view.tree.store_index();
    format!(
        "n{id} {role}{leader} term {term} committed {committed} applied {applied} store {store}"
    )
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Follower => "follower",
        Role::PreCandidate => "pre-candidate",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
    }
}

fn expect(table: &Tabletop, words: &mut Words<'_>) -> Result<(), String> {
    let (id, expected) = (node(words)?, word(words)?);
    let is = table.view(id).map_or("down", |view| role(view.role));
    if is == expected { Ok(()) } else { Err(format!("n{id} is {is}, not {expected}")) }
}

fn rot(table: &mut Tabletop, words: &mut Words<'_>) -> Result<(), String> {
    let (id, file, offset) = (node(words)?, FileName::new(word(words)?), number(words)?);
    let disk = table.disk_of(id).ok_or(format!("there is no n{id}"))?;
    if disk.rot(&file, offset, 1) { Ok(()) } else { Err(format!("{file} has no byte {offset}")) }
}

fn cut(table: &mut Tabletop, words: &mut Words<'_>) -> Result<(), String> {
    let id = node(words)?;
    let others = match words.next() {
        Some(word) => vec![named(word)?],
        None => table.ids().filter(|other| *other != id).collect(),
    };
    for other in others {
        table.cut(id, other);
        table.cut(other, id);
    }
    Ok(())
}

fn mercy(words: &mut Words<'_>) -> Result<Box<dyn Mercy>, String> {
    Ok(match word(words)? {
        "lose" => Box::new(Lose),
        "keep" => Box::new(Keep),
        "tear" => Box::new(Tear(number(words)?)),
        other => return Err(format!("lose, keep or tear, not {other}")),
    })
}

fn word<'a>(words: &mut Words<'a>) -> Result<&'a str, String> {
    words.next().ok_or_else(|| "it wants one more word".to_owned())
}

/// `x*600` is 600 times `x`, anything else itself.
fn value(words: &mut Words<'_>) -> Result<Arc<str>, String> {
    let text = word(words)?;
    match text.split_once('*').map(|(what, times)| (what, times.parse())) {
        Some((what, Ok(times))) => Ok(what.repeat(times).into()),
        _ => Ok(text.into()),
    }
}

fn node(words: &mut Words<'_>) -> Result<NodeId, String> {
    named(word(words)?)
}

fn named(word: &str) -> Result<NodeId, String> {
    let id = word.strip_prefix('n').and_then(|id| id.parse().ok());
    id.ok_or_else(|| format!("{word} is no node"))
}

fn path(words: &mut Words<'_>) -> Result<Path, String> {
    let text = word(words)?;
    Path::new(text).map_err(|_| format!("{text} is no path"))
}

fn number(words: &mut Words<'_>) -> Result<u64, String> {
    let text = word(words)?;
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn signed(words: &mut Words<'_>) -> Result<i64, String> {
    let text = word(words)?;
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// Seconds to live, if anything is left to be said.
fn ttl(words: &mut Words<'_>) -> Result<Option<u64>, String> {
    match words.next().map(|word| word.strip_prefix("ttl=").map(str::parse)) {
        None => Ok(None),
        Some(Some(Ok(seconds))) => Ok(Some(seconds)),
        Some(_) => Err("it wants ttl=SECONDS".to_owned()),
    }
}

/// An optional number from 1 on; 1 if not said.
fn count(words: &mut Words<'_>) -> Result<usize, String> {
    match words.next().map(str::parse) {
        None => Ok(1),
        Some(Ok(count)) if count > 0 => Ok(count),
        Some(_) => Err("it wants a number from 1 on".to_owned()),
    }
}

/// Lines that repeat are shown once, with their number.
fn counted(lines: Vec<String>) -> Vec<String> {
    let same = |run: &[String]| match run {
        [line] => line.clone(),
        _ => format!("{} ({} times)", run[0], run.len()),
    };
    lines.chunk_by(|a, b| a == b).map(same).collect()
}
