use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use quorate_recipes::Store;
use quorate_recipes::monitor::{Monitor, Sighting};
use quorate_recipes::registry::register;

use crate::fake::{CALM, Client, STORM, each_seed, process};

/// A member that beats until it is killed; its name is told.
async fn member(client: Client, names: Rc<RefCell<Vec<String>>>) {
    let mut registration = register(&client, "/members", "here", 5).await.unwrap();
    names.borrow_mut().push(registration.key().rsplit('/').next().unwrap().to_owned());
    match registration.serve(&client).await.unwrap() {}
}

#[test]
fn who_leaves_has_left_and_who_dies_has_vanished_within_the_bound() {
    each_seed(CALM, async |cluster| {
        let client = cluster.client();
        let mut monitor = Monitor::new("/members");
        let leaver = register(&client, "/members", "here", 5).await.unwrap();
        let leavers = leaver.key().rsplit('/').next().unwrap().to_owned();
        assert_eq!(monitor.next(&client).await, Ok(vec![Sighting::Joined(leavers.clone())]));
        let names = Rc::default();
        let dying = process(member(cluster.client(), Rc::clone(&names)));
        let joined = monitor.next(&client).await.unwrap();
        client.sleep(10).await;
        let dyings = names.borrow()[0].clone();
        assert_eq!(joined, [Sighting::Joined(dyings.clone())]);
        leaver.deregister(&client).await.unwrap();
        assert_eq!(monitor.next(&client).await, Ok(vec![Sighting::Left(leavers)]));
        client.sleep(30_000).await;
        dying.abort();
        let died_ms = cluster.now_ms();
        assert_eq!(monitor.next(&client).await, Ok(vec![Sighting::Vanished(dyings)]));
        assert!(cluster.now_ms() <= died_ms + 5_600);
        assert_eq!(monitor.present(), BTreeSet::new());
    });
}

#[test]
fn nobody_is_missed_or_reported_twice_whatever_happens() {
    each_seed(STORM, async |cluster| {
        let names: Rc<RefCell<Vec<String>>> = Rc::default();
        let spawn = |_| process(member(cluster.client(), Rc::clone(&names)));
        let members: Vec<_> = (0..6).map(spawn).collect();
        let present: Rc<RefCell<BTreeSet<String>>> = Rc::default();
        let (client, known) = (cluster.client(), present.clone());
        let watching = process(async move {
            let mut monitor = Monitor::new("/members");
            loop {
                for sighting in monitor.next(&client).await.unwrap() {
                    let mut known = known.borrow_mut();
                    let is_news = match &sighting {
                        Sighting::Joined(name) => known.insert(name.clone()),
                        Sighting::Left(name) | Sighting::Vanished(name) => known.remove(name),
                    };
                    assert!(is_news, "{sighting:?} was known");
                }
            }
        });
        cluster.client().sleep(90_000).await;
        members[0].abort();
        members[1].abort();
        cluster.clear_up().await;
        assert!(!watching.is_finished(), "the monitor objects to nothing");
        let listed = cluster.tree.borrow().node("/members", 0, true).unwrap();
        let listed: BTreeSet<_> = listed.nodes.iter().map(|it| it.name().to_owned()).collect();
        assert_eq!(listed.len(), 4);
        assert_eq!(*present.borrow(), listed);
    });
}
