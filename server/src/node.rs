//! The driver: one thread that owns the engine, gives it what comes in and
//! carries out what it says.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::{ArcSwap, Guard};
use quorate_engine::{
    Bound, DiskError, DiskId, Engine, Halt, Input, Lost, Message, NodeId, Outcome, Output, Refused,
    Request, RequestId, View,
};
use tokio::sync::oneshot;

use crate::discard::discard;
use crate::disk::Operations;
use crate::peers::Peers;
use crate::statistics::Statistics;

/// Words that wait for the engine. Beyond it clients are refused and peers'
/// messages dropped.
const INBOX: usize = 16_384;

/// Words taken between two publications of the view.
const BATCH: usize = 1_024;

/// What the rest of the server tells the engine's thread.
#[derive(Debug)]
pub enum Word {
    /// A client's request, and where the answer is awaited.
    Client { id: RequestId, request: Request, reply: oneshot::Sender<Outcome> },
    /// That client has gone.
    Forget { id: RequestId },
    /// A message from a peer.
    Peer { from: NodeId, message: Message },
    /// A disk operation has ended.
    Disk { id: DiskId, result: Result<(), DiskError> },
    /// Somebody asks for the statistics.
    Statistics { reply: oneshot::Sender<Statistics> },
    /// The server stops.
    Stop,
}

/// How the engine's thread ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// As it was told to.
    Stopped,
    /// The engine can do nothing further that is safe.
    Halted(Halt),
}

/// The way to the engine: for the server's other threads.
#[derive(Clone, Debug)]
pub struct Node {
    inbox: SyncSender<Word>,
    view: Arc<ArcSwap<View>>,
    next: Arc<AtomicU64>,
    /// Whether somebody has gone and found no room to say so.
    unheard: Arc<AtomicBool>,
}

/// The engine and its neighbours, until [`Driver::run`] ends.
#[derive(Debug)]
pub struct Driver {
    engine: Engine,
    inbox: Receiver<Word>,
    view: Arc<ArcSwap<View>>,
    unheard: Arc<AtomicBool>,
    disk: Operations,
    peers: Peers,
    statistics: Statistics,
    waiting: HashMap<RequestId, oneshot::Sender<Outcome>>,
    inputs: Vec<Input>,
    out: Vec<Output>,
    replies: Vec<(RequestId, Outcome)>,
    completions: Vec<Input>,
}

impl Node {
    /// The way to an engine that shows this view, and the inbox at its end.
    pub fn new(view: View) -> (Self, Receiver<Word>) {
        let (inbox, words) = sync_channel(INBOX);
        let view = Arc::new(ArcSwap::from_pointee(view));
        let (next, unheard) = (Arc::new(AtomicU64::new(1)), Arc::default());
        (Self { inbox, view, next, unheard }, words)
    }

    /// Where words are left; full means wait or do without.
    pub fn inbox(&self) -> &SyncSender<Word> {
        &self.inbox
    }

    /// The view published last.
    pub fn view(&self) -> Guard<Arc<View>> {
        self.view.load()
    }

    /// Asks the engine. Dropping the future tells it that nobody waits any more.
    pub async fn ask(&self, request: Request) -> Outcome {
        let (harmless, bound) = match request {
            Request::Read => (true, Bound::PendingReads),
            Request::Watch(_) => (true, Bound::Watches),
            Request::Write(_) | Request::Publish(_) => (false, Bound::PendingWrites),
        };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        match self.inbox.try_send(Word::Client { id, request, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Outcome::Refused(Refused::Bound(bound)),
            Err(TrySendError::Disconnected(_)) => return Outcome::Refused(Refused::Stopping),
        }
        let mut forget = ForgetOnDrop { node: Some(self), id };
        let outcome = answer.await;
        forget.node = None;
        outcome.unwrap_or(match harmless {
            true => Outcome::Refused(Refused::Stopping),
            false => Outcome::Lost(Lost::Stopping),
        })
    }

    /// What the driver has counted; `None` once it has ended.
    pub async fn statistics(&self) -> Option<Statistics> {
        let (reply, answer) = oneshot::channel();
        self.inbox.try_send(Word::Statistics { reply }).ok()?;
        answer.await.ok()
    }
}

struct ForgetOnDrop<'a> {
    node: Option<&'a Node>,
    id: RequestId,
}

