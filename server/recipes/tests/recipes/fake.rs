//! A cluster of one naive tree, and clients to whom everything happens that happens
//! to clients: answers get lost, writes come late, processes sleep, clocks drift.
//!
//! Time is virtual and everything runs on one thread, so a seed is a run.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use quorate_recipes::{Failure, Put, Reply, Request, Store};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{Instant, sleep, timeout};

use crate::tree::{self, Happened, Tree};

/// No run takes longer, in virtual time.
const LIMIT: Duration = Duration::from_secs(3_600);
/// How often what has expired is removed, as etcd does.
const SYNC: Duration = Duration::from_millis(500);

/// How likely it is, in percent of requests, that ...
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// ... it is refused and did not happen.
    pub refused: u32,
    /// ... it is lost on the way there.
    pub lost: u32,
    /// ... it happens, and the answer is lost.
    pub unanswered: u32,
    /// ... nothing is heard of it, and it happens up to 12 s later.
    pub late: u32,
    /// ... the client falls asleep for up to 12 s, right before or right after.
    pub pause: u32,
    /// How much faster or slower than time clients' clocks run at most, in percent.
    pub drift: u32,
}

pub const CALM: Weather =
    Weather { refused: 0, lost: 0, unanswered: 0, late: 0, pause: 0, drift: 0 };
pub const STORM: Weather =
    Weather { refused: 8, lost: 5, unanswered: 8, late: 5, pause: 3, drift: 15 };

/// The longest that a late write takes or a client sleeps, in ms.
pub const LATE_MS: u64 = 12_000;

pub struct Cluster {
    pub tree: RefCell<Tree>,
    pub weather: RefCell<Weather>,
    changed: Notify,
    began: Instant,
    rng: RefCell<Xoshiro256PlusPlus>,
    reads: Cell<u64>,
}

/// One client of a cluster.
#[derive(Clone)]
pub struct Client {
    pub cluster: Rc<Cluster>,
    /// Its clock's speed, in thousandths.
    speed: u64,
}

/// How many seeds a test takes: `QUORATE_SEEDS`, or 100; or only `QUORATE_SEED`.
fn seeds() -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().map(|it| it.parse().expect("a number"));
    match number("QUORATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("QUORATE_SEEDS").unwrap_or(100),
    }
}

/// Runs a story with many seeds, each in a cluster of its own.
pub fn each_seed(weather: Weather, story: impl AsyncFn(Rc<Cluster>)) {
    for seed in seeds() {
        println!("QUORATE_SEED={seed}");
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let cluster = Rc::new(Cluster::new(seed, weather));
            spawn_local(sync(cluster.clone()));
            timeout(LIMIT, story(cluster)).await.expect("the story ends");
        });
    }
}

async fn sync(cluster: Rc<Cluster>) {
    loop {
        sleep(SYNC).await;
        cluster.tree.borrow_mut().expire(cluster.now_ms());
        cluster.changed.notify_waiters();
    }
}

impl Cluster {
    fn new(seed: u64, weather: Weather) -> Self {
        Self {
            tree: RefCell::default(),
            weather: RefCell::new(weather),
            changed: Notify::new(),
            began: Instant::now(),
            rng: RefCell::new(Xoshiro256PlusPlus::seed_from_u64(seed)),
            reads: Cell::new(0),
        }
    }

    pub fn client(self: &Rc<Self>) -> Client {
        let drift = u64::from(self.weather.borrow().drift) * 10;
        Client { cluster: self.clone(), speed: self.between(1000 - drift, 1000 + drift) }
    }

