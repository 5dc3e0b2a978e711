//! A node's process: a loop around `step`, and a clock that ticks.

use madsim::runtime::{Handle, NodeHandle};
use madsim::time::Instant;
use quorate_engine::{Input, NodeId};
use tokio::sync::mpsc;

use super::world::{Shared, World};

/// A place for the process to run in; it starts at once.
pub(super) fn create(shared: &Shared, id: NodeId) -> NodeHandle {
    let shared = shared.clone();
    let handle = Handle::current();
    handle.create_node().name(format!("n{id}")).init(move || live(shared.clone(), id)).build()
}

/// One life.
async fn live(shared: Shared, id: NodeId) {
    let (inbox, mut words) = mpsc::unbounded_channel();
    shared.lock().birth(id, inbox);
    let mut next_tick = shared.lock().next_tick(id);
    loop {
        let left = next_tick.saturating_duration_since(Instant::now());
        let word = madsim::time::timeout(left, words.recv()).await;
        let mut world = shared.lock();
        match word {
            Ok(Some(input)) => {
                let mut inputs = vec![input];
                while let Ok(more) = words.try_recv() {
                    // What was answered before it is not to be blamed on it.
                    if matches!(more, Input::Forget { .. }) {
                        world.step(id, std::mem::take(&mut inputs));
                    }
                    inputs.push(more);
                }
                world.step(id, inputs);
            }
            Ok(None) => return,
            Err(_) => {}
        }
        // As in the server's driver: however much arrives, no tick waits for it, and one
        // comes however long the node has been away.
        if Instant::now() >= next_tick {
            next_tick = world.next_tick(id);
            tick(&mut world, id);
        }
    }
}

fn tick(world: &mut World, id: NodeId) {
    if world.node(id).clock.is_frozen() {
        return;
    }
    world.publish(id);
    let since = world.began.elapsed();
    let wall_ms = world.node(id).clock.wall_ms(since);
    let leads = world.leads(id);
    let ticks = world.liar.ticks(leads, id);
    world.step(id, vec![Input::Tick { wall_ms }; ticks]);
}
