//! The thread that drops what takes long to drop: a replaced state of a hundred thousand
//! keys, or the last handle of a large file that has no name any more.

use std::any::Any;
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rustix::process::nice;

/// Things that may wait for it.
const WAITING: usize = 8;

type Thing = Box<dyn Any + Send>;

/// None if the operating system has no thread to give.
static THREAD: LazyLock<Option<SyncSender<Thing>>> = LazyLock::new(|| {
    let (sender, things) = sync_channel::<Thing>(WAITING);
    let thread = thread::Builder::new().name("discard".into());
    thread.spawn(move || drop_all(&things)).ok().map(|_| sender)
});

/// At the lowest priority: clients wait for the other threads, and for this one nobody
/// does. Linux gives each thread a priority of its own.
fn drop_all(things: &Receiver<Thing>) {
    // Without it writes are only slower after a snapshot.
    let _ = nice(19);
    things.iter().for_each(drop);
}

/// Has it dropped there, or here if too much waits there already.
pub fn discard(thing: impl Any + Send) {
    if let Some(thread) = &*THREAD {
        drop(thread.try_send(Box::new(thing)));
    }
}
