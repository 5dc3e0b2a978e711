use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use quorate_recipes::queue::{Item, enqueue, take, try_take};
use quorate_recipes::{Failure, Post, Store};

use crate::fake::{CALM, STORM, each_seed, finish, process};

#[test]
fn each_item_is_taken_once_and_in_order_whatever_happens() {
    each_seed(STORM, async |cluster| {
        let (acknowledged, taken) = (Rc::default(), Rc::default());
        let no_more = Rc::new(Cell::new(false));
        let mut producers = Vec::new();
        for name in 0..3 {
            let client = cluster.client();
            let acknowledged: Rc<RefCell<Vec<String>>> = Rc::clone(&acknowledged);
            producers.push(process(async move {
                for item in 0..8 {
                    let body = format!("{name}-{item}");
                    match enqueue(&client, "/queue", &body).await {
                        Ok(_) => acknowledged.borrow_mut().push(body),
                        Err(Failure::Unknown(_)) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            }));
        }
        let mut consumers = Vec::new();
        for _ in 0..3 {
            let client = cluster.client();
            let taken: Rc<RefCell<Vec<Item>>> = Rc::clone(&taken);
            let no_more = no_more.clone();
            consumers.push(process(async move {
                loop {
                    match try_take(&client, "/queue").await.expect("no refusal") {
                        Ok(item) => taken.borrow_mut().push(item),
                        Err(_) if no_more.get() => return,
                        Err(_) => client.sleep(200).await,
                    }
                }
            }));
        }
        cluster.client().sleep(cluster.between(1, 10_000)).await;
        consumers.pop().expect("three").abort();
        finish(producers).await;
        cluster.clear_up().await;
        no_more.set(true);
        finish(consumers).await;
        judge(&acknowledged.borrow(), &taken.borrow());
    });
}

/// One consumer crashed: it may have taken one item along.
fn judge(acknowledged: &[String], taken: &[Item]) {
    let mut taken = taken.to_vec();
    taken.sort_by_key(|item| item.index);
    assert!(taken.is_sorted_by(|a, b| a.key < b.key), "out of order: {taken:?}");
    let mut times = BTreeMap::<&str, usize>::new();
    for item in &taken {
        *times.entry(&item.body).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 1), "taken twice: {times:?}");
    let missing = acknowledged.iter().filter(|body| !times.contains_key(body.as_str()));
    assert!(missing.count() <= 1, "acknowledged {acknowledged:?}, taken {times:?}");
}

#[test]
fn who_waits_gets_the_next_item_at_once_and_items_by_hand_are_items() {
    each_seed(CALM, async |cluster| {
        let (client, other) = (cluster.client(), cluster.client());
        let waiter = process(async move {
            assert_eq!(take(&other, "/queue").await.unwrap().body, "by hand");
            assert_eq!(take(&other, "/queue").await.unwrap().body, "two words");
            assert!((15_000..15_100).contains(&other.cluster.now_ms()));
        });
        client.sleep(15_000).await;
        let post = Post { key: "/queue".into(), value: "by hand".into(), ttl: None };
        client.request(post.into()).await.unwrap();
        enqueue(&client, "/queue", "two words").await.unwrap();
        finish(vec![waiter]).await;
    });
}

#[test]
fn what_a_dead_consumer_had_claimed_goes_by_itself() {
    each_seed(CALM, async |cluster| {
        let client = cluster.client();
        enqueue(&client, "/queue", "lost").await.unwrap();
        let dying = cluster.client();
        let consumer = process(async move {
            take(&dying, "/queue").await.unwrap();
        });
        // Claimed, not yet deleted.
        while cluster.history("/queue").len() < 2 {
            client.sleep(1).await;
        }
        consumer.abort();
        assert!(try_take(&client, "/queue").await.unwrap().is_err(), "it is the dead one's");
        client.sleep(62_000).await;
        assert_eq!(cluster.tree.borrow().node("/queue", 0, true).unwrap().nodes, []);
    });
}
