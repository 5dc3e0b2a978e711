use quorate_recipes::fair_lock::{acquire, draw, wait};
use quorate_recipes::{Post, Store};

use crate::fake::{CALM, Client, STORM, each_seed, process};
use crate::spans::Spans;

#[test]
fn one_at_a_time_in_the_order_of_tickets_whatever_happens() {
    each_seed(STORM, async |cluster| {
        let acquire =
            async |client: &Client| acquire(client, "/fair", 6).await.expect("no refusal");
        Spans::contend(&cluster, acquire).await;
    });
}

#[test]
fn a_release_wakes_one_waiter_and_a_vanished_predecessor_is_no_release() {
    each_seed(CALM, async |cluster| {
        let client = cluster.client();
        let mut holder = draw(&client, "/fair", 120).await.unwrap();
        assert!(wait(&client, "/fair", &mut holder).await.unwrap());
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut waiters = Vec::new();
        for name in 0..5 {
            let (waiter, tell) = (cluster.client(), tell.clone());
            waiters.push(process(async move {
                let lease = acquire(&waiter, "/fair", if name == 1 { 4 } else { 120 }).await;
                tell.send((name, lease.unwrap())).unwrap();
            }));
            client.sleep(100).await;
        }
        waiters[1].abort();
        client.sleep(10_000).await;
        assert!(told.try_recv().is_err(), "1 has vanished, and 2 has nothing from that");
        let reads = cluster.reads();
        holder.release(&client).await.unwrap();
        let (name, mut lease) = told.recv().await.unwrap();
        assert_eq!(name, 0);
        client.sleep(500).await;
        assert_eq!(cluster.reads() - reads, 1, "only the next one looked");
        for next in [2, 3, 4] {
            lease.release(&client).await.unwrap();
            let told = told.recv().await.unwrap();
            assert_eq!(told.0, next);
            lease = told.1;
        }
    });
}

#[test]
fn a_spare_ticket_that_comes_late_holds_nobody_up() {
    each_seed(CALM, async |cluster| {
        let client = cluster.client();
        let mut ticket = draw(&client, "/fair", 120).await.unwrap();
        let spare = Post { key: "/fair".into(), value: ticket.value.clone(), ttl: Some(120) };
        client.request(spare.into()).await.unwrap();
        assert!(wait(&client, "/fair", &mut ticket).await.unwrap());
        ticket.release(&client).await.unwrap();
        acquire(&client, "/fair", 120).await.unwrap();
        assert!(cluster.now_ms() < 1_000, "the spare one is gone already");
    });
}
