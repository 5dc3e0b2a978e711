//! What can only be judged from all that clients and watchers saw.

use quorate_engine::NodeId;

use super::cluster::WINDOW;
use super::record::Told;
use crate::check::durable::{self, Final};
use crate::check::{self, Violation, watches};
use crate::history::History;

/// While nothing may be acknowledged, in ns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dark {
    /// Since the last of a majority was dead.
    pub from: u64,
    /// Until one of them was about to start again.
    pub until: u64,
}

/// The verdict, unless something has failed already.
pub(super) fn judge(told: &mut Told, states: &[(NodeId, Final)], dark: Option<Dark>) {
    if told.failure.is_some() {
        return;
    }
    if let Err(violation) = seen(told) {
        return told.fail(violation.oracle(), violation.to_string());
    }
    for (id, state) in states {
        if let Err(violation) = durable::check_final(&told.history, &told.hint, state) {
            return told.fail("durable", format!("n{id}: {violation}"));
        }
    }
    if let Some(lit) = dark.and_then(|dark| lit(&told.history, dark)) {
        told.fail("(n-1)/2", format!("acknowledged without a majority: {lit}"));
    }
}

fn seen(told: &Told) -> Result<(), Violation> {
    check::check(&told.history, &told.hint)?;
    watches::check(&told.watchings, &told.hint, WINDOW)
}

/// Something that was called and acknowledged in the dark.
fn lit(history: &History, dark: Dark) -> Option<String> {
    let mut operations = history.operations().iter();
    let lit = operations.find(|operation| {
        let acknowledged = operation.answer.store_index().is_some() && !operation.is_local();
        let returned = operation.returned_at.is_some_and(|at| at < dark.until);
        acknowledged && returned && operation.called_at >= dark.from
    });
    lit.map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use quorate_engine::Position;
    use quorate_engine::tree::{Fault, FaultCode, Path, Read};

    use super::*;
    use crate::history::{Answer, Op, Server};

    /// A linearizable or a local read, called and answered at these moments.
    fn lit_by(local: bool, called_at: u64, returned_at: u64) -> bool {
        let read = Read { path: Path::new("/a").unwrap(), recursive: false };
        let fault = Fault { code: FaultCode::KeyNotFound, cause: "/a".into(), index: 7 };
        let at = Position { store_index: 7, ..Position::default() };
        let mut history = History::new();
        let server = Server { node: 1, life: 0 };
        let id = history.call(1, server, Op::Read { read, local }, called_at);
        history.done(id, Answer::Read { found: Err(fault), at }, returned_at);
        lit(&history, Dark { from: 100, until: 200 }).is_some()
    }

    #[test]
    fn what_is_called_and_answered_in_the_dark_is_a_lie_unless_it_is_local() {
        assert!(lit_by(false, 100, 199));
        assert!(!lit_by(true, 100, 199));
        assert!(!lit_by(false, 99, 150), "it may have happened before");
        assert!(!lit_by(false, 150, 200), "it may have happened afterwards");
    }
}
