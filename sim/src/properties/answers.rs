//! Every request is answered, once, in its own kind, and in time
//! (ARCHITECTURE.md, decision 5): a read is never lost and never written, a
//! forgotten request is not answered, and no request but a watch hangs beyond the
//! deadline: a watch waits until something happens, or it is forgotten, or its
//! node dies.

use std::collections::BTreeMap;

use quorate_engine::{Done, Input, NodeId, Outcome, Output, Refused, Request, RequestId};

use super::{Observation, Property};

#[derive(Debug)]
pub(super) struct Answers {
    deadline_ticks: u32,
    waiting: BTreeMap<NodeId, BTreeMap<RequestId, Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    kind: Kind,
    ticks: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Write,
    Read,
    Publish,
    Watch,
}

impl Answers {
    pub(super) fn new(deadline_ticks: u32) -> Self {
        Self { deadline_ticks, waiting: BTreeMap::new() }
    }
}

impl Property for Answers {
    fn name(&self) -> &'static str {
        "every request is answered once"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let waiting = self.waiting.entry(node).or_default();
        match what {
            Observation::Born(_) | Observation::Died => waiting.clear(),
            Observation::In(Input::Client { id, request }) => {
                waiting.insert(*id, Waiting { kind: kind(request), ticks: 0 });
            }
            Observation::In(Input::Forget { id }) => {
                waiting.remove(id);
            }
            Observation::In(Input::Tick { .. }) => {
                waiting.values_mut().for_each(|request| request.ticks += 1);
            }
            Observation::Out(Output::Reply { id, outcome }) => {
                let request = waiting.remove(id).ok_or(format!("nobody waits for answer {id}"))?;
                fits(*id, request.kind, outcome)?;
            }
            Observation::View(_) => {
                let mut timed = waiting.iter().filter(|(_, request)| request.kind != Kind::Watch);
                let late = timed.find(|(_, request)| request.ticks > self.deadline_ticks);
                if let Some((id, request)) = late {
                    return Err(format!("request {id} hangs for {} ticks", request.ticks));
                }
            }
            Observation::Out(_) | Observation::In(_) | Observation::Forgot { .. } => {}
        }
        Ok(())
    }
}

fn kind(request: &Request) -> Kind {
    match request {
        Request::Write(_) => Kind::Write,
        Request::Read => Kind::Read,
        Request::Watch(_) => Kind::Watch,
        Request::Publish(_) => Kind::Publish,
    }
}

fn fits(id: RequestId, kind: Kind, outcome: &Outcome) -> Result<(), String> {
    let fits = match outcome {
        Outcome::Done(Done::Written { event, at }) => {
            kind == Kind::Write && (at.store_index, at.clock) == (event.index(), event.stamp)
        }
        Outcome::Refused(Refused::Tree { .. }) => kind == Kind::Write,
        Outcome::Done(Done::Readable { .. }) => kind == Kind::Read,
        Outcome::Done(Done::Published) => kind == Kind::Publish,
        Outcome::Done(Done::Watched { events, .. }) => kind == Kind::Watch && !events.is_empty(),
        Outcome::Refused(Refused::Cleared(_)) => kind == Kind::Watch,
        Outcome::Refused(Refused::Deadline) => kind == Kind::Read,
        Outcome::Lost(_) => matches!(kind, Kind::Write | Kind::Publish),
        Outcome::Refused(_) => true,
    };
    if fits {
        return Ok(());
    }
    Err(format!("request {id}, a {kind:?}, is answered {outcome}"))
}
