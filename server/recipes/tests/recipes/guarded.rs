use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use quorate_recipes::guarded::{Stored, take_over};
use quorate_recipes::lock::acquire;
use quorate_recipes::{Delete, Store};

use crate::fake::{CALM, STORM, each_seed, finish, process};

/// What became of a body, as its writer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Written,
    Fenced { doubtful: bool },
}

#[test]
fn holders_who_never_look_at_their_lease_spoil_nothing() {
    each_seed(STORM, async |cluster| {
        let told = Rc::new(RefCell::new(BTreeMap::new()));
        let mut processes = Vec::new();
        for name in 0..4 {
            let (client, told) = (cluster.client(), told.clone());
            processes.push(process(async move {
                for round in 0..3 {
                    let lease = acquire(&client, "/lock", 5).await.unwrap();
                    client.sleep(client.cluster.between(0, 9_000)).await;
                    let Some(mut writer) = take_over(&client, "/res", lease.token).await.unwrap()
                    else {
                        continue;
                    };
                    for write in 0..4 {
                        client.sleep(client.cluster.between(0, 4_000)).await;
                        let body = format!("{name}-{round}-{write}");
                        let done = writer.write(&client, &body).await.unwrap();
                        let what = match done {
                            Ok(()) => Told::Written,
                            Err(fenced) => Told::Fenced { doubtful: fenced.doubtful },
                        };
                        told.borrow_mut().insert(body, what);
                        if done.is_err() {
                            break;
                        }
                    }
                    lease.release(&client).await.unwrap();
                }
            }));
        }
        finish(processes).await;
        cluster.clear_up().await;
        let history = cluster.history("/res");
        let stored: Vec<Stored> = history.iter().map(|it| Stored::of(&it.event.node)).collect();
        assert!(stored.is_sorted_by_key(|it| (it.token, it.seq)), "tokens fall: {stored:?}");
        for (body, told) in &*told.borrow() {
            // A take-over keeps the body.
            let written = stored.iter().filter(|it| it.seq > 0 && it.body == *body).count();
            let is_right = match told {
                Told::Written => written == 1,
                Told::Fenced { doubtful: true } => written <= 1,
                Told::Fenced { doubtful: false } => written == 0,
            };
            assert!(is_right, "{body} was {told:?}, and written {written} times");
        }
    });
}

#[test]
fn a_paused_holder_is_turned_away() {
    each_seed(CALM, async |cluster| {
        let (old, new) = (cluster.client(), cluster.client());
        let olds = acquire(&old, "/lock", 5).await.unwrap();
        let mut writer = take_over(&old, "/res", olds.token).await.unwrap().unwrap();
        writer.write(&old, "first").await.unwrap().unwrap();
        old.sleep(6_000).await;
        let news = acquire(&new, "/lock", 5).await.unwrap();
        // The old one is back before the new one has come to the resource: still in time.
        writer.write(&old, "second").await.unwrap().unwrap();
        let mut successor = take_over(&new, "/res", news.token).await.unwrap().unwrap();
        assert_eq!(successor.body(), "second");
        let fenced = writer.write(&old, "third").await.unwrap().unwrap_err();
        assert!(!fenced.doubtful);
        assert_eq!(take_over(&old, "/res", olds.token).await, Ok(None));
        successor.write(&new, "fourth").await.unwrap().unwrap();
        // Deleting the key ends every chain, also that of its holder.
        new.request(Delete { key: "/res".into(), ..Delete::default() }.into()).await.unwrap();
        successor.write(&new, "fifth").await.unwrap().unwrap_err();
    });
}

#[test]
fn values_are_read_as_they_are_written_and_others_are_bodies() {
    let of = |text: &str| {
        let value = Some(text.to_owned());
        let stored = Stored::of(&quorate_recipes::Node { value, ..Default::default() });
        (stored.token, stored.seq, stored.body)
    };
    assert_eq!(of("12.3 a b"), (12, 3, "a b".into()));
    assert_eq!(of("12.3 "), (12, 3, String::new()));
    for foreign in ["", "12", "12.3", "x.1 y", "1.x y", "-1.2 y", "hello world"] {
        assert_eq!(of(foreign), (0, 0, foreign.into()));
    }
}