impl Drop for ForgetOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(node) = self.node
            && node.inbox.try_send(Word::Forget { id: self.id }).is_err()
        {
            node.unheard.store(true, Ordering::Release);
        }
    }
}

impl Driver {
    /// An engine and its neighbours.
    pub fn new(
        engine: Engine,
        node: &Node,
        inbox: Receiver<Word>,
        disk: Operations,
        peers: Peers,
    ) -> Self {
        let statistics = Statistics::new(&engine.view());
        Self {
            engine,
            inbox,
            view: node.view.clone(),
            unheard: node.unheard.clone(),
            disk,
            peers,
            statistics,
            waiting: HashMap::new(),
            inputs: Vec::new(),
            out: Vec::new(),
            replies: Vec::new(),
            completions: Vec::new(),
        }
    }

    /// Runs until told to stop or halted; `born` are the outputs of birth. One
    /// tick per interval, never a burst: what was missed is missed.
    pub fn run(mut self, born: Vec<Output>, tick: Duration) -> End {
        self.out = born;
        if let Err(halt) = self.carry_out() {
            return End::Halted(halt);
        }
        let mut next_tick = Instant::now() + tick;
        loop {
            let stop = match self.take_batch(next_tick) {
                Ok(stop) => stop,
                Err(halt) => return End::Halted(halt),
            };
            let now = Instant::now();
            if now >= next_tick {
                next_tick = now + tick;
                self.inputs.push(Input::Tick { wall_ms: wall_ms() });
                if let Err(halt) = self.step() {
                    return End::Halted(halt);
                }
            }
            self.publish();
            if stop {
                return self.stop();
            }
        }
    }

    /// Takes what is there, waiting for a first word until the next tick is due,
    /// and gives it all to the engine at once. Disk completions come last: what
    /// they release then holds all the writes that were waiting beside them.
    fn take_batch(&mut self, until: Instant) -> Result<bool, Halt> {
        let patience = until.saturating_duration_since(Instant::now());
        let mut word = match self.inbox.recv_timeout(patience) {
            Ok(word) => Some(word),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(true),
        };
        let (mut stop, mut taken) = (false, 0);
        while let Some(next) = word {
            match next {
                Word::Stop => stop = true,
                next => self.take(next),
            }
            taken += 1;
            word = if taken < BATCH { self.inbox.try_recv().ok() } else { None };
        }
        self.forget_unheard();
        self.inputs.append(&mut self.completions);
        self.step()?;
        Ok(stop)
    }

    /// A watch may wait for ever: whoever found no room to say that it has gone is
    /// looked for.
    fn forget_unheard(&mut self) {
        if !self.unheard.swap(false, Ordering::Acquire) {
            return;
        }
        let gone = self.waiting.extract_if(|_, reply| reply.is_closed());
        self.inputs.extend(gone.map(|(id, _)| Input::Forget { id }));
    }

    fn take(&mut self, word: Word) {
        match word {
            Word::Client { id, request, reply } => {
                let gone = reply.is_closed();
                self.waiting.insert(id, reply);
                self.inputs.push(Input::Client { id, request });
                if gone {
                    self.forget(id);
                }
            }
            Word::Forget { id } => self.forget(id),
            Word::Peer { from, message } => {
                self.statistics.received(from, &message);
                self.inputs.push(Input::Peer { from, message });
            }
            Word::Disk { id, result } => {
                self.completions.push(Input::Disk { id, result });
            }
            Word::Statistics { reply } => {
                let _ = reply.send(self.statistics.clone());
            }
            Word::Stop => unreachable!("taken by the caller"),
        }
    }

    fn forget(&mut self, id: RequestId) {
        self.waiting.remove(&id);
        self.inputs.push(Input::Forget { id });
    }

    fn step(&mut self) -> Result<(), Halt> {
        self.engine.step_all(self.inputs.drain(..), &mut self.out);
        self.carry_out()
    }

    /// Replies wait until the view that they speak of is published.
    fn carry_out(&mut self) -> Result<(), Halt> {
        for output in self.out.drain(..) {
            match output {
                Output::Peer { to, message } => {
                    let append = message.append_bytes();
                    let sent = self.peers.send(to, message);
                    if let Some(bytes) = append {
                        self.statistics.sent(to, bytes, sent);
                    }
                }
                Output::Reply { id, outcome } => self.replies.push((id, outcome)),
                // The disk's thread lives until this sender is dropped.
                Output::Disk { id, op } => drop(self.disk.send((id, op))),
                Output::Halt(halt) => return Err(halt),
            }
        }
        Ok(())
    }

