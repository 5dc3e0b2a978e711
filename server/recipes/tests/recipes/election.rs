use std::cell::RefCell;
use std::rc::Rc;

use quorate_recipes::Store;
use quorate_recipes::election::{Leader, Observer, campaign};

use crate::fake::{CALM, STORM, each_seed, finish, process};
use crate::spans::Spans;

#[test]
fn one_leader_at_a_time_and_observers_see_terms_grow_whatever_happens() {
    each_seed(STORM, async |cluster| {
        let spans = Spans::default();
        let seen: Rc<RefCell<Vec<Vec<Leader>>>> = Rc::new(RefCell::new(vec![Vec::new(); 2]));
        for at in 0..2 {
            let (client, seen) = (cluster.client(), seen.clone());
            process(async move {
                let mut observer = Observer::new("/office");
                loop {
                    let leader = observer.next(&client).await.expect("no refusal");
                    seen.borrow_mut()[at].extend(leader);
                }
            });
        }
        let mut candidates = Vec::new();
        for name in ["ada", "grace kay", "joan"] {
            let (client, spans) = (cluster.client(), spans.clone());
            candidates.push(process(async move {
                for _ in 0..3 {
                    let lease = campaign(&client, "/office", name, 5).await.expect("no refusal");
                    let beats = client.cluster.between(0, 6);
                    spans.hold(&client, lease, beats).await;
                }
            }));
        }
        cluster.client().sleep(cluster.between(1, 20_000)).await;
        candidates.pop().expect("three").abort();
        finish(candidates).await;
        cluster.clear_up().await;
        spans.judge();
        let history = cluster.history("/office");
        for leaders in &*seen.borrow() {
            assert!(leaders.is_sorted_by(|a, b| a.term < b.term), "terms fall: {leaders:?}");
            for Leader { name, term } in leaders {
                let elected = history.iter().find(|it| it.index == *term).expect("it happened");
                assert!(elected.event.node.text().starts_with(&format!("{name} ")));
            }
        }
    });
}

#[test]
fn who_resigns_is_followed_at_once_and_all_hear_of_it() {
    each_seed(CALM, async |cluster| {
        let (ada, joan) = (cluster.client(), cluster.client());
        let mut observer = Observer::new("/office");
        assert_eq!(observer.next(&ada).await, Ok(None));
        let lease = campaign(&ada, "/office", "ada", 5).await.unwrap();
        let leader = |name: &str, term| Ok(Some(Leader { name: name.into(), term }));
        assert_eq!(observer.next(&ada).await, leader("ada", lease.token));
        let term = lease.token;
        let successor = process(async move {
            let mut lease = campaign(&joan, "/office", "joan", 5).await.unwrap();
            assert!(joan.cluster.now_ms() < 3_500, "resigning frees the office at once");
            assert!(lease.token > term);
            lease.keep_on(&joan).await.unwrap();
        });
        ada.sleep(3_000).await;
        lease.release(&ada).await.unwrap();
        assert_eq!(observer.next(&ada).await, Ok(None));
        assert_eq!(observer.next(&ada).await, leader("joan", term + 2));
        successor.abort();
        let dead_ms = cluster.now_ms();
        assert_eq!(observer.next(&ada).await, Ok(None));
        assert!(cluster.now_ms() < dead_ms + 5_600, "the dead leader's office is empty");
    });
}

#[test]
fn a_gap_in_which_nobody_was_elected_is_not_told() {
    each_seed(CALM, async |cluster| {
        let (client, ada) = (cluster.client(), cluster.client());
        let mut observer = Observer::new("/office");
        assert_eq!(observer.next(&client).await, Ok(None));
        cluster.pass_the_window();
        let ada = process(async move {
            ada.sleep(5_000).await;
            let lease = campaign(&ada, "/office", "ada", 5).await.unwrap();
            ada.cluster.pass_the_window();
            ada.sleep(1_000).await;
            lease.release(&ada).await.unwrap();
        });
        assert_eq!(observer.next(&client).await.unwrap().map(|it| it.name), Some("ada".into()));
        assert_eq!(observer.next(&client).await, Ok(None));
        finish(vec![ada]).await;
    });
}
