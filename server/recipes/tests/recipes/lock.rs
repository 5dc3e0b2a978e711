use std::cell::Cell;
use std::rc::Rc;

use quorate_recipes::lock::{acquire, try_acquire};
use quorate_recipes::{Store, lease::Lease};

use crate::fake::{CALM, Client, STORM, each_seed, finish, process};
use crate::spans::Spans;

#[test]
fn one_at_a_time_and_tokens_grow_whatever_happens() {
    each_seed(STORM, async |cluster| {
        let acquire =
            async |client: &Client| acquire(client, "/lock", 5).await.expect("no refusal");
        Spans::contend(&cluster, acquire).await;
    });
}

/// Somebody at work, who must be alone.
struct AtWork<'a>(&'a Cell<bool>);

impl<'a> AtWork<'a> {
    fn new(busy: &'a Cell<bool>) -> Self {
        assert!(!busy.replace(true), "two at work");
        Self(busy)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[test]
fn work_is_dropped_before_another_can_begin() {
    each_seed(STORM, async |cluster| {
        let busy = Rc::new(Cell::new(false));
        let mut processes = Vec::new();
        for _ in 0..4 {
            let (client, busy) = (cluster.client(), busy.clone());
            processes.push(process(async move {
                for _ in 0..3 {
                    let mut lease = acquire(&client, "/lock", 5).await.expect("no refusal");
                    let ms = client.cluster.between(0, 8_000);
                    let work = async {
                        let _alone = AtWork::new(&busy);
                        client.sleep(ms).await;
                    };
                    lease.hold(&client, work).await.expect("no refusal");
                    lease.release(&client).await.expect("no refusal");
                }
            }));
        }
        finish(processes).await;
    });
}

#[test]
fn a_dead_holders_lock_is_free_after_its_ttl_and_a_released_one_at_once() {
    each_seed(CALM, async |cluster| {
        let (one, two) = (cluster.client(), cluster.client());
        let lease = acquire(&one, "/lock", 5).await.unwrap();
        assert_eq!(try_acquire(&two, "/lock", 5).await, Ok(None));
        drop(lease);
        let lease = acquire(&two, "/lock", 5).await.unwrap();
        assert!((5_000..5_600).contains(&cluster.now_ms()), "{}", cluster.now_ms());
        lease.release(&two).await.unwrap();
        let released_ms = cluster.now_ms();
        acquire(&one, "/lock", 5).await.unwrap();
        assert!(cluster.now_ms() < released_ms + 100);
    });
}

#[test]
fn a_lease_does_not_outlive_its_key() {
    each_seed(CALM, async |cluster| {
        let (one, two) = (cluster.client(), cluster.client());
        let mut lease = acquire(&one, "/lock", 5).await.unwrap();
        one.sleep(3_000).await;
        assert!(lease.is_held(&one) && lease.keep(&one).await.unwrap());
        let Lease { index, token, .. } = lease;
        assert!(token < index, "a refresh moves the index and keeps the token");
        one.sleep(6_000).await;
        let others = acquire(&two, "/lock", 5).await.unwrap();
        assert!(!lease.is_held(&one) && !lease.keep(&one).await.unwrap());
        lease.release(&one).await.unwrap();
        assert_eq!(try_acquire(&one, "/lock", 5).await, Ok(None), "the other has it still");
        assert!(others.is_held(&two));
    });
}
