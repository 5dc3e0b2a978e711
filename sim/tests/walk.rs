//! Random walks on the tabletop: any step, in any order, breaks no property, and
//! when the walk ends the cluster serves again. `QUORATE_SEED=S` walks one seed,
//! `QUORATE_SEEDS=N` walks so many.

use std::env;

use quorate_engine::tree::{Path, Watch};
use quorate_engine::{
    Change, Condition, Config, Content, NodeId, Outcome, Refresh, Request, Write,
};
use quorate_sim::disk::{Chance, Keep, Lose, Mercy};
use quorate_sim::tabletop::{Mishap, Tabletop};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

const SEEDS: u64 = 300;
const STEPS: usize = 1_500;
/// Rounds of ticks within which a healed cluster must serve.
const ROUNDS: usize = 200;

#[test]
fn walks_break_nothing() {
    let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("QUORATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("QUORATE_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        Walk::new(seed).go();
    }
}

struct Walk {
    seed: u64,
    rng: Xoshiro256PlusPlus,
    table: Tabletop,
    size: u64,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let size = [1, 3, 3, 3, 5][rng.random_range(0..5)];
        let snapshot_entries = rng.random_range(2..30);
        let (segment_bytes, chunk_bytes) = (rng.random_range(256..4096), rng.random_range(64..512));
        let catch_up_entries = rng.random_range(0..10);
        let tweak = |config: &mut Config| {
            config.seed = seed;
            config.snapshot_entries = snapshot_entries;
            config.catch_up_entries = catch_up_entries;
            config.segment_bytes = segment_bytes;
            config.chunk_bytes = chunk_bytes;
            config.history_events = 8;
            config.forward_window = 8;
        };
        let table = Tabletop::new(size, tweak).expect("nothing is wrong yet");
        Self { seed, rng, table, size }
    }

    fn go(mut self) {
        for _ in 0..STEPS {
            let step = self.step();
            self.check(step);
        }
        self.serves_again();
    }

    fn step(&mut self) -> Result<(), Mishap> {
        let (id, other) = (self.node(), self.node());
        match self.rng.random_range(0..1000) {
            0..250 => self.table.tick(id),
            250..580 => {
                let nth = self.rng.random_range(0..4usize).saturating_sub(2);
                self.table.deliver(id, other, nth)
            }
            580..600 => self.table.lose(id, other, 0),
            600..640 => self.table.duplicate(id, other, 0),
            640..850 => {
                let nth = self.rng.random_range(0..4);
                self.table.disk_nth(id, nth)
            }
            850..935 => {
                let request = self.request();
                self.table.client(id, request).map(|_| ())
            }
            935..945 => self.table.settle(),
            945..955 if id != other => {
                self.table.cut(id, other);
                Ok(())
            }
            955..965 => {
                self.table.heal();
                Ok(())
            }
            965..975 => self.end(id),
            _ => self.restart(id),
        }
    }

    fn restart(&mut self, id: NodeId) -> Result<(), Mishap> {
        self.table.restart(id)?;
        if !self.table.is_up(id) {
            self.give_up(&format!("n{id} refuses to start"));
        }
        Ok(())
    }

    fn end(&mut self, id: NodeId) -> Result<(), Mishap> {
        let power = self.rng.random_bool(0.5);
        let mercy: &mut dyn Mercy = match self.rng.random_range(0..4) {
            0 => &mut Lose,
            1 => &mut Keep,
            _ => &mut Chance(&mut self.rng),
        };
        if power { self.table.crash(id, mercy) } else { self.table.kill(id, mercy) }
    }

    fn request(&mut self) -> Request {
        if self.rng.random_bool(0.3) {
            return Request::Read;
        }
        let path = ["/a", "/b", "/c/d", "/c"][self.rng.random_range(0..4)];
        let path = Path::new(path).expect("clean");
        if self.rng.random_bool(0.2) {
            let (recursive, from) = (self.rng.random(), self.rng.random_range(0..60));
            return Request::Watch(Watch { path, recursive, from, limit: 3 });
        }
        let value = "v".repeat(self.rng.random_range(0..300));
        let ttl = self.rng.random_bool(0.3).then(|| self.rng.random_range(0..3));
        let change = match self.rng.random_range(0..7) {
            0 => Change::Create { content: Content::File(value.as_str().into()), ttl },
            1 => Change::Delete { dir: true, recursive: true },
            2 => Change::CompareAndSwap {
                value: value.as_str().into(),
                condition: Condition { value: None, index: Some(self.rng.random_range(1..40)) },
                ttl,
            },
            3 => Change::CreateInOrder { content: Content::Dir, ttl: Some(1) },
            4 => Change::Refresh { ttl: 1, like: Refresh::Set },
            _ => Change::Set { content: Content::File(value.as_str().into()), ttl },
        };
        Request::Write(Write { path, change })
    }

    /// Whatever has happened: healed and left alone, the cluster takes a write.
    fn serves_again(mut self) {
        self.table.heal();
        for id in 1..=self.size {
            if !self.table.is_up(id) {
                let restart = self.restart(id);
                self.check(restart);
            }
        }
        let mut asked = None;
        for _ in 0..ROUNDS {
            for id in 1..=self.size {
                let tick = self.table.tick(id);
                self.check(tick);
            }
            let settle = self.table.settle();
            self.check(settle);
            if let Some(Outcome::Done(_)) = asked.and_then(|id| self.table.reply(id)) {
                return;
            }
            if asked.is_none_or(|id| self.table.reply(id).is_some()) {
                let id = self.node();
                let path = Path::new("/end").expect("clean");
                let change = Change::Set { content: Content::File("".into()), ttl: None };
                let client = self.table.client(id, Request::Write(Write { path, change }));
                asked = client.ok();
            }
        }
        self.give_up("the cluster does not serve again");
    }

    fn check(&mut self, step: Result<(), Mishap>) {
        if let Err(Mishap::Violation(violation)) = step {
            self.give_up(&violation.to_string());
        }
    }

    fn give_up(&mut self, why: &str) -> ! {
        let journal = self.table.take_journal();
        let last = &journal[journal.len().saturating_sub(200)..];
        panic!(
            "{}\n{why}\nagain: QUORATE_SEED={} cargo test --test walk",
            last.join("\n"),
            self.seed
        )
    }

    fn node(&mut self) -> NodeId {
        self.rng.random_range(1..=self.size)
    }
}
