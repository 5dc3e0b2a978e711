use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use quorate_recipes::balance::Balance;
use quorate_recipes::{Failure, Node, Refusal, Reply, Request, Store};

use crate::fake::{CALM, Cluster, each_seed};

/// A member that is behind the newest index by so much, or down.
struct Member {
    cluster: Rc<Cluster>,
    newest: Rc<Cell<u64>>,
    behind: Rc<Cell<u64>>,
    is_up: Rc<Cell<bool>>,
    asked: Rc<RefCell<BTreeMap<usize, u64>>>,
    id: usize,
}

impl Store for Member {
    async fn request(&self, request: Request) -> Result<Reply, Failure> {
        let Request::Get(get) = request else { panic!("a balance only reads") };
        *self.asked.borrow_mut().entry(self.id).or_default() += 1;
        self.sleep(1).await;
        if !self.is_up.get() {
            return Err(Failure::NotDone("down".into()));
        }
        let behind = if get.local { self.behind.get() } else { 0 };
        let index = self.newest.get().saturating_sub(behind);
        if index % 5 == 0 {
            return Err(Failure::Refused(Refusal { code: 100, index, ..Refusal::default() }));
        }
        let node = Node { value: Some(index.to_string()), ..Node::default() };
        Ok(Reply { node: Some(node), index, ..Reply::default() })
    }

    async fn sleep(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    fn now_ms(&self) -> u64 {
        self.cluster.now_ms()
    }

    fn random(&self) -> u64 {
        self.cluster.between(0, u64::MAX)
    }
}

#[test]
fn indexes_never_fall_however_far_members_are_behind() {
    each_seed(CALM, async |cluster| {
        let newest = Rc::new(Cell::new(10));
        let asked: Rc<RefCell<BTreeMap<usize, u64>>> = Rc::default();
        let (behind, is_up): (Vec<_>, Vec<_>) =
            (0..3).map(|_| (Rc::new(Cell::new(0)), Rc::new(Cell::new(true)))).unzip();
        let members = (0..3).map(|id| Member {
            cluster: cluster.clone(),
            newest: newest.clone(),
            behind: behind[id].clone(),
            is_up: is_up[id].clone(),
            asked: asked.clone(),
            id,
        });
        let mut balance = Balance::new(members.collect());
        let mut floor = 0;
        for _ in 0..100 {
            newest.set(newest.get() + cluster.between(0, 3));
            for id in 0..3 {
                behind[id].set(cluster.between(0, 8));
                // One at least is up.
                is_up[id].set(id == 0 || cluster.chance(80));
            }
            if cluster.chance(20) {
                floor = newest.get();
                balance.see(floor);
            }
            let fresh = balance.read("/key").await.unwrap();
            assert!(fresh.index >= floor, "{fresh:?} is older than {floor}");
            let value = fresh.node.map(|node| node.text().to_owned());
            assert_eq!(value, (fresh.index % 5 != 0).then(|| fresh.index.to_string()));
            floor = fresh.index;
        }
    });
}

#[test]
fn reads_are_spread_and_a_dead_member_is_left_alone() {
    each_seed(CALM, async |cluster| {
        let asked: Rc<RefCell<BTreeMap<usize, u64>>> = Rc::default();
        let members = (0..3).map(|id| Member {
            cluster: cluster.clone(),
            newest: Rc::new(Cell::new(11)),
            behind: Rc::default(),
            is_up: Rc::new(Cell::new(id != 1)),
            asked: asked.clone(),
            id,
        });
        let mut balance = Balance::new(members.collect());
        for _ in 0..200 {
            balance.read("/key").await.unwrap();
        }
        let asked = asked.borrow();
        assert!(asked[&0] >= 90 && asked[&2] >= 90, "{asked:?}");
        assert_eq!(asked[&1], 1, "200 reads take less than its rest");
    });
}
