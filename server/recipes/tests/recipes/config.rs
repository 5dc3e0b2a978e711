use std::cell::RefCell;
use std::rc::Rc;

use quorate_recipes::config::{Setting, Subscription, publish};
use quorate_recipes::{Delete, Failure, Store};

use crate::fake::{CALM, STORM, each_seed, finish, process};

#[test]
fn versions_only_grow_and_all_come_to_the_last_whatever_happens() {
    each_seed(STORM, async |cluster| {
        let published = Rc::new(RefCell::new(Vec::new()));
        let seen: Rc<RefCell<Vec<Vec<Setting>>>> = Rc::new(RefCell::new(vec![Vec::new(); 3]));
        let mut publishers = Vec::new();
        for name in 0..3 {
            let (client, published) = (cluster.client(), published.clone());
            publishers.push(process(async move {
                for value in 0..6 {
                    client.sleep(client.cluster.between(0, 2_000)).await;
                    let value = format!("{name}-{value}");
                    match publish(&client, "/conf", &value).await {
                        Ok(version) => published.borrow_mut().push((version, value)),
                        Err(Failure::Unknown(_)) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            }));
        }
        for name in 0..3 {
            let (client, seen) = (cluster.client(), seen.clone());
            process(async move {
                let mut subscription = Subscription::new("/conf");
                loop {
                    let setting = subscription.next(&client).await.unwrap();
                    seen.borrow_mut()[name].push(setting);
                }
            });
        }
        finish(publishers).await;
        cluster.clear_up().await;
        let history = cluster.history("/conf");
        let is_true = |version: u64, value: &str| {
            let event = history.iter().find(|it| it.index == version);
            event.is_some_and(|it| it.event.node.text() == value)
        };
        for (version, value) in &*published.borrow() {
            assert!(is_true(*version, value), "{value} was not published at {version}");
        }
        let mut values: Vec<&str> = history.iter().map(|it| it.event.node.text()).collect();
        values.sort_unstable();
        assert!(values.is_sorted_by(|a, b| a < b), "one came back: {values:?}");
        for seen in &*seen.borrow() {
            assert!(seen.is_sorted_by(|a, b| a.version < b.version), "back in time: {seen:?}");
            let last = seen.last().expect("something was seen");
            assert_eq!(last.version, history.last().expect("published").index);
            for Setting { value, version } in seen {
                assert!(value.as_ref().is_none_or(|value| is_true(*version, value)));
            }
        }
    });
}

#[test]
fn a_setting_that_goes_is_seen_to_go() {
    each_seed(CALM, async |cluster| {
        let client = cluster.client();
        let mut subscription = Subscription::new("/conf");
        let setting =
            |value: Option<&str>, version| Setting { value: value.map(Into::into), version };
        assert_eq!(subscription.next(&client).await, Ok(setting(None, 0)));
        assert_eq!(publish(&client, "/conf", "one").await, Ok(1));
        assert_eq!(subscription.next(&client).await, Ok(setting(Some("one"), 1)));
        client.request(Delete { key: "/conf".into(), ..Delete::default() }.into()).await.unwrap();
        assert_eq!(subscription.next(&client).await, Ok(setting(None, 2)));
    });
}

#[test]
fn a_gap_in_which_nothing_changed_is_not_told() {
    each_seed(CALM, async |cluster| {
        let client = cluster.client();
        let mut subscription = Subscription::new("/conf");
        let one = publish(&client, "/conf", "one").await.unwrap();
        assert_eq!(subscription.next(&client).await.unwrap().version, one);
        cluster.pass_the_window();
        let publisher = cluster.client();
        let later = process(async move {
            publisher.sleep(5_000).await;
            publish(&publisher, "/conf", "two").await.unwrap();
        });
        assert_eq!(subscription.next(&client).await.unwrap().value, Some("two".into()));
        finish(vec![later]).await;
    });
}