    /// Real time, in ms since the beginning.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).expect("runs are short")
    }

    /// A random number of this range, both ends included.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        self.rng.borrow_mut().random_range(low..=high)
    }

    pub fn chance(&self, percent: u32) -> bool {
        self.rng.borrow_mut().random_ratio(percent, 100)
    }

    /// How many reads were answered.
    pub fn reads(&self) -> u64 {
        self.reads.get()
    }

    /// More events than a watch may look back at, somewhere else.
    pub fn pass_the_window(&self) {
        for _ in 0..2 * tree::WINDOW {
            let value = Some(String::new());
            let put = Put { key: "/elsewhere".into(), value, ..Put::default() };
            self.apply(&put.into()).expect("nothing is in the way");
        }
    }

    /// Everything that happened to keys that begin so.
    pub fn history(&self, prefix: &str) -> Vec<Happened> {
        let tree = self.tree.borrow();
        let below = tree.history.iter().filter(|it| it.event.node.key.starts_with(prefix));
        below.cloned().collect()
    }

    /// No more trouble from now on, once what is late has arrived.
    pub async fn clear_up(&self) {
        *self.weather.borrow_mut() = CALM;
        sleep(Duration::from_millis(2 * LATE_MS)).await;
    }

    fn apply(&self, request: &Request) -> Result<Reply, Failure> {
        let answer = self.tree.borrow_mut().apply(request, self.now_ms());
        if matches!(request, Request::Get(_)) {
            self.reads.set(self.reads.get() + 1);
        }
        self.changed.notify_waiters();
        answer.map_err(Failure::Refused)
    }
}

impl Client {
    /// What time it really is when this client's clock shows so much.
    pub fn real_ms(&self, shown_ms: u64) -> u64 {
        shown_ms * 1000 / self.speed
    }

    async fn trip(&self) {
        let cluster = &self.cluster;
        let pause = cluster.weather.borrow().pause;
        let ms = if cluster.chance(pause) { cluster.between(1, LATE_MS) } else { 0 };
        sleep(Duration::from_millis(ms + cluster.between(1, 5))).await;
    }

    async fn carry_out(&self, request: &Request) -> Result<Reply, Failure> {
        let Request::Watch(watch) = request else { return self.cluster.apply(request) };
        let wait = async {
            loop {
                let changed = self.cluster.changed.notified();
                let answer = self.cluster.tree.borrow_mut().apply(request, 0);
                match answer {
                    Ok(Reply { node: None, .. }) => changed.await,
                    answer => return answer.map_err(Failure::Refused),
                }
            }
        };
        let index = self.cluster.tree.borrow().index;
        match timeout(Duration::from_millis(watch.patience_ms), wait).await {
            Ok(answer) => answer,
            Err(_) => Ok(Reply { index, ..Reply::default() }),
        }
    }
}

impl Store for Client {
    async fn request(&self, request: Request) -> Result<Reply, Failure> {
        let cluster = &self.cluster;
        self.trip().await;
        let weather = *cluster.weather.borrow();
        let drawn = u32::try_from(cluster.between(0, 99)).expect("small");
        let unknown = |why: &str| Err(Failure::Unknown(why.into()));
        let lost = weather.refused + weather.lost;
        let answer = if drawn < weather.refused {
            Err(Failure::NotDone("refused".into()))
        } else if drawn < lost {
            unknown("lost")
        } else if drawn < lost + weather.unanswered {
            let _ = self.carry_out(&request).await;
            unknown("unanswered")
        } else if drawn < lost + weather.unanswered + weather.late {
            let ms = cluster.between(1, LATE_MS);
            let cluster = cluster.clone();
            spawn_local(async move {
                sleep(Duration::from_millis(ms)).await;
                let _ = cluster.apply(&request);
            });
            unknown("late")
        } else {
            self.carry_out(&request).await
        };
        self.trip().await;
        answer
    }

    async fn sleep(&self, ms: u64) {
        sleep(Duration::from_millis(self.real_ms(ms))).await;
    }

    fn now_ms(&self) -> u64 {
        self.cluster.now_ms() * self.speed / 1000
    }

    fn random(&self) -> u64 {
        self.cluster.rng.borrow_mut().random()
    }
}

/// A process: it may be killed at any moment.
pub fn process(work: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
    spawn_local(work)
}

/// Waits for processes; what one of them asserts, the test asserts.
pub async fn finish(processes: Vec<JoinHandle<()>>) {
    for process in processes {
        match process.await {
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            _ => {}
        }
    }
}
