use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use quorate_recipes::condition::{Rule, join, signal, wait};
use quorate_recipes::{Store, code};

use crate::fake::{CALM, Cluster, STORM, each_seed, finish, process};

/// Who was released by which generation.
type Released = Rc<RefCell<BTreeMap<String, u64>>>;

/// A process that joins, waits by a rule, and tells.
fn member(
    cluster: &Rc<Cluster>,
    name: &str,
    rule: &Rule,
    released: &Released,
) -> tokio::task::JoinHandle<()> {
    let (client, name) = (cluster.client(), name.to_owned());
    let (rule, released) = (rule.clone(), released.clone());
    process(async move {
        let member = join(&client, "/barrier", &name).await.expect("no refusal");
        wait(&client, "/barrier", &member, &rule).await.expect("no refusal");
        released.borrow_mut().insert(name, member.generation);
    })
}

/// Tasks that were there when each generation went, from the history alone.
fn fired(cluster: &Cluster) -> BTreeMap<u64, Vec<String>> {
    let mut tasks = BTreeMap::<u64, Vec<String>>::new();
    let mut fired = BTreeMap::new();
    for happened in cluster.history("/barrier/") {
        let parts: Vec<&str> = happened.event.node.key.split('/').skip(2).collect();
        let generation: u64 = parts[0].parse().expect("a number");
        match (&parts[1..], happened.is_removal()) {
            (["fired"], false) => {
                let then = tasks.get(&generation).cloned().unwrap_or_default();
                assert_eq!(fired.insert(generation, then), None, "{generation} fired twice");
            }
            (["tasks", name], false) => tasks.entry(generation).or_default().push((*name).into()),
            (["tasks", name], true) => {
                tasks.entry(generation).or_default().retain(|it| it != name);
            }
            _ => {}
        }
    }
    fired
}

#[test]
fn each_member_is_counted_and_released_once_whatever_happens() {
    each_seed(STORM, async |cluster| {
        let released = Released::default();
        let spawn = |at| member(&cluster, &format!("m{at}"), &Rule::Size(3), &released);
        let mut members = Vec::new();
        for at in 0..12 {
            cluster.client().sleep(cluster.between(0, 3_000)).await;
            members.push(spawn(at));
        }
        cluster.clear_up().await;
        let by_size = fired(&cluster);
        assert!(!by_size.is_empty(), "nobody went");
        assert!(by_size.values().all(|tasks| tasks.len() >= 3), "too few: {by_size:?}");
        // Who is left over is fewer than the rule asks for; a signal lets them go.
        signal(&cluster.client(), "/barrier").await.unwrap();
        finish(members).await;
        let fired = fired(&cluster);
        let mut counted = BTreeMap::new();
        for (generation, tasks) in &fired {
            for name in tasks {
                assert_eq!(counted.insert(name.clone(), *generation), None, "{name} twice");
            }
        }
        assert_eq!(counted, *released.borrow());
        assert_eq!(counted.len(), 12);
    });
}

#[test]
fn nobody_goes_before_a_certain_task_is_there() {
    each_seed(STORM, async |cluster| {
        let released = Released::default();
        let rule = Rule::Task("first".into());
        let mut members: Vec<_> =
            (0..4).map(|at| member(&cluster, &format!("m{at}"), &rule, &released)).collect();
        cluster.client().sleep(60_000).await;
        assert_eq!(*released.borrow(), BTreeMap::new());
        members.push(member(&cluster, "first", &rule, &released));
        finish(members).await;
        assert_eq!(released.borrow().len(), 5);
        assert_eq!(fired(&cluster).len(), 1);
    });
}

#[test]
fn a_signal_is_for_those_who_came_before_it() {
    each_seed(CALM, async |cluster| {
        let (client, released) = (cluster.client(), Released::default());
        let members = vec![
            member(&cluster, "early", &Rule::Signal, &released),
            member(&cluster, "too", &Rule::Signal, &released),
        ];
        client.sleep(1_000).await;
        assert_eq!(signal(&client, "/barrier").await, Ok(1));
        finish(members).await;
        let late = member(&cluster, "late", &Rule::Signal, &released);
        client.sleep(60_000).await;
        assert_eq!(released.borrow().len(), 2, "the late one missed it, and waits for the next");
        assert_eq!(signal(&client, "/barrier").await, Ok(2));
        finish(vec![late]).await;
        assert_eq!(released.borrow()["late"], 2);
        client.sleep(700_000).await;
        let left = cluster.tree.borrow().node("/barrier", 0, true).unwrap().nodes;
        let left: Vec<&str> = left.iter().map(|it| it.name()).collect();
        assert_eq!(left, ["00000000000000000002"], "the rest is cleared away");
        assert_eq!(
            signal(&client, "/barrier").await,
            Ok(3),
            "the count goes on, with nobody there"
        );
    });
}

#[test]
fn a_name_is_used_once_in_a_generation() {
    each_seed(CALM, async |cluster| {
        let client = cluster.client();
        join(&client, "/barrier", "twin").await.unwrap();
        assert_eq!(join(&client, "/barrier", "twin").await.unwrap_err().code, code::EXISTS);
    });
}
