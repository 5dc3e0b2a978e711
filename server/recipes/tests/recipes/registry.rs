use quorate_recipes::Store;
use quorate_recipes::registry::{Discovery, register};

use crate::fake::{CALM, STORM, Weather, each_seed, finish, process};

#[test]
fn a_live_instance_is_never_dropped_and_a_dead_one_goes_within_its_ttl() {
    let weather = Weather { refused: 15, unanswered: 10, drift: 10, ..CALM };
    each_seed(weather, async |cluster| {
        let mut instances = Vec::new();
        for at in 0..5 {
            let client = cluster.client();
            instances.push(process(async move {
                let address = format!("http://h{at}");
                let mut registration = register(&client, "/web", &address, 6).await.unwrap();
                match registration.serve(&client).await.unwrap() {}
            }));
        }
        let client = cluster.client();
        client.sleep(60_000).await;
        let died_ms = cluster.now_ms();
        instances[0].abort();
        client.sleep(60_000).await;
        let gone: Vec<_> =
            cluster.history("/web").into_iter().filter(|it| it.is_removal()).collect();
        let [expired] = gone.as_slice() else { panic!("one died: {gone:?}") };
        assert_eq!(expired.event.prev_node.as_ref().unwrap().text(), "http://h0");
        assert!((died_ms..=died_ms + 6_600).contains(&expired.at_ms), "{died_ms}: {expired:?}");
        let listed = Discovery::new("/web").next(&client).await.unwrap();
        let mut addresses: Vec<_> = listed.into_iter().map(|it| it.address).collect();
        addresses.sort();
        assert_eq!(addresses, ["http://h1", "http://h2", "http://h3", "http://h4"]);
    });
}

#[test]
fn after_a_storm_the_list_is_right_again() {
    each_seed(STORM, async |cluster| {
        let mut instances = Vec::new();
        for at in 0..5 {
            let client = cluster.client();
            instances.push(process(async move {
                let address = format!("http://h{at}");
                let mut registration = register(&client, "/web", &address, 5).await.unwrap();
                match at {
                    // One comes and goes.
                    0 => registration.deregister(&client).await.unwrap(),
                    _ => match registration.serve(&client).await.unwrap() {},
                }
            }));
        }
        let listed = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let (client, out) = (cluster.client(), listed.clone());
        process(async move {
            let mut discovery = Discovery::new("/web");
            loop {
                *out.borrow_mut() = discovery.next(&client).await.unwrap();
            }
        });
        cluster.client().sleep(60_000).await;
        instances[1].abort();
        cluster.client().sleep(20_000).await;
        cluster.clear_up().await;
        let mut addresses: Vec<_> = listed.borrow().iter().map(|it| it.address.clone()).collect();
        addresses.sort();
        assert_eq!(addresses, ["http://h2", "http://h3", "http://h4"]);
        instances.iter().for_each(tokio::task::JoinHandle::abort);
        finish(instances).await;
    });
}
