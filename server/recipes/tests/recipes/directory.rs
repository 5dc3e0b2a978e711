use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use quorate_recipes::directory::{Change, Follower, Mirror};
use quorate_recipes::{Delete, Node, Put, Store};

use crate::fake::{CALM, Client, Cluster, STORM, each_seed, finish, process};

/// Changes things at random, below the directory and beside it.
async fn meddle(client: Client, times: u32) {
    const KEYS: [&str; 7] = ["/d/a", "/d/b", "/d/c/x", "/d/c/y/z", "/d/_h", "/d/c/_h/k", "/e/f"];
    for turn in 0..times {
        client.sleep(client.cluster.between(0, 300)).await;
        let key = KEYS[usize::try_from(client.cluster.between(0, 6)).unwrap()].to_owned();
        let value = Some(format!("{turn}"));
        let request = match client.cluster.between(0, 9) {
            0 => Delete { key, ..Delete::default() }.into(),
            1 => Delete { key: "/d/c".into(), recursive: true, ..Delete::default() }.into(),
            2 => Put { key, value, ttl: Some(2), ..Put::default() }.into(),
            3 => Put { key, refresh: true, ttl: Some(2), ..Put::default() }.into(),
            _ => Put { key, value, ..Put::default() }.into(),
        };
        // Whatever comes of it.
        let _ = client.request(request).await;
    }
}

/// Follows for ever, with a break now and then, and keeps a record.
async fn follow(client: Client, seen: Rc<RefCell<Vec<Change>>>) {
    let mut follower = Follower::new("/d");
    loop {
        let change = follower.next(&client).await.expect("no refusal");
        seen.borrow_mut().push(change);
        if client.cluster.chance(5) {
            client.sleep(client.cluster.between(0, 20_000)).await;
            follower = Follower::resume("/d", follower.from());
        }
    }
}

/// What followers of `/d` are to see, in order.
fn events(cluster: &Cluster) -> Vec<u64> {
    let history = cluster.history("/d");
    let shown = history.iter().filter(|it| it.is_shown && !it.event.node.key.contains("/_"));
    shown.map(|it| it.index).collect()
}

fn judge(cluster: &Cluster, seen: &[Change]) {
    let events = events(cluster);
    let mut last = None;
    for change in seen {
        let index = match change {
            Change::Listing { index, .. } => {
                assert!(last.is_none_or(|last| last <= *index), "a listing from before");
                *index
            }
            Change::Event(event) => {
                let last = last.expect("a listing is first");
                let next = events.iter().find(|index| **index > last);
                assert_eq!(next, Some(&event.node.modified_index), "after {last}");
                event.node.modified_index
            }
        };
        last = Some(index);
    }
    let mut mirror = Mirror::default();
    seen.iter().for_each(|change| mirror.take(change));
    let entry = |node: &Node| (node.key.clone(), (node.value.clone(), node.modified_index));
    let mirrored: BTreeMap<_, _> = mirror.files().map(entry).collect();
    let root = cluster.tree.borrow().node("/d", 0, true).unwrap_or_default();
    let visible = root.below().into_iter().filter(|it| !it.dir && !it.key.contains("/_"));
    assert_eq!(mirrored, visible.map(entry).collect(), "the copy is not the original");
}

#[test]
fn each_sees_every_change_once_and_in_order_whatever_happens() {
    each_seed(STORM, async |cluster| {
        let seen: Vec<Rc<RefCell<Vec<Change>>>> = (0..3).map(|_| Rc::default()).collect();
        for seen in &seen {
            process(follow(cluster.client(), seen.clone()));
        }
        finish((0..3).map(|_| process(meddle(cluster.client(), 60))).collect()).await;
        cluster.clear_up().await;
        // The last breaks end, and the last events arrive.
        cluster.client().sleep(60_000).await;
        for seen in &seen {
            judge(&cluster, &seen.borrow());
        }
    });
}

#[test]
fn a_quiet_directory_has_no_gap_while_others_are_busy() {
    each_seed(CALM, async |cluster| {
        let (client, other) = (cluster.client(), cluster.client());
        let following = process(async move {
            let mut follower = Follower::new("/d");
            assert!(matches!(follower.next(&other).await, Ok(Change::Listing { .. })));
            let Ok(Change::Event(event)) = follower.next(&other).await else { panic!("a gap") };
            assert_eq!(event.node.text(), "last");
        });
        for _ in 0..200 {
            let put = Put { key: "/e".into(), value: Some(String::new()), ..Put::default() };
            client.request(put.into()).await.unwrap();
            client.sleep(500).await;
        }
        let put = Put { key: "/d/a".into(), value: Some("last".into()), ..Put::default() };
        client.request(put.into()).await.unwrap();
        finish(vec![following]).await;
    });
}

#[test]
fn a_deleted_parent_takes_all_along() {
    each_seed(CALM, async |cluster| {
        let client = cluster.client();
        let put = Put { key: "/p/d/a".into(), value: Some("1".into()), ..Put::default() };
        client.request(put.into()).await.unwrap();
        let (mut follower, mut mirror) = (Follower::new("/p/d"), Mirror::default());
        mirror.take(&follower.next(&client).await.unwrap());
        assert_eq!(mirror.files().count(), 1);
        let delete = Delete { key: "/p".into(), recursive: true, ..Delete::default() };
        client.request(delete.into()).await.unwrap();
        mirror.take(&follower.next(&client).await.unwrap());
        assert!(mirror.nodes().is_empty());
    });
}
