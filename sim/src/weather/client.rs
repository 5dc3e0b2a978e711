//! A client: asks, waits, gives up, tries elsewhere.

use std::time::Duration;

use quorate_engine::{NodeId, Request};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::journal::What;
use super::stream;
use super::world::Shared;
use crate::history::{Answer, Op, OpId, Server};
use crate::workload::Workload;

/// How long a client waits for an answer: sometimes less than the cluster needs.
pub(crate) const PATIENCE_MS: [u64; 3] = [300, 2_000, 8_000];
/// How often a refused operation is tried elsewhere.
pub(crate) const TRIES: u32 = 4;

/// Asks until told to stop.
pub(super) async fn live(shared: Shared, id: u64, seed: u64, workload: Shareload) {
    let mut rng = stream(seed, &format!("client {id}"));
    let (nodes, think_ms) = {
        let world = shared.lock();
        (world.scenario.nodes, world.scenario.think_ms)
    };
    let mut node = rng.random_range(1..=nodes);
    for nth in 0.. {
        madsim::time::sleep(Duration::from_millis(rng.random_range(1..=think_ms.max(1)))).await;
        let op = workload.lock().expect("one thread").next_op(id);
        if !shared.lock().is_asked(id, nth) {
            continue;
        }
        for _ in 0..TRIES {
            let answer = ask(&shared, id, node, op.clone(), &mut rng).await;
            workload.lock().expect("one thread").observe(&answer);
            match answer {
                Answer::Refused => node = rng.random_range(1..=nodes),
                Answer::Lost => {
                    node = rng.random_range(1..=nodes);
                    break;
                }
                _ => break,
            }
        }
    }
}

/// The workload that the clients of one run share.
pub(super) type Shareload = std::sync::Arc<std::sync::Mutex<Workload>>;

/// One operation, from the call to its answer, on record.
pub(crate) async fn ask(
    shared: &Shared,
    client: u64,
    node: NodeId,
    op: Op,
    rng: &mut Xoshiro256PlusPlus,
) -> Answer {
    let patience = Duration::from_millis(PATIENCE_MS[rng.random_range(0..PATIENCE_MS.len())]);
    let (there, back) = (rng.random_range(1..=3), rng.random_range(1..=3));
    let called = {
        let mut world = shared.lock();
        let (now, life) = (world.now(), world.node(node).life);
        let id = world.history.call(client, Server { node, life }, op.clone(), now);
        let op = || Box::new(op.clone());
        world.journal.record(|| What::Called { id, client, node, op: op() });
        id
    };
    madsim::time::sleep(Duration::from_millis(there)).await;
    let answer = carry_out(shared, node, called, op, patience).await;
    madsim::time::sleep(Duration::from_millis(back)).await;
    let mut world = shared.lock();
    let now = world.now();
    let said = || Box::new(answer.clone());
    world.journal.record(|| What::Answered { id: called, client, node, answer: said() });
    world.history.done(called, answer.clone(), now);
    answer
}

async fn carry_out(
    shared: &Shared,
    node: NodeId,
    called: OpId,
    op: Op,
    patience: Duration,
) -> Answer {
    let (request, read) = match op {
        Op::Write(write) => (Request::Write(write), None),
        Op::Read { read, local: true } => {
            let mut world = shared.lock();
            let answered = world.local_read(node, &read);
            // A connection that is refused certainly did nothing.
            let Some((server, answer)) = answered else { return Answer::Refused };
            world.history.reached(called, server);
            return answer;
        }
        Op::Read { read, local: false } => (Request::Read, Some(read)),
    };
    let asked = shared.lock().ask(node, request, read);
    let Some((server, answered, id)) = asked else { return Answer::Refused };
    shared.lock().history.reached(called, server);
    match madsim::time::timeout(patience, answered).await {
        Ok(Ok(answer)) => answer,
        // The connection broke.
        Ok(Err(_)) => Answer::Lost,
        Err(_) => {
            shared.lock().forget(node, id);
            Answer::Lost
        }
    }
}
