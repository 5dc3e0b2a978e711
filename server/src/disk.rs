//! The disk's thread: operations in, completions out, one after the other.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use std::thread::{self, JoinHandle};

use quorate_engine::{DiskId, DiskOp};

use crate::files::DataDir;
use crate::node::Word;

/// Where operations are given to the thread.
pub type Operations = Sender<(DiskId, DiskOp)>;

/// Starts the thread. It ends when the sender is dropped, after everything that
/// was asked for is done. The queue has no bound of its own: the engine has only
/// a few operations under way at once, and must never wait for one that waits
/// for the inbox.
///
/// # Errors
/// When the operating system has no thread to give.
pub fn start(
    mut directory: DataDir,
    inbox: SyncSender<Word>,
) -> std::io::Result<(Operations, JoinHandle<()>)> {
    let (sender, operations) = channel();
    let thread = thread::Builder::new().name("disk".into());
    let thread = thread.spawn(move || perform_all(&mut directory, &operations, &inbox))?;
    Ok((sender, thread))
}

fn perform_all(
    directory: &mut DataDir,
    operations: &Receiver<(DiskId, DiskOp)>,
    inbox: &SyncSender<Word>,
) {
    for (id, op) in operations {
        let result = directory.perform(&op);
        let failed = result.is_err();
        // Nobody listens any more while the server stops: the rest is still done.
        let _ = inbox.send(Word::Disk { id, result });
        if failed {
            // After a failed sync nobody knows what the disk holds: nothing that
            // was queued behind it may be written.
            return;
        }
    }
}
