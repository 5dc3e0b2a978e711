use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use quorate_recipes::Store;
use quorate_recipes::guarded::Stored;
use quorate_recipes::index_builder::{Outcome, ensure, fetch};

use crate::fake::{CALM, STORM, each_seed, finish, process};

#[test]
fn each_version_is_published_once_and_all_get_the_same_whatever_happens() {
    each_seed(STORM, async |cluster| {
        let fetched = Rc::new(RefCell::new(BTreeSet::new()));
        let builds = Rc::new(Cell::new(0));
        let mut builders = Vec::new();
        for name in ["ada", "grace", "joan", "kay"] {
            let (client, fetched, builds) = (cluster.client(), fetched.clone(), builds.clone());
            builders.push(process(async move {
                for version in 1..=3 {
                    let build = async || {
                        builds.set(builds.get() + 1);
                        let build = builds.get();
                        client.sleep(client.cluster.between(0, 8_000)).await;
                        format!("by {name}, build {build}")
                    };
                    ensure(&client, "/ix", name, version, 5, build).await.expect("no refusal");
                    let got = fetch(&client, "/ix", version).await.expect("no refusal");
                    fetched.borrow_mut().insert(got);
                }
            }));
        }
        cluster.client().sleep(cluster.between(1, 10_000)).await;
        builders.pop().expect("four").abort();
        finish(builders).await;
        cluster.clear_up().await;
        let history = cluster.history("/ix/index");
        let stored: Vec<Stored> = history.iter().map(|it| Stored::of(&it.event.node)).collect();
        assert!(stored.is_sorted_by_key(|it| it.token), "two wrote: {stored:?}");
        let mut published: Vec<&str> = stored.iter().map(|it| it.body.as_str()).collect();
        published.dedup();
        let versions = published.iter().filter_map(|it| it.split_once(' ')).map(|(it, _)| it);
        assert_eq!(versions.collect::<Vec<_>>(), ["1", "2", "3"], "{published:?}");
        for (version, index) in &*fetched.borrow() {
            assert!(published.contains(&format!("{version} {index}").as_str()));
        }
    });
}

#[test]
fn in_calm_it_is_built_once() {
    each_seed(CALM, async |cluster| {
        let builds = Rc::new(Cell::new(0));
        let outcomes = Rc::new(RefCell::new(Vec::new()));
        let mut builders = Vec::new();
        for name in ["ada", "grace", "joan"] {
            let (client, builds, outcomes) = (cluster.client(), builds.clone(), outcomes.clone());
            builders.push(process(async move {
                let build = async || {
                    builds.set(builds.get() + 1);
                    client.sleep(20_000).await;
                    "the index".into()
                };
                let outcome = ensure(&client, "/ix", name, 7, 5, build).await.unwrap();
                outcomes.borrow_mut().push(outcome);
                assert_eq!(fetch(&client, "/ix", 7).await, Ok((7, "the index".into())));
            }));
        }
        finish(builders).await;
        assert_eq!(builds.get(), 1);
        let there = outcomes.borrow().iter().filter(|it| **it == Outcome::There).count();
        assert_eq!(there, 2);
    });
}
