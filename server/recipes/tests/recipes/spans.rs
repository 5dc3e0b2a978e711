//! Who believed to hold what, and when: the oracle of everything exclusive.

use std::cell::RefCell;
use std::rc::Rc;

use quorate_recipes::Store;
use quorate_recipes::lease::Lease;

use crate::fake::{Client, Cluster, finish, process};

/// One holder's belief, in real time.
#[derive(Clone, Copy, Debug)]
struct Span {
    token: u64,
    from_ms: u64,
    to_ms: u64,
}

/// All beliefs of a run.
#[derive(Clone, Default)]
pub struct Spans(Rc<RefCell<Vec<Span>>>);

impl Spans {
    /// Holds a lease for some beats, like a process that looks at nothing but its
    /// clock, and releases it if it is not lost.
    pub async fn hold(&self, client: &Client, mut lease: Lease, beats: u64) {
        let at = self.0.borrow().len();
        let span = |from_ms, lease: &Lease| Span {
            token: lease.token,
            from_ms,
            to_ms: client.real_ms(lease.until_ms),
        };
        let from_ms = client.cluster.now_ms();
        self.0.borrow_mut().push(span(from_ms, &lease));
        for _ in 0..beats {
            client.sleep(lease.beat_ms()).await;
            if !lease.keep(client).await.expect("no refusal") {
                return;
            }
            self.0.borrow_mut()[at] = span(from_ms, &lease);
        }
        let now_ms = client.cluster.now_ms();
        let to_ms = self.0.borrow()[at].to_ms.min(now_ms);
        self.0.borrow_mut()[at].to_ms = to_ms;
        lease.release(client).await.expect("no refusal");
    }

    /// Four processes take what there is to take three times each, and one of them
    /// crashes, wherever it stands; one at a time held it all the same.
    pub async fn contend(
        cluster: &Rc<Cluster>,
        acquire: impl AsyncFn(&Client) -> Lease + Clone + 'static,
    ) {
        let spans = Self::default();
        let mut processes = Vec::new();
        for _ in 0..4 {
            let (client, spans, acquire) = (cluster.client(), spans.clone(), acquire.clone());
            processes.push(process(async move {
                for _ in 0..3 {
                    let lease = acquire(&client).await;
                    let beats = client.cluster.between(0, 6);
                    spans.hold(&client, lease, beats).await;
                }
            }));
        }
        cluster.client().sleep(cluster.between(1, 20_000)).await;
        processes.pop().expect("four").abort();
        finish(processes).await;
        assert!(spans.count() >= 9, "each survivor had it three times");
        spans.judge();
    }

    /// How often something was held.
    pub fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// One at a time, and tokens grow.
    pub fn judge(&self) {
        for pair in self.0.borrow().windows(2) {
            let [before, after] = pair else { unreachable!("windows of two") };
            assert!(before.token < after.token, "tokens fall: {before:?}, then {after:?}");
            assert!(before.to_ms <= after.from_ms, "two at a time: {before:?} and {after:?}");
        }
    }
}