    fn publish(&mut self) {
        let view = self.engine.view();
        self.statistics.observe(&view);
        self.view.store(Arc::new(view));
        if let Some(discarded) = self.engine.discarded() {
            discard(discarded);
        }
        for (id, outcome) in self.replies.drain(..) {
            if let Some(reply) = self.waiting.remove(&id) {
                let _ = reply.send(outcome);
            }
        }
    }

    fn stop(self) -> End {
        let Self { engine, mut waiting, disk, .. } = self;
        for output in engine.shutdown() {
            match output {
                Output::Reply { id, outcome } => {
                    if let Some(reply) = waiting.remove(&id) {
                        let _ = reply.send(outcome);
                    }
                }
                Output::Disk { id, op } => drop(disk.send((id, op))),
                Output::Peer { .. } => {}
                Output::Halt(halt) => return End::Halted(halt),
            }
        }
        End::Stopped
    }
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use quorate_engine::tree::{Path, Watch};
    use std::future::Future;
    use std::pin::pin;
    use std::sync::mpsc::channel;
    use std::task::{Context, Waker};

    use quorate_engine::{Attributes, Config, Image};

    use super::*;
    use crate::identity::Identity;
    use crate::urls::Url;

    fn engine(identity: &Identity) -> (Engine, Vec<Output>) {
        let members = identity.members.clone();
        let config = Config::new(identity.id, identity.cluster, members);
        Engine::recover(config, Image::new()).unwrap()
    }

    fn identity() -> Identity {
        let urls = Url::parse_list("http://localhost:2380").unwrap();
        Identity::new("a", &[("a".into(), urls)], "t", 1_000).unwrap()
    }

    /// A driver whose node is ready, on a disk that does at once what it is told.
    fn driver() -> (Node, Driver) {
        let identity = identity();
        let (engine, born) = engine(&identity);
        let (node, inbox) = Node::new(engine.view());
        let (disk, operations) = channel();
        let mut driver = Driver::new(engine, &node, inbox, disk, Peers::connect(&identity));
        driver.out = born;
        driver.carry_out().unwrap();
        while !node.view().ready {
            driver.inputs.push(Input::Tick { wall_ms: 0 });
            driver.step().unwrap();
            while let Ok((id, _)) = operations.try_recv() {
                driver.inputs.push(Input::Disk { id, result: Ok(()) });
                driver.step().unwrap();
            }
            driver.publish();
        }
        (node, driver)
    }

    fn watch() -> Request {
        Request::Watch(Watch { path: Path::root(), recursive: true, from: 1, limit: 1 })
    }

    #[tokio::test]
    async fn only_what_may_have_been_written_is_lost_with_the_engine() {
        let publish = Request::Publish(Attributes::default());
        for (request, outcome) in [
            (Request::Read, Outcome::Refused(Refused::Stopping)),
            (watch(), Outcome::Refused(Refused::Stopping)),
            (publish, Outcome::Lost(Lost::Stopping)),
        ] {
            let (node, inbox) = Node::new(engine(&identity()).0.view());
            let asked = tokio::spawn(async move { node.ask(request).await });
            let word = tokio::task::spawn_blocking(move || inbox.recv().unwrap()).await;
            drop(word.unwrap());
            assert_eq!(asked.await.unwrap(), outcome);
        }
    }

    #[tokio::test]
    async fn who_finds_no_room_to_say_that_it_goes_is_forgotten_all_the_same() {
        for begun in [false, true] {
            let (node, mut driver) = driver();
            {
                let mut asked = pin!(node.ask(watch()));
                let polled = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(polled.is_pending());
                if begun {
                    driver.take_batch(Instant::now()).unwrap();
                    assert_eq!(driver.waiting.len(), 1);
                }
                while node.inbox.try_send(Word::Forget { id: 0 }).is_ok() {}
            }
            for _ in 0..=INBOX / BATCH {
                driver.take_batch(Instant::now()).unwrap();
            }
            assert!(driver.waiting.is_empty(), "begun: {begun}");
        }
    }
}
